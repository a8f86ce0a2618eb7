"""Distortion, rate, and the distance between two rate-distortion curves.

One definition each, for every codec and baseline alike. PSNR and MS-SSIM are on RGB with 8 bits:
numbers on luma (Y) are higher and must not stand in one column with these. The rate is that of
the whole file with its headers. `DEFINITIONS` says so in every report.
"""

from __future__ import annotations

import importlib
import itertools
import math
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from c3d_export.core.errors import FrameShapeError, LibraryMissingError, OptionError
from c3d_export.runtime.images import Frame, check_frame

Point = tuple[float, float]
"""One point of a rate-distortion curve: bits per pixel, PSNR in dB."""

DEFINITIONS: Final = {
    "bpp": "8 * bytes of the whole file / (width * height)",
    "psnr": "dB; 10 log10(255^2 / MSE), MSE over all pixels and channels of RGB; mean of images",
    "ms_ssim": "MS-SSIM on RGB, mean of the three channels, 5 scales, 11x11 Gaussian window",
    "ms_db": "dB; -10 log10(1 - MS-SSIM)",
}

# Five scales halve a side four times, and the last one must still hold the window of 11 pixels.
MS_SSIM_MIN_SIDE: Final = 161

# VCEG-M33 takes four points a curve; with fewer the interpolation decides more than the codec.
BD_MIN_POINTS: Final = 4


def mse(a: Frame, b: Frame) -> float:
    """The mean squared error of two frames, uint8 (height, width, 3) RGB, in 0..65025.

    The sum is an exact integer. Raises FrameShapeError where the shapes differ or are no frames.
    """
    _check_pair(a, b)
    difference = a.astype(np.int32) - b
    return int(np.sum(difference * difference, dtype=np.int64)) / difference.size


def psnr(a: Frame, b: Frame) -> float:
    """The peak signal-to-noise ratio in dB of two frames, uint8 (height, width, 3) RGB.

    From 0 (black against white); infinite for equal frames. Raises FrameShapeError as `mse`.
    """
    error = mse(a, b)
    return 10 * math.log10(255 * 255 / error) if error else math.inf


def ms_ssim(a: Frame, b: Frame) -> float:
    """MS-SSIM of two frames, uint8 (height, width, 3) RGB: 0..1, 1 for equal ones.

    On RGB, the mean of the three channels (Wang, Simoncelli and Bovik 2003 have luma), as
    pytorch-msssim computes it, in float32 (within 3e-7 of float64). NaN where a side is below
    MS_SSIM_MIN_SIDE: with fewer scales it would be another metric under the same name.
    Raises FrameShapeError as `mse`.
    """
    _check_pair(a, b)
    if min(a.shape[:2]) < MS_SSIM_MIN_SIDE:
        return math.nan
    # Here, so that what needs no torch runs on hosts that have none.
    import pytorch_msssim
    import torch

    with torch.inference_mode():
        pair = (torch.from_numpy(_planes(frame)) for frame in (a, b))
        value = pytorch_msssim.ms_ssim(*pair, data_range=255)
    return min(float(value), 1.0)  # rounding may pass 1 by one unit


def ms_ssim_db(value: float) -> float:
    """-10 log10(1 - value): MS-SSIM on a scale that spreads what is near 1; infinite for 1.

    NaN stays NaN. Raises OptionError outside 0..1.
    """
    if math.isnan(value):
        return math.nan
    if not 0 <= value <= 1:
        raise OptionError(f"MS-SSIM {value} is outside 0..1; pass the value itself, not its dB")
    return -10 * math.log10(1 - value) if value < 1 else math.inf


def bpp(n_bytes: int, width: int, height: int) -> float:
    """Bits per pixel of a file of `n_bytes` bytes, headers and all, for width x height pixels.

    Raises OptionError for a negative number of bytes or a side below 1.
    """
    if n_bytes < 0 or width < 1 or height < 1:
        raise OptionError(f"no rate for {n_bytes} bytes at {width}x{height} pixels; check them")
    return 8 * n_bytes / (width * height)


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


def _check_pair(a: Frame, b: Frame) -> None:
    check_frame(a)
    check_frame(b)
    if a.shape != b.shape:
        message = f"cannot compare frames of {a.shape} and {b.shape}; they must be of one size"
        raise FrameShapeError(message)


def _planes(frame: Frame) -> NDArray[np.float32]:
    """(1, 3, height, width). float64 takes twice as long and differs by 3e-7, below 0.001 dB up to
    0.998."""
    return np.ascontiguousarray(frame.transpose(2, 0, 1)[None], np.float32)


def _sorted(points: Iterable[Point], name: str) -> list[Point]:
    curve = sorted((float(rate), float(value)) for rate, value in points)
    for rate, value in curve:
        if not (0 < rate < math.inf and math.isfinite(value)):
            message = f"the {name} curve has a point {rate} bpp, {value} dB; leave it out"
            raise OptionError(message)
    return curve


def _curve(points: Iterable[Point], name: str) -> list[Point]:
    curve = _sorted(points, name)
    if len(curve) < BD_MIN_POINTS:
        message = f"the {name} curve has {len(curve)} points; measure {BD_MIN_POINTS} qualities"
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
