"""Where attempts run: processes of this host, or what `clusters.py` has.

`local` needs no library and starts at once. submitit's own local executor is there because it goes
the way that Slurm goes, up to the submission; its jobs see no GPU that they do not ask for.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from ..core.errors import OptionError, WorkerError
from ..core.processes import cores
from .table import Slurm
from .work import Attempt

LOCAL: Final = "local"
SUBMITIT: Final = "submitit"
SLURM: Final = "slurm"
DASK: Final = "dask"

_MANY: Final = 1000
"""At a time where a cluster has its own queue."""


@dataclass(frozen=True)
class Place:
    """kind: LOCAL, SUBMITIT, SLURM or DASK. slots: attempts at a time. address: of a running dask
    scheduler; empty for one that is started here."""

    kind: str
    slots: int
    address: str = ""

    @property
    def here(self) -> bool:
        """Whether the slots share the cores of this host."""
        return self.kind != SLURM and not self.address


class Job(Protocol):
    """An attempt that was started. id: by which it is found again when the sweep has died; empty
    where it dies too."""

    @property
    def id(self) -> str: ...

    def ended(self) -> bool:
        """Whether nothing more will come of it; what came of it is in `Attempt.done`."""

    def cancel(self) -> None:
        """Asks it to end, or takes it out of the queue; returns at once."""

    def why(self) -> str:
        """What is known of an end that left no status, in a line; or nothing."""

    def leave(self) -> None:
        """Is called once, when it has ended or its status is known."""


class Executor(Protocol):
    """outlives: whether its jobs go on when the sweep dies, to be found again. late: seconds that
    the status of one may take to appear behind its end, as on network file systems."""

    outlives: bool
    late: float

    def start(self, name: str, attempt: Attempt) -> Job: ...

    def adopt(self, job_id: str) -> Job | None:
        """A job of an earlier sweep; None where it is not one of this executor's."""

    def close(self) -> None: ...


def parse_place(text: str) -> Place:
    """`local[:N]`, `submitit[:N]`, `slurm[:N]`, `dask[:N]` or `dask:ADDRESS`; else OptionError."""
    kind, colon, rest = text.partition(":")
    number = int(rest) if rest.isdecimal() else 0
    if kind in (LOCAL, SUBMITIT, DASK) and (not colon or number):
        return Place(kind, number or cores())
    if kind == SLURM and (not colon or number):
        return Place(kind, number or _MANY)
    if kind == DASK and rest and not rest.isdecimal():
        return Place(kind, _MANY, rest)
    raise OptionError(
        f"no place {text!r} to run on; choose local, local:N, submitit, submitit:N, slurm, slurm:N,"
        " dask, dask:N or dask:ADDRESS"
    )


def threads_each(place: Place) -> int:
    """How many threads each of the attempts should have that share this host."""
    return max(1, cores() // place.slots)


def make_executor(place: Place, folder: Path, slurm: Slurm) -> Executor:
    """folder: for the files of jobs. Raises LibraryMissingError, OptionError for a bad address."""
    if place.kind == LOCAL:
        return LocalExecutor()
    from .clusters import DaskExecutor, SubmititExecutor

    return DaskExecutor(place) if place.kind == DASK else SubmititExecutor(place, folder, slurm)


class _Process:
    id = ""

    def __init__(self, attempt: Attempt) -> None:
        command = [sys.executable, "-m", "c3d_export.sweep.work", attempt.to_json()]
        try:  # of another group, so that Ctrl-C reaches the sweep alone
            self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0)
        except OSError as error:
            raise WorkerError(f"this host starts no process: {error}; use fewer") from error

    def ended(self) -> bool:
        return self._child.poll() is not None

    def cancel(self) -> None:
        pass  # it looks for `Attempt.stop` itself

    def why(self) -> str:
        return ""

    def leave(self) -> None:
        self._child.wait()  # it has nothing more to do


class LocalExecutor:
    """Each attempt in a process that watches over it."""

    outlives, late = False, 0.0

    def start(self, name: str, attempt: Attempt) -> Job:
        del name
        return _Process(attempt)

    def adopt(self, job_id: str) -> Job | None:
        del job_id
        return None

    def close(self) -> None:
        pass
