"""The ordinary codecs that ours is measured against, by name, and how a rate is aimed at.

Each is fixed to one setting, in the name of which a number is reported.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from c3d_export.core.errors import OptionError
from c3d_export.evaluate.baseline_codec import Baseline
from c3d_export.evaluate.jxl_codec import JXL_CODECS
from c3d_export.evaluate.measure import Codec, Result, measure, timed_decode, timed_encode
from c3d_export.evaluate.pillow_codecs import PILLOW_CODECS
from c3d_export.evaluate.video_codecs import VIDEO_CODECS
from c3d_export.runtime.images import Frame, check_frame

__all__ = ["ALIASES", "BASELINES", "Baseline", "at_bpp", "get_baseline", "ladder"]

_ALL: Final[tuple[Baseline, ...]] = (*PILLOW_CODECS, *JXL_CODECS, *VIDEO_CODECS)

BASELINES: Final[Mapping[str, Baseline]] = MappingProxyType({item.name: item for item in _ALL})
"""Every baseline by its name, whether this host can run it or not (see `get_baseline`)."""

ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "jxl": "jxl-7",
        "h264": "x264-superfast",
        "x264": "x264-superfast",
        "hevc": "x265-superfast",
        "h265": "x265-superfast",
        "x265": "x265-superfast",
        "av1": "svtav1-9",
        "svtav1": "svtav1-9",
    }
)
"""Short names of formats, for the setting of each that is compared with most."""


def get_baseline(name: str) -> Baseline:
    """The baseline of this name, one of BASELINES or ALIASES, ready to run.

    Raises OptionError for an unknown name, and LibraryMissingError, with the line that installs
    it, where this host lacks the library: skip that baseline then, and say so.
    """
    baseline = BASELINES.get(ALIASES.get(name, name))
    if baseline is None:
        names = ", ".join((*BASELINES, *ALIASES))
        raise OptionError(f"unknown baseline {name!r}; choose from {names}")
    baseline.require()
    return baseline


def at_bpp(baseline: Codec, frame: Frame, target_bpp: float, tolerance: float = 0.03) -> Result:
    """The frame, uint8 (height, width, 3) RGB, coded at about `target_bpp` bits per pixel.

    Bisects the integer qualities until the rate is within `tolerance` (a fraction of the target),
    and takes the nearest (in log rate) of those tried where none is: steps between qualities may
    be coarser, and a target may lie outside what the format reaches. So compare with `.bpp` of
    the result, never with the target. Raises OptionError for a target that is not above 0.
    """
    if not 0 < target_bpp < math.inf:
        raise OptionError(f"cannot aim at {target_bpp} bpp; choose a rate above 0")
    target_bytes = target_bpp * check_frame(frame).shape[0] * frame.shape[1] / 8
    low, high = baseline.qualities[0], baseline.qualities[-1]
    tried: list[tuple[float, int, bytes, float]] = []
    while low <= high:
        quality = (low + high) // 2
        data, encode_ms = timed_encode(baseline, frame, quality)
        ratio = len(data) / target_bytes
        tried.append((abs(math.log(ratio)), quality, data, encode_ms))
        if abs(ratio - 1) <= tolerance:
            break
        low, high = (quality + 1, high) if ratio < 1 else (low, quality - 1)
    _, quality, data, encode_ms = min(tried)
    return timed_decode(baseline, data, encode_ms, quality)


def ladder(
    baseline: Baseline, frame: Frame, qualities: Iterable[int] | None = None
) -> list[Result]:
    """The frame coded at several qualities, those of `baseline.ladder` where none are given.

    Raises as `Baseline.encode`.
    """
    chosen = baseline.ladder if qualities is None else qualities
    return [measure(baseline, frame, quality) for quality in chosen]
