"""The greedy search on costs that can be followed by hand."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from c3d_export.prune.search import least, slim, smallest

Widths = Mapping[str, int]


def _losses(now: Widths, each: Mapping[str, float]) -> dict[str, list[float]]:
    """Every channel of a width is worth the same."""
    return {n: [each[n] * (w - count) for count in range(w + 1)] for n, w in now.items()}


def _total(widths: Widths) -> float:
    return float(sum(widths.values()))


@pytest.mark.parametrize(("now", "least_of_it"), [(8, 8), (20, 16), (48, 16), (96, 32), (200, 64)])
def test_smallest_widths(now: int, least_of_it: int) -> None:
    assert smallest(now, 16) == least_of_it


def test_the_prior_stays_at_the_far_end_too() -> None:
    now = {"g_s.high": 128, "h_a": 64, "g_ep": 96}
    assert least(now, 16) == {"g_s.high": 32, "h_a": 64, "g_ep": 96}


def test_a_goal_that_is_met_costs_nothing() -> None:
    now = {"g_s.high": 64}
    assert slim(now, _losses(now, {"g_s.high": 0.0}), _total, 64.0) == now


def test_what_costs_least_importance_for_its_time_goes_first() -> None:
    now = {"g_s.high": 64, "g_s.low": 64}
    losses = _losses(now, {"g_s.high": 2.0, "g_s.low": 1.0})
    assert slim(now, losses, _total, 112.0) == {"g_s.high": 64, "g_s.low": 48}
    # Four times the time for twice the importance: now the other one is the better bargain.
    dear = slim(now, losses, lambda w: 4.0 * w["g_s.high"] + w["g_s.low"], 256.0)
    assert dear == {"g_s.high": 48, "g_s.low": 64}


def test_slices_are_priced_and_not_averages() -> None:
    """The last channels of one width are worth nothing, the others much."""
    now = {"g_s.high": 64, "g_s.low": 64}
    losses = {
        "g_s.high": [9.0 * max(0, 48 - count) for count in range(65)],
        "g_s.low": [1.0 * (64 - count) for count in range(65)],
    }
    assert slim(now, losses, _total, 96.0) == {"g_s.high": 48, "g_s.low": 48}


def test_widths_that_save_nothing_stay() -> None:
    now = {"g_s.high": 64, "g_a.high": 64}
    losses = _losses(now, {"g_s.high": 1.0, "g_a.high": 0.0})
    then = slim(now, losses, lambda widths: float(widths["g_s.high"]), 32.0)
    assert then == {"g_s.high": 32, "g_a.high": 64}


def test_a_block_goes_as_a_whole_where_little_hangs_on_it_but_a_quarter_of_them_stay() -> None:
    now = {f"g_s.high_inner.{i}": 32 for i in range(5)}
    losses = _losses(now, {name: 1.0 + i for i, name in enumerate(now)})

    def cost(widths: Widths) -> float:
        """A block costs much, its width little."""
        return sum(10.0 + width / 100 for width in widths.values() if width)

    assert slim(now, losses, cost, 45.0)["g_s.high_inner.0"] == 0
    end = slim(now, losses, cost, 0.0)
    assert [width > 0 for width in end.values()] == [False, False, False, True, True]


def test_what_the_last_step_took_too_much_is_given_back() -> None:
    now = {"g_s.high": 64, "g_s.low": 64}
    losses = {
        "g_s.high": [2.0 * (64 - count) for count in range(65)],
        # Worth less than the other, and the last step of it saves far more than is needed.
        "g_s.low": [1.0 * (64 - count) for count in range(65)],
    }

    def cost(widths: Widths) -> float:
        return widths["g_s.high"] + (1000.0 if widths["g_s.low"] > 48 else 0.0)

    assert slim(now, losses, cost, 1048.0) == {"g_s.high": 64, "g_s.low": 48}
    steps = slim(now, losses, lambda w: float(w["g_s.high"] // 32 + w["g_s.low"] // 32), 3.0)
    assert steps == {"g_s.high": 64, "g_s.low": 48}


def test_out_of_reach_is_the_least_that_there_is() -> None:
    now = {"g_s.high": 64, "g_s.low": 96, "h_a": 64}
    losses = _losses(now, dict.fromkeys(now, 1.0))
    assert slim(now, losses, _total, 0.0) == least(now, 16)
