"""Many targets at a time: each on its own, and every failure is kept with its reason."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from ...core.errors import C3DError, FleetError, MissingInputError, OptionError, UnreachableError
from ...core.limits import MAX_FLEET_BYTES, MAX_FLEET_TARGETS
from ...runtime.remote.deadline import Deadline
from ...runtime.remote.target import SshTarget, Target, parse_target
from .deliver import Options, check, deliver, install
from .parcel import Parcel

WAITING: Final = "waiting"
SENDING: Final = "sending"
INSTALLING: Final = "installing"
SHIPPED: Final = "shipped"
THERE: Final = "there"  # already, byte for byte
INSTALLED: Final = "installed"
FAILED: Final = "failed"
ENDS: Final = (SHIPPED, THERE, INSTALLED, FAILED)

# Before another try: long enough for a restart of sshd, short for who waits.
_PAUSE: Final = 1.0


@dataclass
class Outcome:
    """What becomes of a target; its worker changes it while others look.

    sent: bytes that went over the line, those of a retried transfer too. seconds: of all of it.
    """

    target: Target
    state: str = WAITING
    sent: int = 0
    seconds: float = 0.0
    error: C3DError | None = None
    started: float = 0.0

    @property
    def elapsed(self) -> float:
        """Seconds so far."""
        return self.seconds or (time.monotonic() - self.started if self.started else 0.0)


def parse_fleet(data: bytes) -> list[str]:
    """The lines of a file of targets, without comments (# and what follows) and empty ones.

    Raises OptionError for what is no such file.
    """
    if len(data) > MAX_FLEET_BYTES:
        raise OptionError(f"the file of hosts has more than {MAX_FLEET_BYTES} bytes; split it")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise OptionError("the file of hosts is no UTF-8; write a target a line") from error
    lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines())
    return [line for line in lines if line]


def plan(texts: Sequence[str]) -> tuple[list[Target], list[Target]]:
    """The targets, each place once, and those that were given again; raises OptionError."""
    targets: dict[tuple[str, ...], Target] = {}
    again = []
    for target in map(parse_target, texts):
        if target.key in targets:
            again.append(target)
        targets.setdefault(target.key, target)
    if not targets:
        raise MissingInputError("there is no target; name a folder, ssh://host/path or oci://")
    if len(targets) > MAX_FLEET_TARGETS:
        raise OptionError(f"there are more than {MAX_FLEET_TARGETS} targets; ship in several runs")
    return list(targets.values()), again


class Fleet:
    """Ships parcels to targets. `outcomes` are in the order of the targets."""

    def __init__(
        self, parcels: Sequence[Parcel], targets: Sequence[Target], options: Options
    ) -> None:
        """Raises OptionError for what cannot be shipped there."""
        for target in targets:
            check(target, parcels, options)
        self.parcels, self.options = parcels, options
        self.outcomes = [Outcome(target) for target in targets]
        self._stopped, self._deadlines = threading.Event(), list[Deadline]()

    def run(self, done: Callable[[Outcome], None]) -> None:
        """Returns when every outcome has its end; `done` is told of each, in this thread."""
        with ThreadPoolExecutor(max_workers=self.options.jobs) as pool:
            futures = {pool.submit(self._ship, outcome): outcome for outcome in self.outcomes}
            try:
                for future in as_completed(futures):
                    future.result()
                    done(futures[future])
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                self._stop()
                raise

    def require_all(self) -> None:
        """Raises FleetError, which names them, where targets failed."""
        failed = [str(outcome.target) for outcome in self.outcomes if outcome.state == FAILED]
        if failed:
            named = ", ".join(failed[:8]) + (f" and {len(failed) - 8} more" if failed[8:] else "")
            raise FleetError(
                f"{len(failed)} of {len(self.outcomes)} targets failed: {named}; the reasons are"
                " above, and the same command goes on with them"
            )

    def _ship(self, outcome: Outcome) -> None:
        outcome.started = time.monotonic()
        try:
            state = self._try(outcome)
        except C3DError as error:
            outcome.error, state = error, FAILED
        except Exception as error:  # the others must not lack their end for a fault of ours
            outcome.error = C3DError(f"internal error: {type(error).__name__}: {error}")
            state = FAILED
        outcome.seconds = time.monotonic() - outcome.started
        outcome.state = state

    def _try(self, outcome: Outcome) -> str:
        for _ in range(self.options.retries):
            try:
                return self._once(outcome)
            except UnreachableError:
                if self._stopped.wait(_PAUSE):
                    raise
        return self._once(outcome)

    def _once(self, outcome: Outcome) -> str:
        deadline, parcels, options = Deadline(self.options.timeout), self.parcels, self.options

        def progress(count: int) -> None:
            outcome.sent += count
            deadline.left()

        with self._stoppable(deadline):
            outcome.state = SENDING
            changed = deliver(outcome.target, parcels, options, deadline, progress)
            if options.install and isinstance(outcome.target, SshTarget):
                outcome.state = INSTALLING
                install(outcome.target, parcels, options, deadline)
                return INSTALLED
        return SHIPPED if changed else THERE

    @contextmanager
    def _stoppable(self, deadline: Deadline) -> Iterator[None]:
        self._deadlines.append(deadline)
        try:
            if self._stopped.is_set():
                raise deadline.error()
            yield
        finally:
            self._deadlines.remove(deadline)

    def _stop(self) -> None:
        self._stopped.set()
        for deadline in tuple(self._deadlines):
            deadline.stop()
