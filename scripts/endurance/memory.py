"""Resident memory while frames go round for minutes, with damaged streams between them."""

from __future__ import annotations

import itertools
import json
import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from c3d_export.core.errors import C3DError, CorruptError, HostError
from c3d_export.runtime.codec import Codec

from .damage import LATENTS_CRC, flipped, resealed
from .subjects import Trip, trips_of

SIZES: Final = ((1, 1), (72, 104), (180, 320), (31, 17), (360, 640), (720, 1280))
"""(height, width): arrays that stay in the heap, and arrays that go back to the kernel."""
FAMILY_SIZES: Final = ((1, 1), (50, 70), (64, 64), (136, 200))
"""Of codecs with float transforms, whose layers in C are slow for small networks."""
WARM_UP: Final = 60.0
"""Seconds until all arrays that are kept have been made."""
EVERY: Final = 10.0
"""Seconds between samples: one a cycle would be seen in the memory itself."""
TOLERANCE: Final = 0.01
"""Of resident memory, its growth after the warm-up."""
MARKS: Final = (1, 5, 10, 20, 30)
"""Minutes whose figures are printed."""
STATM: Final = Path("/proc/self/statm")


class GrowthError(C3DError):
    """Resident memory did not stay flat."""

    exit_code = 3


@dataclass(frozen=True)
class Sample:
    """seconds: since the start. rss: resident bytes. trips, refused: round trips and damaged
    streams so far."""

    seconds: float
    rss: int
    trips: int
    refused: int


def resident() -> int:
    """Bytes of this process in memory; raises HostError where the kernel does not say."""
    try:
        pages = int(STATM.read_text().split()[1])
    except (OSError, IndexError, ValueError) as error:
        raise HostError(f"{STATM} cannot be read; run this on Linux") from error
    return pages * os.sysconf("SC_PAGE_SIZE")


def damaged(stream: bytes, rng: random.Random) -> list[bytes]:
    """A prefix, and one with a flipped bit."""
    cut = stream[: rng.randrange(len(stream))]
    return [cut, flipped(stream, rng.randrange(8 * len(stream)))]


def forged(stream: bytes, rng: random.Random) -> bytes:
    """Flipped behind the checksums, beyond the header's sizes: the decoder works through it."""
    bits = range(8 * LATENTS_CRC, 8 * len(stream))
    return resealed(flipped(stream, rng.choice(bits)))


def cycle(codec: Codec, trips: Sequence[Trip], rng: random.Random) -> tuple[int, int]:
    """Every trip once, each with damaged streams behind it -> trips, refused streams.

    Raises C3DError where bytes change or a damaged stream decodes.
    """
    refused = 0
    for trip in trips:
        height, width = trip.frame.shape[:2]
        if not trip.again(codec):
            raise C3DError(f"a frame of {width}x{height} gives other bytes than before")
        if not all(_refuses(codec, data) for data in damaged(trip.stream, rng)):
            raise C3DError(f"a damaged stream of a frame of {width}x{height} was decoded")
        refused += 2 + _refuses(codec, forged(trip.stream, rng))
    return len(trips), refused


def _refuses(codec: Codec, data: bytes) -> bool:
    try:
        codec.decode(data)
    except CorruptError:
        return True
    return False


def soak(codecs: Sequence[Codec], minutes: float, tell: Callable[[Sample], None]) -> list[Sample]:
    """Goes round for this time; a sample every ten seconds and at the end, always after a cycle of
    all codecs and sizes. Raises C3DError where a codec errs."""
    rng = random.Random(1)
    sizes = [FAMILY_SIZES if codec.bundle.family else SIZES for codec in codecs]
    work = [(codec, trips_of(codec, s)) for codec, s in zip(codecs, sizes, strict=True)]
    begin, trips, refused = time.monotonic(), 0, 0
    samples: list[Sample] = []
    while not samples or samples[-1].seconds < 60 * minutes:
        for codec, some in work:
            made, stopped = cycle(codec, some, rng)
            trips, refused = trips + made, refused + stopped
        seconds = time.monotonic() - begin
        if not samples or seconds >= min(samples[-1].seconds + EVERY, 60 * minutes):
            samples.append(Sample(seconds, resident(), trips, refused))
            tell(samples[-1])
    return samples


def growth(samples: Sequence[Sample], warm_up: float = WARM_UP) -> float:
    """(largest - smallest) / smallest resident memory after the warm-up; raises GrowthError where
    nothing was measured then."""
    sizes = [s.rss for s in samples if s.seconds >= warm_up]
    if not sizes:
        raise GrowthError(f"no sample after {warm_up:.0f} seconds; run it for longer")
    return (max(sizes) - min(sizes)) / min(sizes)


def table(samples: Sequence[Sample]) -> str:
    """The samples at MARKS and the last one, as lines."""
    at = [next((s for s in samples if s.seconds >= 60 * mark), None) for mark in MARKS]
    chosen = list(dict.fromkeys([*(s for s in at if s is not None), samples[-1]]))
    rows = [
        f"{s.seconds / 60:6.1f} min {s.rss / 2**20:9.2f} MiB {s.trips:9d} round trips"
        f" {s.refused:9d} damaged streams refused"
        for s in chosen
    ]
    return "\n".join(rows)


def write(path: Path, samples: Sequence[Sample]) -> None:
    """One JSON object a line."""
    rows = itertools.chain((json.dumps(asdict(sample)) for sample in samples), [""])
    path.write_text("\n".join(rows))
