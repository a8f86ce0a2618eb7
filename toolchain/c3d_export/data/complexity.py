"""How many bits a pixel of a frame takes with a simple lossless predictor."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from c3d_export.runtime.images import Frame

# Pixels at a time: the memory stays the same for frames of any size.
_BAND: Final = 1 << 18


def residual_bits(frame: Frame) -> float:
    """The entropy of what the MED predictor of JPEG-LS leaves, in bits a pixel, all channels.

    Channels are G, R-G+128 and B-G+128 modulo 256; the first row and column are not counted. A
    measure of how much there is to code: 0 for a flat frame, 24 for noise. NaN where a side has
    one pixel.
    """
    height, width = frame.shape[:2]
    if height < 2 or width < 2:
        return float("nan")
    counts = np.zeros((3, 256), np.int64)
    rows = max(1, _BAND // width)
    for top in range(1, height, rows):
        band = frame[top - 1 : top + rows]
        green = band[..., 1]
        planes = (green, band[..., 0] - green + 128, band[..., 2] - green + 128)
        for index, plane in enumerate(planes):
            counts[index] += np.bincount(_residual(plane).ravel(), minlength=256)
    return sum(_entropy(histogram) for histogram in counts)


def _residual(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What is left of all but the first row and column, modulo 256."""
    left, up, corner = plane[1:, :-1], plane[:-1, 1:], plane[:-1, :-1]
    low, high = np.minimum(left, up), np.maximum(left, up)
    # MED: the smaller neighbour at an edge upwards, the larger at one downwards, else the plane.
    predicted = left + up - corner
    predicted = np.where(corner >= high, low, np.where(corner <= low, high, predicted))
    residual: NDArray[np.uint8] = plane[1:, 1:] - predicted
    return residual


def _entropy(counts: NDArray[np.int64]) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum())
