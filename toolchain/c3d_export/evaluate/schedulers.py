"""Where the work of an evaluation is done: here, in processes of this host, or on a dask cluster.

The numbers are the same everywhere, times excepted: workers open the same bundle (by its id) and
must have the same versions of the libraries, else they refuse. Frames and bundles are read by
the workers, so those of a cluster need them under the same paths.
"""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from c3d_export.core.errors import LibraryMissingError, OptionError, WorkerError
from c3d_export.core.processes import cores, end_with_parent
from c3d_export.evaluate.meter import Job, Meter, MeterOptions
from c3d_export.evaluate.plan import Entry, PlanSpec
from c3d_export.evaluate.rows import Row
from c3d_export.evaluate.runner import Execute, in_process
from c3d_export.evaluate.versions import library_versions

SERIAL: Final = "serial"
PROCESSES: Final = "processes"
DASK: Final = "dask"

_CONNECT_SECONDS: Final = 20


@dataclass(frozen=True)
class Scheduler:
    """kind: SERIAL, PROCESSES or DASK. workers: of PROCESSES. address: of a running DASK
    scheduler; empty for one that is started here, with a worker for each core."""

    kind: str
    workers: int = 0
    address: str = ""


def parse_scheduler(text: str) -> Scheduler:
    """`serial`, `processes[:N]` or `dask[:ADDRESS]`; raises OptionError for anything else."""
    kind, colon, rest = text.partition(":")
    if kind == SERIAL and not colon:
        return Scheduler(SERIAL)
    if kind == PROCESSES and (not colon or (rest.isdecimal() and int(rest) > 0)):
        return Scheduler(PROCESSES, int(rest or cores()))
    if kind == DASK and (not colon or rest):
        return Scheduler(DASK, cores(), rest)
    raise OptionError(
        f"no scheduler {text!r}; choose serial, processes, processes:N, dask or dask:ADDRESS"
    )


def executor(
    scheduler: Scheduler, spec: PlanSpec, plan: Sequence[Entry], options: MeterOptions
) -> Execute:
    """What runs jobs of the plan that `spec` opens.

    It raises what opening raises in a worker, WorkerError where one dies or has other versions, and
    LibraryMissingError for DASK without dask.
    """
    if scheduler.kind == SERIAL:
        return in_process(plan, options)
    if not spec.threads and not scheduler.address:
        spec = replace(spec, threads=max(1, cores() // scheduler.workers))
    blob = pickle.dumps((spec, options, library_versions()))
    if scheduler.kind == PROCESSES:
        return lambda jobs: _in_processes(jobs, blob, scheduler.workers)
    _distributed()  # said before anything is measured
    return lambda jobs: _on_dask(jobs, blob, scheduler)


def _in_processes(jobs: Sequence[Job], blob: bytes, workers: int) -> Iterator[tuple[int, Row]]:
    # Not forked: threads of ONNX Runtime would be missing in the child.
    context = multiprocessing.get_context("spawn")
    count = max(1, min(workers, len(jobs)))
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=end_with_parent)
    try:
        futures: dict[Future[list[Row]], int] = {
            pool.submit(_work, blob, job): index for index, job in enumerate(jobs)
        }
        for future in as_completed(futures):
            yield from ((futures[future], row) for row in future.result())
    except BrokenProcessPool as error:
        raise WorkerError(
            "a process of the evaluation died, perhaps for want of memory; run it again with fewer"
            " --scheduler processes:N: it goes on where it was"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _on_dask(jobs: Sequence[Job], blob: bytes, scheduler: Scheduler) -> Iterator[tuple[int, Row]]:
    distributed = _distributed()
    with _client(distributed, scheduler) as client:
        futures = client.map(_work, [blob] * len(jobs), jobs, pure=False)
        indexes = {future.key: index for index, future in enumerate(futures)}
        try:
            for future, rows in distributed.as_completed(futures, with_results=True):
                yield from ((indexes[future.key], row) for row in rows)
        except distributed.scheduler.KilledWorker as error:
            raise WorkerError(
                f"workers of dask died: {error}; give them more memory and run it again: it goes"
                " on where it was"
            ) from error


def _client(distributed: Any, scheduler: Scheduler) -> Any:
    if not scheduler.address:
        return distributed.Client(
            n_workers=scheduler.workers, threads_per_worker=1, dashboard_address=None
        )
    try:
        return distributed.Client(scheduler.address, timeout=_CONNECT_SECONDS)
    except (OSError, ValueError, TimeoutError) as error:
        raise OptionError(
            f"no dask scheduler answers at {scheduler.address}: {error}; start one with `dask"
            " scheduler`, or leave the address out"
        ) from error


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        message = f"--scheduler dask needs dask.distributed: {error}"
        raise LibraryMissingError(f"{message}; pip install 'c3d-export[dask]'") from error
    return distributed


def _work(blob: bytes, job: Job) -> list[Row]:
    """One job, in a worker."""
    return list(_meter(blob).rows(job))


@lru_cache(maxsize=1)
def _meter(blob: bytes) -> Meter:
    """The meter of this process, opened at its first job."""
    spec, options, versions = pickle.loads(blob)
    here = library_versions()
    for name in sorted(versions.keys() | here.keys()):
        if versions.get(name) != here.get(name):
            raise WorkerError(
                f"a worker has {name} {here.get(name)}, and the evaluation was started with"
                f" {versions.get(name)}; install the same version there"
            )
    return Meter(spec.open(), options)
