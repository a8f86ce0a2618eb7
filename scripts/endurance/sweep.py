"""Every prefix and every flipped bit of a stream, and flips behind its checksums."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from c3d_export.core.errors import StreamError
from c3d_export.runtime.stream import peek_header

from .damage import flipped, resealed, sealed_bits
from .subjects import frame_of
from .verdict import FORGED, UNTYPED, WRONG, Outcome, Whole, outcome

LONGEST: Final = 2.0
"""Times that a damaged stream may take of a good one of its size."""
AGAIN: Final = 10
"""How often what took longer than a good decode is timed again: the shortest time counts, since
others share the processor and its caches."""
MOST_FORGED: Final = 6144
"""Flips behind the checksums of one stream: each is decoded as far as its latents. All but those of
the one stream of many thousand bytes."""
KINDS: Final = ("prefixes", "flips", "forged")
Case = tuple[str, bytes]
"""What was done, and what came of it."""


@dataclass
class Tally:
    """Of one kind of damage. kinds: outcomes by name. longest: the largest ratio to a good decode's
    time. retimed: cases that took longer at first. faults: a line for each broken promise."""

    count: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0
    retimed: int = 0
    faults: list[str] = field(default_factory=list)


class Clock:
    """Seconds of good decodes: of the stream itself, and of streams of a size that a header
    claims."""

    def __init__(self, whole: Whole) -> None:
        self._whole = whole
        self._known = {whole.picture.shape[:2]: _seconds(whole, whole.data)}

    def good(self, data: bytes) -> float:
        """Of a good stream of the size that this one claims, or of the whole one, whichever is
        longer: damage can make a stream small."""
        own = self._known[self._whole.picture.shape[:2]]
        try:
            header = peek_header(data)
        except StreamError:
            return own
        size = header.height, header.width
        if size not in self._known:
            codec, quality = self._whole.codec, self._whole.stream.header.quality
            self._known[size] = _seconds(self._whole, codec.encode(frame_of(*size, 0), quality), 3)
        return max(own, self._known[size])


def _seconds(whole: Whole, data: bytes, times: int = 9) -> float:
    """Median of this thread's processor time of a decode."""
    taken = []
    for _ in range(times):
        begin = time.thread_time()
        whole.codec.decode(data)
        taken.append(time.thread_time() - begin)
    return statistics.median(taken)


def prefixes(data: bytes) -> Iterator[Case]:
    return ((f"cut after {size} bytes", data[:size]) for size in range(len(data)))


def flips(data: bytes, bits: Iterable[int] | None = None) -> Iterator[Case]:
    """bits: all, or these."""
    chosen = range(8 * len(data)) if bits is None else bits
    return ((f"bit {bit} flipped", flipped(data, bit)) for bit in chosen)


def forged(data: bytes, most: int = MOST_FORGED) -> Iterator[Case]:
    """At most this many, spread evenly."""
    bits = sealed_bits(data)
    chosen = bits if len(bits) <= most else [bits[n * len(bits) // most] for n in range(most)]
    return ((f"bit {bit} forged", resealed(flipped(data, bit))) for bit in chosen)


def judge(whole: Whole, clock: Clock, cases: Iterable[Case], shown: tuple[str, ...] = ()) -> Tally:
    """shown: kinds of pictures that are no fault."""
    tally = Tally()
    for what, data in cases:
        got = outcome(whole, data)
        tally.count += 1
        tally.kinds[got.kind] += 1
        if got.kind in (WRONG, UNTYPED) or (got.kind in FORGED and got.kind not in shown):
            tally.faults.append(f"{what}: {got.kind} ({got.detail})")
        _time(whole, clock.good(data), (what, data), got, tally)
    return tally


def _time(whole: Whole, good: float, case: Case, got: Outcome, tally: Tally) -> None:
    what, data = case
    seconds, tries = got.seconds, 0
    while seconds > good and tries < AGAIN:
        seconds, tries = min(seconds, outcome(whole, data).seconds), tries + 1
    tally.retimed += tries > 0
    tally.longest = max(tally.longest, seconds / good)
    if seconds > LONGEST * good:
        tally.faults.append(f"{what}: {seconds / good:.1f} times as long as a good decode")


def sweep(whole: Whole, tell: Callable[[str], None] = lambda _: None) -> dict[str, Tally]:
    """All damage of one stream, by KINDS."""
    clock, data = Clock(whole), whole.data
    tallies: dict[str, Tally] = {}
    cases = (prefixes(data), flips(data), forged(data))
    for kind, some, shown in zip(KINDS, cases, ((), (), FORGED), strict=True):
        tallies[kind] = judge(whole, clock, some, shown)
        tell(f"{kind}: {tallies[kind].count}, {len(tallies[kind].faults)} faults")
    return tallies
