"""Frames in, results out in the same order, with a bounded number under way.

A frame keeps two cores busy for part of its time only: passes and coder wait for the networks, and
small layers do not scale. Two frames side by side, each on one thread, finish 1.2 to 1.3 times as
many in a second as one after the other on two threads, at the price of latency
(docs/performance.md).
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from ..core.errors import OptionError

Result = TypeVar("Result")

MOST_WORKERS = 256


class FrameStream(Generic[Result]):
    """Runs `work` on what is submitted, on some threads; results come in the order of submission.

    At most `depth` items are under way or finished and not yet collected. `submit` waits while
    there are so many: the source is slowed down to what the host can do, and memory is bounded. So
    one thread that submits and collects must collect before it has `depth` open, and `map` does
    that by itself; with a thread for each side nobody need count.

    What an item raised is raised when it is collected, and the next one can be collected then.
    """

    def __init__(self, work: Callable[..., Result], workers: int = 0, depth: int = 0) -> None:
        """workers: 0 for one each core. depth: 0 for twice as many as workers; else at least 1.

        Raises OptionError.
        """
        for name, value in (("workers", workers), ("depth", depth)):
            if not isinstance(value, int) or not 0 <= value <= MOST_WORKERS:
                raise OptionError(f"{name} is {value!r}; choose 0 to {MOST_WORKERS}")
        self.workers = workers or os.cpu_count() or 1
        self.depth = depth or 2 * self.workers
        self._work = work
        self._pool = ThreadPoolExecutor(self.workers, thread_name_prefix="c3d-frame")
        self._results: deque[Future[Result]] = deque()
        self._open = 0
        self._changed = threading.Condition()
        self._closed = False

    def submit(self, *item: Any, timeout: float | None = None) -> bool:
        """Hands one item over; its parts are the arguments of `work`.

        Returns False where there was no room within `timeout` seconds (None: waits). Raises
        OptionError after `close`.
        """
        with self._changed:
            free = self._changed.wait_for(self._has_room, timeout)
            if self._closed:
                raise OptionError("the stream of frames is closed; open another one")
            if free:
                self._results.append(self._pool.submit(self._work, *item))
                self._open += 1
                self._changed.notify_all()
            return free

    def _has_room(self) -> bool:
        return self._closed or self._open < self.depth

    def __iter__(self) -> Iterator[Result]:
        return self

    def __next__(self) -> Result:
        """The next result; waits for one to be submitted. Ends when the stream is closed and all
        results are collected."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._results)
            if not self._results:
                raise StopIteration
            first = self._results.popleft()
        try:
            return first.result()
        finally:
            # It keeps its error, which keeps this call: a circle, and with it the frame's arrays.
            del first
            with self._changed:
                self._open -= 1
                self._changed.notify_all()

    def map(self, items: Iterable[tuple[Any, ...]]) -> Iterator[Result]:
        """The results of all items, in order, as one thread can use them: at most `depth` items
        are taken ahead of what was yielded. Leaves the stream open."""
        waiting = 0
        for item in items:
            if waiting == self.depth:
                waiting -= 1
                yield next(self)
            self.submit(*item)
            waiting += 1
        for _ in range(waiting):
            yield next(self)

    @property
    def open_items(self) -> int:
        """Items that are under way, or finished and not collected."""
        with self._changed:
            return self._open

    def close(self) -> None:
        """No more items; those that were submitted are finished and can be collected."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._pool.shutdown(wait=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes; after an error, what has not begun is dropped."""
        self.close()
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)
