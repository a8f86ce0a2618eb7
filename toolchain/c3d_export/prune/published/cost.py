"""Multiply-accumulates as a function of the widths, so that a search needs no networks.

A layer is a product (taps x inputs x outputs), and inputs and outputs are sums of widths times
factors, which the groups say. Activations, additions and roundings do not count; GDN does, with its
matrix.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import nn

from ...models.families import Network, family_of
from ...train.schedules import WHOLE
from ...train.staged import MULTIPLE
from .families import topology_of
from .graph import GDNS
from .groups import Groups, sides_of
from .topology import Topology, Widths

Terms = tuple[tuple[str, int], ...]
"""(name of a group, channels of a side that go with each of its own)."""

ENCODER_ONLY: Final = ("g_a", "h_a")
DECODER_ONLY: Final = ("g_s", "reconstruction")
"""How the parts begin that only one way needs."""


@dataclass(frozen=True)
class LayerCost:
    """taps: multiplications per pixel of a frame for one input and one output channel. fixed:
    channels (in, out) that hang on no width, those of the colours."""

    path: str
    taps: float
    fixed: tuple[int, int]
    inputs: Terms
    outputs: Terms

    @property
    def part(self) -> str:
        return self.path.partition(".")[0]

    def macs(self, sizes: Widths) -> float:
        """Per pixel of the frame."""
        inputs, outputs = (
            fixed + sum(factor * sizes[name] for name, factor in terms)
            for fixed, terms in zip(self.fixed, (self.inputs, self.outputs), strict=True)
        )
        return self.taps * inputs * outputs


@dataclass(frozen=True)
class Cost:
    """MACs per pixel of a network of these layers, at any widths."""

    layers: tuple[LayerCost, ...]
    sizes_of: Callable[[Widths], dict[str, int]]

    def by_part(self, widths: Widths) -> dict[str, float]:
        """Of g_a, h_a, ..., in the order of the network."""
        sizes, totals = self.sizes_of(widths), defaultdict[str, float](float)
        for layer in self.layers:
            totals[layer.part] += layer.macs(sizes)
        return dict(totals)

    def total(self, widths: Widths) -> float:
        """Each layer once."""
        sizes = self.sizes_of(widths)
        return sum(layer.macs(sizes) for layer in self.layers)


def of_ways(by_part: Mapping[str, float]) -> dict[str, float]:
    """Of "encode" and "decode", which share what gives means and scales."""
    absent = {"encode": DECODER_ONLY, "decode": ENCODER_ONLY}
    return {
        way: sum(macs for part, macs in by_part.items() if not part.startswith(others))
        for way, others in absent.items()
    }


def cost_of(model: Network, groups: Groups) -> Cost:
    """The cost of a network with these groups."""
    topology = topology_of(model)
    terms: defaultdict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
    for name, members in groups.items():
        for member in members:
            terms[member.layer, member.side].append((name, len(member.channels[0])))
    layers = []
    for path, taps in _taps(model, topology).items():
        both = isinstance(model.get_submodule(path), GDNS)
        names = ((path, "both"), (path, "both")) if both else ((path, "in"), (path, "out"))
        sides = sides_of(model)
        fixed = tuple(0 if terms[name] else sides[name] for name in names)
        inputs, outputs = (tuple(terms[name]) for name in names)
        layers.append(LayerCost(path, taps, (fixed[0], fixed[1]), inputs, outputs))
    return Cost(tuple(layers), topology.sizes_of)


def _taps(model: Network, topology: Topology) -> dict[str, float]:
    """By layer; places of outputs as seen in a pass over the smallest frame."""
    found: dict[str, float] = {}

    def watch(path: str, layer: nn.Module) -> Any:
        def hook(_: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
            seen = inputs[0] if isinstance(layer, nn.ConvTranspose2d) else output
            kernel = 1 if isinstance(layer, GDNS) else layer.weight[0, 0].numel()  # type: ignore[index]
            found[path] = kernel * seen.shape[2] * seen.shape[3] / MULTIPLE**2

        return layer.register_forward_hook(hook)

    watched = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, *GDNS)
    layers = {path: m for path, m in model.named_modules() if isinstance(m, watched)}
    hooks = [watch(path, layer) for path, layer in layers.items()]
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            family_of(model).scaffold(model)(torch.zeros(1, 3, MULTIPLE, MULTIPLE), WHOLE)
    finally:
        for hook in hooks:
            hook.remove()
    known = {path: topology.taps(model, path) for path in layers}
    return {path: found[path] if own is None else own for path, own in known.items()}
