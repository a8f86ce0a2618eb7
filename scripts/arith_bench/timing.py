"""Speeds as medians of rounds in which all coders take turns, pinned to one core."""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from arith_bench.coder import Job

# A measurement is of at least so many seconds, in which a fast call is repeated.
SHORTEST = 0.0005
# Beyond the second of these a call is not made once before it is measured: with so much of its
# own data it finds the caches as it leaves them anyway.
LONGEST_WARM_UP = 0.05
# Seconds for all rounds of one coder; the slow ones get fewer rounds, but never fewer than three.
BUDGET = 12.0
FEWEST_ROUNDS = 3
# More than the last cache of the machines at hand.
FLUSH_BYTES = 96 << 20


@dataclass
class Result:
    """One coder's times, in seconds for one call, and its payload's bytes."""

    name: str
    n: int
    payload_bytes: int
    overhead: float
    encode_times: list[float] = field(default_factory=list)
    decode_times: list[float] = field(default_factory=list)

    @property
    def encode_speed(self) -> float:
        """Million symbols per second, of the median time."""
        return self.n / statistics.median(self.encode_times) / 1e6

    @property
    def decode_speed(self) -> float:
        """Million symbols per second, of the median time."""
        return self.n / statistics.median(self.decode_times) / 1e6


def _seconds(call: Callable[[], object], repeats: int) -> float:
    begin = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - begin) / repeats


class _Turn:
    """One coder between its rounds."""

    def __init__(self, job: Job, result: Result, payload: bytes, rounds: int) -> None:
        self.result = result
        self.calls = (job.encode, lambda: job.decode(payload))
        self.estimates = [_seconds(call, 1) for call in self.calls]
        affordable = int(BUDGET / sum(self.estimates))
        self.rounds = min(rounds, max(FEWEST_ROUNDS, affordable))

    def measure(self, flush: np.ndarray | None) -> None:
        times = (self.result.encode_times, self.result.decode_times)
        for call, estimate, taken in zip(self.calls, self.estimates, times, strict=True):
            if flush is not None:
                flush += 1
                taken.append(_seconds(call, 1))
                continue
            if estimate < LONGEST_WARM_UP:
                call()
            taken.append(_seconds(call, max(1, math.ceil(SHORTEST / estimate))))


def measure(
    jobs: list[Job], overhead: Callable[[bytes], float], rounds: int, cold: bool
) -> list[Result]:
    """Runs the rounds, after each job has proved that it decodes what it encodes.

    Warm: a call follows one of the same coder. Cold: it follows a walk over FLUSH_BYTES.
    """
    turns = []
    for job in jobs:
        payload = job.verify()
        result = Result(job.name, len(job.expected), len(payload), overhead(payload))
        turns.append(_Turn(job, result, payload, rounds))
    flush = np.zeros(FLUSH_BYTES // 8, np.int64) if cold else None
    gc.disable()
    for number in range(rounds):
        # Another coder begins each round, so that none always follows the same one.
        begin = number % len(turns)
        for turn in turns[begin:] + turns[:begin]:
            if number < turn.rounds:
                turn.measure(flush)
        gc.collect()
    gc.enable()
    return [turn.result for turn in turns]
