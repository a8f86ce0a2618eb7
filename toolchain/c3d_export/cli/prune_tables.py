"""What `prune` prints of a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .output import print_json, print_table

if TYPE_CHECKING:
    from ..prune.plan import LayerRow, Plan

_WIDTHS = ("width", "now", "then", "kMAC/px now", "then", "note")
_LAYERS = ("layer", "in now", "then", "out now", "then", "kMAC/px now", "then", "ms now", "then")
_TOTALS = ("network", "kMAC/px now", "then", "ms now", "then")


def show(name: str, planned: Plan, as_json: bool, *, layers: bool) -> None:
    """The widths, the layers where they are asked for, and the totals."""
    from ..prune.plan import REASONS

    if as_json:
        print_json(_json(name, planned))
        return
    cells = [(r.name, r.now, r.then, f"{r.kmacs_now:.2f}", f"{r.kmacs_then:.2f}", r.note)
             for r in planned.rows]  # fmt: skip
    title = f"{name}: {planned.ratio:.1%} of the MACs of g_a and g_s removed"
    print_table(title, _WIDTHS, cells)
    if layers:
        note = "layers; ms with the addition or the pixel shuffle behind it"
        print_table(note, (*_LAYERS, "cannot shrink"), map(_layer, planned.layers))
        print_table("what cannot shrink", ("", "why"), REASONS.items())
    print_table("totals", _TOTALS, _totals(planned))


def _json(name: str, planned: Plan) -> dict[str, Any]:
    from ..prune.plan import REASONS

    return {
        "model": name,
        "ratio": planned.ratio,
        "macs_now": dict(planned.macs_now),
        "macs_then": dict(planned.macs_then),
        "milliseconds": None if planned.ms is None else planned.ms.to_json(),
        "before": planned.before.to_json(),
        "after": planned.after.to_json(),
        "rows": [row._asdict() for row in planned.rows],
        "layers": [row._asdict() for row in planned.layers],
        "reasons": {**REASONS},
    }


def _layer(r: LayerRow) -> tuple[object, ...]:
    channels = r.inputs_now, r.inputs_then, r.outputs_now, r.outputs_then
    kmacs = f"{r.kmacs_now:.3f}", f"{r.kmacs_then:.3f}"
    return r.name, *channels, *kmacs, _ms(r.ms_now, 3), _ms(r.ms_then, 3), r.note


def _totals(planned: Plan) -> list[tuple[str, ...]]:
    now, then, ms = planned.macs_now, planned.macs_then, planned.ms
    rows = []
    for network, macs in now.items():
        times = (None, None) if ms is None else (ms.now[network], ms.then[network])
        rows.append((network, *_kmacs(macs, then[network]), *(_ms(t, 2) for t in times)))
    for way, (macs_now, macs_then) in planned.macs_of_ways().items():
        times = (None, None) if ms is None else ms.ways()[way]
        rows.append((way, *_kmacs(macs_now, macs_then), *(_ms(t, 2) for t in times)))
    total = _kmacs(sum(now.values()), sum(then.values()))
    return [*rows, ("all networks", *total, "", "")]


def _kmacs(now: float, then: float) -> tuple[str, str]:
    return f"{now / 1000:.2f}", f"{then / 1000:.2f}"


def _ms(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
