"""Groups: for every width of the spec, which channels of which layers go together.

The groups are read from Torch-Pruning's dependency graph of the real forward pass (`graph.py`)
and checked against the spec: each side of each layer belongs to groups completely or not at all,
and what belongs to none is exactly the list in `FIXED`.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from ..core.errors import C3DError
from ..models.layers import IntConv2d
from ..models.network import Codec
from .graph import Graph, trace
from .widths import block_path, is_block, resolution, spec_widths

Side = tuple[str, str]
"""Path of a layer and which of its channels: "in" or "out"."""

_ROOTS: dict[str, tuple[Side, ...]] = {
    "g_a.high": (("g_a.down", "in"),),
    "g_a.low": (("g_a.head", "in"),),
    "h_a": (("h_a.conv2", "in"),),
    "h_s.0": (("h_s.conv2", "in"),),
    "h_s.1": (("h_s.conv3", "in"),),
    "h_s.2": (("h_s.mean", "in"),),
    # One number in the spec, eight groups in the graph: they share a size, not indexes, so each
    # keeps its own best channels.
    "g_ep": tuple(
        (f"{name}.{layer}", side)
        for name in ("g_cp", "g_ep")
        for layer, side in (
            ("features", "out"),
            ("latents", "out"),
            ("conv2", "in"),
            ("mean", "in"),
        )
    ),
    "g_s.low": (("g_s.up", "in"),),
    "g_s.high": (("g_s.correction", "in"),),
}
"""Where each group is entered. Consumers, because of the pixel shuffles (see `graph.py`)."""
_PART_NAMES = {
    "g_ep": tuple(
        f"{name}.{layer}"
        for name in ("g_cp", "g_ep")
        for layer in ("features", "latents", "conv1", "conv2")
    )
}

LATENTS, HYPER, PIXELS = "latents", "hyper-latents", "pixels"
_PRIORS = ("h_s", "g_cp", "g_ep")
FIXED: Mapping[Side, str] = {
    **{(f"{name}.{head}", "out"): LATENTS for name in _PRIORS for head in ("mean", "index")},
    **{(name, "out"): LATENTS for name in ("g_a.head", "g_a.linear")},
    **{(f"{name}.latents", "in"): LATENTS for name in ("g_cp", "g_ep")},
    **{(name, "in"): LATENTS for name in ("h_a.conv1", "g_s.enter", "g_s.pixels")},
    **dict.fromkeys((("h_a.conv2", "out"), ("h_s.conv1", "in")), HYPER),
    **dict.fromkeys((("g_a.patch", "in"), ("g_a.linear", "in")), PIXELS),
    **dict.fromkeys((("g_s.correction", "out"), ("g_s.pixels", "out")), PIXELS),
}
"""The sides that no group may reach, by what their channels are."""


@dataclass(frozen=True)
class Member:
    """One side of one layer in a group. channels[i]: its channels that go with index i."""

    layer: str
    side: str
    channels: tuple[tuple[int, ...], ...]

    @property
    def factor(self) -> int:
        """Channels of this layer per index: 4 before a depth-to-space by 2, else 1."""
        return len(self.channels[0])


@dataclass(frozen=True)
class Part:
    """One group of Torch-Pruning. size: its indexes; factor: size over the width (2: g_ep)."""

    name: str
    root: Side
    size: int
    factor: int
    members: tuple[Member, ...]


@dataclass(frozen=True)
class Width:
    """A width that may shrink.

    name: as in `spec_widths`. now: its channels. stage: pixels a side of one position (8, 16,
    32). macs: multiply-accumulates per pixel of the layers that it enters or leaves; a layer
    between two widths counts for both, so these do not add up to the network's.
    """

    name: str
    now: int
    stage: int
    macs: float
    parts: tuple[Part, ...]

    @property
    def layers(self) -> tuple[str, ...]:
        return layers_of(self.parts)


def layers_of(parts: tuple[Part, ...]) -> tuple[str, ...]:
    return tuple(sorted({member.layer for part in parts for member in part.members}))


def roots(name: str) -> tuple[Side, ...]:
    """Where the groups of a width are entered in the graph."""
    if is_block(name):
        trunk, index = block_path(name)
        return ((f"{trunk}.{index}.conv2", "in"),)
    return _ROOTS[name]


def prunable_widths(model: Codec) -> list[Width]:
    """One record per width of `model.spec` that may shrink, in the order of the dataflow.

    Does not change the model. Raises C3DError where the graph and the spec disagree, which is a
    fault of this package.
    """
    return widths_of(trace(copy.deepcopy(model)))


def widths_of(graph: Graph) -> list[Width]:
    """`prunable_widths` of a network that is traced already and not yet cut."""
    widths = [_width(graph, name, now) for name, now in spec_widths(graph.model.spec).items()]
    _check_cover(graph.model, widths)
    return widths


def layer_macs(graph: Graph, path: str) -> float:
    """Multiply-accumulates per pixel of one layer."""
    layer = graph.model.get_submodule(path)
    assert isinstance(layer, IntConv2d)
    return layer.weight.numel() * graph.positions[path]


def _width(graph: Graph, name: str, now: int) -> Width:
    names = _PART_NAMES.get(name, (name,))
    pairs = zip(names, roots(name), strict=True)
    parts = tuple(_part(graph, part, root, now) for part, root in pairs)
    macs = sum(layer_macs(graph, path) for path in layers_of(parts))
    return Width(name, now, resolution(name), macs, parts)


def _part(graph: Graph, name: str, root: Side, now: int) -> Part:
    layer = graph.model.get_submodule(root[0])
    assert isinstance(layer, IntConv2d)
    size = layer.in_channels if root[1] == "in" else layer.out_channels
    if size % now:
        raise C3DError(f"{name} has {size} channels, which is no multiple of its width {now}")
    group = graph.group(*root, list(range(size)))
    members = (_member(graph, item, size) for item in group)
    found = tuple(member for member in members if member is not None)
    return Part(name, root, size, size // now, found)


def _member(graph: Graph, item: Any, size: int) -> Member | None:
    """None for the graph's own nodes (additions, reshapes), which have no weights."""
    module: nn.Module = item.dep.target.module
    if isinstance(module, nn.Parameter):
        raise C3DError("a group reaches a parameter of the rate points")
    if not isinstance(module, IntConv2d):
        return None
    channels: list[list[int]] = [[] for _ in range(size)]
    for channel, index in zip(item.idxs, item.root_idxs, strict=True):
        channels[index].append(int(channel))
    side = "out" if graph.is_output(item.dep.handler) else "in"
    return Member(
        graph.layer_path(module), side, tuple(tuple(sorted(places)) for places in channels)
    )


def _sides(layer: IntConv2d) -> dict[str, int]:
    """Channels by side; those of a depthwise layer go in and out as one."""
    outputs = {"out": layer.out_channels}
    return outputs if layer.depthwise else {"in": layer.in_channels, **outputs}


def _check_cover(model: Codec, widths: list[Width]) -> None:
    covered: defaultdict[Side, list[int]] = defaultdict(list)
    for member in (m for width in widths for part in width.parts for m in part.members):
        covered[member.layer, member.side] += [c for places in member.channels for c in places]
    for path, layer in model.named_modules():
        if isinstance(layer, IntConv2d):
            for side, count in _sides(layer).items():
                expected = [] if (path, side) in FIXED else list(range(count))
                if sorted(covered[path, side]) != expected:
                    raise C3DError(f"the groups do not cover {path} ({side}) as its spec says")
