"""Trainings in several processes: those of torchrun, which `--processes` starts itself."""

from __future__ import annotations

import functools
import logging
import os
import signal
import sys
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from ..core.errors import OptionError, WorkerError
from ..core.processes import cores
from .settings import settings

if TYPE_CHECKING:
    from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

F = TypeVar("F", bound=Callable[..., Any])

_LAUNCHED: Final = "TORCHELASTIC_RUN_ID"
_LOOK_EVERY: Final = 0.1
"""Seconds between two looks at whether all processes live."""


def rank(environment: Mapping[str, str] = os.environ) -> int:
    """The number of this process among those of torchrun; 0 without it."""
    return int(environment.get("RANK", "0")) if _LAUNCHED in environment else 0


def first_of_host(environment: Mapping[str, str] = os.environ) -> bool:
    return _LAUNCHED not in environment or environment.get("LOCAL_RANK", "0") == "0"


def in_processes(command: F) -> F:
    """Adds --processes to a command, which then runs in all of them instead."""

    @click.option(
        "--processes",
        type=click.IntRange(min=1),
        default=1,
        show_default=True,
        metavar="N",
        help="Share each batch between N processes, with --device cuda one to a GPU; on several"
        " hosts: torchrun ... -m c3d_export train ...",
    )
    @functools.wraps(command)
    def run(*args: Any, processes: int, **options: Any) -> Any:
        started = _started()
        if started and processes not in (1, started):
            raise OptionError(f"torchrun started {started} processes; leave --processes out")
        if started or processes == 1:
            return command(*args, **options)
        return _launch(processes)

    return run  # type: ignore[return-value]


def refuse_several(what: str) -> None:
    """Raises OptionError in one of several processes."""
    if _started() > 1:
        raise OptionError(f"{what} is trained in one process; leave --processes out")


def _started(environment: Mapping[str, str] = os.environ) -> int:
    """How many processes torchrun has started, this one with them; 0 without it."""
    return int(environment["WORLD_SIZE"]) if _LAUNCHED in environment else 0


def _launch(processes: int) -> int:
    """Runs the running command in so many processes of this host; its exit code.

    Raises WorkerError where one was killed.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    # What torchrun says of a failure is a page; the processes have said it in a line.
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    threads = max(1, cores() // processes)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        monitor_interval=_LOOK_EVERY,
    )
    try:
        elastic_launch(config, sys.executable)("-m", "c3d_export", *settings().arguments)
    except ChildFailedError as error:
        return _ended(error.get_first_failure()[1])
    except SignalException as error:
        if error.sigval == signal.SIGINT:
            raise KeyboardInterrupt from error
        return 128 + int(error.sigval)
    return 0


def _ended(first: ProcessFailure) -> int:
    if first.exitcode >= 0:
        return int(first.exitcode)
    name = signal.Signals(-first.exitcode).name
    raise WorkerError(
        f"process {first.local_rank} of this training ended by {name}; go on with the same line and"
        " --resume"
    )
