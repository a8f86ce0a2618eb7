"""Convolutions of integers in C, over images whose channels are last (`native_convolution.h`).

A transposed convolution of stride s is s * s plain ones, each for the outputs of one remainder of
row and column by s: of its kernel each sees every s-th tap, turned round, and it writes every s-th
output.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..slices import Workers
from .packing import FASTEST, Floats, Ints, Packed, Scaling, Sums
from .winograd import largest_sum, winograd_weight

LEAST_WORK: Final = 4_000_000
"""Multiplications that a thread is woken for: some 20 microseconds."""


@dataclass(frozen=True)
class _Axis:
    """What outputs first, first + stride, ... of one axis see: `taps` of the kernel, in the order
    of the inputs, of which output number t sees those from t + begin on."""

    first: int
    taps: slice
    begin: int

    def end(self, kernel: int) -> int:
        """Behind the last input of output 0."""
        return self.begin + len(range(kernel)[self.taps])


def _plain(before: int) -> list[_Axis]:
    return [_Axis(0, slice(None), -before)]


def _transposed(kernel: int, stride: int, padding: int) -> list[_Axis]:
    """Output Y = stride * t + a sees input y by tap r where stride * y + r = Y + padding.

    Dumoulin, Visin: A guide to convolution arithmetic for deep learning, 2016, section 4.
    """
    axes = []
    for a in range(stride):
        least = (a + padding) % stride
        taps = list(range(least, kernel, stride))[::-1]
        if not taps:
            raise ValueError("a kernel that is smaller than its stride leaves outputs empty")
        begin = (a + padding - taps[0]) // stride
        axes.append(_Axis(a, slice(taps[0], least - 1 if least else None, -stride), begin))
    return axes


@dataclass(frozen=True)
class _Phase:
    """The outputs of one remainder of row and of column."""

    rows: _Axis
    columns: _Axis
    packed: Packed


class Convolution:
    """out = clip(round(max(total * scale, total * negative)), low, high), total = the sums of a
    convolution as PyTorch defines it, and bias.

    Sums wrap around at 32 bits: `largest_total` says how far they are from that. For use by many
    threads. kernel: which is used (`packing.py`), all give the same. Where magnitude is given and
    the sums allow it, windows of two or three taps a side take fewer multiplications
    (`winograd.py`), for the same numbers.
    """

    def __init__(
        self,
        weight: Ints,
        bias: Sums,
        scale: Floats,
        negative: Floats,
        low: Floats,
        high: Floats,
        *,
        padding: int | tuple[int, int, int, int] = 0,
        stride: int = 1,
        transposed: bool = False,
        output_padding: int = 0,
        magnitude: NDArray[Any] | None = None,
        workers: Workers | None = None,
        kernel: int = FASTEST,
    ) -> None:
        """weight: (O, kh, kw, I) int16; bias: (O,) int32; the others (O,) float32, low and high
        whole numbers within +-65535. padding: of zeros, at all sides or (top, left, bottom, right).
        stride, output_padding: of transposed convolutions; with them padding is what is cut off, at
        all sides. magnitude: (I,) the largest |input| that will ever come, None for any. workers:
        threads that share the rows. Raises ValueError.
        """
        if weight.ndim != 4 or weight.dtype != np.int16 or 0 in weight.shape:
            raise ValueError(f"weights {weight.dtype} of shape {weight.shape}")
        self.outputs, *self._size, self.inputs = weight.shape
        self._sides = (padding,) * 4 if isinstance(padding, int) else padding
        self._stride, self._output_padding = stride, output_padding
        if transposed and not isinstance(padding, int):
            raise ValueError("a transposed convolution has one padding for all sides")
        if stride < 1 or min(self._sides) < 0 or not (transposed or stride == 1):
            raise ValueError("a stride below 1, or one of a convolution that is not transposed")
        if not 0 <= output_padding < stride:
            raise ValueError("the output padding is not below the stride")
        self._weight, self._bias = weight, np.asarray(bias, np.int64)
        self._scaling = Scaling(bias, scale, negative, low, high)
        self._workers, self.kernel, self._transposed = workers or Workers(1), kernel, transposed
        self._magnitude = None if magnitude is None else np.asarray(magnitude, np.int64)
        if self._magnitude is not None and self._magnitude.shape != (self.inputs,):
            raise ValueError(f"magnitudes of shape {self._magnitude.shape}")
        self._phases = list(self._divided())

    def _axes(self, axis: int) -> list[_Axis]:
        if not self._transposed:
            return _plain(self._sides[axis])
        return _transposed(self._size[axis], self._stride, self._sides[axis])

    def _divided(self) -> Iterator[_Phase]:
        for rows in self._axes(0):
            for columns in self._axes(1):
                yield _Phase(rows, columns, self._packed(self._weight[:, rows.taps, columns.taps]))

    def _packed(self, taps: Ints) -> Packed:
        products = None
        if self._magnitude is not None:
            sums = winograd_weight(taps, self._bias, self._magnitude)
            if sums is not None:
                taps, products = sums, (sums.shape[1], sums.shape[2])
        even = np.pad(taps, ((0, 0), (0, 0), (0, 0), (0, self.inputs % 2)))
        runs = taps.shape[1] if products is None else products[0] * products[1]
        return Packed(even.reshape(self.outputs, runs, -1), self._scaling, products)

    def largest_total(self, magnitude: NDArray[Any]) -> int:
        """The largest |total|, or sum of some of its parts, for inputs up to magnitude (I,)."""
        parts = [self._weight[:, p.rows.taps, p.columns.taps] for p in self._phases]
        return max(largest_sum(taps, self._bias, magnitude) for taps in parts)

    def output_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """Of an input of this height and width; raises ValueError where nothing would come out."""
        kernel, sides = self._size, self._sides
        if self._transposed:
            more = kernel[0] + self._output_padding, kernel[1] + self._output_padding
            rows, columns = (
                (n - 1) * self._stride - 2 * self._sides[0] + m
                for n, m in zip((height, width), more, strict=True)
            )
        else:
            rows = height + sides[0] + sides[2] - kernel[0] + 1
            columns = width + sides[1] + sides[3] - kernel[1] + 1
        if min(rows, columns) < 1:
            raise ValueError(f"an input of {height} x {width} is too small for the kernel")
        return rows, columns, self.outputs

    def __call__(self, x: Ints, crop: tuple[int, int] | None = None) -> NDArray[Any]:
        """x: (h, w, I) int16 -> (h', w', O) int16, or int32 where those are too few bits for low
        and high. crop: how many of its rows and columns are wanted, at most. Raises ValueError."""
        if x.ndim != 3 or x.shape[2] != self.inputs or x.dtype != np.int16:
            raise ValueError(f"input {x.dtype} of shape {x.shape}, {self.inputs} channels wanted")
        rows, columns, _ = self.output_shape(x.shape[0], x.shape[1])
        if crop is not None:
            rows, columns = min(rows, crop[0]), min(columns, crop[1])
        out = np.empty((rows, columns, self.outputs), self._scaling.dtype)
        padded, corner = self._padded(x, out.shape)
        work = out.size * self._weight[0].size // self._stride**2
        count = max(1, min(self._workers.count, work // LEAST_WORK))
        self._workers.run(
            [partial(self._share, padded, corner, out, n, count) for n in range(count)]
        )
        return out

    def _padded(self, x: Ints, shape: tuple[int, ...]) -> tuple[Ints, tuple[int, int]]:
        """With all that windows see, zeros around, and an even number of channels; and where its
        corner is from x's."""
        edges = []
        for axis, inside, outside in zip((0, 1), x.shape, shape, strict=False):
            axes = self._axes(axis)
            size = self._size[axis]
            # Two outputs are made at a time where multiplications are saved.
            ends = [
                (outside - 1 - a.first) // self._stride // 2 * 2 + 1 + a.end(size) for a in axes
            ]
            edges.append((max(0, *(-a.begin for a in axes)), max(0, max(ends) - inside)))
        edges.append((0, self.inputs % 2))
        if any(sum(edge) for edge in edges):
            x = _with_zeros(x, edges)
        return np.ascontiguousarray(x), (edges[0][0], edges[1][0])

    def _share(
        self, x: Ints, corner: tuple[int, int], out: NDArray[Any], number: int, count: int
    ) -> None:
        """The outputs of one of `count` equal ranges of rows."""
        stride, outputs, (_, width, channels) = self._stride, self.outputs, x.shape
        for phase in self._phases:
            rows, columns = (
                len(range(axis.first, size, stride))
                for axis, size in zip((phase.rows, phase.columns), out.shape, strict=False)
            )
            begin, end = (rows * n // count // 2 * 2 for n in (number, number + 1))
            end = rows if number + 1 == count else end
            if begin == end or not columns:
                continue
            top, left = corner[0] + phase.rows.begin + begin, corner[1] + phase.columns.begin
            row, column = phase.rows.first + stride * begin, phase.columns.first
            places = (
                end - begin,
                columns,
                (top * width + left) * channels,
                width * channels,
                channels,
                width * channels,
                (row * out.shape[1] + column) * outputs,
                stride * out.shape[1] * outputs,
                stride * outputs,
            )
            phase.packed(x, places, self.kernel, out)


def _with_zeros(x: Ints, edges: list[tuple[int, int]]) -> Ints:
    wide = np.zeros([n + sum(edge) for n, edge in zip(x.shape, edges, strict=True)], np.int16)
    wide[tuple(slice(edge[0], edge[0] + n) for n, edge in zip(x.shape, edges, strict=True))] = x
    return wide
