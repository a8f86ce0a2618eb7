"""Milliseconds as a function of the widths: a table of measured shapes, and lines between them.

The table is a plain object, so that planning needs neither onnx nor onnxruntime; `deploy.latency`
measures what stands in it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

Axis = tuple[int, ...]
"""Channels at which a side of a layer is measured, rising."""

STEPS: Axis = (*range(16, 256, 16), *range(256, 512, 32), *range(512, 4097, 256))
"""What widths are measured at: up to 256 all that a search may choose. Between wider ones time is
taken as linear (docs/pruning.md has the error of that)."""


@dataclass(frozen=True, order=True)
class Shape:
    """One operation of a graph.

    kind: "conv", "depthwise", "product" (the sums of a 1x1 layer whose end is in C), "add" (of a
    residual branch) or "shuffle" (depth to space by 2). rows, columns: positions that come in.
    inputs, outputs: channels; of a shuffle the outputs are those of its result.
    """

    kind: str
    kernel: int
    stride: int
    rows: int
    columns: int
    inputs: int
    outputs: int

    @property
    def key(self) -> str:
        """The shape as text, such as "conv 3/2 90x160 48-96" (kernel 3, stride 2)."""
        place = f"{self.kernel}/{self.stride} {self.rows}x{self.columns}"
        return f"{self.kind} {place} {self.inputs}-{self.outputs}"


@dataclass(frozen=True)
class Latency:
    """What was measured on one host.

    host: what the numbers hold for (processor, ONNX Runtime, flavour, threads, size of the frame).
    points: milliseconds by `Shape.key`. graphs: of the whole graphs of the network as it is now.
    """

    host: Mapping[str, str]
    points: Mapping[str, float]
    graphs: Mapping[str, float]


def axis(low: int, high: int, factor: int = 1) -> Axis:
    """Where to measure widths of low..high, times `factor`: the two, and what lies between."""
    inside = (step for step in STEPS if low < step < high)
    return tuple(width * factor for width in dict.fromkeys((low, *inside, high)))


def nodes(value: int, on: Axis) -> list[tuple[int, float]]:
    """The neighbours of a value on an axis, with weights of sum 1. Law: it lies between the ends
    of the axis."""
    if value in on:
        return [(value, 1.0)]
    place = bisect_left(on, value)
    low, high = on[place - 1], on[place]
    share = (value - low) / (high - low)
    return [(low, 1.0 - share), (high, share)]
