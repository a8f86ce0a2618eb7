"""Runs the tasks of a sweep: each stage behind the one before it, failures tried again.

What fails keeps its reason and holds up nothing but the stages behind it.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..core.atomic import remove_file, write_bytes_atomic
from ..core.errors import OptionError, PartialFailureError, UsageError, WorkerError
from ..core.locks import is_locked
from ..train.logs import CHECKPOINT_FILE, LOG_FILE
from . import state
from .executors import Executor, Job
from .folder import LOCK_FILE, LOGS, STATE_FILE, STOP_FILE, last_line
from .state import DONE, FAILED, RUNNING, WAITING, Progress, Stage, TaskState
from .work import Attempt

_PAUSE: Final = 0.2
# How long commands may take to end after an interrupt; they are killed earlier (`work.py`).
_ENDING: Final = 60.0
LOST: Final = "its process vanished; was it killed, or out of memory?"

Told = Callable[[TaskState], None]


@dataclass(frozen=True)
class Rules:
    """retries: further attempts at a stage. backoff: seconds before the first, then twice as many.
    env: for all commands. program: what stands before the words of a stage."""

    retries: int
    backoff: float
    env: dict[str, str]
    program: tuple[str, ...] = (sys.executable, "-m", "c3d_export.cli")


@dataclass
class _Running:
    task: TaskState
    attempt: Attempt
    job: Job
    ended: float = 0.0


class Sweep:
    """The tasks of one sweep, in a folder whose lock is held (by `token`)."""

    def __init__(
        self, tasks: Sequence[TaskState], folder: Path, token: str, executor: Executor, rules: Rules
    ) -> None:
        self.tasks, self.folder, self.rules = tasks, folder, rules
        self._token, self._executor = token, executor
        # Where the file system has no locks, nothing can tell whether the sweep lives.
        self._watched = not executor.outlives and is_locked(folder / LOCK_FILE)
        self._running: list[_Running] = []
        self._not_before: dict[str, float] = {}
        self._tries: dict[tuple[str, int], int] = {}

    def run(self, slots: int, told: Told) -> None:
        """Returns when every task is done or has failed; `told` of what changes.

        slots: attempts at a time. An interrupt ends all commands first.
        """
        self._find_again(told)
        self._save()
        try:
            while self._open():
                changed = [self._poll(running, told) for running in list(self._running)]
                changed += [self._start(task, told) for task in self._ready(slots)]
                if any(changed):
                    self._save()
                time.sleep(_PAUSE)
        except BaseException:
            self._stop()
            raise

    def require_all(self) -> None:
        """Raises PartialFailureError, which names them, where tasks failed."""
        failed = [task.name for task in self.tasks if task.state == FAILED]
        if failed:
            named = ", ".join(failed[:8]) + (f" and {len(failed) - 8} more" if failed[8:] else "")
            raise PartialFailureError(
                f"{len(failed)} of {len(self.tasks)} tasks failed: {named}; the reasons are above,"
                " and --resume tries them again"
            )

    def log(self, task: TaskState, index: int) -> Path:
        """Of the last attempt at a stage."""
        attempts = task.progress[index].attempts
        return self.folder / LOGS / f"{task.name}.{task.stages[index].step}.{attempts}.log"

    def _open(self) -> bool:
        return any(task.state in (WAITING, RUNNING) for task in self.tasks)

    def _save(self) -> None:
        state.save(self.folder / STATE_FILE, self.tasks)

    def _ready(self, slots: int) -> list[TaskState]:
        """The waiting tasks whose turn it is, as many as there are slots for."""
        now = time.monotonic()
        waiting = (
            task
            for task in self.tasks
            if task.state == WAITING
            and self._not_before.get(task.name, 0.0) <= now
            # A command of a sweep that died may still be ending.
            and not (task.stage.run and is_locked(task.stage.run / LOG_FILE))
        )
        return [task for task, _ in zip(waiting, range(slots - len(self._running)), strict=False)]

    def _find_again(self, told: Told) -> None:
        """What an earlier sweep left running has ended, goes on as a job, or waits again."""
        for task in self.tasks:
            if task.state != RUNNING:
                continue
            attempt, job = self._attempt(task), None
            if task.now.job and attempt.status() is None:
                job = self._executor.adopt(task.now.job)
                if job is None:
                    place = task.now.job.partition(":")[0]
                    raise OptionError(
                        f"{task.name} runs as job {task.now.job}; go on with --on {place}"
                    )
            if job is not None:
                self._running.append(_Running(task, attempt, job))
                continue
            self._leave(task.now, attempt.status())
            if attempt.status() == 0:
                told(task)

    def _attempt(self, task: TaskState) -> Attempt:
        """The attempt that the progress of a task stands at; `begun` is still of the one before."""
        stage, log = task.stage, self.log(task, task.index)
        words = stage.resumed if _has_checkpoint(stage, task.now) else stage.words
        return Attempt(
            argv=(*self.rules.program, *words),
            log=str(log),
            done=str(log.with_suffix(".done")),
            folder=str(Path.cwd()),
            env=self.rules.env,
            stop=str(self.folder / STOP_FILE),
            host=socket.gethostname(),
            lock=str(self.folder / LOCK_FILE) if self._watched else "",
            token=self._token,
        )

    def _start(self, task: TaskState, told: Told) -> bool:
        now = task.now
        now.attempts += 1
        key = task.name, task.index
        self._tries[key] = self._tries.get(key, 0) + 1
        attempt = self._attempt(task)
        now.state, now.begun, now.error, now.status = RUNNING, time.time(), "", None
        now.first = now.first or now.begun
        for old in (attempt.log, attempt.done):  # of a table that was another one
            remove_file(old)
        self._save()  # before, so that a sweep that dies here counts it
        try:
            job = self._executor.start(task.name, attempt)
        except WorkerError as error:
            self._fail(task, None, str(error))
            told(task)
            return True
        now.job = job.id
        self._running.append(_Running(task, attempt, job))
        told(task)
        return True

    def _poll(self, running: _Running, told: Told) -> bool:
        """Whether an attempt has come to its end."""
        status, job = running.attempt.status(), running.job
        if status is None:
            if not job.ended():
                return False
            running.ended = running.ended or time.monotonic()
            if time.monotonic() - running.ended < self._executor.late:
                return False
            status = running.attempt.status()
        self._running.remove(running)
        job.leave()
        if status == 0:
            self._leave(running.task.now, 0)
        else:
            self._fail(running.task, status, _reason(running, status))
        told(running.task)
        return True

    def _leave(self, now: Progress, status: int | None) -> None:
        now.seconds, now.job, now.status = now.elapsed, "", status
        now.state = DONE if status == 0 else WAITING

    def _fail(self, task: TaskState, status: int | None, error: str) -> None:
        """The stage waits for another attempt, or has failed: wrong usage stays wrong."""
        now, tries = task.now, self._tries.get((task.name, task.index), 1)
        self._leave(now, status)
        now.error = error
        if tries > self.rules.retries or status == UsageError.exit_code:
            now.state = FAILED
        else:
            pause = self.rules.backoff * 2 ** (tries - 1)
            self._not_before[task.name] = time.monotonic() + pause

    def _stop(self) -> None:
        """Ends all commands; their stages wait for a sweep that goes on."""
        write_bytes_atomic(self.folder / STOP_FILE, b"")
        for running in self._running:
            running.job.cancel()
        deadline = time.monotonic() + _ENDING
        while self._running and time.monotonic() < deadline:
            for running in list(self._running):
                # A job that no node has taken up is out of the queue, and leaves no status.
                queued = self._executor.outlives and not running.attempt.begun
                if queued or running.attempt.status() is not None or running.job.ended():
                    self._running.remove(running)
                    running.job.leave()
                    self._leave(running.task.now, running.attempt.status())
            time.sleep(_PAUSE)
        self._save()


_TICK: Final = 0.1
"""Seconds that the clock of a file system may be behind."""


def _has_checkpoint(stage: Stage, now: Progress) -> bool:
    """Whether an attempt has left one; an older one is of other options, and the command refuses
    it."""
    if stage.run is None or not now.first:
        return False
    try:
        return (stage.run / CHECKPOINT_FILE).stat().st_mtime > now.first - _TICK
    except OSError:
        return False


def _reason(running: _Running, status: int | None) -> str:
    """Why an attempt failed, in a line."""
    if status is None:
        why = running.job.why()
        return f"{LOST} {why}" if why else LOST
    if status < 0:
        return f"ended by signal {-status}"
    return last_line(running.attempt.log) or f"exit status {status} without a word"
