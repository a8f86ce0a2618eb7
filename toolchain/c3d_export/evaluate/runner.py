"""A codec beside its baselines over a set of frames: one row per codec, frame and quality.

What fails is a row with an error, and every mean says how many rows it is made of and how many
are missing: a codec never looks better because its hard frames failed.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from c3d_export.core.errors import C3DError, OptionError, UnknownQualityError
from c3d_export.evaluate.baselines import Baseline
from c3d_export.evaluate.measure import Codec, measure
from c3d_export.evaluate.metrics import Point, ms_ssim, psnr
from c3d_export.runtime.images import Frame, is_lossless, read_image

OURS: Final = "ours"


@dataclass(frozen=True)
class Row:
    """One frame at one quality through one codec.

    `error` is None exactly where the frame was coded, decoded and compared. Else it is one line,
    `file_bytes` is 0 and the other measurements are NaN; `width` and `height` are 0 where the
    frame could not even be read. `image` is the file's name and that of its folder.
    """

    model: str
    image: str
    quality: int
    width: int = 0
    height: int = 0
    file_bytes: int = 0
    bpp: float = math.nan
    psnr: float = math.nan
    ms_ssim: float = math.nan
    encode_ms: float = math.nan
    decode_ms: float = math.nan
    error: str | None = None


@dataclass(frozen=True)
class Summary:
    """One codec at one quality over all frames.

    `bpp`, `psnr` and `ms_ssim` are means over the `images` that were measured, times are medians
    in milliseconds; `failures` counts the others. Every mean is NaN where nothing was measured,
    that of MS-SSIM also where a frame is too small for it.
    """

    model: str
    quality: int
    images: int
    failures: int
    bpp: float
    psnr: float
    ms_ssim: float
    encode_ms: float
    decode_ms: float


def evaluate_codec(
    codec: Codec,
    paths: Sequence[Path],
    qualities: Iterable[int] | None = None,
    baselines: Sequence[Baseline] = (),
    *,
    name: str = OURS,
    on_row: Callable[[Row], None] | None = None,
) -> list[Row]:
    """Runs the codec and the baselines (each at its ladder) over image files, one row each.

    `qualities` are all of the codec's where None. Rows are in the order of the paths, then of the
    codecs, then of the qualities; `on_row` sees each as it comes. Before the first timed call of
    a codec at a quality and frame size the same call is made once untimed. Memory: one frame.
    Whatever one frame raises ends up in its row. Raises OptionError for no frames or for a name
    twice, UnknownQualityError for a quality that the codec lacks.
    """
    plan = _plan(codec, qualities, baselines, name)
    if not paths:
        raise OptionError("there are no frames to evaluate; name a folder that has some")
    rows: list[Row] = []
    warm: set[tuple[str, int, tuple[int, ...]]] = set()
    for row in itertools.chain.from_iterable(_rows(path, plan, warm) for path in paths):
        rows.append(row)
        if on_row:
            on_row(row)
    return rows


def summarize(rows: Iterable[Row]) -> list[Summary]:
    """One summary per codec and quality, in the order in which they first appear."""
    groups: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.model, row.quality), []).append(row)
    return [_summary(model, quality, group) for (model, quality), group in groups.items()]


def rd_points(summaries: Iterable[Summary], model: str) -> list[Point]:
    """The curve of one codec: (mean bpp, mean PSNR in dB) of each quality that was measured."""
    return [(item.bpp, item.psnr) for item in summaries if item.model == model and item.images]


def lossy_sources(paths: Iterable[Path]) -> list[Path]:
    """The files that were already lossy: coding them again measures their first codec too.

    Raises MissingInputError where a file cannot be opened.
    """
    return [path for path in paths if not is_lossless(path)]


def _plan(
    codec: Codec, qualities: Iterable[int] | None, baselines: Sequence[Baseline], name: str
) -> list[tuple[str, Codec, tuple[int, ...]]]:
    chosen = tuple(codec.qualities if qualities is None else qualities)
    for quality in chosen:
        if quality not in codec.qualities:
            known = ", ".join(map(str, codec.qualities))
            raise UnknownQualityError(f"{name} has no quality {quality}; choose from {known}")
    plan: list[tuple[str, Codec, tuple[int, ...]]] = [(name, codec, chosen)]
    plan += [(baseline.name, baseline, baseline.ladder) for baseline in baselines]
    names = [entry[0] for entry in plan]
    if len(set(names)) < len(names):
        raise OptionError(f"a codec stands twice in {', '.join(names)}; rename or drop one")
    return plan


def _rows(
    path: Path,
    plan: list[tuple[str, Codec, tuple[int, ...]]],
    warm: set[tuple[str, int, tuple[int, ...]]],
) -> Iterator[Row]:
    # File names need not be text; a report is.
    image = f"{path.parent.name}/{path.name}".encode("utf-8", "backslashreplace").decode()
    calls = [(name, codec, quality) for name, codec, chosen in plan for quality in chosen]
    try:
        frame = read_image(path)
    except C3DError as error:
        yield from (Row(name, image, quality, error=_reason(error)) for name, _, quality in calls)
        return
    for name, codec, quality in calls:
        key = (name, quality, frame.shape)
        yield _row(name, image, codec, frame, quality, warm_up=key not in warm)
        warm.add(key)


def _row(name: str, image: str, codec: Codec, frame: Frame, quality: int, *, warm_up: bool) -> Row:
    height, width = frame.shape[:2]
    try:
        if warm_up:
            measure(codec, frame, quality)
        result = measure(codec, frame, quality)
        distortion = psnr(frame, result.frame), ms_ssim(frame, result.frame)
    except Exception as error:  # of any kind: a codec that breaks on one frame is a finding
        return Row(name, image, quality, width, height, error=_reason(error))
    times = result.encode_ms, result.decode_ms
    size = len(result.data)
    return Row(name, image, quality, width, height, size, result.bpp, *distortion, *times)


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".splitlines())


def _summary(model: str, quality: int, group: list[Row]) -> Summary:
    done = [row for row in group if row.error is None]
    failures = len(group) - len(done)
    if not done:
        return Summary(model, quality, 0, failures, *[math.nan] * 5)
    return Summary(
        model,
        quality,
        len(done),
        failures,
        bpp=statistics.fmean(row.bpp for row in done),
        psnr=statistics.fmean(row.psnr for row in done),
        ms_ssim=statistics.fmean(row.ms_ssim for row in done),
        encode_ms=statistics.median(row.encode_ms for row in done),
        decode_ms=statistics.median(row.decode_ms for row in done),
    )
