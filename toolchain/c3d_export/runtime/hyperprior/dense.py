"""A fully connected layer of integers over many positions, in C."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .packing import FASTEST, Floats, Ints, Packed, Scaling, Sums


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
        self._scaling, self.kernel = Scaling(bias, scale, negative, low, high), kernel
        wide = np.pad(weight, ((0, 0), (0, self.inputs % 2)))
        self._packed = Packed(wide[:, None], self._scaling)

    def __call__(self, x: Ints) -> NDArray[Any]:
        """x: (places, K) int16, contiguous -> (places, O) int16, or int32 where those are too few
        bits for low and high."""
        if self.inputs % 2:
            x = np.pad(x, ((0, 0), (0, 1)))
        out = np.empty((len(x), self.outputs), self._scaling.dtype)
        places = (1, len(x), 0, 0, x.shape[1], 0, 0, 0, self.outputs)
        self._packed(x, places, self.kernel, out)
        return out
