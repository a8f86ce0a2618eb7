"""One frame through several codecs at about the bytes that the first of them needs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from c3d_export.core.errors import C3DError, UnknownQualityError
from c3d_export.evaluate.baselines import at_bpp
from c3d_export.evaluate.labels import has_rate, label_of
from c3d_export.evaluate.measure import Codec, Result, measure
from c3d_export.evaluate.metrics import ms_ssim, ms_ssim_db, psnr
from c3d_export.evaluate.tables import Table
from c3d_export.runtime.images import Frame

# Qualities are whole numbers: the nearest of them is the fairest.
TOLERANCE = 0.002

HEADERS = ("codec", "images", "bpp", "PSNR dB", "MS-SSIM", "encode ms", "decode ms")


class Method(NamedTuple):
    """A codec by the name that tables give it. Its qualities are consecutive whole numbers."""

    name: str
    codec: Codec


@dataclass(frozen=True)
class Scored:
    """One frame through one codec: PSNR in dB (inf for equal pixels), MS-SSIM in 0..1, both of the
    whole frame in RGB; MS-SSIM is NaN for frames that are too small for it."""

    name: str
    result: Result
    psnr: float
    ms_ssim: float


@dataclass(frozen=True)
class Comparison:
    """One frame through several codecs, the first method's result first.

    `missing` has (name, reason) of the methods that failed on this frame.
    """

    scored: tuple[Scored, ...]
    missing: tuple[tuple[str, str], ...] = ()


def compare_frame(
    frame: Frame,
    ours: Method,
    others: Iterable[Method],
    *,
    quality: int | None = None,
    bpp: float | None = None,
) -> Comparison:
    """A frame, uint8 (height, width, 3) RGB, at a quality of ours, the others at its bytes.

    With `bpp` at the quality of ours that comes nearest to so many bits per pixel, with neither at
    the one in the middle. The others take their nearest quality, so each has a rate of its own.
    What one of them raises ends up in `missing`. Raises what `ours` raises, UnknownQualityError,
    OptionError for a rate that is not above 0.
    """
    if quality is not None and quality not in ours.codec.qualities:
        known = ", ".join(map(str, ours.codec.qualities))
        message = f"{ours.name} has no quality {quality}; choose from {known}"
        raise UnknownQualityError(message)
    if bpp is not None:
        quality = at_bpp(ours.codec, frame, bpp, TOLERANCE).quality
    elif quality is None:
        quality = middle(ours.codec.qualities)
    measure(ours.codec, frame, quality)  # the first call of a session is slow
    scored = [score(ours.name, frame, measure(ours.codec, frame, quality))]
    missing: list[tuple[str, str]] = []
    for name, codec in others:
        try:
            result = at_bpp(codec, frame, scored[0].result.bpp, TOLERANCE)
            scored.append(score(name, frame, result))
        except C3DError as error:
            missing.append((name, str(error)))
    return Comparison(tuple(scored), tuple(missing))


def middle(qualities: Sequence[int]) -> int:
    """The quality in the middle, the upper one of two."""
    return qualities[len(qualities) // 2]


def score(name: str, frame: Frame, result: Result) -> Scored:
    """The result of a codec beside the frame that went in. Raises FrameShapeError where their
    shapes differ."""
    return Scored(name, result, psnr(frame, result.frame), ms_ssim(frame, result.frame))


def caption(scored: Scored, *, with_bytes: bool = False) -> str:
    """Such as "WebP: 0.353 bpp, 34.20 dB, MS-SSIM 0.9712 (15.4 dB)"."""
    result = scored.result
    parts = [f"{result.bpp:.3f} bpp"] if has_rate(scored.name) else []
    if parts and with_bytes:
        parts.insert(0, f"{len(result.data):,} bytes")
    parts.append("no loss" if math.isinf(scored.psnr) else f"{scored.psnr:.2f} dB")
    if not math.isnan(scored.ms_ssim):
        decibels = ms_ssim_db(scored.ms_ssim)
        shown = "" if math.isinf(decibels) else f" ({decibels:.1f} dB)"
        parts.append(f"MS-SSIM {scored.ms_ssim:.4f}{shown}")
    return f"{label_of(scored.name)}: {', '.join(parts)}"


def means_table(comparisons: Sequence[Comparison]) -> Table:
    """Means over the frames that each codec coded, medians of the times.

    The images column says how many these are, and how many failed.
    """
    names = dict.fromkeys(item.name for one in comparisons for item in one.scored)
    names.update(dict.fromkeys(name for one in comparisons for name, _ in one.missing))
    return Table(HEADERS, [_line(name, comparisons) for name in names])


def _line(name: str, comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    scored = [item for one in comparisons for item in one.scored if item.name == name]
    failed = len(comparisons) - len(scored)
    images = f"{len(scored)} ({failed} failed)" if failed else str(len(scored))
    if not scored:
        return (name, images, *["-"] * (len(HEADERS) - 2))
    quality = statistics.fmean(item.ms_ssim for item in scored)
    return (
        name,
        images,
        f"{statistics.fmean(item.result.bpp for item in scored):.3f}" if has_rate(name) else "-",
        f"{statistics.fmean(item.psnr for item in scored):.2f}",
        "-" if math.isnan(quality) else f"{quality:.4f}",
        f"{statistics.median(item.result.encode_ms for item in scored):.1f}",
        f"{statistics.median(item.result.decode_ms for item in scored):.1f}",
    )
