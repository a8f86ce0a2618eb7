"""`sweep`: many trainings from one table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.errors import OptionError
from .output import note, print_json
from .settings import PATH, find_workspace, shared
from .sweep_lines import shown, stages_of
from .sweep_table import live_table, print_tasks, record

if TYPE_CHECKING:
    from ..sweep.executors import Place
    from ..sweep.state import TaskState
    from ..sweep.table import Table


@click.command()
@click.argument("table", metavar="TABLE.toml", type=PATH)
@click.option(
    "--on",
    metavar="PLACE",
    help="local[:N], submitit[:N], slurm[:N], dask[:N] or dask:ADDRESS, N tasks at a time;"
    " that of the table by default, else local.",
)
@click.option("--resume", is_flag=True, help="Go on: what is done is not run again.")
@click.option("--dry-run", is_flag=True, help="Check the table and print its commands.")
@shared()
@click.pass_context
def sweep(
    context: click.Context, table: Path, on: str | None, resume: bool, dry_run: bool, as_json: bool
) -> None:
    """Run a table of trainings: games x sizes x whatever option, each task an ordinary command.

    All lines are checked before the first one runs. A task that fails is tried again as the table
    says (a training from its checkpoint), and holds up no other; the exit code is then 3. An
    interrupt ends all commands, and --resume goes on. Logs and state are in
    WORKSPACE/sweeps/TABLE.

    \b
    Example: c3d-export sweep sizes.toml --dry-run
             c3d-export sweep sizes.toml --on local:2
             c3d-export sweep sizes.toml --on slurm --resume
    """
    from ..data.workspace import check_name
    from ..sweep.executors import parse_place
    from ..sweep.state import fresh
    from ..sweep.table import read_table
    from ..sweep.tasks import tasks_of

    read = read_table(table)
    place = parse_place(on or read.on or "local")
    tasks = tasks_of(read)
    stages = stages_of(read, tasks, _program(context))
    states = [fresh(t.name, t.cell, s) for t, s in zip(tasks, stages, strict=True)]
    if dry_run:
        _print_lines(states, as_json)
        return
    folder = find_workspace().root.absolute() / "sweeps" / check_name(table.stem, "sweep")
    _run(states, folder, place, read, resume, as_json)


def _program(context: click.Context) -> click.Group:
    program = context.find_root().command
    assert isinstance(program, click.Group)
    return program


def _print_lines(states: list[TaskState], as_json: bool) -> None:
    lines = {task.name: [shown(stage.words) for stage in task.stages] for task in states}
    if as_json:
        print_json([{"name": name, "commands": commands} for name, commands in lines.items()])
        return
    for name, commands in lines.items():
        click.echo(f"# {name}")
        for command in commands:
            click.echo(command)


def _run(
    states: list[TaskState], folder: Path, place: Place, table: Table, resume: bool, as_json: bool
) -> None:
    from ..sweep.executors import make_executor
    from ..sweep.folder import JOBS, STATE_FILE, hold
    from ..sweep.runner import Rules, Sweep
    from ..sweep.state import restore

    path = folder / STATE_FILE
    if resume != path.exists():
        raise OptionError(
            f"{folder} has no sweep to go on with; leave --resume out"
            if resume
            else f"{folder} has a sweep of this name; go on with --resume, or remove the folder"
        )
    with hold(folder) as token:
        if resume:
            for name in restore(path, states):
                note(f"{name} is in the table no more, and forgotten")
        executor = make_executor(place, folder / JOBS, table.slurm)
        try:
            rules = Rules(table.retries, table.backoff, _env(place, table))
            running = Sweep(states, folder, token, executor, rules)
            with live_table(running) as told:
                running.run(place.slots, told)
        except KeyboardInterrupt:
            note("stopped, and all commands with it; go on with the same line and --resume")
            raise
        finally:
            executor.close()
    if as_json:
        entries = [record(running, task) for task in running.tasks]
        print_json({"folder": str(folder), "tasks": entries})
    else:
        print_tasks(running)
    running.require_all()


def _env(place: Place, table: Table) -> dict[str, str]:
    """Threads that do not outnumber the cores, and the same workspace wherever a command runs."""
    from ..sweep.executors import threads_each

    env = {"C3D_WORKSPACE": str(find_workspace().root.absolute())}
    if place.here and "OMP_NUM_THREADS" not in os.environ:
        env["OMP_NUM_THREADS"] = str(threads_each(place))
    return {**env, **table.env}
