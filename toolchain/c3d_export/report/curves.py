"""From results to charts: rate against distortion, and time against quality at one rate."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from c3d_export.evaluate.labels import RATELESS, has_rate, label_of
from c3d_export.evaluate.metrics import ms_ssim_db
from c3d_export.report.chart import Axes, Curve, Datum
from c3d_export.report.palette import style_of
from c3d_export.report.results import Results, Row, Summary

Point = tuple[float, float]


class Metric(NamedTuple):
    """A measure of quality by its name in the results; `decibels`: shown as -10 log10(1 - it)."""

    key: str
    title: str
    unit: str
    decibels: bool = False

    def of(self, item: Summary | Row) -> float:
        """Its value; NaN where it was not measured."""
        value = item.values.get(self.key, math.nan)
        return ms_ssim_db(value) if self.decibels and 0 <= value <= 1 else value


METRICS: Final = (
    Metric("psnr", "PSNR of RGB", "dB"),
    Metric("ms_ssim", "MS-SSIM of RGB", "dB", decibels=True),
    Metric("psnr_y", "PSNR of luma", "dB"),
    Metric("ms_ssim_y", "MS-SSIM of luma", "dB", decibels=True),
    Metric("vmaf", "VMAF", "points"),
)
PSNR: Final = METRICS[0]


@dataclass(frozen=True)
class Chart:
    """What `chart.draw_chart` draws. `key`: the stem of its files. `notes`: what is not in it, and
    why."""

    key: str
    title: str
    axes: Axes
    curves: tuple[Curve, ...]
    notes: tuple[str, ...]

    @property
    def empty(self) -> bool:
        """Whether no codec has a point in it."""
        return not any(curve.points for curve in self.curves)


def charts_of(results: Results) -> list[Chart]:
    """PSNR and MS-SSIM against rate, speed, other metrics that were measured; then each codec
    beside itself at lower resolutions."""
    full = [model for model in results.models if model not in results.rescaled]
    charts = [rd_chart(results, metric, full) for metric in METRICS]
    kept = [chart for chart in charts[2:] if not chart.empty]
    low = [
        _low_chart(results, metric, model)
        for model in full
        for metric in METRICS[:2]
        if any(name.startswith(f"{model} /") for name in results.rescaled)
    ]
    return [*charts[:2], *speed_charts(results, full), *kept, *low]


def _low_chart(results: Results, metric: Metric, model: str) -> Chart:
    """A codec, itself at lower resolutions, and what scaling alone costs."""
    starts = f"{model} /", RATELESS
    models = [name for name in results.models if name == model or name.startswith(starts)]
    chart = rd_chart(results, metric, models)
    title = f"{chart.title}: {label_of(model)} at lower resolutions"
    # A name out of a file becomes part of one of ours.
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", model).strip("-.") or "codec"
    return replace(chart, key=f"{chart.key}-{name}-rescaled", title=title)


def rd_chart(results: Results, metric: Metric, models: Sequence[str]) -> Chart:
    """Mean rate against a mean quality, one curve a codec; a level for one without a rate."""
    curves, notes = [], []
    for model in models:
        points, level = [], None
        for item in (item for item in results.summaries if item.model == model):
            rate, quality = item.values.get("bpp", math.nan), metric.of(item)
            if not math.isfinite(quality):
                notes.append(f"{label_of(model)} at quality {item.quality}: {_why(item, quality)}")
            elif rate > 0 and has_rate(model):
                points.append(Datum(rate, quality, _label(item, metric)))
            else:
                level = Datum(math.nan, quality, _label(item, metric))
        curves.append(_curve(results, model, sorted(points), level))
    title = f"Rate and {metric.title}"
    axes = Axes("bits per pixel, whole file", f"{metric.title}, {metric.unit}")
    return Chart(f"rd-{metric.key.replace('_', '-')}", title, axes, tuple(curves), tuple(notes))


def speed_charts(results: Results, models: Sequence[str]) -> list[Chart]:
    """Time to encode and to decode against PSNR at the rate that most of the codecs reach."""
    rate = common_rate(results, models)
    return [
        _speed_chart(results, models, rate, way, title)
        for way, title in (("encode_ms", "encode"), ("decode_ms", "decode"))
    ]


def common_rate(results: Results, models: Sequence[str]) -> float:
    """The bpp of ours that most other curves cover, of equal ones the middle; NaN without rates."""
    rates = sorted(rate for rate, _ in _points(results, results.ours, PSNR.of))
    if not rates:
        return math.nan
    spans = [_points(results, model, PSNR.of) for model in models]
    covering = [sum(not math.isnan(at_rate(span, rate)) for span in spans) for rate in rates]
    best = [rate for rate, count in zip(rates, covering, strict=True) if count == max(covering)]
    return best[len(best) // 2]


def at_rate(points: Iterable[Point], rate: float) -> float:
    """What a curve of (bpp, value) has at a rate, linear in log bpp; NaN outside of the curve."""
    curve = sorted(points)
    if not curve or not curve[0][0] <= rate <= curve[-1][0]:
        return math.nan
    rates, values = zip(*curve, strict=True)
    return float(np.interp(math.log(rate), np.log(rates), values))


def _speed_chart(
    results: Results, models: Sequence[str], rate: float, way: str, title: str
) -> Chart:
    curves, notes = [], []
    for model in models:
        quality = at_rate(_points(results, model, PSNR.of), rate)
        log_time = at_rate(_points(results, model, lambda item: _log(item, way)), rate)
        points = []
        if math.isnan(quality) or math.isnan(log_time):
            notes.append(f"{label_of(model)} was not measured on both sides of this rate")
        else:
            time = math.exp(log_time)
            text = f"{label_of(model)}: {time:.3g} ms, {quality:.2f} dB at {rate:.3f} bpp"
            points = [Datum(time, quality, text)]
        curves.append(_curve(results, model, points, None))
    shown = "" if math.isnan(rate) else f" at {rate:.3f} bpp"
    axes = Axes(f"milliseconds to {title} a frame", f"{PSNR.title}, dB{shown}")
    heading = f"Time to {title} and PSNR{shown}"
    return Chart(f"speed-{title}", heading, axes, tuple(curves), tuple(notes))


def _log(item: Summary, name: str) -> float:
    value = item.values.get(name, math.nan)
    return math.log(value) if 0 < value < math.inf else math.nan


def _points(results: Results, model: str, value: Callable[[Summary], float]) -> list[Point]:
    """(bpp, value) of each quality of a codec that has both."""
    items = [item for item in results.summaries if item.model == model]
    found = [(item.values.get("bpp", math.nan), value(item)) for item in items]
    return [(rate, height) for rate, height in found if rate > 0 and math.isfinite(height)]


def place_of(results: Results, model: str) -> int:
    """The place of a codec in legends and styles: 0 for ours, then in the order of the file, those
    at lower resolutions last."""
    others = sorted(results.others(), key=lambda name: name in results.rescaled)
    return 0 if model == results.ours else 1 + others.index(model)


def _curve(results: Results, model: str, points: list[Datum], level: Datum | None) -> Curve:
    place = place_of(results, model)
    return Curve(place, label_of(model), style_of(place), tuple(points), level)


def _label(item: Summary, metric: Metric) -> str:
    rate = item.values.get("bpp", math.nan)
    shown = f"{rate:.3f} bpp" if rate > 0 and has_rate(item.model) else "no rate"
    value = f"{metric.of(item):.2f} {metric.unit}"
    failed = f", {item.failures} failed" if item.failures else ""
    where = f"{label_of(item.model)}, quality {item.quality}"
    return f"{where}: {shown}, {value} (images: {item.images}{failed})"


def _why(item: Summary, quality: float) -> str:
    if not item.images:
        return f"no image was measured, {item.failures} failed"
    return "every image came back without loss" if math.isinf(quality) else "not measured"
