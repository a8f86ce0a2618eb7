"""The plan of a pruning: every width and layer now and then, before a single weight is touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ..models.spec import CodecSpec
from .cost import Cost, LayerCost
from .groups import FIXED, HYPER, LATENTS, PIXELS, Width
from .search import smallest
from .timing import WAYS, Clock
from .widths import TRANSFORMS, is_transform

Widths = Mapping[str, int]

PRIOR = "prior"
REASONS: Mapping[str, str] = {
    LATENTS: "streams, tables and known answers hang on their number",
    HYPER: "tables and known answers hang on their number",
    PIXELS: "those of 8x8 patches and of 16x16 blocks",
    PRIOR: "h_a, h_s, g_cp and g_ep get their widths from a target size alone",
}
"""Why something cannot shrink."""


class Row(NamedTuple):
    """A width now and then (0: the residual block is left out). kmacs: thousands of MACs per pixel
    of the layers that a width touches; layers between two widths count in both rows."""

    name: str
    now: int
    then: int
    kmacs_now: float
    kmacs_then: float
    note: str


class LayerRow(NamedTuple):
    """A layer now and then: channels, thousands of MACs per pixel, milliseconds with what follows
    it (an addition, a pixel shuffle), None where nothing was measured. note: what of it cannot
    shrink, in keys of REASONS."""

    name: str
    inputs_now: int
    inputs_then: int
    outputs_now: int
    outputs_then: int
    kmacs_now: float
    kmacs_then: float
    ms_now: float | None
    ms_then: float | None
    note: str


@dataclass(frozen=True)
class Milliseconds:
    """Of the networks on one host. now, then: by transform. host: as in `latency.Latency`."""

    host: Mapping[str, str]
    now: Mapping[str, float]
    then: Mapping[str, float]

    def ways(self) -> dict[str, tuple[float, float]]:
        """Of "encode" and "decode": now, then."""
        return _ways(self.now, self.then)

    def to_json(self) -> dict[str, object]:
        """Plain JSON values, for the history of a network."""
        ways = {way: {"now": now, "then": then} for way, (now, then) in self.ways().items()}
        return {"host": {**self.host}, "now": {**self.now}, "then": {**self.then}, **ways}


def _ways(now: Mapping[str, float], then: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """By way: the sums over the networks that it runs."""
    run = {way: [name for name in now if name not in absent] for way, absent in WAYS.items()}
    return {way: (sum(now[n] for n in names), sum(then[n] for n in names))
            for way, names in run.items()}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """before, after: the specs. rows: one per width that may shrink. layers: all of them, in the
    order of the network. macs_now, macs_then: MACs per pixel by transform (g_a, g_s, h_a, h_s,
    g_cp, g_ep). ms: the same in milliseconds, where measured.
    """

    before: CodecSpec
    after: CodecSpec
    rows: tuple[Row, ...]
    layers: tuple[LayerRow, ...]
    macs_now: Mapping[str, float]
    macs_then: Mapping[str, float]
    ms: Milliseconds | None = None

    @property
    def ratio(self) -> float:
        """Share of the MACs of g_a and g_s that goes, 0 to 1."""
        now = sum(self.macs_now[transform] for transform in TRANSFORMS)
        return 1.0 - sum(self.macs_then[transform] for transform in TRANSFORMS) / now

    def macs_of_ways(self) -> dict[str, tuple[float, float]]:
        """MACs per pixel of "encode" and "decode": now, then."""
        return _ways(self.macs_now, self.macs_then)

    @property
    def widths(self) -> dict[str, int]:
        """Every width then."""
        return {row.name: row.then for row in self.rows}

    @property
    def dropped(self) -> tuple[str, ...]:
        """Inner widths of the residual blocks that are left out."""
        return tuple(row.name for row in self.rows if row.then == 0)


def describe(
    before: CodecSpec,
    after: CodecSpec,
    cost: Cost,
    widths: list[Width],
    then: Widths,
    step: int,
    clock: Clock | None,
) -> Plan:
    """The plan from `before` to `after`, whose widths are `then`."""
    now = {width.name: width.now for width in widths}
    rows = tuple(
        Row(
            *(w.name, w.now, then[w.name], w.macs / 1000),
            cost.of_layers(w.layers, then) / 1000,
            _note(w.name, w.now, then[w.name], step),
        )
        for w in widths
    )
    layers = tuple(_layer_row(layer, now, then, clock) for layer in cost.layers)
    macs = cost.by_transform(now), cost.by_transform(then)
    return Plan(before, after, rows, layers, *macs, _milliseconds(clock, now, then))


def _milliseconds(clock: Clock | None, now: Widths, then: Widths) -> Milliseconds | None:
    if clock is None:
        return None
    times = clock.by_transform(now), clock.by_transform(then)
    return Milliseconds(clock.latency.host, *times)


def _note(name: str, now: int, then: int, step: int) -> str:
    if then == 0:
        return "residual block left out"
    if then < now:
        return "smallest width" if then <= smallest(now, step) else ""
    if not is_transform(name):
        return f"kept: {PRIOR}"
    return "kept: already at the smallest width" if now <= smallest(now, step) else "kept"


def _layer_row(layer: LayerCost, now: Widths, then: Widths, clock: Clock | None) -> LayerRow:
    inputs, outputs = zip(layer.channels(now), layer.channels(then), strict=True)
    kmacs = layer.macs(now) / 1000, layer.macs(then) / 1000
    note = _layer_note(layer, outputs[1])
    if clock is None:
        return LayerRow(layer.path, *inputs, *outputs, *kmacs, None, None, note)
    ms = clock.layer(layer, now), clock.layer(layer, then)
    return LayerRow(layer.path, *inputs, *outputs, *kmacs, *ms, note)


def _layer_note(layer: LayerCost, outputs: int) -> str:
    if outputs == 0:
        return "left out"
    sides = (("in", layer.inputs.fixed), ("out", layer.outputs.fixed))
    fixed = [f"{side}: {FIXED[layer.path, side]}" for side, channels in sides if channels]
    if not fixed and layer.transform not in TRANSFORMS:
        return PRIOR
    return ", ".join(fixed)
