"""Plans: numbers against the network's own count, rules, and what cannot be had."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from c3d_export.core.errors import OptionError
from c3d_export.models.network import Codec, build_network, macs_per_pixel
from c3d_export.models.spec import SIZES, CodecSpec, StageSpec
from c3d_export.prune.importance import magnitude_importance
from c3d_export.prune.latency import Latency
from c3d_export.prune.plan import REASONS
from c3d_export.prune.planner import Planner

XSMALL = SIZES["xsmall"]


@pytest.fixture(scope="module")
def small() -> Planner:
    return Planner(build_network(SIZES["small"]))


@pytest.fixture(scope="module")
def timed() -> Planner:
    """A host where a layer takes a nanosecond for every input, output and product of the two."""
    made = Planner(build_network(SIZES["small"]))
    points = {}
    for shape in made.shapes((1280, 720)):
        work = shape.inputs + shape.outputs + shape.inputs * shape.outputs
        points[shape.key] = 1e-9 * work * shape.rows * shape.columns * shape.kernel**2
    graphs = {"g_a": 9.0, "h_a": 1.0, "h_s": 1.0, "g_cp": 1.0, "g_ep": 1.0, "g_s": 20.0}
    made.use_latency(Latency({"processor": "none"}, points, graphs), (1280, 720))
    return made


@pytest.mark.parametrize("ratio", [0.1, 0.25, 0.4])
def test_a_ratio_removes_at_least_its_share_and_little_more(small: Planner, ratio: float) -> None:
    made = small.by_ratio(ratio)
    now, then = macs_per_pixel(made.before), macs_per_pixel(made.after)
    assert made.macs_now == pytest.approx(now)
    assert made.macs_then == pytest.approx(then)
    removed = 1 - (then["g_a"] + then["g_s"]) / (now["g_a"] + now["g_s"])
    assert made.ratio == pytest.approx(removed)
    # The last thing to go may be a whole residual block.
    assert ratio <= removed < ratio + 0.04


def test_a_ratio_leaves_latents_and_prior_alone(small: Planner) -> None:
    after = small.by_ratio(0.4).after
    before = SIZES["small"]
    assert replace(after, g_a=before.g_a, g_s=before.g_s) == before


def test_widths_become_multiples_of_sixteen(small: Planner) -> None:
    widths = small.by_ratio(0.4).widths
    assert all(then % 16 == 0 for then in widths.values())
    assert any(0 < then < small.now[name] for name, then in widths.items())


def test_ratio_zero_is_the_identity(small: Planner) -> None:
    made = small.by_ratio(0.0)
    assert made.after == made.before == SIZES["small"]
    assert made.ratio == 0.0


def test_a_target_in_macs_bounds_the_whole_network(small: Planner) -> None:
    made = small.by_macs(10_000)
    assert 9_900 < sum(macs_per_pixel(made.after).values()) <= 10_000
    assert small.by_macs(1e9).after == SIZES["small"]


def test_small_becomes_xsmall_without_its_least_important_blocks() -> None:
    model = build_network(SIZES["small"])
    importance = magnitude_importance(model)
    totals = {**importance.totals, "g_a.high_inner.0": 0.0}
    made = Planner(model, replace(importance, totals=totals)).by_target(XSMALL)
    assert "g_a.high_inner.0" in made.dropped
    assert "g_a.high_inner.1" not in made.dropped
    assert len(made.dropped) == 1 + 4 + 3
    assert made.after == XSMALL


@pytest.mark.parametrize("way", ["encode", "decode", "both"])
def test_milliseconds_bound_the_way_that_is_asked_for(timed: Planner, way: str) -> None:
    target = {"encode": 12.0, "decode": 18.0, "both": 18.0}[way]
    made = timed.by_ms(target, way)
    assert made.ms is not None
    ways = made.ms.ways()
    assert (ways["encode"][0], ways["decode"][0]) == (13.0, 23.0)
    slower = "decode" if way == "both" else way
    assert target - 0.5 < ways[slower][1] <= target
    # The other way, which is fast enough, is left alone.
    other = "g_s" if slower == "encode" else "g_a"
    assert made.ms.then[other] == made.ms.now[other]
    assert made.macs_of_ways()[slower][1] < made.macs_of_ways()[slower][0]
    assert json.loads(json.dumps(made.ms.to_json()))["decode"]["now"] == 23.0


def test_both_ways_are_slimmed_where_both_are_too_slow(timed: Planner) -> None:
    made = timed.by_ms(12.5, "both")
    assert made.ms is not None
    assert max(then for _, then in made.ms.ways().values()) <= 12.5
    assert made.after.g_a != made.before.g_a


def test_milliseconds_out_of_reach_say_what_is_not(timed: Planner, small: Planner) -> None:
    with pytest.raises(OptionError, match=r"3 ms are out of reach for both: .* ms remain of 23.0"):
        timed.by_ms(3.0)
    with pytest.raises(OptionError, match="out of reach"):
        timed.by_ms(float("nan"))
    with pytest.raises(OptionError, match="encode, decode or both"):
        timed.by_ms(20.0, "sideways")
    with pytest.raises(OptionError, match="measured"):
        small.by_ms(20.0)


def test_layers_show_both_sides_and_what_cannot_shrink(timed: Planner) -> None:
    made = timed.by_ms(16.0, "decode")
    rows = {row.name: row for row in made.layers}
    conv = rows["g_s.high.0.conv2"]
    assert (conv.inputs_now, conv.outputs_now) == (96, 96)
    assert conv.inputs_then == made.widths["g_s.high_inner.0"]
    assert conv.kmacs_now == pytest.approx(96 * 96 / 64 / 1000)
    assert rows["g_s.high.0.spatial"].kmacs_now == pytest.approx(9 * 96 / 64 / 1000)
    # With the addition behind it.
    assert conv.ms_now == pytest.approx(1e-9 * 2 * (96 + 96 + 96 * 96) * 90 * 160)
    assert rows["g_s.pixels"].note == "in: latents, out: pixels"
    assert rows["h_s.conv2"].note == "prior"
    assert {"latents", "pixels", "hyper-latents", "prior"} == set(REASONS)
    for path, row in rows.items():
        gone = row.outputs_then == 0
        assert gone == ("left out" in row.note), path
        assert row.ms_then is not None
        assert gone == (row.ms_then == 0.0), path
    macs = sum(row.kmacs_then for row in rows.values())
    assert macs == pytest.approx(sum(macs_per_pixel(made.after).values()) / 1000)


def test_without_a_table_there_are_no_milliseconds(small: Planner) -> None:
    made = small.by_ratio(0.2, name="slim")
    assert made.after.name == "slim"
    assert made.ms is None
    assert all(row.ms_now is None for row in made.layers)
    assert all(row.note for row in made.rows if row.now == row.then)


@pytest.mark.parametrize("ratio", [-0.1, 0.95, 1.0, float("nan")])
def test_impossible_ratios_are_refused(small: Planner, ratio: float) -> None:
    with pytest.raises(OptionError, match="ratio"):
        small.by_ratio(ratio)


@pytest.mark.parametrize("target", [1000.0, -1.0, float("nan")])
def test_impossible_macs_are_refused(small: Planner, target: float) -> None:
    with pytest.raises(OptionError, match="out of reach"):
        small.by_macs(target)


def test_a_step_of_nothing_is_refused(shared_model: Codec) -> None:
    with pytest.raises(OptionError, match="multiples"):
        Planner(shared_model, step=0)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (SIZES["small"], "blocks"),
        (replace(XSMALL, g_ep=96), "96 channels in g_ep"),
        (replace(XSMALL, latents=256), "latents"),
        (replace(XSMALL, base=40), "base"),
        (replace(XSMALL, h_a=28), "multiple of 8"),
        (replace(XSMALL, h_a=8), "16 or more"),
        (replace(XSMALL, g_s=StageSpec(48, (56,), 96, (64,))), "g_s.high_inner.0"),
    ],
)
def test_impossible_targets_are_refused(
    shared_model: Codec, target: CodecSpec, message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        Planner(shared_model).by_target(target)
