"""One limit of time for all that is done with one machine."""

from __future__ import annotations

import time
from collections.abc import Callable

from ...core.errors import UnreachableError

Progress = Callable[[int], None]
"""Is told how many bytes more went over the line; what it raises ends the transfer."""


def silent(count: int) -> None:
    """A Progress that tells nobody."""


class Deadline:
    """Starts when it is made; `seconds` must be positive."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self._end

    def left(self) -> float:
        """Seconds, above zero; raises UnreachableError where there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.error()
        return left

    def error(self) -> UnreachableError:
        return UnreachableError(f"not done after {self.seconds:g} s; allow more with --timeout")
