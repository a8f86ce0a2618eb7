"""When a convolution of integers may take fewer multiplications, and its weights for that.

`native/native_winograd.h` has the algorithm. It is exact where sums of inputs and of weights fit
int16, and the sums of the convolution, twice as large in each direction of three taps, fit int32.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .packing import NARROW, Ints

_SUMS: Final = {
    2: np.array([[1, 0], [1, 1], [0, 1]], np.int64),
    3: np.array([[1, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 1]], np.int64),
}
"""Taps of one direction to the factors of its products."""
_INPUT_GROWTH: Final = 4
"""Each direction adds two inputs."""


def largest_sum(taps: Ints, bias: NDArray[np.int64], magnitude: NDArray[Any]) -> int:
    """The largest |sum| of any of the products of weights (O, kh, kw, I) with inputs up to
    magnitude (I,), and bias (O,)."""
    weight = np.abs(taps.astype(np.int64)).sum((1, 2))
    return int(np.max(weight @ magnitude.astype(np.int64) + np.abs(bias)))


def winograd_weight(
    taps: Ints, bias: NDArray[np.int64], magnitude: NDArray[np.int64]
) -> Ints | None:
    """taps: (O, kh, kw, I) -> (O, kh + 1, kw + 1, I), or None where that saves nothing or may be
    inexact. bias, magnitude: as `largest_sum` has them."""
    _, rows, columns, _ = taps.shape
    if rows not in _SUMS or columns not in _SUMS:
        return None
    twice = (rows == 3) + (columns == 3)
    if _INPUT_GROWTH * int(magnitude.max()) > NARROW.max:
        return None
    if largest_sum(taps, bias, magnitude) << twice > np.iinfo(np.int32).max:
        return None
    weight = taps.astype(np.int64)
    sums: NDArray[np.int64] = np.einsum("ar,orci,bc->oabi", _SUMS[rows], weight, _SUMS[columns])
    if not NARROW.min <= sums.min() <= sums.max() <= NARROW.max:
        return None
    return sums.astype(np.int16)
