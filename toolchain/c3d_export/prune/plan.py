"""The plan of a pruning: every width now and then, before a single weight is touched."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ..core.errors import OptionError
from ..models.network import Codec
from ..models.spec import BLOCK_CHANNELS, PATCH_CHANNELS, PLANES, CodecSpec
from .cost import Cost, cost_of
from .graph import trace
from .groups import Width, widths_of
from .importance import Importance
from .search import MAX_SHARE, fit, slimmed, smallest
from .target import target_widths
from .widths import TRANSFORMS, is_transform, with_widths

Widths = Mapping[str, int]


class Row(NamedTuple):
    """One row of a table. kmacs: thousands of MACs per pixel of the layers that a width touches;
    layers between two widths count in both rows."""

    name: str
    now: int
    then: int
    kmacs_now: float
    kmacs_then: float
    note: str


@dataclass(frozen=True)
class PlannedWidth:
    """A width now and then (0: the residual block is left out); macs as in `groups.Width`."""

    name: str
    now: int
    then: int
    macs_now: float
    macs_then: float
    note: str

    def row(self) -> Row:
        now, then = self.macs_now / 1000, self.macs_then / 1000
        return Row(self.name, self.now, self.then, now, then, self.note)


@dataclass(frozen=True)
class Plan:
    """before, after: the specs. widths: one record per width that may shrink; kept: what may not,
    and why. macs_now, macs_then: MACs per pixel by transform (g_a, g_s, h_a, h_s, g_cp, g_ep).
    """

    before: CodecSpec
    after: CodecSpec
    widths: tuple[PlannedWidth, ...]
    kept: tuple[PlannedWidth, ...]
    macs_now: Mapping[str, float]
    macs_then: Mapping[str, float]

    @property
    def ratio(self) -> float:
        """Share of the MACs of g_a and g_s that goes, 0 to 1."""
        now = sum(self.macs_now[transform] for transform in TRANSFORMS)
        return 1.0 - sum(self.macs_then[transform] for transform in TRANSFORMS) / now

    @property
    def dropped(self) -> tuple[str, ...]:
        """Inner widths of the residual blocks that are left out."""
        return tuple(width.name for width in self.widths if width.then == 0)

    def rows(self) -> list[Row]:
        """The whole plan as a table: what shrinks, then what cannot."""
        return [width.row() for width in (*self.widths, *self.kept)]


def plan(
    model: Codec,
    ratio: float | None = None,
    target_macs: float | None = None,
    target_spec: CodecSpec | None = None,
    multiple: int = 8,
    *,
    importance: Importance | None = None,
    name: str | None = None,
) -> Plan:
    """What to cut to reach one of three goals. Give exactly one.

    ratio: share of the MACs of g_a and g_s to remove, 0 <= ratio < 1. target_macs: MACs per
    pixel of the whole network, at most. target_spec: a spec of the family with smaller widths,
    also in h_a, h_s and g_ep, and with as many or fewer residual blocks; `importance` then
    chooses the blocks to leave out (without it: the last ones).
    multiple: widths that shrink become multiples of it (int8 kernels), at least 16.
    name: the new spec's; else the target's, or the model's own.
    Raises OptionError where a goal cannot be reached, and says what could.
    """
    if [ratio, target_macs, target_spec].count(None) != 2:
        raise OptionError("give exactly one of ratio, target_macs and target_spec")
    if multiple < 1:
        raise OptionError(f"widths cannot be multiples of {multiple}; 8 suits the int8 kernels")
    graph = trace(copy.deepcopy(model))
    widths = widths_of(graph)
    cost, now = cost_of(graph, widths), {width.name: width.now for width in widths}
    if target_spec is not None:
        then = target_widths(model.spec, target_spec, multiple, importance)
        name = name or target_spec.name
    elif ratio is not None:
        then = _by_ratio(cost, now, ratio, multiple)
    else:
        then = _by_macs(cost, now, target_macs or 0.0, multiple)
    after = with_widths(model.spec, then).renamed(name or model.spec.name)
    return _plan(model.spec, after, cost, widths, then, multiple)


def _by_ratio(cost: Cost, now: Widths, ratio: float, multiple: int) -> dict[str, int]:
    if not 0.0 <= ratio < 1.0:
        raise OptionError(f"ratio {ratio} is no share of MACs: choose 0 or more and below 1")
    full = cost.of_transforms(now)
    then = fit(now, cost.of_transforms, full * (1.0 - ratio), multiple)
    if then is None:
        most = 1.0 - cost.of_transforms(slimmed(now, MAX_SHARE, multiple)) / full
        raise OptionError(
            f"ratio {ratio} is out of reach: the smallest widths remove {most:.3f} (the linear "
            "paths stay); choose less, or train a smaller network"
        )
    return then


def _by_macs(cost: Cost, now: Widths, target: float, multiple: int) -> dict[str, int]:
    then = fit(now, cost.total, target, multiple) if target > 0 else None
    if then is None:
        least = cost.total(slimmed(now, MAX_SHARE, multiple))
        raise OptionError(
            f"{target} MACs per pixel are out of reach: with the smallest widths in g_a and g_s "
            f"{least:.0f} remain; choose more, or train a smaller network"
        )
    return then


def _plan(
    before: CodecSpec,
    after: CodecSpec,
    cost: Cost,
    widths: list[Width],
    then: Widths,
    multiple: int,
) -> Plan:
    now = {width.name: width.now for width in widths}
    planned = tuple(
        PlannedWidth(
            w.name,
            w.now,
            then[w.name],
            w.macs,
            cost.of_layers(w.layers, then),
            _note(w.name, w.now, then[w.name], multiple),
        )
        for w in widths
    )
    kept = _kept(before, cost, now, then)
    return Plan(before, after, planned, kept, cost.by_transform(now), cost.by_transform(then))


def _note(name: str, now: int, then: int, multiple: int) -> str:
    if then == 0:
        return "residual block left out"
    if then < now:
        return "smallest width" if then <= smallest(now, multiple) else ""
    if not is_transform(name):
        return "kept: part of the prior, a small share of the MACs"
    return "kept: already at the smallest width" if now <= smallest(now, multiple) else "kept"


_LATENT_LAYERS = (
    *("g_a.head", "g_a.linear", "h_a.conv1", "h_s.mean", "h_s.index", "g_cp.latents"),
    *("g_cp.mean", "g_cp.index", "g_ep.latents", "g_ep.mean", "g_ep.index"),
    *("g_s.enter", "g_s.pixels"),
)


def _kept(spec: CodecSpec, cost: Cost, now: Widths, then: Widths) -> tuple[PlannedWidth, ...]:
    entries = (
        ("latents", spec.latents, _LATENT_LAYERS, "streams, tables and known answers hang on it"),
        ("hyper", spec.hyper, ("h_a.conv2", "h_s.conv1"), "tables and known answers hang on it"),
        ("planes", PLANES, (), "inputs that tell the rate point"),
        ("patch", PATCH_CHANNELS, ("g_a.patch", "g_s.correction"), "pixels of an 8x8 patch"),
        (
            "block",
            BLOCK_CHANNELS,
            ("g_a.linear", "g_s.pixels"),
            "pixels of a 16x16 block: the linear paths are the transform codec itself",
        ),
    )
    return tuple(
        PlannedWidth(
            name, width, width, cost.of_layers(paths, now), cost.of_layers(paths, then), note
        )
        for name, width, paths, note in entries
    )
