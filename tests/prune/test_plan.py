"""Plans: numbers against the network's own count, rules, and what cannot be had."""

from __future__ import annotations

from dataclasses import replace

import pytest

from c3d_export.core.errors import OptionError
from c3d_export.models.network import Codec, build_network, macs_per_pixel
from c3d_export.models.spec import SIZES, CodecSpec, StageSpec
from c3d_export.prune.importance import magnitude_importance
from c3d_export.prune.plan import plan
from c3d_export.prune.search import fit, slimmed, smallest
from c3d_export.prune.widths import resolution, spec_widths

XSMALL = SIZES["xsmall"]


@pytest.fixture(scope="module")
def small() -> Codec:
    return build_network(SIZES["small"])


@pytest.mark.parametrize("ratio", [0.1, 0.25, 0.4])
def test_a_ratio_removes_at_least_its_share_and_little_more(small: Codec, ratio: float) -> None:
    made = plan(small, ratio=ratio)
    now, then = macs_per_pixel(made.before), macs_per_pixel(made.after)
    assert made.macs_now == pytest.approx(now)
    assert made.macs_then == pytest.approx(then)
    removed = 1 - (then["g_a"] + then["g_s"]) / (now["g_a"] + now["g_s"])
    assert made.ratio == pytest.approx(removed)
    assert ratio <= removed < ratio + 0.02


def test_a_ratio_leaves_latents_and_prior_alone(small: Codec) -> None:
    after = plan(small, ratio=0.4).after
    before = SIZES["small"]
    assert replace(after, g_a=before.g_a, g_s=before.g_s) == before


def test_widths_become_multiples_of_eight_of_sixteen_or_more(shared_model: Codec) -> None:
    made = plan(shared_model, ratio=0.15)
    assert all(w.then % 8 == 0 and 16 <= w.then <= w.now for w in made.widths)


def test_high_resolution_gives_twice_the_share_down_to_a_quarter() -> None:
    now = spec_widths(SIZES["large"])
    for share in (0.1, 0.25, 0.375, 0.5, 0.75):
        for name, then in slimmed(now, share, 8).items():
            factor = {8: 2, 16: 1}[resolution(name)] if name.startswith(("g_a", "g_s")) else 0
            assert then == pytest.approx(now[name] * (1 - min(0.75, factor * share)), abs=4)


def test_fit_gives_back_what_a_common_step_took_too_much() -> None:
    now = {"g_a.high": 64, "g_a.low": 64}
    fitted = fit(now, lambda widths: float(sum(widths.values())), 120.0, 8)
    assert fitted is not None
    assert sum(fitted.values()) == 120


@pytest.mark.parametrize(("now", "least"), [(8, 8), (20, 16), (48, 16), (96, 24), (100, 32)])
def test_smallest_widths(now: int, least: int) -> None:
    assert smallest(now, 8) == least


def test_ratio_zero_is_the_identity(shared_model: Codec) -> None:
    made = plan(shared_model, ratio=0.0)
    assert made.after == made.before == shared_model.spec
    assert made.ratio == 0.0


def test_a_target_in_macs_bounds_the_whole_network(small: Codec) -> None:
    made = plan(small, target_macs=10_000)
    assert 9_500 < sum(macs_per_pixel(made.after).values()) <= 10_000
    assert plan(small, target_macs=1e9).after == small.spec


def test_small_becomes_xsmall_without_its_last_blocks(small: Codec) -> None:
    made = plan(small, target_spec=XSMALL)
    assert made.after == XSMALL
    high = [f"g_s.high_inner.{i}" for i in range(4, 8)]
    low = [f"g_s.low_inner.{i}" for i in range(3, 6)]
    assert made.dropped == ("g_a.high_inner.1", *high, *low)


def test_importance_chooses_the_blocks_that_go(small: Codec) -> None:
    importance = magnitude_importance(small)
    totals = {**importance.totals, "g_a.high_inner.0": 0.0}
    made = plan(small, target_spec=XSMALL, importance=replace(importance, totals=totals))
    assert "g_a.high_inner.0" in made.dropped
    assert made.after == XSMALL


def test_rows_show_what_shrinks_and_what_cannot(shared_model: Codec) -> None:
    made = plan(shared_model, ratio=0.2, name="slim")
    rows = {row.name: row for row in made.rows()}
    assert made.after.name == "slim"
    assert list(rows)[:2] == ["g_a.high", "g_a.high_inner.0"]
    high = rows["g_a.high_inner.0"]
    assert high.then < high.now
    assert high.kmacs_now == pytest.approx((2 * 32 + 9) * 32 / 64 / 1000)
    assert {"latents", "hyper", "planes", "patch", "block"} <= set(rows)
    assert rows["latents"].now == rows["latents"].then == XSMALL.latents
    assert all(row.note for row in rows.values() if row.now == row.then)


@pytest.mark.parametrize("ratio", [-0.1, 0.95, 1.0, float("nan")])
def test_impossible_ratios_are_refused(shared_model: Codec, ratio: float) -> None:
    with pytest.raises(OptionError, match="ratio"):
        plan(shared_model, ratio=ratio)


def test_impossible_macs_are_refused(shared_model: Codec) -> None:
    with pytest.raises(OptionError, match="out of reach"):
        plan(shared_model, target_macs=1000)
    with pytest.raises(OptionError, match="out of reach"):
        plan(shared_model, target_macs=-1.0)


def test_exactly_one_goal_and_a_real_multiple(shared_model: Codec) -> None:
    with pytest.raises(OptionError, match="exactly one"):
        plan(shared_model)
    with pytest.raises(OptionError, match="exactly one"):
        plan(shared_model, ratio=0.1, target_macs=3000)
    with pytest.raises(OptionError, match="multiples"):
        plan(shared_model, ratio=0.1, multiple=0)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (SIZES["small"], "blocks"),
        (replace(XSMALL, g_ep=96), "96 channels in g_ep"),
        (replace(XSMALL, latents=256), "latents"),
        (replace(XSMALL, base=40), "base"),
        (replace(XSMALL, h_a=60), "multiple of 8"),
        (replace(XSMALL, h_a=8), "16 or more"),
        (replace(XSMALL, g_s=StageSpec(48, (56,), 96, (64,))), "g_s.high_inner.0"),
    ],
)
def test_impossible_targets_are_refused(
    shared_model: Codec, target: CodecSpec, message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        plan(shared_model, target_spec=target)
