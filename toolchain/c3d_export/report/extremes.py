"""On which frames ours is farthest above and below each other codec, at equal rate."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from c3d_export.evaluate.labels import has_rate, label_of
from c3d_export.report.curves import Point, at_rate
from c3d_export.report.results import Results


@dataclass(frozen=True)
class Gain:
    """How many dB of PSNR ours has more than another codec on one image at equal rate.

    The mean over the `rates` of our rate points on this image that the other's curve covers.
    """

    image: str
    decibels: float
    rates: int


@dataclass(frozen=True)
class Extremes:
    """Ours against one other codec. `gains`: from the worst image for ours to the best.

    `without`: images on which the two share no rate, or one of them has no measurement.
    """

    model: str
    gains: tuple[Gain, ...]
    without: int

    @property
    def mean(self) -> float:
        """The mean gain in dB; NaN without gains."""
        return statistics.fmean(g.decibels for g in self.gains) if self.gains else math.nan


def extremes_of(results: Results) -> list[Extremes]:
    """One entry per other codec that has a rate, in the order of the file."""
    curves = _curves(results)
    return [_against(results, model, curves) for model in results.others() if has_rate(model)]


def telling_images(results: Results, count: int) -> list[tuple[str, str]]:
    """(image, why) of frames that are worth a look, up to `count`.

    Against the codec that ours beats by least: the worst frame, the best one, the one in the
    middle, then evenly between; the first ones where there is nothing to compare with.
    """
    full = (item for item in extremes_of(results) if item.model not in results.rescaled)
    found = [item for item in full if item.gains]
    if not found:
        return [(image, "") for image in results.images[:count]]
    hardest = min(found, key=lambda item: item.mean)
    gains = hardest.gains
    chosen: list[tuple[str, str]] = []
    for index in _spread(len(gains), count):
        place = {0: "the worst frame", len(gains) - 1: "the best frame"}.get(index, "a frame")
        why = f"{place} against {label_of(hardest.model)}: {gains[index].decibels:+.2f} dB"
        chosen.append((gains[index].image, why))
    return chosen


def _spread(total: int, count: int) -> list[int]:
    """Places among `total`: the first, the last, the middle, then what is between."""
    if count < 3 or total < 3:
        return list(dict.fromkeys([0, total - 1]))[:count]
    between = [round(step * (total - 1) / (count - 1)) for step in range(1, count - 1)]
    return list(dict.fromkeys([0, total - 1, *between]))


def _curves(results: Results) -> dict[tuple[str, str], list[Point]]:
    """(bpp, PSNR) of every image through every codec, of the qualities that were measured."""
    curves: dict[tuple[str, str], list[Point]] = {}
    for row in results.rows:
        rate, psnr = row.values.get("bpp", math.nan), row.values.get("psnr", math.nan)
        if row.error is None and rate > 0 and math.isfinite(psnr):
            curves.setdefault((row.model, row.image), []).append((rate, psnr))
    return curves


def _against(results: Results, model: str, curves: dict[tuple[str, str], list[Point]]) -> Extremes:
    gains = []
    for image in results.images:
        ours, other = curves.get((results.ours, image), []), curves.get((model, image), [])
        gain = _gain(image, ours, other)
        if gain:
            gains.append(gain)
    gains.sort(key=lambda gain: gain.decibels)
    return Extremes(model, tuple(gains), len(results.images) - len(gains))


def _gain(image: str, ours: Sequence[Point], other: Sequence[Point]) -> Gain | None:
    differences = [psnr - at_rate(other, rate) for rate, psnr in ours]
    covered = [value for value in differences if not math.isnan(value)]
    return Gain(image, statistics.fmean(covered), len(covered)) if covered else None
