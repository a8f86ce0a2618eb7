"""A fully connected layer of integers over many positions, in C (`native/native_dense.h`)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from c3d_export import _native

LANES: Final = 32
FASTEST: Final = 2
"""Kernels: 0 portable, 1 AVX2, 2 AVX-512; a host takes the best that it has up to the number."""

Ints = NDArray[np.int16]
Sums = NDArray[np.int32]
Floats = NDArray[np.float32]


def pack(weight: Ints) -> Ints:
    """(O, K) -> (pairs of inputs, padded outputs, 2), filled up with zeros."""
    outputs, inputs = weight.shape
    wide = np.pad(weight, ((0, -outputs % LANES), (0, inputs % 2)))
    return np.ascontiguousarray(wide.reshape(len(wide), -1, 2).transpose(1, 0, 2))


class Dense:
    """out = clip(round(max(total * scale, total * negative)), low, high), total = weight x + bias.

    For use by many threads. kernel: which is used, all give the same.
    """

    def __init__(
        self,
        weight: Ints,
        bias: Sums,
        scale: Floats,
        negative: Floats,
        low: Floats,
        high: Floats,
        kernel: int = FASTEST,
    ) -> None:
        """weight: (O, K) int16; bias: (O,) int32; the others (O,) float32, low and high whole
        numbers within +-65535."""
        self.outputs, self.inputs = weight.shape
        self._weight, self.kernel = pack(weight), kernel
        rest = (scale, negative, low, high)
        wide = [np.pad(part, (0, -self.outputs % LANES)) for part in (bias, *rest)]
        self._parts = (wide[0], wide[1], wide[2], wide[3], wide[4])

    def __call__(self, x: Ints) -> Sums:
        """x: (places, K) int16, contiguous -> (places, O) int32."""
        if self.inputs % 2:
            x = np.pad(x, ((0, 0), (0, 1)))
        out = np.empty((len(x), self.outputs), np.int32)
        sizes = (len(x), self.inputs + self.inputs % 2, self.outputs)
        _native.dense(x, *sizes, self._weight, self._parts, self.kernel, out)
        return out
