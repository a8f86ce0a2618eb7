"""One attempt at a stage, on whichever host: a command, its output in a file, and how it ended.

The same function runs in a process of its own here, in a job of Slurm and in a worker of dask. It
ends its command when the sweep says so (a file), and, on the sweep's own host, when the sweep has
died: it holds a lock, which the kernel takes away. `python -m c3d_export.sweep.work` takes an
attempt as JSON and exits 0 whatever becomes of the command.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from ..core.atomic import write_bytes_atomic
from ..core.locks import is_locked

_PAUSE: Final = 0.1

# From asking a command to end to asking again, and to forcing it: it may be writing a checkpoint.
_ENDING: Final = ((signal.SIGINT, 20.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 20.0))
_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True)
class Attempt:
    """argv: the command. log: takes its output. done: appears with its exit status when it ends.

    folder: where it runs. env: added to the environment. stop: a file that tells it to end. lock,
    token: of the sweep that must stay alive on `host`; lock "" for a command that outlives it.
    """

    argv: tuple[str, ...]
    log: str
    done: str
    folder: str
    env: dict[str, str]
    stop: str
    host: str
    lock: str
    token: str

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Attempt:
        fields = json.loads(text)
        return Attempt(**{**fields, "argv": tuple(fields["argv"])})

    def status(self) -> int | None:
        """The exit status, negative for a signal as in subprocess; None while there is none."""
        try:
            return int(Path(self.done).read_text())
        except (OSError, ValueError):
            return None

    @property
    def begun(self) -> bool:
        """Whether a worker has taken it up."""
        return Path(self.log).exists()


def run_attempt(attempt: Attempt, alone: bool = False) -> int:
    """Runs the command to its end; its exit status.

    alone: nothing else is done in this process, with which the command then ends on Linux.
    """
    with open(attempt.log, "wb") as log:
        # A group of its own: an interrupt of the terminal is the sweep's to handle.
        child = subprocess.Popen(
            attempt.argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=attempt.folder,
            env={**os.environ, **attempt.env},
            process_group=0,
            preexec_fn=_prepare if alone else None,  # not safe beside threads
        )
    try:
        while child.poll() is None:
            if _must_end(attempt):
                _end(child)
            time.sleep(_PAUSE)
    finally:  # the time limit of a cluster, too, comes as an exception
        _end(child)
        write_bytes_atomic(attempt.done, f"{child.returncode}\n".encode())
    return child.returncode


def _must_end(attempt: Attempt) -> bool:
    if os.path.exists(attempt.stop):
        return True
    if not attempt.lock or socket.gethostname() != attempt.host:
        return False
    lock = Path(attempt.lock)
    try:  # a sweep that goes on with this one has a token of its own
        return not is_locked(lock) or lock.read_text() != attempt.token
    except OSError:
        return True


def _end(child: subprocess.Popen[Any]) -> None:
    """Ends the command and what it has started: as Ctrl-C does, and by force if that takes long."""
    for number, patience in _ENDING:
        if child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(patience)


def _prepare() -> None:
    """In the new process, before its command: it takes interrupts, which a sweep in the background
    does not, and is sent one by Linux when its parent dies."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


if __name__ == "__main__":
    run_attempt(Attempt.from_json(sys.argv[1]), alone=True)
