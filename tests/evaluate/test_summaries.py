"""Means and BD-rates: what they are made of, and what they refuse."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export.evaluate.metrics import bd_rate, ms_ssim_db
from c3d_export.evaluate.rows import Row
from c3d_export.evaluate.summaries import bd_rates, summarize

Real = NDArray[np.float64]


def _rows(model: str, factor: float, images: int = 3, qualities: int = 5) -> list[Row]:
    """Curves that rise; every image has one of its own, so that a lost one moves the mean."""
    return [
        Row(
            model, f"g/{i}.png", q, 8, 8, 1,
            bpp=factor * 0.1 * (1 + i) * 1.6**q, psnr=28 + i + 2.1 * q - 0.07 * q * q,
            ms_ssim=1 - 0.1 / 2**q / (1 + i), encode_ms=1 + i, decode_ms=2, payload_bytes=1,
        )
        for i in range(images) for q in range(qualities)
    ]  # fmt: skip


def _akima(x: Real, y: Real, at: Real) -> Real:
    """Akima 1970 (J. ACM 17, 4), written from the paper: slopes at points, cubics between."""
    m = np.diff(y) / np.diff(x)
    m = np.concatenate([[3 * m[0] - 2 * m[1], 2 * m[0] - m[1]], m])
    m = np.concatenate([m, [2 * m[-1] - m[-2], 3 * m[-1] - 2 * m[-2]]])
    left, right = np.abs(m[3:] - m[2:-1]), np.abs(m[1:-2] - m[:-3])
    flat = left + right < 1e-12
    weights = np.where(flat, 1.0, left + right)
    slope = np.where(flat, (m[1:-2] + m[2:-1]) / 2, (left * m[1:-2] + right * m[2:-1]) / weights)
    i = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    h, s = x[i + 1] - x[i], m[i + 2]
    t = at - x[i]
    c = (3 * s - 2 * slope[i] - slope[i + 1]) / h
    d = (slope[i] + slope[i + 1] - 2 * s) / h**2
    return np.asarray(y[i] + slope[i] * t + c * t**2 + d * t**3)


def _own_bd_rate(anchor: list[tuple[float, float]], test: list[tuple[float, float]]) -> float:
    """VCEG-M33's mean distance of log rate, by the trapezium rule."""
    low, high = (
        pick(end(value for _, value in curve) for curve in (anchor, test))
        for pick, end in ((max, min), (min, max))
    )
    grid = np.linspace(low, high, 40_001)
    means = []
    for curve in (anchor, test):
        rates, values = np.array(curve).T
        means.append(np.trapezoid(_akima(values, np.log(rates), grid), grid) / (high - low))
    return 100 * float(np.exp(means[1] - means[0]) - 1)


def test_a_bd_rate_equals_akima_from_the_paper() -> None:
    anchor = [(0.12, 27.1), (0.25, 30.0), (0.44, 32.6), (0.71, 34.4), (1.10, 36.9), (1.9, 39.0)]
    test = [(0.10, 27.9), (0.19, 30.4), (0.37, 32.8), (0.66, 35.9), (0.98, 37.2)]
    expected = _own_bd_rate(anchor, test)
    assert -35 < expected < -15
    assert bd_rate(anchor, test) == pytest.approx(expected, abs=1e-3)


def test_bd_rates_are_of_the_frames_that_both_have() -> None:
    ours, other = _rows("ours", 0.8), _rows("other", 1.0)
    lost = [row if (row.image, row.quality) != ("g/2.png", 3) else _failed(row) for row in ours]
    (whole,) = bd_rates(ours + other, ["ours"], ["other"], ["psnr"])
    (rest,) = bd_rates(lost + other, ["ours"], ["other"], ["psnr"])
    assert whole.percent == pytest.approx(-20)
    assert rest.percent == pytest.approx(-20), "the easy frames alone would look better"
    assert (whole.images, whole.of, rest.images, rest.of) == (3, 3, 2, 3)
    means = {item.quality: item for item in summarize(ours[:10])}
    assert (rest.low, rest.high) == (means[0].psnr, means[4].psnr)


def test_ms_ssim_is_compared_in_decibels_of_its_mean() -> None:
    rows = _rows("ours", 0.5) + _rows("other", 1.0)
    (rate,) = bd_rates(rows, ["ours"], ["other", "ours"], ["ms_ssim"])
    assert rate.percent == pytest.approx(-50)
    (first,) = summarize([row for row in rows if row.model == "ours" and row.quality == 0])
    assert rate.low == ms_ssim_db(first.ms_ssim) == first.ms_db


def test_there_is_a_reason_where_there_is_no_rate() -> None:
    ours, few = _rows("ours", 1), _rows("few", 1, qualities=3)
    far = [replace(row, psnr=row.psnr + 40) for row in _rows("far", 1)]
    none = [_failed(row) for row in _rows("none", 1)]
    lossless = [replace(row, psnr=math.inf) for row in _rows("lossless", 1)]
    rows = ours + few + far + none + lossless
    names = ["few", "far", "none", "lossless", "absent"]
    found = bd_rates(rows, ["ours"], names, ["psnr"])
    assert all(math.isnan(item.percent) and math.isnan(item.low) for item in found)
    for item, reason in zip(
        found, ["3 points", "share no range", "no frame in common", "leave it out", "no frame in"],
        strict=True,
    ):  # fmt: skip
        assert reason in item.reason


def test_metrics_that_nobody_measured_have_no_rate() -> None:
    rates = bd_rates(_rows("ours", 1) + _rows("other", 2), ["ours"], ["other"])
    assert [item.metric for item in rates] == ["psnr", "ms_ssim"]


def test_a_mean_without_one_frame_is_no_mean() -> None:
    rows = [replace(row, psnr_y=40.0) for row in _rows("ours", 1, qualities=1)]
    rows[0] = replace(rows[0], ms_ssim=math.nan)
    (summary,) = summarize(rows)
    assert summary.psnr_y == 40
    assert math.isnan(summary.ms_ssim)
    assert math.isnan(summary.ms_db)


def test_times_have_a_spread_and_stages() -> None:
    rows = [
        replace(row, stages_ms={"encode g_a": 10.0 * i} if i else {})
        for i, row in enumerate(_rows("ours", 1, images=5, qualities=1))
    ]
    (summary,) = summarize(rows)
    assert (summary.encode_ms, summary.encode_spread_ms) == (3, 2)
    assert (summary.decode_ms, summary.decode_spread_ms) == (2, 0)
    assert summary.stages_ms == {"encode g_a": 25}


def _failed(row: Row) -> Row:
    return Row(row.model, row.image, row.quality, error="broken")
