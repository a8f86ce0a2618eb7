"""Where attempts run: processes of this host, jobs of submitit (local or Slurm), workers of dask.

`local` needs no library and starts at once. submitit's own local executor is there because it goes
the way that Slurm goes, up to the submission; its jobs see no GPU that they do not ask for.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from ..core.errors import LibraryMissingError, OptionError, WorkerError
from .table import Slurm
from .work import Attempt, run_attempt

LOCAL: Final = "local"
SUBMITIT: Final = "submitit"
SLURM: Final = "slurm"
DASK: Final = "dask"

_MANY: Final = 1000
"""At a time where a cluster has its own queue."""
_MONTH_MINUTES: Final = 60 * 24 * 30
_CONNECT_SECONDS: Final = 20
_LATE_SECONDS: Final = 10.0


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

    def leave(self) -> None:
        """Is called once, when its status is known."""


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
        return Place(kind, number or _cores())
    if kind == SLURM and (not colon or number):
        return Place(kind, number or _MANY)
    if kind == DASK and rest and not rest.isdecimal():
        return Place(kind, _MANY, rest)
    raise OptionError(
        f"no place {text!r} to run on; choose local, local:N, submitit, submitit:N, slurm, slurm:N,"
        " dask, dask:N or dask:ADDRESS"
    )


def _cores() -> int:
    count = getattr(os, "sched_getaffinity", None)
    return len(count(0)) if count else os.cpu_count() or 1


def threads_each(place: Place) -> int:
    """How many threads each of the attempts should have that share this host."""
    return max(1, _cores() // place.slots)


def make_executor(place: Place, folder: Path, slurm: Slurm) -> Executor:
    """folder: for the files of jobs. Raises LibraryMissingError, OptionError for a bad address."""
    if place.kind == LOCAL:
        return LocalExecutor()
    if place.kind == DASK:
        return DaskExecutor(place)
    return SubmititExecutor(place, folder, slurm)


class _Process:
    id = ""

    def __init__(self, attempt: Attempt) -> None:
        command = [sys.executable, "-m", "c3d_export.sweep.work", attempt.to_json()]
        # Of another group, so that Ctrl-C reaches the sweep alone.
        self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0)

    def ended(self) -> bool:
        return self._child.poll() is not None

    def cancel(self) -> None:
        pass  # it looks for `Attempt.stop` itself

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


@dataclass(frozen=True)
class _SubmititJob:
    job: Any
    id: str

    def ended(self) -> bool:
        return bool(self.job.done())

    def cancel(self) -> None:
        self.job.cancel(check=False)

    def leave(self) -> None:
        if not self.id:  # a process of this host, that has nothing more to do
            self.job.wait()


class SubmititExecutor:
    """Each attempt a job of submitit."""

    late = _LATE_SECONDS

    def __init__(self, place: Place, folder: Path, slurm: Slurm) -> None:
        try:
            import submitit
        except ImportError as error:
            raise LibraryMissingError(
                f"--on {place.kind} needs submitit; run pip install 'c3d-export[sweep]'"
            ) from error
        self._kind, self._folder, self._submitit = place.kind, folder, submitit
        self.outlives = place.kind == SLURM
        cluster = "slurm" if place.kind == SLURM else "local"
        try:
            self._executor = submitit.AutoExecutor(folder, cluster=cluster)
        except RuntimeError as error:
            raise LibraryMissingError(
                "--on slurm needs sbatch and srun on the PATH; run it on a login node"
            ) from error
        asked = _slurm_options(slurm) if place.kind == SLURM else {"timeout_min": _MONTH_MINUTES}
        self._executor.update_parameters(**asked)

    def start(self, name: str, attempt: Attempt) -> Job:
        self._executor.update_parameters(name=name)
        try:
            job: Any = self._executor.submit(run_attempt, attempt, True)
        except (OSError, subprocess.SubprocessError, self._submitit.core.utils.FailedJobError,
                self._submitit.core.utils.FailedSubmissionError) as error:  # fmt: skip
            raise WorkerError(f"{self._kind} takes no job: {error}") from error
        return _SubmititJob(job, f"{SLURM}:{job.job_id}" if self._kind == SLURM else "")

    def adopt(self, job_id: str) -> Job | None:
        kind, _, number = job_id.partition(":")
        if kind != self._kind:
            return None
        job = self._submitit.SlurmJob(folder=self._folder, job_id=number)
        return _SubmititJob(job, job_id)

    def close(self) -> None:
        pass


def _slurm_options(slurm: Slurm) -> dict[str, Any]:
    """What submitit calls them. Slurm must not start a job again by itself: that is ours to do."""
    asked: dict[str, Any] = {"timeout_min": slurm.minutes}
    named = {
        "slurm_partition": slurm.partition,
        "gpus_per_node": slurm.gpus,
        "cpus_per_task": slurm.cpus,
        "mem_gb": slurm.memory_gb,
    }
    asked |= {key: value for key, value in named.items() if value}
    return {**asked, "slurm_additional_parameters": {"no-requeue": True, **slurm.options}}


@dataclass(frozen=True)
class _DaskJob:
    future: Any
    id: str = ""

    def ended(self) -> bool:
        return bool(self.future.done())

    def cancel(self) -> None:
        # One that runs looks for `Attempt.stop` itself: a thread cannot be stopped from outside.
        self.future.cancel()

    def leave(self) -> None:
        pass


class DaskExecutor:
    """Each attempt a task of dask."""

    outlives, late = False, _LATE_SECONDS

    def __init__(self, place: Place) -> None:
        try:
            import distributed
        except ImportError as error:
            raise LibraryMissingError(
                "--on dask needs dask.distributed; run pip install 'c3d-export[dask]'"
            ) from error
        self._client = _client(distributed, place)

    def start(self, name: str, attempt: Attempt) -> Job:
        del name
        return _DaskJob(self._client.submit(run_attempt, attempt, pure=False))

    def adopt(self, job_id: str) -> Job | None:
        del job_id
        return None

    def close(self) -> None:
        self._client.close()


def _client(distributed: Any, place: Place) -> Any:
    if not place.address:
        return distributed.Client(
            n_workers=place.slots, threads_per_worker=1, dashboard_address=None, silence_logs=50
        )
    try:
        return distributed.Client(place.address, timeout=_CONNECT_SECONDS)
    except (OSError, ValueError, TimeoutError) as error:
        raise OptionError(
            f"no dask scheduler answers at {place.address}: {error}; start one with `dask"
            " scheduler`, or leave the address out"
        ) from error
