"""AMD FidelityFX Super Resolution 1: EASU enlarges, RCAS sharpens; both in float32, as on a GPU.

Written after the 32-bit path of AMD's header ffx_fsr1.h (v1.20210629): FsrEasuCon, FsrEasuF,
FsrRcasCon, FsrRcasF, and the approximate reciprocals of ffx_a.h; operations keep their order, so
that a transcription of the header gives the same float32. Reads beyond the frame repeat its edge.
Two readings of GPU arithmetic: a limiter that is 0/0 is none (what fmin and fmax make of NaN), and
the picture between the two passes stays in float32.

The header's notice:

Copyright (c) 2021 Advanced Micro Devices, Inc. All rights reserved.

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or
substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES
OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_F = np.float32

SHARPNESS_STOPS: Final = 0.2
"""How far RCAS stays below its maximum, in halvings."""
RCAS_LIMIT: Final = _F(0.25 - 1.0 / 16.0)

# Rows that are computed at a time: some dozens of arrays of 1280 floats a row stay in the cache.
_BAND: Final = 16

# Taps in the order in which the header adds them up, and their places from pixel f:
#     b c
#   e f g h
#   i j k l
#     n o
_TAPS: Final = (
    *((0, -1), (1, -1), (-1, 1), (0, 1), (0, 0), (-1, 0)),  # b c i j f e
    *((1, 1), (2, 1), (2, 0), (1, 0), (1, 2), (0, 2)),  # k l h g o n
)
_NEAREST: Final = ((0, 0), (1, 0), (0, 1), (1, 1))  # f g j k
_REACH: Final = 2
"""Pixels that a tap may lie beyond the frame."""


def easu(low: Floats, shape: tuple[int, int], viewport: tuple[float, float]) -> Floats:
    """Edge-adaptive spatial upsampling of (h, w, 3) float32 RGB in 0..1, as on a display.

    viewport: height and width, in pixels of `low`, of the part from its upper left corner that is
    to fill the output; 1 to 2 times enlarged a side is what the method is made for. Returns
    (*shape, 3) float32, every value between those of the four nearest pixels.
    """
    planes = np.pad(low, ((_REACH, _REACH), (_REACH, _REACH), (0, 0)), "edge").transpose(2, 0, 1)
    rows, columns = (_Axis.of(*axis) for axis in zip(viewport, shape, strict=True))
    gradients = _Gradients.of(planes)
    wide = {dx: planes[:, :, columns.floor + dx + _REACH] for dx in (-1, 0, 1, 2)}
    out = np.empty((*shape, 3), _F)
    for band in _bands(shape[0]):
        part = _Axis(rows.floor[band], rows.fraction[band])
        kernel = _Kernel.of(gradients, part, columns)
        out[band] = _weighted(wide, kernel, part, columns).transpose(1, 2, 0)
    return out


def rcas(image: Floats, stops: float = SHARPNESS_STOPS) -> Floats:
    """Robust contrast-adaptive sharpening of (h, w, 3) float32 RGB in 0..1: the same shape.

    stops: 0 for the most, each 1 more halves it. The values stay in 0..1 within the precision of
    the header's reciprocal, 0.2 %.
    """
    planes = np.ascontiguousarray(image.transpose(2, 0, 1))
    framed = np.pad(planes, ((0, 0), (1, 1), (1, 1)), "edge")
    strength = np.exp2(_F(-stops))
    out = np.empty_like(image)
    for band in _bands(image.shape[0]):
        sharp = _sharpened(framed[:, band.start : band.stop + 2], strength)
        out[band] = sharp.transpose(1, 2, 0)
    return out


def _bands(rows: int) -> Iterator[slice]:
    for begin in range(0, rows, _BAND):
        yield slice(begin, min(rows, begin + _BAND))


def low_reciprocal(x: Floats) -> Floats:
    """APrxLoRcpF1: about 1 / x."""
    return (np.uint32(0x7EF07EBB) - x.view(np.uint32)).view(_F)


def medium_reciprocal(x: Floats) -> Floats:
    """APrxMedRcpF1: 1 / x after one step of Newton's method."""
    guess = (np.uint32(0x7EF19FFF) - x.view(np.uint32)).view(_F)
    result: Floats = guess * (-guess * x + _F(2))
    return result


def low_inverse_root(x: Floats) -> Floats:
    """APrxLoRsqF1: about 1 / sqrt(x)."""
    return (np.uint32(0x5F347D74) - (x.view(np.uint32) >> np.uint32(1))).view(_F)


def _luma(planes: Floats) -> Floats:
    """Twice a luma, of planes (3, ...)."""
    red, green, blue = planes
    luma: Floats = blue * _F(0.5) + (red * _F(0.5) + green)
    return luma


@dataclass(frozen=True)
class _Axis:
    """Output pixels along one axis: floor (n,), the pixel of the low resolution before each;
    fraction (n,), how far behind it.
    """

    floor: NDArray[np.intp]
    fraction: Floats

    @staticmethod
    def of(viewport: float, side: int) -> _Axis:
        inverse = _F(1) / _F(side)
        scale = _F(viewport) * inverse
        begin = _F(0.5) * _F(viewport) * inverse - _F(0.5)
        place = np.arange(side, dtype=_F) * scale + begin
        floor = np.floor(place)
        return _Axis(floor.astype(np.intp), place - floor)


