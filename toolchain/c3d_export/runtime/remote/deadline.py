"""One limit of time for all that is done with one machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ...core.errors import UnreachableError

Progress = Callable[[int], None]
"""Is told how many bytes more went over the line; what it raises ends the transfer."""

Write = Callable[[int, memoryview, Progress], None]
"""Writes to an open file: from an offset on, what, and whom to tell."""


def silent(count: int) -> None:
    """A Progress that tells nobody."""


class Deadline:
    """Starts when it is made; `seconds` must be positive. Any thread may stop it earlier."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.stopped = seconds, False
        self._end = time.monotonic() + seconds
        self._running: list[Callable[[], object]] = []

    @property
    def passed(self) -> bool:
        return self.stopped or time.monotonic() >= self._end

    def left(self) -> float:
        """Seconds, above zero; raises UnreachableError where there are none."""
        left = self._end - time.monotonic()
        if self.stopped or left <= 0:
            raise self.error()
        return left

    def error(self) -> UnreachableError:
        if self.stopped:
            return UnreachableError("interrupted; the same command goes on with it")
        return UnreachableError(f"not done after {self.seconds:g} s; allow more with --timeout")

    def stop(self) -> None:
        """The time is over now, and what waits for another machine does not any more."""
        self.stopped = True
        for end in tuple(self._running):
            end()

    @contextmanager
    def over(self, end: Callable[[], object]) -> Iterator[None]:
        """Calls `end`, from another thread, where the time ends within the block."""
        timer = threading.Timer(self.left(), end)
        timer.daemon = True
        self._running.append(end)
        timer.start()
        try:
            self.left()  # it may have been stopped just before we were on the list
            yield
        finally:
            timer.cancel()
            self._running.remove(end)
