"""Which channels of which layers go with each width, read from the graph and checked.

Each side of each layer belongs to the groups completely, but for the three colours.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from torch import nn

from ...core.errors import C3DError
from ...models.families import Network
from ...models.mbt.entropy import EntropyBottleneck
from .families import topology_of
from .graph import GDNS, Graph
from .topology import Side

_WHOLE = (*GDNS, EntropyBottleneck)
_LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, *_WHOLE)


@dataclass(frozen=True)
class Member:
    """One side of one layer in a group; of a GDN or a prior both at once, "both"; of a parameter of
    no layer "out".

    channels[i]: its channels that go with index i of the width: 4 at a shuffle, 9 where a
    predictor's patch is flattened, else 1.
    """

    layer: str
    side: str
    channels: tuple[tuple[int, ...], ...]


Groups = dict[str, tuple[Member, ...]]
"""By name of a width."""


def groups_of(model: Network) -> Groups:
    """Does not change the model. Raises C3DError where graph and spec disagree, which is a fault
    of this package."""
    return groups_in(topology_of(model).trace(copy.deepcopy(model)))


def groups_in(graph: Graph) -> Groups:
    """Of a network that is traced and not yet cut."""
    topology, spec = topology_of(graph.model), graph.model.spec
    sizes = topology.sizes_of(topology.widths_of(spec))
    groups = {name: _members(graph, topology.entry(spec, name), n) for name, n in sizes.items()}
    _check_cover(graph.model, groups)
    return groups


def _members(graph: Graph, entry: tuple[str, str, int], size: int) -> tuple[Member, ...]:
    layer, side, first = entry
    group = graph.group(layer, side, list(range(first, first + size)))
    found = (_member(graph, item, first, size) for item in group)
    return tuple(member for member in found if member is not None)


def _member(graph: Graph, item: Any, first: int, size: int) -> Member | None:
    """None for the graph's own nodes (additions, shuffles), which have no weights."""
    module = item.dep.target.module
    if not isinstance(module, (*_LAYERS, nn.Parameter)):
        return None
    channels: list[list[int]] = [[] for _ in range(size)]
    for channel, index in zip(item.idxs, item.root_idxs, strict=True):
        channels[index - first].append(int(channel))
    places = tuple(tuple(sorted(c)) for c in channels)
    if isinstance(module, nn.Parameter):
        return Member(topology_of(graph.model).parameter, "out", places)
    side = "out" if graph.is_output(item.dep.handler) else "in"
    return Member(graph.path(module), "both" if isinstance(module, _WHOLE) else side, places)


def sides_of(model: Network) -> dict[Side, int]:
    """Channels of every side of every layer."""
    sides: dict[Side, int] = {}
    if parameter := topology_of(model).parameter:
        sides[parameter, "out"] = model.get_parameter(parameter).shape[1]
    for path, layer in model.named_modules():
        if isinstance(layer, GDNS):
            sides[path, "both"] = len(layer.beta)
        elif isinstance(layer, EntropyBottleneck):
            sides[path, "both"] = len(layer.quantiles)
        elif isinstance(layer, nn.Linear):
            sides |= {(path, "in"): layer.in_features, (path, "out"): layer.out_features}
        elif isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            sides |= {(path, "in"): layer.in_channels, (path, "out"): layer.out_channels}
    return sides


def _check_cover(model: Network, groups: Groups) -> None:
    covered: defaultdict[Side, list[int]] = defaultdict(list)
    for member in (member for members in groups.values() for member in members):
        covered[member.layer, member.side] += [c for places in member.channels for c in places]
    for side, count in sides_of(model).items():
        expected = [] if side in topology_of(model).colours else list(range(count))
        if sorted(covered[side]) != expected:
            raise C3DError(f"the groups do not cover {side[0]} ({side[1]}) as its spec says")
