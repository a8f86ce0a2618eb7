"""Many threads on one codec object: bytes equal to those of one thread."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from c3d_export.core.errors import BitMismatchError
from c3d_export.runtime.codec import Codec

from .subjects import Trip, trip_of, trips_of

COUNTS: Final = (1, 2, 8, 32)
SIZES: Final = ((1, 1), (16, 16), (17, 31), (48, 64), (70, 88), (72, 104), (100, 60), (128, 128))
"""(height, width): neighbours differ, so that an array of another thread's frame cannot pass."""
SLICED: Final = (720, 1280)
"""Two slices, which a codec's own threads share."""
OVERLAID: Final = ("104x72-all-q1", "104x72-group-q2", "104x72-part-q3")


@dataclass(frozen=True)
class Run:
    """threads: that shared the codec. trips: round trips, all threads together. seconds: wall."""

    threads: int
    trips: int
    seconds: float


def work_of(codec: Codec, folder: Path | None = None, *, sliced: bool = False) -> list[Trip]:
    """Frames with what one thread makes of them. folder: of golden streams whose frames show tiles
    of the codec's overlay. sliced: one large frame, too."""
    trips = trips_of(codec, SIZES + (SLICED,) * sliced)
    if folder is not None and codec.overlay is not None:
        frames = [codec.decode((folder / f"{name}.c3s").read_bytes()) for name in OVERLAID]
        trips += [trip_of(codec, frame, n) for n, frame in enumerate(frames)]
    return trips


def share(codec: Codec, trips: Sequence[Trip], threads: int, count: int) -> Run:
    """`count` round trips by this many threads that begin together; each takes the next one.

    Raises BitMismatchError where a stream or a picture is not that of one thread.
    """
    numbers, barrier = iter(range(count)), threading.Barrier(threads)
    lock, begin = threading.Lock(), time.monotonic()

    def work(_: int) -> list[int]:
        barrier.wait()
        wrong: list[int] = []
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return wrong
            if not trips[number % len(trips)].again(codec):
                wrong.append(number)

    with ThreadPoolExecutor(threads) as pool:
        wrong = list(itertools.chain.from_iterable(pool.map(work, range(threads))))
    if wrong:
        raise BitMismatchError(
            f"{len(wrong)} of {count} round trips on {threads} threads gave other bytes than on one"
        )
    return Run(threads, count, time.monotonic() - begin)
