"""Tasks of a sweep and how far each is: a live table on a terminal, a line each elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from ..core.locks import is_locked
from .output import duration, note, print_table, stderr_console
from .runs import figure, quality

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from ..sweep.runner import Sweep
    from ..sweep.state import TaskState

Told = Callable[["TaskState"], None]

_FRAMES_A_SECOND: Final = 2
# Title, header, rules and the line of counts.
_OTHER_LINES: Final = 6
# What to look at first: what is moving, then what went wrong.
_ORDER: Final = ("running", "queued", "failed", "waiting", "done")
_STYLES: Final = {"failed": "red", "running": "cyan", "queued": "cyan", "waiting": "dim"}
_HEADERS: Final = ("task", "state", "stage", "try", "step", "bpp", "quality", "time", "why")


@contextlib.contextmanager
def live_table(sweep: Sweep) -> Iterator[Told]:
    """Shows the sweep on stderr while the block runs; yields what is to be told of each change."""
    if not sys.stderr.isatty():
        yield lambda task: note(_line(task))
        return
    from rich.live import Live

    console = stderr_console()
    with Live(
        get_renderable=lambda: _table(sweep, console),
        console=console,
        refresh_per_second=_FRAMES_A_SECOND,
        transient=True,
    ):
        yield lambda task: None


def _line(task: TaskState) -> str:
    now = task.now
    if task.state == "waiting" and not now.error:  # the stage before has just ended
        index = max(0, task.index - 1)
        ended, seconds = task.stages[index].step, task.progress[index].seconds
        return f"{task.name}: {ended} done in {duration(seconds)}"
    why = f": {now.error}" if now.error else ""
    tries = f", attempt {now.attempts}" if now.attempts > 1 else ""
    took = f" in {duration(now.seconds)}" if task.state == "done" else ""
    state = "failed, to be tried again" if task.state == "waiting" else task.state
    return f"{task.name}: {task.stage.step} {state}{took}{tries}{why}"


def _shown_state(sweep: Sweep, task: TaskState) -> str:
    """As `Progress.state`, and `queued` for what a cluster has not taken up yet."""
    if task.state == "running" and not sweep.log(task, task.index).exists():
        return "queued"
    return task.state


def _last_figures(task: TaskState) -> dict[str, Any]:
    """What the last training of a task last told; empty where it has told nothing."""
    from ..train.logs import LOG_FILE, last_record

    for stage, entry in list(zip(task.stages, task.progress, strict=True))[task.index :: -1]:
        path = None if stage.run is None else stage.run / LOG_FILE
        # A log that is older than the attempt is of a training before this sweep.
        if path is not None and entry.begun and _changed(path) >= entry.begun:
            return last_record(path)
    return {}


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _cells(state: str, task: TaskState) -> tuple[str, ...]:
    from ..train.logs import LOG_FILE

    last, now, run = _last_figures(task), task.now, task.stage.run
    busy = state == "waiting" and run is not None and is_locked(run / LOG_FILE)
    why = now.error or ("another process trains in its folder" if busy else "")
    steps = f"{last['step']}/{last.get('steps', '')}" if last else ""
    return (
        task.name, state, task.stage.step, f"{now.attempts or ''}", steps, figure(last, "bpp"),
        quality(last), duration(task.seconds) if task.seconds else "", why,
    )  # fmt: skip


def print_tasks(sweep: Sweep) -> None:
    """The result, on stdout; reasons stand below, where they have all of a line."""
    rows = [_cells(task.state, task)[:-1] for task in sweep.tasks]
    print_table(str(sweep.folder), _HEADERS[:-1], rows)
    for task in sweep.tasks:
        if task.state == "failed":
            log = sweep.log(task, task.index)
            click.echo(f"{task.name}: {task.stage.step}: {task.now.error} (log: {log})")


def record(sweep: Sweep, task: TaskState) -> dict[str, Any]:
    """For --json."""
    from .sweep_lines import shown

    stages = [
        {
            "step": stage.step,
            "command": shown(stage.words),
            "state": entry.state,
            "attempts": entry.attempts,
            "seconds": round(entry.elapsed, 3),
            "exit_code": entry.status,
            "error": entry.error or None,
            "log": str(sweep.log(task, index)) if entry.attempts else None,
        }
        for index, (stage, entry) in enumerate(zip(task.stages, task.progress, strict=True))
    ]
    own = {"name": task.name, "cell": dict(task.cell), "state": task.state}
    return {**own, "stages": stages, "last": _last_figures(task)}


def _table(sweep: Sweep, console: Console) -> RenderableType:
    from rich import box
    from rich.table import Table

    # States change meanwhile: each is looked at once.
    rows = [(_shown_state(sweep, task), task) for task in sweep.tasks]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    table.caption, table.caption_justify = _counts([state for state, _ in rows]), "left"
    for header in _HEADERS[:-1]:
        table.add_column(header, no_wrap=True)
    # It has what the others leave.
    table.add_column(_HEADERS[-1], no_wrap=True, overflow="ellipsis", ratio=1)
    rows.sort(key=lambda row: _ORDER.index(row[0]))
    for state, task in rows[: max(1, console.height - _OTHER_LINES)]:
        table.add_row(*_cells(state, task), style=_STYLES.get(state))
    return table


def _counts(states: Sequence[str]) -> str:
    counts = ", ".join(f"{states.count(name)} {name}" for name in _ORDER if name in states)
    return f"{counts}  {time.strftime('%H:%M:%S')}"
