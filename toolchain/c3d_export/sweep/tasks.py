"""From a table to its tasks: a cell each, with the lines of its stages filled in."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..core.limits import MAX_SWEEP_TASKS
from .table import PLACEHOLDER, TASK, Condition, Step, Table, Values

_NO_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Line:
    """One stage of a task: the name of its step, and the words behind `c3d-export`."""

    step: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """name: the values of its cell, joined; a plain file name. cell: axis to value."""

    name: str
    cell: Values
    lines: tuple[Line, ...]


def tasks_of(table: Table) -> list[Task]:
    """The tasks in the order of the table, included cells last.

    Raises TableError where two have one name, nothing is left, something has no effect, or a line
    has a placeholder that nothing fills.
    """
    _check_placeholders(table)
    _check_conditions(table)
    cells = [*_cells(table), *table.include]
    if not cells:
        table.source.fault(("exclude",), "leaves no cell; leave out fewer")
    if len(cells) > MAX_SWEEP_TASKS:
        table.source.fault(("axes",), f"make more than {MAX_SWEEP_TASKS} tasks; split the table")
    tasks: dict[str, Task] = {}
    for cell in cells:
        task = _task(table, cell)
        if task.name in tasks:
            _clash(table, task, tasks[task.name])
        tasks[task.name] = task
    return list(tasks.values())


def meets(cell: Values, condition: Condition) -> bool:
    """Whether a cell has one of the wanted values of each axis that is named."""
    return all(cell[axis] in wanted for axis, wanted in condition.items())


def _cells(table: Table) -> Iterator[dict[str, str]]:
    for values in itertools.product(*table.axes.values()):
        cell = dict(zip(table.axes, values, strict=True))
        if not any(meets(cell, condition) for condition in table.exclude):
            yield cell


def _task(table: Table, cell: Values) -> Task:
    name = "-".join(filter(None, map(_plain, cell.values())))
    if not 0 < len(name) <= 100:
        table.source.fault(("axes",), f"{name or dict(cell)} is no name of 1 to 100 characters")
    overrides = [entry for entry in table.overrides if meets(cell, entry.when)]
    filled = {**table.values, **cell, TASK: name}
    for override in overrides:
        filled |= override.values
    lines = []
    for step in table.steps:
        words = list(step.words)
        for override in overrides:
            words += override.added.get(step.name, ())
        lines.append(Line(step.name, tuple(_fill(words, filled))))
    return Task(name, cell, tuple(lines))


def _plain(value: str) -> str:
    return _NO_NAME.sub("_", value).strip("-._")


def _fill(words: list[str], values: Mapping[str, str]) -> Iterator[str]:
    """A word that becomes empty is left out, so that a value may stand for no option at all."""
    for word in words:
        filled = PLACEHOLDER.sub(lambda found: values[found[1]], word)
        if filled or not word:
            yield filled


def _check_placeholders(table: Table) -> None:
    known = {*table.axes, *table.values, TASK}
    used: set[str] = set()
    for index, step in enumerate(table.steps):
        names = _placeholders(step, table)
        for name in sorted(names - known):
            there = ", ".join(sorted(known))
            table.source.fault(
                ("step", index, "run"), f"nothing fills {{{name}}}; known here: {there}"
            )
        used |= names
    for section, entries in (("axes", table.axes), ("values", table.values)):
        for name in entries:
            if name not in used:
                table.source.fault((section, name), f"is in no step; write {{{name}}} into its run")


def _placeholders(step: Step, table: Table) -> set[str]:
    """Of a step and of all that overrides add to it."""
    added = (word for entry in table.overrides for word in entry.added.get(step.name, ()))
    return {name for word in (*step.words, *added) for name in PLACEHOLDER.findall(word)}


def _check_conditions(table: Table) -> None:
    """Every value that a condition names must be one of its axis: it may be misspelt."""
    every: list[tuple[tuple[str | int, ...], Condition]]
    every = [(("exclude", i), condition) for i, condition in enumerate(table.exclude)]
    every += [(("override", i, "when"), o.when) for i, o in enumerate(table.overrides)]
    for where, condition in every:
        for axis, wanted in condition.items():
            there = {*table.axes[axis], *(cell[axis] for cell in table.include)}
            for value in sorted({*wanted} - there):
                known = ", ".join(sorted(there))
                place = where if "when" in where else (*where, axis)
                table.source.fault(place, f"no cell has {value!r} as {axis}; there are {known}")


def _clash(table: Table, task: Task, other: Task) -> None:
    index = next((i for i, cell in enumerate(table.include) if cell == task.cell), 0)
    where = ("include", index) if task.cell in table.include else ("axes",)
    if task.cell == other.cell:
        table.source.fault(where, f"task {task.name} is there already; leave one out")
    table.source.fault(
        where, f"{dict(task.cell)} and {dict(other.cell)} would both be called {task.name}"
    )
