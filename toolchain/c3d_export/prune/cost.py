"""Multiply-accumulates as a function of the widths, so that a search needs no networks.

The layers are products (positions x kernel x inputs x outputs), and inputs and outputs are sums
of widths times factors, both read from the groups. `models.network.macs_per_pixel` of the
resulting spec gives the same numbers (tested).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..core.errors import C3DError
from ..models.layers import WIDE, IntConv2d, ResidualBlock
from .graph import SHUFFLED, Graph
from .groups import Width
from .widths import TRANSFORMS


@dataclass(frozen=True)
class Side:
    """The channels of one side of a layer: fixed + factor * (the width of this name)."""

    fixed: int = 0
    factor: int = 0
    name: str = ""

    def channels(self, widths: Mapping[str, int]) -> int:
        return self.fixed + (self.factor * widths[self.name] if self.factor else 0)


@dataclass(frozen=True)
class LayerCost:
    """One layer.

    kind: "conv", "depthwise" (an output sees one input) or "product" (ends in C). kernel, stride:
    of the convolution. side: pixels of the frame a side of an input position, 8 to 64. after: what
    follows at its outputs, "add" (to the trunk), "shuffle" or "".
    """

    path: str
    kind: str
    kernel: int
    stride: int
    side: int
    inputs: Side
    outputs: Side
    after: str = ""

    @property
    def transform(self) -> str:
        return self.path.partition(".")[0]

    def channels(self, widths: Mapping[str, int]) -> tuple[int, int]:
        """Inputs and outputs; (0, 0) for a layer of a block that is left out."""
        both = self.inputs.channels(widths), self.outputs.channels(widths)
        return both if all(both) else (0, 0)

    def macs(self, widths: Mapping[str, int]) -> float:
        """Per pixel of the frame."""
        inputs, outputs = self.channels(widths)
        seen = 1 if self.kind == "depthwise" else inputs
        return seen * outputs * self.kernel**2 / (self.side * self.stride) ** 2


@dataclass(frozen=True)
class Cost:
    """MACs per pixel of a network of these layers, at any widths (0: a block left out)."""

    layers: tuple[LayerCost, ...]

    def of_layers(self, paths: tuple[str, ...], widths: Mapping[str, int]) -> float:
        return sum(layer.macs(widths) for layer in self.layers if layer.path in paths)

    def by_transform(self, widths: Mapping[str, int]) -> dict[str, float]:
        """Keys as in `macs_per_pixel`: g_a, g_s, h_a, h_s, g_cp, g_ep."""
        totals: dict[str, float] = {}
        for layer in self.layers:
            totals[layer.transform] = totals.get(layer.transform, 0.0) + layer.macs(widths)
        return totals

    def of_transforms(self, widths: Mapping[str, int]) -> float:
        """g_a and g_s together: what a ratio refers to."""
        return sum(x.macs(widths) for x in self.layers if x.transform in TRANSFORMS)

    def total(self, widths: Mapping[str, int]) -> float:
        return sum(layer.macs(widths) for layer in self.layers)


def cost_of(graph: Graph, widths: list[Width]) -> Cost:
    """The cost of a traced network, from its groups as `widths_of` gives them."""
    after = dict.fromkeys(SHUFFLED, "shuffle")
    layers = []
    for path, layer in graph.model.named_modules():
        if isinstance(layer, ResidualBlock):
            after[f"{path}.conv2"] = "add"
        if isinstance(layer, IntConv2d):
            side = round(graph.positions[path] ** -0.5) // layer.stride[0]
            layers.append(_layer_cost(path, layer, side, widths, after.get(path, "")))
    return Cost(tuple(layers))


def _layer_cost(
    path: str, layer: IntConv2d, side: int, widths: list[Width], after: str
) -> LayerCost:
    in_c = not layer.rounding or layer.range[1] == WIDE
    kind = "depthwise" if layer.depthwise else "product" if in_c else "conv"
    outputs = _side(path, "out", layer.out_channels, widths)
    # Those of a depthwise layer go in and out as one.
    inputs = outputs if layer.depthwise else _side(path, "in", layer.in_channels, widths)
    kernel, stride = layer.kernel_size[0], layer.stride[0]
    return LayerCost(path, kind, kernel, stride, side, inputs, outputs, after)


def _side(path: str, side: str, channels: int, widths: list[Width]) -> Side:
    terms = [
        (width.name, part.factor * member.factor)
        for width in widths
        for part in width.parts
        for member in part.members
        if (member.layer, member.side) == (path, side)
    ]
    # The groups cover a side wholly or not at all (`groups._check_cover`).
    if not terms:
        return Side(fixed=channels)
    names = {name for name, _ in terms}
    if len(names) > 1:
        raise C3DError(f"{path} ({side}) hangs on {len(names)} widths, which no layer here does")
    return Side(factor=sum(factor for _, factor in terms), name=names.pop())
