"""What a training tells while it runs, in the folder of the run.

    status.json                 what is trained, with which line it goes on, how it ended
    log.jsonl                   one JSON object a report; the process that trains has it locked
    events.out.tfevents.*       the same for TensorBoard, where tensorboardX is installed

A log only grows. A kill leaves a torn last line at most; a run that is resumed first cuts that, and
what was told after its checkpoint, so that every step stands there once. Loads no torch.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from ..core import jsonio
from ..core.atomic import disk_errors, make_folders, write_bytes_atomic
from ..core.locks import open_locked
from .events import Events, open_events

STATUS_FILE: Final = "status.json"
LOG_FILE: Final = "log.jsonl"
CHECKPOINT_FILE: Final = "checkpoint.safetensors"

# More than two records take.
_LAST_BYTES: Final = 4096

RUNNING: Final = "running"
FINISHED: Final = "finished"
STOPPED: Final = "stopped"
FAILED: Final = "failed"


@dataclass(frozen=True)
class About:
    """What a run trains. name: of the model. kind: the command, as `train` or `finetune`.
    model: its size. line: the command that goes on with it after a stop."""

    name: str
    kind: str
    model: str
    games: tuple[str, ...]
    line: str


class RunLog:
    """The log of one run; a context manager, and silent until `begin`.

    Entering raises BusyError where another process trains in the folder. Leaving tells how the run
    ended. Errors of the disk end the log and not the training, which saves what counts itself.
    """

    def __init__(self, folder: Path, about: About, silent: bool = False) -> None:
        """silent: of one of several processes of a training, of which another tells."""
        self.folder, self.about, self.silent = folder, about, silent
        self._descriptor = -1
        self._events: Events | None = None
        self._status: dict[str, Any] = {}
        self._seconds = 0.0
        self._steps, self._last = 0, (0, 0.0)

    def __enter__(self) -> RunLog:
        # Not made here: a run that is refused leaves no folder.
        if not self.silent and (self.folder / LOG_FILE).exists():
            self._open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._status:
            state = STOPPED if kind is KeyboardInterrupt else FAILED if kind else FINISHED
            why = {"error": " ".join(f"{error}".split())} if state == FAILED else {}
            with contextlib.suppress(Exception):  # the first error counts
                self._tell({"state": state, "ended": time.time(), **why})
        self.close()

    def close(self) -> None:
        """Lets go of the lock."""
        if self._events is not None:
            self._events.close()
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._events, self._descriptor = None, -1

    def _open(self) -> None:
        path = self.folder / LOG_FILE
        busy = f"another process trains in {self.folder}; wait until it ends, or stop it"
        self._descriptor = open_locked(path, busy)

    def begin(self, step: int, steps: int) -> None:
        """The run goes on after `step` of `steps`; 0: it is a new one, and an old log goes.

        Raises BusyError, DiskError.
        """
        if self.silent:
            return
        if self._descriptor < 0:
            make_folders(self.folder)
            self._open()
        records, end = _kept(self.folder / LOG_FILE, step)
        with disk_errors(self.folder / LOG_FILE):
            os.ftruncate(self._descriptor, end)
        self._seconds = number(records[-1], "seconds") if records else 0.0
        self._steps, self._last = steps, (step, time.monotonic())
        self._events = open_events(self.folder, step)
        here = {"host": socket.gethostname(), "pid": os.getpid(), "begun": time.time()}
        self._tell({**asdict(self.about), "steps": steps, **here, "state": RUNNING})

    def _tell(self, changes: dict[str, Any]) -> None:
        self._status |= changes
        write_bytes_atomic(self.folder / STATUS_FILE, jsonio.dumps(self._status))

    def add(self, step: int, **figures: float) -> None:
        """One report: figures of the interval that ends with `step`. Speed and time are added."""
        if not self._status:
            return
        now = time.monotonic()
        before, since = self._last
        self._seconds += now - since
        speed = (step - before) / max(now - since, 1e-9)
        self._last = (step, now)
        told = {**figures, "steps_per_second": speed}
        finite = {key: value if math.isfinite(value) else None for key, value in told.items()}
        times = {"seconds": round(self._seconds, 3), "time": round(time.time(), 3)}
        self._append({"step": step, "steps": self._steps, **finite, **times})
        if self._events is not None:
            self._events.add(step, told)

    def _append(self, record: dict[str, Any]) -> None:
        line = json.dumps(record, allow_nan=False).encode() + b"\n"
        end = os.fstat(self._descriptor).st_size
        try:
            whole = os.write(self._descriptor, line) == len(line)
        except OSError:
            whole = False
        if not whole:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, end)


class StepMeans:
    """Means of what a trainer tells of each step, added to a log once in `every` steps and at the
    last one."""

    def __init__(self, log: RunLog, steps: int, every: int) -> None:
        self._log, self._steps, self._every = log, steps, every
        self._values: dict[str, list[float]] = {}

    def add(self, step: int, learning_rate: float, **figures: float) -> None:
        """Figures of one step; steps may have others than those before, as after a change of the
        objective: a mean is of the steps that have it."""
        for key, value in figures.items():
            self._values.setdefault(key, []).append(value)
        if step % self._every == 0 or step == self._steps:
            means = {key: sum(values) / len(values) for key, values in self._values.items()}
            self._log.add(step, **means, learning_rate=learning_rate)
            self._values = {}


def report_every(steps: int) -> int:
    """Steps between two reports: a thousand points draw any curve."""
    return max(min(10, steps), steps // 1000)


def number(record: Mapping[str, Any], key: str) -> float:
    """A number of a record or a status; 0.0 where there is none, or something else."""
    value = record.get(key)
    return float(value) if isinstance(value, int | float) else 0.0


def read_log(path: Path) -> list[dict[str, Any]]:
    """The records of a log, the last line left out where it is torn; none where there is no log."""
    return _kept(path, None)[0]


def last_record(path: Path) -> dict[str, Any]:
    """The last whole record of a log, without reading all of it; empty where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _LAST_BYTES))
            records = [_record(line) for line in file.read().splitlines(keepends=True)]
    except OSError:
        return {}
    return next((record for record in reversed(records) if record is not None), {})


def _kept(path: Path, last: int | None) -> tuple[list[dict[str, Any]], int]:
    """The records up to step `last` (None: all), and the bytes that they take."""
    records, end = [], 0
    for line, record in _records(path):
        if record is None or (last is not None and not record["step"] <= last):
            break
        records.append(record)
        end += len(line)
    return records, end


def _records(path: Path) -> Iterator[tuple[bytes, dict[str, Any] | None]]:
    """Lines and what they say; None where a line is none of ours."""
    try:
        with path.open("rb") as file:
            for line in file:
                yield line, _record(line)
    except OSError:
        return


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    whole = isinstance(record, dict) and isinstance(record.get("step"), int)
    return record if whole else None
