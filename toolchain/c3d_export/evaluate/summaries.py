"""Rows of an evaluation as means, curves, and distances between curves.

A codec never looks better because its hard frames failed: every mean says how many rows it is
made of and how many are missing, and a BD-rate is made of frames that both codecs have.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from c3d_export.core.errors import OptionError
from c3d_export.evaluate.curves import Point, bd_rate, psnr_overlap
from c3d_export.evaluate.metrics import METRICS, ms_ssim_db
from c3d_export.evaluate.rows import Row

BD_METRICS: Final = ("psnr", "psnr_y", "ms_ssim", "ms_ssim_y", "vmaf")
"""At equal what a BD-rate is told; MS-SSIM in dB of its mean."""


@dataclass(frozen=True)
class Summary:
    """One codec at one quality over all frames.

    Rates and distortions are means over the `images` that were measured, times and stages are
    medians in milliseconds, `encode_spread_ms` and `decode_spread_ms` the range from the first to
    the third quartile; `failures` counts the others. Every mean is NaN where nothing was measured
    or where one frame lacks the metric, being too small for it. `ms_db` and `ms_db_y` are of the
    mean MS-SSIM.
    """

    model: str
    quality: int
    images: int
    failures: int
    bpp: float = math.nan
    psnr: float = math.nan
    ms_ssim: float = math.nan
    encode_ms: float = math.nan
    decode_ms: float = math.nan
    payload_bpp: float = math.nan
    psnr_y: float = math.nan
    ssim: float = math.nan
    ssim_y: float = math.nan
    ms_ssim_y: float = math.nan
    ms_db: float = math.nan
    ms_db_y: float = math.nan
    vmaf: float = math.nan
    encode_spread_ms: float = math.nan
    decode_spread_ms: float = math.nan
    supersampled: str = ""
    stages_ms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class BdRate:
    """By how many percent the rate of `codec` differs from that of `anchor` at equal `metric`.

    low, high: the range of the metric that it speaks of, in dB (vmaf: points). images: frames that
    both curves are means of; of: frames in all. percent, low and high are NaN, and `reason` says
    why, where there is none.
    """

    codec: str
    anchor: str
    metric: str
    percent: float = math.nan
    low: float = math.nan
    high: float = math.nan
    images: int = 0
    of: int = 0
    reason: str = ""


def summarize(rows: Iterable[Row]) -> list[Summary]:
    """One summary per codec and quality, in the order in which they first appear."""
    groups: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.model, row.quality), []).append(row)
    return [_summary(model, quality, group) for (model, quality), group in groups.items()]


def rd_points(summaries: Iterable[Summary], model: str) -> list[Point]:
    """The curve of one codec: (mean bpp, mean PSNR in dB) of each quality that was measured."""
    return [(item.bpp, item.psnr) for item in summaries if item.model == model and item.images]


def bd_rates(
    rows: Sequence[Row],
    codecs: Iterable[str],
    anchors: Iterable[str],
    metrics: Collection[str] = BD_METRICS,
) -> list[BdRate]:
    """Each codec against each anchor but itself, at equal each metric that was measured.

    Curves are means over the frames that both have at all their qualities. Raises
    LibraryMissingError where bjontegaard is not installed.
    """
    chosen = [metric for metric in BD_METRICS if metric in metrics and _measured(rows, metric)]
    anchors = list(anchors)
    by_model: dict[str, list[Row]] = {}
    for row in rows:
        by_model.setdefault(row.model, []).append(row)
    return [
        _bd_rate(by_model.get(codec, []), by_model.get(anchor, []), codec, anchor, metric)
        for codec in codecs
        for anchor in anchors
        if anchor != codec
        for metric in chosen
    ]


def _measured(rows: Iterable[Row], metric: str) -> bool:
    return any(not math.isnan(getattr(row, metric)) for row in rows)


def _bd_rate(test: list[Row], anchor: list[Row], codec: str, other: str, metric: str) -> BdRate:
    every = {row.image for row in (*test, *anchor)}
    common = _complete(test, metric) & _complete(anchor, metric)
    blank = BdRate(codec, other, metric, images=len(common), of=len(every))
    if not common:
        reason = f"{codec} and {other} have no frame in common with {metric} at every quality"
        return replace(blank, reason=reason)
    curves = [_curve(rows, common, metric) for rows in (anchor, test)]
    try:
        low, high = psnr_overlap(*curves)
        percent = bd_rate(*curves)
    except OptionError as error:
        return replace(blank, reason=str(error))
    return replace(blank, percent=percent, low=low, high=high)


def _complete(rows: Iterable[Row], metric: str) -> set[str]:
    """The frames that this codec has at every quality."""
    sets: dict[int, set[str]] = {}
    for row in rows:
        done = sets.setdefault(row.quality, set())
        if row.error is None and not math.isnan(getattr(row, metric)):
            done.add(row.image)
    return set.intersection(*sets.values()) if sets else set()


def _curve(rows: Iterable[Row], images: Collection[str], metric: str) -> list[Point]:
    groups: dict[int, list[Row]] = {}
    for row in rows:
        if row.image in images:
            groups.setdefault(row.quality, []).append(row)
    return [(_mean(group, "bpp"), _decibels(_mean(group, metric), metric))
            for group in groups.values()]  # fmt: skip


def _decibels(value: float, metric: str) -> float:
    return ms_ssim_db(value) if metric.startswith("ms_ssim") else value


def _summary(model: str, quality: int, group: list[Row]) -> Summary:
    done = [row for row in group if row.error is None]
    blank = Summary(
        model, quality, len(done), len(group) - len(done), supersampled=group[0].supersampled
    )
    if not done:
        return blank
    means: dict[str, Any] = {name: _mean(done, name) for name in ("bpp", "payload_bpp", *METRICS)}
    return replace(
        blank,
        **means,
        ms_db=ms_ssim_db(means["ms_ssim"]),
        ms_db_y=ms_ssim_db(means["ms_ssim_y"]),
        encode_ms=statistics.median(row.encode_ms for row in done),
        decode_ms=statistics.median(row.decode_ms for row in done),
        encode_spread_ms=_spread([row.encode_ms for row in done]),
        decode_spread_ms=_spread([row.decode_ms for row in done]),
        stages_ms=_stages(done),
    )


def _mean(rows: Sequence[Row], name: str) -> float:
    return statistics.fmean(getattr(row, name) for row in rows)


def _spread(values: list[float]) -> float:
    if len(values) < 2:
        return 0.0
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return third - first


def _stages(rows: Sequence[Row]) -> dict[str, float]:
    names = dict.fromkeys(stage for row in rows for stage in row.stages_ms)
    return {
        stage: statistics.median(row.stages_ms[stage] for row in rows if stage in row.stages_ms)
        for stage in names
    }
