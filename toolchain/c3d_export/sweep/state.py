"""How far the tasks of a sweep are, in a file that a later sweep goes on from.

A task is known by its name, a stage by its words. Where a table was changed, a stage whose words
are others runs again, and so do those behind it; tasks that the table has no more are forgotten.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..core import jsonio
from ..core.atomic import write_bytes_atomic
from ..core.errors import SweepStateError
from ..core.limits import MAX_SWEEP_STATE_BYTES
from .table import Values

WAITING: Final = "waiting"
RUNNING: Final = "running"
DONE: Final = "done"
FAILED: Final = "failed"
_STATES: Final = (WAITING, RUNNING, DONE, FAILED)
_FORMAT: Final = 1
_ANEW: Final = "remove its folder to begin anew"


@dataclass(frozen=True)
class Stage:
    """step: its name. words: behind `c3d-export`. resumed: the words that go on with its run; none
    where a command has no run. run: the folder that it logs in, or None."""

    step: str
    words: tuple[str, ...]
    resumed: tuple[str, ...] = ()
    run: Path | None = None


@dataclass
class Progress:
    """What became of a stage. attempts: all that were begun. seconds: of those that ended.
    status: of the last. error: the last line of its log. job: where it can be found again. first,
    begun: when the first and the last one with these words began, in seconds since 1970; 0.0 for
    none."""

    state: str = WAITING
    attempts: int = 0
    seconds: float = 0.0
    status: int | None = None
    error: str = ""
    job: str = ""
    first: float = 0.0
    begun: float = 0.0

    @property
    def elapsed(self) -> float:
        """Seconds of all attempts so far."""
        return self.seconds + (time.time() - self.begun if self.state == RUNNING else 0.0)


@dataclass(frozen=True)
class TaskState:
    """A task and its progress, stage by stage; the sweep changes the latter while others look."""

    name: str
    cell: Values
    stages: tuple[Stage, ...]
    progress: tuple[Progress, ...]

    @property
    def index(self) -> int:
        """Of the stage that is next, runs or failed; of the last one where all are done."""
        open_ = (i for i, entry in enumerate(self.progress) if entry.state != DONE)
        return next(open_, len(self.stages) - 1)

    @property
    def stage(self) -> Stage:
        return self.stages[self.index]

    @property
    def now(self) -> Progress:
        return self.progress[self.index]

    @property
    def state(self) -> str:
        return self.now.state

    @property
    def seconds(self) -> float:
        return sum(entry.elapsed for entry in self.progress)


def fresh(name: str, cell: Values, stages: Sequence[Stage]) -> TaskState:
    return TaskState(name, cell, tuple(stages), tuple(Progress() for _ in stages))


def save(path: Path, tasks: Sequence[TaskState]) -> None:
    """Writes atomically; raises DiskError."""
    content = {"format": _FORMAT, "tasks": {task.name: _to_json(task) for task in tasks}}
    write_bytes_atomic(path, jsonio.dumps(content, max_bytes=MAX_SWEEP_STATE_BYTES))


def restore(path: Path, tasks: Sequence[TaskState]) -> list[str]:
    """Gives the tasks the progress that a file notes; the names in it that are no task any more.

    What failed waits again. Raises SweepStateError where the file is none of ours.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SweepStateError(f"cannot read {path}: {error.strerror}; check the folder") from error
    try:
        content = jsonio.loads(
            data, SweepStateError, what=str(path), max_bytes=MAX_SWEEP_STATE_BYTES
        )
    except SweepStateError as error:
        raise SweepStateError(f"{error}; {_ANEW}") from error
    try:
        if content["format"] != _FORMAT:
            raise ValueError(f"format {content['format']}")
        noted = content["tasks"]
        for task in tasks:
            _take(task, noted.get(task.name, []))
        return [name for name in noted if name not in {task.name for task in tasks}]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SweepStateError(f"{path} is no state of a sweep ({error}); {_ANEW}") from error


def _to_json(task: TaskState) -> list[dict[str, Any]]:
    pairs = zip(task.stages, task.progress, strict=True)
    return [
        {
            "words": list(stage.words),
            "state": entry.state,
            "attempts": entry.attempts,
            "seconds": round(entry.seconds, 3),
            "status": entry.status,
            "error": entry.error,
            "job": entry.job,
            "first": entry.first,
            "begun": entry.begun,
        }
        for stage, entry in pairs
    ]


def _take(task: TaskState, noted: Sequence[Mapping[str, Any]]) -> None:
    same = True
    for stage, entry, old in zip(task.stages, task.progress, noted, strict=False):
        entry.attempts = int(old["attempts"])  # so that no log is written over
        same = same and list(stage.words) == old["words"]
        if old["state"] not in _STATES:
            raise ValueError(f"state {old['state']!r}")
        if same:
            entry.state = WAITING if old["state"] == FAILED else str(old["state"])
            entry.seconds = float(old["seconds"])
            entry.first, entry.begun = float(old["first"]), float(old["begun"])
            entry.status, entry.error = old["status"], str(old["error"])
            entry.job = str(old["job"])
