"""Rate-distortion curves: the distance between two, and a value between the points of one."""

from __future__ import annotations

import importlib
import itertools
import math
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from c3d_export.core.errors import LibraryMissingError, OptionError

Point = tuple[float, float]
"""One point of a rate-distortion curve: bits per pixel, and PSNR (or another quality) in dB."""

# VCEG-M33 takes four points a curve; with fewer the interpolation decides more than the codec.
BD_MIN_POINTS: Final = 4


def bd_rate(anchor_points: Iterable[Point], test_points: Iterable[Point]) -> float:
    """By how many percent the test codec's rate differs from the anchor's at equal PSNR.

    Negative where the test codec needs less. Bjontegaard 2001 (VCEG-M33) with the Akima
    interpolation of Herglotz et al. 2022 (arXiv:2202.12565), over the range of PSNR that both
    curves cover (see `psnr_overlap`). Points are (bpp, PSNR in dB), in any order, 4 or more.
    Raises OptionError for a curve that does not rise or has too few points, and where the ranges
    do not overlap; LibraryMissingError where bjontegaard is not installed.
    """
    anchor, test = _curve(anchor_points, "anchor"), _curve(test_points, "test")
    psnr_overlap(anchor, test)
    percent = _bjontegaard().bd_rate(
        *zip(*anchor, strict=True),
        *zip(*test, strict=True),
        method="akima",
        require_matching_points=False,
        min_overlap=0,  # a warning only: whoever prints the number prints the overlap as well
    )
    return float(percent)


def psnr_overlap(anchor_points: Iterable[Point], test_points: Iterable[Point]) -> Point:
    """The lowest and the highest PSNR in dB that both curves cover: what a BD-rate speaks of.

    Raises OptionError as `bd_rate`.
    """
    anchor, test = _curve(anchor_points, "anchor"), _curve(test_points, "test")
    low, high = max(anchor[0][1], test[0][1]), min(anchor[-1][1], test[-1][1])
    if low >= high:
        raise OptionError(
            f"the curves share no range of PSNR: {anchor[0][1]:.2f}..{anchor[-1][1]:.2f} dB and"
            f" {test[0][1]:.2f}..{test[-1][1]:.2f} dB; measure qualities that overlap"
        )
    return low, high


def interpolate_psnr(points: Iterable[Point], bpp: float) -> float:
    """The PSNR in dB of a curve at a rate: linear in log bpp between its points; NaN outside.

    For "dB above JPEG at equal bpp". Points are (bpp, PSNR in dB) in any order. Raises OptionError
    for points that are not finite or have no rate.
    """
    curve = _sorted(points, "baseline")
    if not curve or not curve[0][0] <= bpp <= curve[-1][0]:
        return math.nan
    rates, values = zip(*curve, strict=True)
    return float(np.interp(math.log(bpp), np.log(rates), values))


def _sorted(points: Iterable[Point], name: str) -> list[Point]:
    curve = sorted((float(rate), float(value)) for rate, value in points)
    for rate, value in curve:
        if not (0 < rate < math.inf and math.isfinite(value)):
            message = f"the {name} curve has a point {rate} bpp, {value} dB; leave it out"
            raise OptionError(message)
    return curve


def _curve(given: Iterable[Point], name: str) -> list[Point]:
    curve = _sorted(given, name)
    if len(curve) < BD_MIN_POINTS:
        points = "one point" if len(curve) == 1 else f"{len(curve)} points"
        message = f"the {name} curve has {points}; measure {BD_MIN_POINTS} qualities"
        if len(curve) == 1:
            message += " (a bundle with one rate point has no curve)"
        raise OptionError(message)
    for (rate, value), (next_rate, next_value) in itertools.pairwise(curve):
        if next_rate <= rate or next_value <= value:
            raise OptionError(
                f"the {name} curve does not rise from {rate:.4f} bpp, {value:.3f} dB to"
                f" {next_rate:.4f} bpp, {next_value:.3f} dB; leave one of them out"
            )
    return curve


def _bjontegaard() -> Any:
    # Imported at the first use: it brings all of matplotlib with it.
    try:
        return importlib.import_module("bjontegaard")
    except ImportError as error:
        message = f"BD-rate needs bjontegaard: {error}; pip install 'c3d-export[train]'"
        raise LibraryMissingError(message) from error
