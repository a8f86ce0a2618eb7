"""Milliseconds of a network at any widths, from what was measured of it as it is.

A whole graph at other widths takes what it takes now, plus what the table says that its layers
gain or lose: entries, exits and calls, which no width changes, need no entry of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product

from .cost import Cost, LayerCost, Side
from .latency import Axis, Latency, Shape, axis, nodes

Widths = Mapping[str, int]

WAYS: Mapping[str, tuple[str, ...]] = {"encode": ("g_s",), "decode": ("g_a", "h_a")}
"""The graphs that each way does not run."""
PADDED = 64
"""Pixels a side of a hyper-latent: frames are padded to multiples for h_a and h_s, and to 16 for
the others."""


@dataclass(frozen=True)
class Range:
    """The widths that matter, least and most of each, and the frame's (width, height)."""

    low: Widths
    high: Widths
    size: tuple[int, int]

    def axis(self, side: Side) -> Axis:
        if not side.factor:
            return (side.fixed,)
        return axis(self.low[side.name], self.high[side.name], side.factor)

    def axes(self, layer: LayerCost) -> tuple[Axis, Axis]:
        return self.axis(layer.inputs), self.axis(layer.outputs)

    def shape(self, layer: LayerCost, inputs: int, outputs: int) -> Shape:
        """Of the layer itself."""
        rows, columns = self._positions(layer)
        return Shape(layer.kind, layer.kernel, layer.stride, rows, columns, inputs, outputs)

    def shape_after(self, layer: LayerCost, outputs: int) -> Shape:
        """Of the addition or the shuffle behind it."""
        rows, columns = self._positions(layer)
        channels = outputs // 4 if layer.after == "shuffle" else outputs
        return Shape(layer.after, 1, 1, rows, columns, channels, channels)

    def _positions(self, layer: LayerCost) -> tuple[int, int]:
        unit = PADDED if layer.transform.startswith("h_") else 16
        columns, rows = (-(-pixels // unit) * unit // layer.side for pixels in self.size)
        return rows, columns


def shapes_needed(cost: Cost, over: Range) -> list[Shape]:
    """What to measure, without repetition."""
    found = (shape for layer in cost.layers for shape in _shapes(layer, over))
    return list(dict.fromkeys(found))


def _shapes(layer: LayerCost, over: Range) -> Iterator[Shape]:
    inputs, outputs = over.axes(layer)
    pairs: Iterable[tuple[int, int]] = product(inputs, outputs)
    if layer.kind == "depthwise":
        pairs = [(channels, channels) for channels in outputs]
    yield from (over.shape(layer, *pair) for pair in pairs)
    if layer.after:
        yield from (over.shape_after(layer, channels) for channels in outputs)


@dataclass(frozen=True)
class Clock:
    """The time of a network of these layers. Law: `latency` has every shape of `shapes_needed`."""

    cost: Cost
    over: Range
    latency: Latency
    _known: dict[tuple[str, int, int], float] = field(default_factory=dict, repr=False)

    def layer(self, layer: LayerCost, widths: Widths) -> float:
        """Milliseconds of a layer and of what follows it, 0 in a block that is left out."""
        inputs, outputs = layer.channels(widths)
        key = layer.path, inputs, outputs
        if key not in self._known:
            self._known[key] = self._look_up(layer, inputs, outputs) if outputs else 0.0
        return self._known[key]

    def by_transform(self, widths: Widths) -> dict[str, float]:
        """Milliseconds of each graph."""
        totals = dict(self.latency.graphs)
        for layer in self.cost.layers:
            gained = self.layer(layer, widths) - self.layer(layer, self.over.high)
            totals[layer.transform] += gained
        return totals

    def of_way(self, way: str, widths: Widths) -> float:
        """Of the networks of "encode" or "decode"; of the slower way for "both"."""
        totals = self.by_transform(widths)
        ways = {
            name: sum(ms for graph, ms in totals.items() if graph not in absent)
            for name, absent in WAYS.items()
        }
        return max(ways.values()) if way == "both" else ways[way]

    def _look_up(self, layer: LayerCost, inputs: int, outputs: int) -> float:
        axes = self.over.axes(layer)
        total = 0.0
        for channels, share in nodes(outputs, axes[1]):
            seen = [(channels, 1.0)] if layer.kind == "depthwise" else nodes(inputs, axes[0])
            for count, weight in seen:
                shape = self.over.shape(layer, count, channels)
                total += share * weight * self.latency.points[shape.key]
            if layer.after:
                after = self.over.shape_after(layer, channels)
                total += share * self.latency.points[after.key]
        return total
