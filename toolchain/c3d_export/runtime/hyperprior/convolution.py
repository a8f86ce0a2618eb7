"""Convolutions of integers in C, over images whose channels are last (`native_convolution.h`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..slices import Workers
from .packing import FASTEST, Floats, Ints, Packed, Scaling, Sums
from .windows import Axis, Part
from .winograd import largest_sum, winograd_weight

LEAST_WORK: Final = 4_000_000
"""Multiplications that a thread is woken for: some 20 microseconds."""


@dataclass(frozen=True)
class _Phase:
    """The outputs of one part of the rows and one of the columns."""

    rows: Part
    columns: Part
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
        self.outputs, _, _, self.inputs = weight.shape
        self._stride = stride
        self._axes = _axes(weight, padding, stride, transposed, output_padding)
        self._weight, self._bias = weight, np.asarray(bias, np.int64)
        self._scaling = Scaling(bias, scale, negative, low, high)
        self._workers, self.kernel = workers or Workers(1), kernel
        self._magnitude = None if magnitude is None else np.asarray(magnitude, np.int64)
        if self._magnitude is not None and self._magnitude.shape != (self.inputs,):
            raise ValueError(f"magnitudes of shape {self._magnitude.shape}")
        self._phases = list(self._divided())

    def _divided(self) -> Iterator[_Phase]:
        for rows in self._axes[0].parts():
            for columns in self._axes[1].parts():
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
        rows, columns = self._axes[0].size(height), self._axes[1].size(width)
        if min(rows, columns) < 1:
            raise ValueError(f"an input of {height} x {width} is too small for the kernel")
        return rows, columns, self.outputs

    def __call__(
        self, x: Ints, crop: tuple[int, int] | None = None, rows: tuple[int, int] | None = None
    ) -> NDArray[Any]:
        """x: (h, w, I) int16 -> (h', w', O) int16, or int32 where those are too few bits for low
        and high. crop: how many of its rows and columns are wanted, at most. rows: a range of them,
        whose begin is a multiple of the stride. Raises ValueError."""
        if x.ndim != 3 or x.shape[2] != self.inputs or x.dtype != np.int16:
            raise ValueError(f"input {x.dtype} of shape {x.shape}, {self.inputs} channels wanted")
        height, width, _ = self.output_shape(x.shape[0], x.shape[1])
        if crop is not None:
            height, width = min(height, crop[0]), min(width, crop[1])
        begin, end = rows or (0, height)
        if not 0 <= begin < end <= height or begin % self._stride:
            raise ValueError(f"rows {begin} to {end} of {height}")
        out = np.empty((end - begin, width, self.outputs), self._scaling.dtype)
        padded, corner = self._padded(x, begin // self._stride, out.shape)
        work = out.size * self._weight[0].size // self._stride**2
        count = max(1, min(self._workers.count, work // LEAST_WORK))
        self._workers.run(
            [partial(self._share, padded, corner, out, n, count) for n in range(count)]
        )
        return out

    def _padded(self, x: Ints, begin: int, shape: tuple[int, ...]) -> tuple[Ints, tuple[int, int]]:
        """All that outputs of this shape see, from row stride * begin on, with zeros where there is
        no input, and an even number of channels; and where in it row `begin` and column 0 of the
        input are."""
        # Two outputs are made at a time where multiplications are saved.
        multiple = 2 if any(phase.packed.products for phase in self._phases) else 1
        seen = (
            self._axes[0].seen(begin, shape[0], multiple),
            self._axes[1].seen(0, shape[1], multiple),
            (0, self.inputs + self.inputs % 2),
        )
        inside = [
            (min(max(0, a), n), min(max(0, b), n)) for (a, b), n in zip(seen, x.shape, strict=True)
        ]
        part = x[tuple(slice(*ends) for ends in inside)]
        if tuple(b - a for a, b in seen) != part.shape:
            part = _with_zeros(part, seen, inside)
        return np.ascontiguousarray(part), (begin - seen[0][0], -seen[1][0])

    def _share(
        self, x: Ints, corner: tuple[int, int], out: NDArray[Any], number: int, count: int
    ) -> None:
        """The outputs of one of `count` equal ranges of rows."""
        stride, outputs, (_, width, channels) = self._stride, self.outputs, x.shape
        for phase in self._phases:
            rows = phase.rows.count(out.shape[0], stride)
            columns = phase.columns.count(out.shape[1], stride)
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


def _axes(
    weight: Ints,
    padding: int | tuple[int, int, int, int],
    stride: int,
    transposed: bool,
    output_padding: int,
) -> tuple[Axis, Axis]:
    """Of rows and of columns; raises ValueError."""
    if not 0 <= output_padding < stride:
        raise ValueError("the output padding is not below the stride")
    if transposed and not isinstance(padding, int):
        raise ValueError("a transposed convolution has one padding for all sides")
    top, left, bottom, right = (padding,) * 4 if isinstance(padding, int) else padding
    _, rows, columns, _ = weight.shape
    return (
        Axis(rows, top, bottom - output_padding, stride, transposed),
        Axis(columns, left, right - output_padding, stride, transposed),
    )


def _with_zeros(
    part: Ints, wanted: Sequence[tuple[int, int]], given: Sequence[tuple[int, int]]
) -> Ints:
    """part: what is in the ranges `given` of the axes -> what is in the ranges `wanted`."""
    wide = np.zeros([b - a for a, b in wanted], np.int16)
    places = zip(given, wanted, strict=True)
    wide[tuple(slice(a - first, b - first) for (a, b), (first, _) in places)] = part
    return wide
