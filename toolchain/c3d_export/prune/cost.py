"""Multiply-accumulates as a function of the widths, so that a search needs no networks.

The layers are products (positions x kernel x inputs x outputs), and inputs and outputs are sums
of widths times factors, both read from the groups. `models.network.macs_per_pixel` of the
resulting spec gives the same numbers (tested).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..models.layers import IntConv2d
from .graph import Graph
from .groups import Width
from .widths import TRANSFORMS

Terms = tuple[tuple[str, int], ...]
"""(name of a width, channels per unit of it)."""


@dataclass(frozen=True)
class LayerCost:
    """One layer. scale: output positions per pixel times kernel area. depthwise: an output sees
    one input.

    inputs, outputs: the channels that hang on no width; input_terms, output_terms: the others.
    """

    path: str
    scale: float
    inputs: int
    outputs: int
    input_terms: Terms
    output_terms: Terms
    depthwise: bool = False

    def macs(self, widths: Mapping[str, int]) -> float:
        inputs = self.inputs + sum(factor * widths[name] for name, factor in self.input_terms)
        outputs = self.outputs + sum(factor * widths[name] for name, factor in self.output_terms)
        return self.scale * outputs * (1 if self.depthwise else inputs)


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
            transform = layer.path.partition(".")[0]
            totals[transform] = totals.get(transform, 0.0) + layer.macs(widths)
        return totals

    def of_transforms(self, widths: Mapping[str, int]) -> float:
        """g_a and g_s together: what a ratio refers to."""
        totals = self.by_transform(widths)
        return sum(totals[transform] for transform in TRANSFORMS)

    def total(self, widths: Mapping[str, int]) -> float:
        return sum(layer.macs(widths) for layer in self.layers)


def cost_of(graph: Graph, widths: list[Width]) -> Cost:
    """The cost of a traced network, from its groups as `widths_of` gives them."""
    layers = []
    for path, layer in graph.model.named_modules():
        if isinstance(layer, IntConv2d):
            scale = graph.positions[path] * layer.weight[0, 0].numel()
            layers.append(_layer_cost(path, layer, scale, widths))
    return Cost(tuple(layers))


def _layer_cost(path: str, layer: IntConv2d, scale: float, widths: list[Width]) -> LayerCost:
    input_terms, output_terms = _terms(path, "in", widths), _terms(path, "out", widths)
    # The groups cover a side wholly or not at all (`groups._check_cover`).
    inputs = 0 if input_terms else layer.in_channels
    outputs = 0 if output_terms else layer.out_channels
    return LayerCost(path, scale, inputs, outputs, input_terms, output_terms, layer.depthwise)


def _terms(path: str, side: str, widths: list[Width]) -> Terms:
    return tuple(
        (width.name, part.factor * member.factor)
        for width in widths
        for part in width.parts
        for member in part.members
        if (member.layer, member.side) == (path, side)
    )
