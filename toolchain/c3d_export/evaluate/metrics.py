"""Distortion and rate: one definition each, for every codec and baseline alike.

All of 8-bit frames. Numbers on luma (Y) are higher than those on RGB: they have names of their
own and must not stand in one column. `DEFINITIONS` says in every report what a name means.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from c3d_export.core.errors import FrameShapeError, OptionError
from c3d_export.evaluate import vmaf
from c3d_export.evaluate.curves import (
    BD_MIN_POINTS,
    Point,
    bd_rate,
    interpolate_psnr,
    psnr_overlap,
)
from c3d_export.evaluate.similarity import MS_SSIM_MIN_SIDE, OriginalPlane, Similarity
from c3d_export.runtime.images import Frame, check_frame

__all__ = [
    "BD_MIN_POINTS",
    "CORE",
    "DEFINITIONS",
    "METRICS",
    "MS_SSIM_MIN_SIDE",
    "Original",
    "Point",
    "bd_rate",
    "bpp",
    "check_metrics",
    "interpolate_psnr",
    "luma",
    "ms_ssim",
    "ms_ssim_db",
    "mse",
    "psnr",
    "psnr_overlap",
]

DEFINITIONS: Final = {
    "bpp": "8 * bytes of the whole file / (width * height)",
    "payload_bpp": "as bpp, of the file without the codec's own header (.c3s); else equal to bpp",
    "psnr": "dB; 10 log10(255^2 / MSE), MSE over all pixels and channels of RGB; mean of images",
    "psnr_y": "dB; as psnr, of Y alone; mean of images",
    "y": "luma of BT.601, full range, rounded to 8 bits: (19595 R + 38470 G + 7471 B) / 65536",
    "ssim": "SSIM on RGB, mean of the three channels, 11x11 Gaussian window, no padding",
    "ssim_y": "SSIM on Y",
    "ms_ssim": "MS-SSIM on RGB, mean of the three channels, 5 scales, 11x11 Gaussian window",
    "ms_ssim_y": "MS-SSIM on Y",
    "ms_db": "dB; -10 log10(1 - MS-SSIM); of a summary: of the mean MS-SSIM",
    "vmaf": "VMAF v0.6.1 by libvmaf of each image for itself (no motion), 0..100, mean of images",
    "encode_ms": "wall clock from a frame in memory to the file, or back (decode_ms), after one"
    " call that warms up; of a summary: median of images; spread: from the first quartile to the"
    " third",
    "bd_rate": "percent of rate (bpp of whole files) at equal quality over the range of it that"
    " both curves have; Akima interpolation; negative: the codec needs less than the anchor",
}

METRICS: Final = ("psnr", "psnr_y", "ssim", "ssim_y", "ms_ssim", "ms_ssim_y", "vmaf")
"""Every distortion by its name, as `Original.compare` measures it."""

CORE: Final = ("psnr", "ms_ssim")
"""What costs least, and curves are drawn of."""

# Above, the maps of the original are not kept between comparisons: of a frame of 4 megapixels
# with its luma they take 350 MB.
_KEPT_PIXELS: Final = 1 << 22
_LUMA: Final = 3
# Of differences at a time: they stay in the cache, and take no gigabytes of a huge frame.
_MSE_ROWS: Final = 64


class Original:
    """A frame, uint8 (height, width, 3) RGB, that coded ones are compared with.

    What depends on it alone is computed once. Raises FrameShapeError for what is no frame.
    """

    def __init__(self, frame: Frame) -> None:
        self.frame = check_frame(frame)
        self._luma: NDArray[np.uint8] | None = None
        self._planes: dict[int, OriginalPlane] = {}

    def compare(self, decoded: Frame, metrics: Collection[str] = METRICS) -> dict[str, float]:
        """The distortion of a frame of the same size, by the names of `metrics`.

        PSNR is infinite for equal frames, SSIM and MS-SSIM then 1. NaN: the frame is too small
        for it. Raises FrameShapeError for another size, OptionError for an unknown metric,
        LibraryMissingError where vmaf is asked for and this host has none.
        """
        check_metrics(metrics)
        _check_pair(self.frame, decoded)
        found: dict[str, float] = {}
        if "psnr" in metrics:
            found["psnr"] = _psnr(self.frame, decoded)
        if {"ssim", "ms_ssim"} & set(metrics):
            each = [self._similarity(c, decoded[..., c]) for c in range(3)]
            found["ssim"] = math.fsum(item.ssim for item in each) / 3
            found["ms_ssim"] = math.fsum(item.ms_ssim for item in each) / 3
        if {"psnr_y", "ssim_y", "ms_ssim_y"} & set(metrics):
            found |= self._of_luma(luma(decoded))
        if "vmaf" in metrics:
            found["vmaf"] = vmaf.score(self.frame, decoded)
        return {name: found[name] for name in METRICS if name in metrics}

    def _of_luma(self, other: NDArray[np.uint8]) -> dict[str, float]:
        if self._luma is None:
            self._luma = luma(self.frame)
        similarity = self._similarity(_LUMA, other)
        return {
            "psnr_y": _psnr(self._luma, other),
            "ssim_y": similarity.ssim,
            "ms_ssim_y": similarity.ms_ssim,
        }

    def _similarity(self, index: int, plane: NDArray[np.uint8]) -> Similarity:
        """Of one of R, G, B, Y. Those of a large frame are made anew, one at a time."""
        known = self._planes.get(index)
        if known is None:
            mine = self._luma if index == _LUMA else self.frame[..., index]
            assert mine is not None
            keep = mine.size <= _KEPT_PIXELS
            known = OriginalPlane(mine, keep=keep)
            if keep:
                self._planes[index] = known
        return known.compare(plane)


def check_metrics(metrics: Collection[str]) -> None:
    """Raises OptionError for a name that is not one of METRICS."""
    for name in metrics:
        if name not in METRICS:
            raise OptionError(f"unknown metric {name!r}; choose from {', '.join(METRICS)}")


def luma(frame: Frame) -> NDArray[np.uint8]:
    """Y of a frame, uint8 (height, width, 3) RGB, as uint8 (height, width).

    BT.601 in full range, as in JPEG (JFIF) files, rounded to 8 bits; Pillow's mode L.
    """
    return np.asarray(Image.fromarray(check_frame(frame)).convert("L"))


def mse(a: Frame, b: Frame) -> float:
    """The mean squared error of two frames, uint8 (height, width, 3) RGB, in 0..65025.

    The sum is an exact integer. Raises FrameShapeError where the shapes differ or are no frames.
    """
    _check_pair(a, b)
    return _mse(a, b)


def psnr(a: Frame, b: Frame) -> float:
    """The peak signal-to-noise ratio in dB of two frames, uint8 (height, width, 3) RGB.

    From 0 (black against white); infinite for equal frames. Raises FrameShapeError as `mse`.
    """
    _check_pair(a, b)
    return _psnr(a, b)


def ms_ssim(a: Frame, b: Frame) -> float:
    """MS-SSIM of two frames, uint8 (height, width, 3) RGB: 0..1, 1 for equal ones.

    On RGB, the mean of the three channels (Wang, Simoncelli and Bovik 2003 have luma). NaN where
    a side is below MS_SSIM_MIN_SIDE: with fewer scales it would be another metric under the same
    name. Raises FrameShapeError as `mse`.
    """
    return Original(a).compare(b, ("ms_ssim",))["ms_ssim"]


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


def _check_pair(a: Frame, b: Frame) -> None:
    check_frame(a)
    check_frame(b)
    if a.shape != b.shape:
        message = f"cannot compare frames of {a.shape} and {b.shape}; they must be of one size"
        raise FrameShapeError(message)


def _mse(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    total = 0
    for top in range(0, len(a), _MSE_ROWS):
        rows = slice(top, top + _MSE_ROWS)
        difference = a[rows].astype(np.int32) - b[rows]
        total += int(np.sum(difference * difference, dtype=np.int64))
    return total / a.size


def _psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    error = _mse(a, b)
    return 10 * math.log10(255 * 255 / error) if error else math.inf
