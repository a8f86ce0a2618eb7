"""Measures: one frame through one codec at some qualities, warmed up, timed and compared."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from c3d_export.core.errors import C3DError, OptionError
from c3d_export.evaluate.measure import Codec, measure
from c3d_export.evaluate.metrics import CORE, Original, bpp, check_metrics
from c3d_export.evaluate.plan import Entry
from c3d_export.evaluate.rows import Row
from c3d_export.evaluate.stopwatch import OTHER, Stopwatch
from c3d_export.runtime.codec import Codec as BundleCodec
from c3d_export.runtime.images import Frame, check_frame, read_image
from c3d_export.runtime.stream import HEADER_BYTES


@dataclass(frozen=True)
class MeterOptions:
    """metrics: those that are measured. repeat: timed calls of each frame; their median counts."""

    metrics: tuple[str, ...] = CORE
    repeat: int = 1

    def __post_init__(self) -> None:
        check_metrics(self.metrics)
        if self.repeat < 1:
            raise OptionError(f"cannot time {self.repeat} calls; choose 1 or more")


class Job(NamedTuple):
    """A frame through one codec (by its name in the plan) at some qualities."""

    path: Path
    name: str
    qualities: tuple[int, ...]


class Meter:
    """Runs jobs of a plan. Memory: one frame, and what its metrics need."""

    def __init__(self, plan: Sequence[Entry], options: MeterOptions | None = None) -> None:
        self._entries = {entry.name: entry for entry in plan}
        self._options = options or MeterOptions()
        self._warm: set[tuple[str, int, tuple[int, ...]]] = set()
        self._last: tuple[Path, Original] | None = None

    def rows(self, job: Job) -> Iterator[Row]:
        """One row per quality. Whatever the frame or the codec raises ends up in the row.

        Before the first timed call of a codec at a quality and frame size the same call is made
        once untimed.
        """
        entry = self._entries[job.name]
        blank = Row(entry.name, image_name(job.path), 0, supersampled=entry.supersampled)
        try:
            original = self._original(job.path)
        except (C3DError, MemoryError) as error:
            yield from (replace(blank, quality=q, error=_reason(error)) for q in job.qualities)
            return
        height, width = original.frame.shape[:2]
        for quality in job.qualities:
            row = replace(blank, quality=quality, width=width, height=height)
            try:
                yield self._measured(row, entry.codec, original)
            except Exception as error:  # of any kind: a codec that breaks on a frame is a finding
                yield replace(row, error=_reason(error))

    def _original(self, path: Path) -> Original:
        if self._last is None or self._last[0] != path:
            self._last = None  # frees the one before
            self._last = path, Original(read_image(path))
        return self._last[1]

    def _measured(self, row: Row, codec: Codec, original: Original) -> Row:
        frame = original.frame
        key = row.model, row.quality, frame.shape
        if key not in self._warm:
            measure(codec, frame, row.quality)
            self._warm.add(key)
        timed = _timed(codec, frame, row.quality, self._options.repeat)
        distortion: dict[str, Any] = original.compare(timed.frame, self._options.metrics)
        return replace(
            row,
            file_bytes=len(timed.data),
            payload_bytes=payload_bytes(codec, timed.data),
            bpp=bpp(len(timed.data), row.width, row.height),
            encode_ms=timed.encode_ms,
            decode_ms=timed.decode_ms,
            stages_ms=timed.stages_ms,
            **distortion,
        )


def image_name(path: Path) -> str:
    """The names of a file and of its folder. File names need not be text; a report is."""
    return f"{path.parent.name}/{path.name}".encode("utf-8", "backslashreplace").decode()


def payload_bytes(codec: Codec, data: bytes) -> int:
    """Bytes of a file without the header that is ours; all of them for codecs of others.

    A codec of another kind may tell it by a method `payload_bytes(data)`.
    """
    own: Callable[[bytes], int] | None = getattr(codec, "payload_bytes", None)
    if own is not None:
        return own(data)
    return len(data) - HEADER_BYTES if isinstance(codec, BundleCodec) else len(data)


class _Timed(NamedTuple):
    data: bytes
    frame: Frame
    encode_ms: float
    decode_ms: float
    stages_ms: dict[str, float]


def _timed(codec: Codec, frame: Frame, quality: int, repeat: int) -> _Timed:
    """Medians of `repeat` calls each way. The calls return when the work is done, on a GPU too:
    results are arrays of this process."""
    watch = Stopwatch()
    watching = watch.watch(codec) if isinstance(codec, BundleCodec) else contextlib.nullcontext()
    with watching:
        data, encoding = _calls(lambda: codec.encode(frame, quality=quality), repeat, watch)
        decoded, decoding = _calls(lambda: codec.decode(data), repeat, watch)
    check_frame(decoded)
    totals = [statistics.median(each.pop("total")) for each in (encoding, decoding)]
    stages = {
        f"{way} {stage}": statistics.median(values)
        for way, each in (("encode", encoding), ("decode", decoding))
        for stage, values in each.items()
    }
    return _Timed(data, decoded, totals[0], totals[1], stages)


def _calls(
    call: Callable[[], Any], repeat: int, watch: Stopwatch
) -> tuple[Any, dict[str, list[float]]]:
    """The result, and milliseconds of each call by stage, and in total."""
    times: dict[str, list[float]] = {}
    result = None
    for _ in range(repeat):
        watch.take()
        begin = time.perf_counter()
        result = call()
        total = time.perf_counter() - begin
        stages = watch.take()
        if stages:
            stages[OTHER] = total - sum(stages.values())
        for stage, seconds in {**stages, "total": total}.items():
            times.setdefault(stage, []).append(1000 * seconds)
    return result, times


def _reason(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".splitlines())
