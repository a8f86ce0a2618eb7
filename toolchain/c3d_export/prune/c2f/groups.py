"""Which channels of which layers go with each width, read from the graph and checked.

Each side of each layer belongs to the groups completely, but for the three colours.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Final

from torch import nn

from ...core.errors import C3DError
from ...models.c2f.gdn import GDN
from ...models.c2f.network import CoarseToFine
from .graph import Graph, trace
from .widths import entry, widths_of

COLOURS: Final = (("g_a.0", "in"), ("reconstruction.pixels", "out"))
"""The sides that no group may reach."""
SCALE: Final = "top_scale"


@dataclass(frozen=True)
class Member:
    """One side of one layer in a group; of a GDN both at once, "both"; of the scales "out".

    channels[i]: its channels that go with index i of the width: 4 at a shuffle, 9 where a
    predictor's patch is flattened, else 1.
    """

    layer: str
    side: str
    channels: tuple[tuple[int, ...], ...]


Groups = dict[str, tuple[Member, ...]]
"""By name of a width."""


def groups_of(model: CoarseToFine) -> Groups:
    """Does not change the model. Raises C3DError where graph and spec disagree, which is a fault
    of this package."""
    return groups_in(trace(copy.deepcopy(model)))


def groups_in(graph: Graph) -> Groups:
    """Of a network that is traced and not yet cut."""
    widths = widths_of(graph.model.spec)
    groups = {name: _members(graph, name, size) for name, size in widths.items()}
    _check_cover(graph.model, groups)
    return groups


def _members(graph: Graph, name: str, size: int) -> tuple[Member, ...]:
    layer, side, first = entry(graph.model.spec, name)
    group = graph.group(layer, side, list(range(first, first + size)))
    found = (_member(graph, item, first, size) for item in group)
    return tuple(member for member in found if member is not None)


def _member(graph: Graph, item: Any, first: int, size: int) -> Member | None:
    """None for the graph's own nodes (additions, shuffles), which have no weights."""
    module = item.dep.target.module
    if not isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear | GDN | nn.Parameter):
        return None
    channels: list[list[int]] = [[] for _ in range(size)]
    for channel, index in zip(item.idxs, item.root_idxs, strict=True):
        channels[index - first].append(int(channel))
    places = tuple(tuple(sorted(c)) for c in channels)
    if isinstance(module, nn.Parameter):
        return Member(SCALE, "out", places)
    side = "out" if graph.is_output(item.dep.handler) else "in"
    return Member(graph.path(module), "both" if isinstance(module, GDN) else side, places)


def sides_of(model: CoarseToFine) -> dict[tuple[str, str], int]:
    """Channels of every side of every layer."""
    sides = {(SCALE, "out"): model.top_scale.shape[1]}
    for path, layer in model.named_modules():
        if isinstance(layer, GDN):
            sides[path, "both"] = len(layer.beta)
        elif isinstance(layer, nn.Linear):
            sides |= {(path, "in"): layer.in_features, (path, "out"): layer.out_features}
        elif isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            sides |= {(path, "in"): layer.in_channels, (path, "out"): layer.out_channels}
    return sides


def _check_cover(model: CoarseToFine, groups: Groups) -> None:
    covered: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for member in (member for members in groups.values() for member in members):
        covered[member.layer, member.side] += [c for places in member.channels for c in places]
    for side, count in sides_of(model).items():
        expected = [] if side in COLOURS else list(range(count))
        if sorted(covered[side]) != expected:
            raise C3DError(f"the groups do not cover {side[0]} ({side[1]}) as its spec says")
