"""SSIM and MS-SSIM of one plane, fast, and exact where planes are nearly equal.

SSIM after Wang, Bovik, Sheikh and Simoncelli 2004 (an 11x11 Gaussian window of sigma 1.5, K1 .01,
K2 .03, no padding), MS-SSIM after Wang, Simoncelli and Bovik 2003 (five scales, their weights).
The numbers are those of pytorch-msssim, in a fifteenth of its time: windows are products with a
band matrix, and what depends on the original alone is kept (tests hold both together).

With d = x - y, the contrast-structure term is 1 - var(d) / (var(x) + var(y) + C2), the luminance
term 1 - mean(d)^2 / (mean(x)^2 + mean(y)^2 + C1). These small terms are what is summed, in
float64, so that float32 maps do: near 1, where 1 - MS-SSIM counts, nothing cancels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]
Map = NDArray[np.float32]

WINDOW: Final = 11
SIGMA: Final = 1.5
C1: Final = (0.01 * 255) ** 2
C2: Final = (0.03 * 255) ** 2
WEIGHTS: Final = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)

MS_SSIM_MIN_SIDE: Final = 161
"""Five scales halve a side four times, and the last one must still hold the window."""

# Maps of so many rows stay in the second-level cache, and memory does not grow with the frame.
_ROWS: Final = 64
# Of one product with the band matrix: more multiplies zeros, less calls BLAS more often.
_BAND: Final = 16
# Shifting changes no variance, and halves the numbers whose squares cancel.
_MIDDLE: Final = 128.0


@dataclass(frozen=True)
class Similarity:
    """Of two planes: at most 1. NaN where a side is below WINDOW or MS_SSIM_MIN_SIDE."""

    ssim: float
    ms_ssim: float


@dataclass(frozen=True)
class _Scale:
    """x: (h, w), the original less _MIDDLE. mean, variance: (h - 10, w - 10), None: not kept."""

    x: Map
    mean: Map | None
    variance: Map | None

    def strip(self, top: int, rows: int) -> tuple[Map, Map]:
        """The local mean and variance of x in these rows of the maps."""
        if self.mean is not None and self.variance is not None:
            return self.mean[top : top + rows], self.variance[top : top + rows]
        return _moments(self.x[top : top + rows + WINDOW - 1])


class OriginalPlane:
    """One plane of an original, uint8 (H, W), that others are compared with.

    keep: hold the maps of the original, 16 bytes a pixel; for more than one comparison.
    """

    def __init__(self, plane: Plane, *, keep: bool = True) -> None:
        self._scales: list[_Scale] = []
        if min(plane.shape) < WINDOW:
            return
        x = plane.astype(np.float32) - np.float32(_MIDDLE)
        self._scales.append(_scale(x, keep))
        if min(plane.shape) >= MS_SSIM_MIN_SIDE:
            for _ in WEIGHTS[1:]:
                x = _halved(x, -_MIDDLE)
                self._scales.append(_scale(x, keep))

    def compare(self, plane: Plane) -> Similarity:
        """plane: uint8, of the same shape."""
        if not self._scales:
            return Similarity(math.nan, math.nan)
        d = self._scales[0].x + np.float32(_MIDDLE) - plane
        terms = [_terms(self._scales[0], d)]
        for scale in self._scales[1:]:
            d = _halved(d, 0.0)
            terms.append(_terms(scale, d))
        ssim = 1 - terms[0][1]
        if len(terms) < len(WEIGHTS):
            return Similarity(ssim, math.nan)
        factors = [1 - contrast for contrast, _ in terms[:-1]] + [1 - terms[-1][1]]
        # As pytorch-msssim: a negative factor has no root, and counts as 0.
        powers = (max(0.0, f) ** w for f, w in zip(factors, WEIGHTS, strict=True))
        return Similarity(ssim, math.prod(powers))


def _scale(x: Map, keep: bool) -> _Scale:
    if not keep:
        return _Scale(x, None, None)
    strips = [_moments(x[top : top + rows + WINDOW - 1]) for top, rows in _strips(x)]
    mean, variance = (np.concatenate(maps) for maps in zip(*strips, strict=True))
    return _Scale(x, mean, variance)


def _moments(x: Map) -> tuple[Map, Map]:
    mean = _windowed(x)
    return mean, _windowed(x * x) - mean * mean


def _terms(scale: _Scale, d: Map) -> tuple[float, float]:
    """The means of 1 - contrast-structure and of 1 - SSIM over all windows."""
    contrast = similarity = 0.0
    for top, rows in _strips(d):
        part = slice(top, top + rows + WINDOW - 1)
        mean, variance = scale.strip(top, rows)
        mean_d, variance_d = _moments(d[part])
        covariance = _windowed(scale.x[part] * d[part]) - mean * mean_d
        # var(y) = var(x) - 2 cov(x, d) + var(d)
        q = variance_d / (2 * (variance - covariance) + variance_d + np.float32(C2))
        own = mean + np.float32(_MIDDLE)
        other = own - mean_d
        light = mean_d * mean_d / (own * own + other * other + np.float32(C1))
        contrast += float(np.sum(q, dtype=np.float64))
        similarity += float(np.sum(q + light - q * light, dtype=np.float64))
    windows = (d.shape[0] - WINDOW + 1) * (d.shape[1] - WINDOW + 1)
    return contrast / windows, similarity / windows


def _strips(x: Map) -> Iterator[tuple[int, int]]:
    """The first row and the number of rows of each strip of the maps of x."""
    height = x.shape[0] - WINDOW + 1
    for top in range(0, height, _ROWS):
        yield top, min(_ROWS, height - top)


def _band() -> Map:
    """(_BAND, _BAND + 10): row i holds the window's weights from column i on."""
    steps = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-(steps**2) / (2 * SIGMA**2))
    band = np.zeros((_BAND, _BAND + WINDOW - 1), np.float32)
    for row in range(_BAND):
        band[row, row : row + WINDOW] = weights / weights.sum()
    return band


_DOWN: Final = _band()
_ACROSS: Final = np.ascontiguousarray(_DOWN.T)


def _windowed(x: Map) -> Map:
    """(h, w) -> (h - 10, w - 10): the weighted mean over the window around each pixel."""
    height, width = (side - WINDOW + 1 for side in x.shape)
    down = np.empty((height, x.shape[1]), np.float32)
    for top in range(0, height, _BAND):
        n = min(_BAND, height - top)
        rows = slice(top, top + n + WINDOW - 1)
        np.matmul(_DOWN[:n, : n + WINDOW - 1], x[rows], out=down[top : top + n])
    across = np.empty((height, width), np.float32)
    for left in range(0, width, _BAND):
        n = min(_BAND, width - left)
        columns = slice(left, left + n + WINDOW - 1)
        band = _ACROSS[: n + WINDOW - 1, :n]
        np.matmul(down[:, columns], band, out=across[:, left : left + n])
    return across


def _halved(x: Map, black: float) -> Map:
    """The means of 2x2 pixels. black: what stands at both ends of an odd side, as in
    pytorch-msssim, whose pooling counts the zeros that it pads with."""
    margin = [(side % 2, side % 2) for side in x.shape]
    if any(before for before, _ in margin):
        x = np.pad(x, margin, constant_values=black)
        x = x[: x.shape[0] // 2 * 2, : x.shape[1] // 2 * 2]
    rows = x[0::2] + x[1::2]
    return np.asarray((rows[:, 0::2] + rows[:, 1::2]) * np.float32(0.25))
