"""Command lines of a sweep, each read by the parser of its command before anything runs."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ..core.errors import C3DError
from .run_log import resumed
from .run_names import run_folder
from .settings import Settings

if TYPE_CHECKING:
    from ..sweep.state import Stage
    from ..sweep.table import Table
    from ..sweep.tasks import Task

_TRAININGS: Final = ("train", "finetune")


def stages_of(table: Table, tasks: Sequence[Task], program: click.Group) -> list[list[Stage]]:
    """The stages of every task; raises TableError for a line that its command would not take, and
    where two tasks are the same or train in one folder."""
    every = [[_stage(table, task, i, program) for i in range(len(task.lines))] for task in tasks]
    _check_apart(table, tasks, every)
    return every


def shown(words: Sequence[str]) -> str:
    """A line as a shell takes it."""
    return shlex.join(["c3d-export", *words])


def _stage(table: Table, task: Task, index: int, program: click.Group) -> Stage:
    from ..data.workspace import Workspace
    from ..sweep.state import Stage

    line, own = task.lines[index], click.get_current_context().ensure_object(Settings)
    try:
        context = parsed(line.words, program, Settings(own.workspace))
        words = [*line.words]
        chosen = context.ensure_object(Settings).workspace
        if own.workspace is not None and not any(w.startswith("--workspace") for w in words):
            words += ["--workspace", own.workspace]
        if context.info_name not in _TRAININGS:
            return Stage(line.step, tuple(words))
        workspace = Workspace.find(os.environ, chosen)
        run = run_folder(workspace, str(context.info_name), context.params)
        names = [str(context.info_name), *resumed(context)]
        return Stage(line.step, tuple(words), tuple(names), run)
    except (click.ClickException, C3DError) as error:
        said = error.format_message() if isinstance(error, click.ClickException) else str(error)
        table.source.fault(("step", index, "run"), f"task {task.name}: {said.rstrip('.')}")
    except click.exceptions.Exit:
        table.source.fault(("step", index, "run"), "asks for help or a version, and does nothing")


def parsed(words: Sequence[str], program: click.Group, settings: Settings) -> click.Context:
    """The context of the command that a line calls, its parameters checked by click."""
    context = click.Context(program, info_name="c3d-export", obj=settings)
    command: click.Command = program
    rest = list(words)
    while isinstance(command, click.Group):
        name = rest.pop(0) if rest else ""
        found = command.get_command(context, name)
        if found is None or name == "sweep":
            known = ", ".join(n for n in command.list_commands(context) if n != "sweep")
            raise click.UsageError(f"no command {name!r} to run; choose one of {known}")
        command = found
        if isinstance(command, click.Group):
            context = click.Context(command, info_name=name, parent=context)
        else:
            context = command.make_context(name, rest, parent=context)
    return context


def _check_apart(table: Table, tasks: Sequence[Task], every: Sequence[Sequence[Stage]]) -> None:
    lines: dict[tuple[tuple[str, ...], ...], str] = {}
    runs: dict[Path, str] = {}
    for task, stages in zip(tasks, every, strict=True):
        other = lines.setdefault(tuple(stage.words for stage in stages), task.name)
        if other != task.name:
            table.source.fault(("step", 0), f"{other} and {task.name} would run the same lines")
        for index, stage in enumerate(stages):
            if stage.run is None:
                continue
            other = runs.setdefault(stage.run, task.name)
            if other != task.name:
                table.source.fault(
                    ("step", index, "run"),
                    f"{other} and {task.name} would both train in {stage.run}; tell them apart, as"
                    " with -o {task} or --workspace",
                )
