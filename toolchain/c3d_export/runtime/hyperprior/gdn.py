"""Inverse GDN of integers in C (`native/native_gdn.h`), its sums by `convolution.py`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np

from c3d_export import _native

from ..slices import Workers
from .convolution import Convolution
from .packing import Floats, Ints

SHIFT: Final = 11
"""Bits of a square that are left out (`quantize/post/gdn.py`)."""


class InverseGDN:
    """out = round(clip(x * (sqrt(norm) * scale))), norm: of the squares of x."""

    def __init__(
        self, norm: Convolution, scale: Floats, low: Floats, high: Floats, workers: Workers
    ) -> None:
        """norm: 1x1, gives int32, none negative; its kernel is that of all parts."""
        self.norm, self._workers = norm, workers
        parts = [np.ascontiguousarray(p, np.float32) for p in (scale, low, high)]
        self._parts = (parts[0], parts[1], parts[2])

    def __call__(self, x: Ints, out: Ints, first: int = 0) -> None:
        """x: (h, w, C). out: (h, w, C'), contiguous; channels from `first` on are written."""
        rows, columns, channels = x.shape
        square, norm = np.empty_like(x), np.empty(0, np.int32)
        self._shared(rows, lambda a, b: self._square(x[a:b], square[a:b]))
        norm = self.norm(square)
        self._shared(
            rows,
            lambda a, b: _native.normalise(
                x[a:b],
                norm[a:b],
                ((b - a) * columns, channels),
                self._parts,
                (first, out.shape[2]),
                self.norm.kernel,
                out[a:b],
            ),
        )

    def _square(self, x: Ints, out: Ints) -> None:
        _native.square(x, x.size, SHIFT, self.norm.kernel, out)

    def _shared(self, rows: int, call: Callable[[int, int], Any]) -> None:
        """Ranges of rows, a thread each."""
        count = min(self._workers.count, rows)
        edges = [rows * n // count for n in range(count + 1)]
        self._workers.run([partial(call, *edges[n : n + 2]) for n in range(count)])
