"""What the next step needs, made while this one runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, Generic, TypeVar

T = TypeVar("T")

THREAD: Final = "c3d-ahead"


class Ahead(Generic[T]):
    """Gives what `make` gives for a step, and has a thread make that of the step after.

    make: depends on the step's number alone, and leaves torch alone: each thread that computes with
    torch would get threads of its own. A step out of turn is made when it is asked for. What `make`
    raises, `take` raises. A thread ends with what it makes, so that nothing has to be closed.
    """

    def __init__(self, make: Callable[[int], T]) -> None:
        self._make = make
        self._step, self._made = -1, Future[T]()

    def take(self, step: int) -> T:
        value = self._made.result() if step == self._step else self._make(step)
        self._step, self._made = step + 1, Future[T]()
        work = (self._make, step + 1, self._made)
        threading.Thread(target=_work, args=work, name=THREAD).start()
        return value


def _work(make: Callable[[int], T], step: int, made: Future[T]) -> None:
    try:
        made.set_result(make(step))
    except BaseException as error:  # for the thread that takes it
        made.set_exception(error)
