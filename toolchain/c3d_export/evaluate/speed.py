"""How fast codecs are on this host: whole paths and stages, warm, over sizes of frames.

A path goes from a uint8 frame in memory to bytes, or back. Streams of frames (`codec.stream`) keep
all cores busy, single calls have the least latency: both are measured.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np

# Whoever times calls it first. With a codec of ours open, whose arrays lie at the top of the heap,
# glibc would else hand back the others' buffers, and their page faults would be taken for their
# speed: JPEG decoded in 8.0 instead of 1.8 ms, JPEG XL encoded in 17 instead of 10.
from ..core.heap import keep_freed_memory as keep_freed_memory
from ..runtime.codec import Codec
from ..runtime.images import Frame
from .baselines import Baseline, at_bpp
from .metrics import bpp
from .stopwatch import CODER, OTHER, PASSES, Stopwatch

_OWN: Final = ("g_a", "h_a", "h_s", "g_cp", "g_ep", "g_s")
_C2F: Final = ("side2", "side3", "features", "picture")
STAGES: Final = (*_OWN, *_C2F, CODER, PASSES, OTHER)

Advance = Callable[[], None]


@dataclass(frozen=True)
class Timing:
    """Milliseconds; stages: the median of each, which need not add up to the median."""

    median_ms: float
    p99_ms: float
    stages: Mapping[str, float]

    @property
    def percent(self) -> dict[str, float]:
        total = sum(self.stages.values())
        return {stage: 100.0 * value / total for stage, value in self.stages.items()}


@dataclass(frozen=True)
class SpeedRow:
    """One codec at one size. bytes: of the stream. encode_fps, decode_fps: frames a second in a
    stream of frames, 0 where that was not measured. resident_mb: of the process, its most so far.
    """

    codec: str
    width: int
    height: int
    bytes: int
    encode: Timing
    decode: Timing
    encode_fps: float = 0.0
    decode_fps: float = 0.0
    resident_mb: float = 0.0

    @property
    def bpp(self) -> float:
        return bpp(self.bytes, self.width, self.height)

    def fits(self, budget_ms: float) -> bool:
        """Whether both ways fit into this time, in all but one call of a hundred."""
        return max(self.encode.p99_ms, self.decode.p99_ms) <= budget_ms

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "bpp": self.bpp}


def at_size(frame: Frame, width: int, height: int) -> Frame:
    """A frame of this size: cut, or mirrored at its edges as often as it takes."""
    rows, columns = frame.shape[:2]
    if (rows, columns) == (height, width):
        return frame
    margin = ((0, max(0, height - rows)), (0, max(0, width - columns)), (0, 0))
    return np.ascontiguousarray(np.pad(frame, margin, mode="symmetric")[:height, :width])


def time_codec(
    codec: Codec, frame: Frame, quality: int | None, repeat: int, advance: Advance = lambda: None
) -> SpeedRow:
    """Single calls, after one of each that warms up; advance: called after each repetition."""
    stream = codec.encode(frame, quality)
    codec.decode(stream)
    watch = Stopwatch()
    with watch.watch(codec):
        encoding = _timing(watch, repeat, lambda: codec.encode(frame, quality), advance)
        decoding = _timing(watch, repeat, lambda: codec.decode(stream), advance)
    height, width = frame.shape[:2]
    row = SpeedRow(codec.bundle.name, width, height, len(stream), encoding, decoding)
    return replace(row, resident_mb=resident_mb())


def time_streams(codec: Codec, frame: Frame, quality: int | None, row: SpeedRow) -> SpeedRow:
    """The row with frames a second of `codec.stream`, both ways, over about a second each."""
    data = codec.encode(frame, quality)
    rates = []
    for decode, item, one in ((False, (frame, quality), row.encode), (True, (data,), row.decode)):
        count = max(8, round(1000.0 / one.median_ms))
        with codec.stream(decode=decode) as stream:
            for _ in stream.map([item] * (2 * stream.workers)):
                pass
            begin = time.perf_counter()
            for _ in stream.map([item] * count):
                pass
            rates.append(count / (time.perf_counter() - begin))
    return replace(row, encode_fps=rates[0], decode_fps=rates[1], resident_mb=resident_mb())


def time_baseline(baseline: Baseline, frame: Frame, target_bpp: float, repeat: int) -> SpeedRow:
    """An ordinary codec on the same frame, at the quality whose rate is nearest to the target."""
    quality = at_bpp(baseline, frame, target_bpp).quality
    data = baseline.encode(frame, quality)
    times = [_calls(repeat, lambda: baseline.encode(frame, quality))]
    times.append(_calls(repeat, lambda: baseline.decode(data)))
    encode, decode = (_summary([{"total": t} for t in each]) for each in times)
    height, width = frame.shape[:2]
    return SpeedRow(baseline.name, width, height, len(data), encode, decode)


def _calls(repeat: int, call: Callable[[], object]) -> list[float]:
    call()
    times = []
    for _ in range(repeat):
        begin = time.perf_counter()
        call()
        times.append(1000.0 * (time.perf_counter() - begin))
    return times


def _timing(watch: Stopwatch, repeat: int, call: Callable[[], object], advance: Advance) -> Timing:
    entries = []
    for _ in range(repeat):
        watch.take()
        begin = time.perf_counter()
        call()
        total = time.perf_counter() - begin
        stages = watch.take()
        stages |= {OTHER: total - sum(stages.values()), "total": total}
        entries.append({stage: 1000.0 * seconds for stage, seconds in stages.items()})
        advance()
    return _summary(entries)


def _summary(entries: list[dict[str, float]]) -> Timing:
    totals = [entry["total"] for entry in entries]
    medians = {
        stage: statistics.median(entry[stage] for entry in entries)
        for stage in STAGES
        if stage in entries[0]
    }
    return Timing(statistics.median(totals), quantile(totals, 0.99), medians)


def quantile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * round(share * 100) // 100) - 1))]


def resident_mb() -> float:
    """The most memory that this process has held, in MB; 0 where the system does not tell."""
    try:
        import resource
        import sys
    except ImportError:  # Windows
        return 0.0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1e6 if sys.platform == "darwin" else 1e3)
