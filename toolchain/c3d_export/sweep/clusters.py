"""Attempts as jobs of submitit, on this host or Slurm, and as tasks of dask."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..core.errors import LibraryMissingError, OptionError, WorkerError
from .executors import SLURM, Job, Place
from .folder import last_line
from .table import Slurm
from .work import Attempt, run_attempt

_MONTH_MINUTES: Final = 60 * 24 * 30
_CONNECT_SECONDS: Final = 20
_LATE_SECONDS: Final = 10.0


@dataclass(frozen=True)
class _SubmititJob:
    job: Any
    id: str

    def ended(self) -> bool:
        return bool(self.job.done())

    def cancel(self) -> None:
        self.job.cancel(check=False)

    def why(self) -> str:
        return last_line(self.job.paths.stderr)

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
            with _deaf():
                job: Any = self._executor.submit(run_attempt, attempt, True)
        except (OSError, subprocess.SubprocessError, self._submitit.core.utils.FailedJobError,
                self._submitit.core.utils.FailedSubmissionError) as error:  # fmt: skip
            raise WorkerError(f"{self._kind} takes no job: {error}") from error
        return _SubmititJob(job, f"{SLURM}:{job.job_id}" if self._kind == SLURM else "")

    def adopt(self, job_id: str) -> Job | None:
        kind, _, number = job_id.partition(":")
        if kind != self._kind:
            return None
        job: Any = self._submitit.SlurmJob(folder=self._folder, job_id=number)
        return _SubmititJob(job, job_id)

    def close(self) -> None:
        pass


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Processes that start in the block take no interrupt of the terminal, which is the sweep's:
    submitit's own would end commands by force after a second."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


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
    more = {key: value or True for key, value in slurm.options.items()}  # "": a flag
    return {**asked, "slurm_additional_parameters": {"no-requeue": True, **more}}


@dataclass(frozen=True)
class _DaskJob:
    future: Any
    id: str = ""

    def ended(self) -> bool:
        return bool(self.future.done())

    def cancel(self) -> None:
        # One that runs looks for `Attempt.stop` itself: a thread cannot be stopped from outside.
        self.future.cancel()

    def why(self) -> str:
        error = None if self.future.cancelled() else self.future.exception()
        return " ".join(f"{error or ''}".split())

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
