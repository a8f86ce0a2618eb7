"""Curves, their distance, and whether a bundle is better than another."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from catalogue.decide import compare, verdict
from catalogue.measure import Curve, cut, distance

from c3d_export.core.errors import BundleVersionError, OptionError


def _curve(factor: float = 1.0, bend: float = 0.0) -> Curve:
    """From 0.05 to 3.2 bpp, 3 dB a doubling; bend: dB that are lost above 1 bpp a doubling."""
    rates = [0.05 * 2**i for i in range(7)]
    points = [(rate, 30 + 3 * math.log2(rate) - bend * max(0, math.log2(rate))) for rate in rates]
    return [{"quality": i, "bpp": factor * r, "psnr": p} for i, (r, p) in enumerate(points)]


def test_a_curve_is_cut_at_both_rates() -> None:
    found = cut(_curve())
    assert found[0][0] == pytest.approx(0.1, rel=0.01)
    assert found[-1][0] == pytest.approx(1.0, rel=0.01)
    assert found[0][1] == pytest.approx(30 + 3 * math.log2(0.1), abs=0.02)
    short = [point for point in _curve() if 0.15 < point["bpp"] < 3]
    assert cut(short)[0][0] == pytest.approx(0.2)


@pytest.mark.parametrize(
    "curve",
    [_curve()[:3], [*_curve()[:4], {"quality": 9, "bpp": 0.5, "psnr": 1.0}], _curve(100.0)],
    ids=["three-points", "falls", "elsewhere"],
)
def test_a_curve_that_says_nothing_is_refused(curve: Curve) -> None:
    with pytest.raises(OptionError):
        cut(curve)
    measured = distance(_curve(), curve)
    assert measured["bd_rate"] is None
    assert measured["reason"]


def test_the_distance_is_that_of_rates_at_equal_psnr() -> None:
    assert distance(_curve(), _curve(0.9))["bd_rate"] == pytest.approx(-10, abs=0.1)
    assert distance(_curve(), _curve(1.25))["bd_rate"] == pytest.approx(25, abs=0.2)


def test_what_lies_above_the_rates_does_not_count() -> None:
    bent = distance(_curve(), _curve(0.9, bend=2.0))
    assert bent["bd_rate"] == pytest.approx(-10, abs=1)


def test_better_is_fewer_bytes_in_the_mean_over_the_games() -> None:
    before = {"one": _curve(), "two": _curve()}
    better = verdict(before, {"one": _curve(0.8), "two": _curve(1.1)})
    assert better["better"]
    assert better["validation"]["one"] == pytest.approx(-20, abs=0.2)
    assert not verdict(before, {"one": _curve(0.95), "two": _curve(1.1)})["better"]
    assert not verdict(before, before)["better"]


def test_a_curve_that_cannot_be_compared_is_not_better() -> None:
    found = verdict({"one": _curve()}, {"one": _curve()[:2]})
    assert not found["better"]
    assert "rise" in found["reason"]


class _Meter:
    def __init__(self, curves: dict[str, Any]) -> None:
        self.curves = curves

    def bundle(self, path: Path, frames: list[Path]) -> Curve:
        curve = self.curves[path.name]
        if isinstance(curve, Exception):
            raise curve
        return curve


def test_the_first_bundle_and_the_one_after_an_unreadable_one_are_taken() -> None:
    meter: Any = _Meter({"old": BundleVersionError("version 4"), "new": _curve()})
    frames = {"one": [Path("frame")]}
    assert compare(meter, None, Path("new"), frames)["better"]
    found = compare(meter, Path("old"), Path("new"), frames)
    assert found["better"]
    assert "version 4" in found["reason"]
