"""Integer layers as the C kernels want them (`native/native_convolution.h`)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from c3d_export import _native

LANES: Final = 16
BLOCK: Final = 48
FASTEST: Final = 3
"""Kernels: 0 portable, 1 AVX2, 2 AVX-512, 3 AVX-512 VNNI; a host takes the best that it has up to
the number."""
NARROW: Final = np.iinfo(np.int16)

Ints = NDArray[np.int16]
Sums = NDArray[np.int32]
Floats = NDArray[np.float32]
Places = tuple[int, int, int, int, int, int, int, int, int]
"""rows, columns, x_first, x_row, x_column, x_run, out_first, out_row, out_column."""


def pack(weight: Ints) -> Ints:
    """(O, K), K even -> blocks of 48 outputs, each (K / 2, outputs, 2), filled up with zeros."""
    outputs, inputs = weight.shape
    wide = np.pad(weight, ((0, -outputs % LANES), (0, 0)))
    blocks = [wide[first : first + BLOCK] for first in range(0, outputs, BLOCK)]
    packed = [b.reshape(len(b), inputs // 2, 2).transpose(1, 0, 2).reshape(-1) for b in blocks]
    return np.concatenate(packed)


class Scaling:
    """From sums to outputs: clip(round(max(total * scale, total * negative)), low, high)."""

    def __init__(
        self, bias: Sums, scale: Floats, negative: Floats, low: Floats, high: Floats
    ) -> None:
        """All (O,); low and high whole numbers within +-65535. Raises ValueError."""
        self.outputs = len(bias)
        rest = [np.asarray(part, np.float32) for part in (scale, negative, low, high)]
        if any(part.shape != (self.outputs,) for part in rest) or not self.outputs:
            raise ValueError("bias, scale, negative, low and high are of different lengths")
        low, high = rest[2:]
        self.dtype: type[np.int16 | np.int32] = np.int16
        if (low < NARROW.min).any() or (high > NARROW.max).any():
            self.dtype = np.int32
        parts = (np.asarray(bias, np.int32), *rest)
        wide = [np.pad(part, (0, -self.outputs % LANES)) for part in parts]
        self.parts = (wide[0], wide[1], wide[2], wide[3], wide[4])


class Packed:
    """Weights that see `runs` runs of `length` numbers (even), and their scaling."""

    def __init__(
        self, weight: Ints, scaling: Scaling, products: tuple[int, int] | None = None
    ) -> None:
        """weight: (O, runs, length). products: rows and columns of them, where weights are those of
        `winograd.py`, and runs their number."""
        outputs, runs, length = weight.shape
        if outputs != scaling.outputs:
            raise ValueError(f"weights for {outputs} outputs, scales for {scaling.outputs}")
        self._sizes, self._scaling, self.products = (runs, length, outputs), scaling, products
        self._weight = pack(weight.reshape(outputs, -1))

    def __call__(self, x: Ints, places: Places, kernel: int, out: NDArray[Any]) -> None:
        """x: contiguous. Writes into `out`, int16 or int32, contiguous."""
        given = (x, self._sizes, self._weight, self._scaling.parts, places, kernel, out)
        if self.products is None:
            _native.convolve(*given)
        else:
            _native.winograd(*given, self.products)