@dataclass(frozen=True)
class _Gradients:
    """Of every pixel and one around the frame, (h + 2, w + 2): the difference across it, and how
    much it is an edge (1) or a line (0), along x and along y.
    """

    across: tuple[Floats, Floats]
    edge: tuple[Floats, Floats]

    @staticmethod
    def of(planes: Floats) -> _Gradients:
        """planes: (3, h + 4, w + 4)."""
        luma = _luma(planes)
        center = luma[1:-1, 1:-1]
        x = _Gradients._along(luma[1:-1, :-2], center, luma[1:-1, 2:])
        y = _Gradients._along(luma[:-2, 1:-1], center, luma[2:, 1:-1])
        return _Gradients((x[0], y[0]), (x[1], y[1]))

    @staticmethod
    def _along(before: Floats, center: Floats, after: Floats) -> tuple[Floats, Floats]:
        across = after - before
        step = np.maximum(np.abs(after - center), np.abs(center - before))
        edge = np.minimum(np.abs(across) * low_reciprocal(step), _F(1))
        return across, edge * edge


@dataclass(frozen=True)
class _Kernel:
    """The filter of each output pixel of a band, all (rows, columns).

    direction: of the gradient, a unit vector. stretch: of offsets along and across it. lobe:
    strength of the negative lobe. clip: squared distance at which the window ends.
    """

    direction: tuple[Floats, Floats]
    stretch: tuple[Floats, Floats]
    lobe: Floats
    clip: Floats

    @staticmethod
    def of(gradients: _Gradients, rows: _Axis, columns: _Axis) -> _Kernel:
        x, y, length = _interpolated(gradients, rows, columns)
        square = x * x + y * y
        flat = square < _F(1.0 / 32768.0)
        scale = np.where(flat, _F(1), low_inverse_root(square))
        x = np.where(flat, _F(1), x) * scale
        y = y * scale
        length = length * _F(0.5)
        length = length * length
        diagonal = (x * x + y * y) * low_reciprocal(np.maximum(np.abs(x), np.abs(y)))
        stretch = _F(1) + (diagonal - _F(1)) * length, _F(1) + _F(-0.5) * length
        lobe = _F(0.5) + _F((1.0 / 4.0 - 0.04) - 0.5) * length
        return _Kernel((x, y), stretch, lobe, low_reciprocal(lobe))

    def weight(self, x: Floats, y: Floats) -> Floats:
        """Of a tap at offsets x (1, columns) and y (rows, 1) from the output pixel: a Lanczos
        window of 2 lobes, as a polynomial of the squared distance.
        """
        along = (x * self.direction[0] + y * self.direction[1]) * self.stretch[0]
        across = (x * -self.direction[1] + y * self.direction[0]) * self.stretch[1]
        distance = np.minimum(along * along + across * across, self.clip)
        base = _F(2.0 / 5.0) * distance + _F(-1)
        window = self.lobe * distance + _F(-1)
        base = _F(25.0 / 16.0) * (base * base) + _F(-(25.0 / 16.0 - 1.0))
        return base * (window * window)


def _interpolated(gradients: _Gradients, rows: _Axis, columns: _Axis) -> tuple[Floats, ...]:
    """Bilinear sums over the four nearest pixels: gradient along x and y, and edges together."""
    px, py = columns.fraction[None, :], rows.fraction[:, None]
    right, below = (_F(1) - px, px), (_F(1) - py, py)
    x, y, length = (np.zeros((len(rows.floor), len(columns.floor)), _F) for _ in range(3))
    for dx, dy in _NEAREST:
        weight = right[dx] * below[dy]
        # The maps begin one pixel before the frame.
        place = np.ix_(rows.floor + dy + 1, columns.floor + dx + 1)
        x += gradients.across[0][place] * weight
        y += gradients.across[1][place] * weight
        length += gradients.edge[0][place] * weight
        length += gradients.edge[1][place] * weight
    return x, y, length


def _weighted(wide: dict[int, Floats], kernel: _Kernel, rows: _Axis, columns: _Axis) -> Floats:
    """(3, rows, columns): the taps' mean by their weights, within the four nearest pixels."""
    px, py = columns.fraction[None, :], rows.fraction[:, None]
    lines = {dy: rows.floor + dy + _REACH for dy in (-1, 0, 1, 2)}
    size = len(rows.floor), len(columns.floor)
    total, weights = np.zeros((3, *size), _F), np.zeros(size, _F)
    nearest = []
    for dx, dy in _TAPS:
        color = wide[dx][:, lines[dy]]
        weight = kernel.weight(_F(dx) - px, _F(dy) - py)
        total += color * weight
        weights += weight
        if (dx, dy) in _NEAREST:
            nearest.append(color)
    mean = total * (_F(1) / weights)
    low, high = reduce(np.minimum, nearest), reduce(np.maximum, nearest)
    clipped: Floats = np.minimum(high, np.maximum(low, mean))
    return clipped


def _sharpened(framed: Floats, strength: np.float32) -> Floats:
    """(3, rows, columns) of (3, rows + 2, columns + 2)."""
    b, d, e = framed[:, :-2, 1:-1], framed[:, 1:-1, :-2], framed[:, 1:-1, 1:-1]
    f, h = framed[:, 1:-1, 2:], framed[:, 2:, 1:-1]
    low, high = reduce(np.minimum, (b, d, f, h)), reduce(np.maximum, (b, d, f, h))
    with np.errstate(divide="ignore", invalid="ignore"):
        to_black = np.minimum(low, e) * (_F(1) / (_F(4) * high))
        to_white = (_F(1) - np.maximum(high, e)) * (_F(1) / (_F(4) * low + _F(-4)))
    lobes = np.fmax(-to_black, to_white)
    lobe = np.maximum(-RCAS_LIMIT, np.minimum(reduce(np.maximum, lobes), _F(0))) * strength
    scale = medium_reciprocal(_F(4) * lobe + _F(1))
    sharp: Floats = (lobe * b + lobe * d + lobe * h + lobe * f + e) * scale
    return sharp
