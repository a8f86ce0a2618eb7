"""The table of a sweep: axes, what is left out or added, steps, and where they run.

Every key is checked by name and type, so that a typing error costs no hour of training.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from .fields import Fields, Where
from .source import Source

PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
TASK: Final = "task"
"""The placeholder for a task's own name."""

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_TOP: Final = (
    "on", "retries", "backoff", "axes", "values", "step", "exclude", "include", "override", "env",
    "slurm",
)  # fmt: skip

Values = Mapping[str, str]
Condition = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Step:
    """One line of every task. words: as in a shell, with {placeholders}."""

    name: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Override:
    """For the cells that meet `when`: other values, and options added to steps by their names."""

    when: Condition
    values: Values
    added: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Slurm:
    """What a job asks for; 0 and "" leave it to the cluster. options: of sbatch, without `--`;
    "" for one without a value."""

    partition: str = ""
    gpus: int = 0
    cpus: int = 0
    memory_gb: float = 0.0
    minutes: int = 1440
    options: Values = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """backoff: seconds before the first retry; each further one waits twice as long."""

    source: Source
    on: str
    retries: int
    backoff: float
    axes: Mapping[str, tuple[str, ...]]
    values: Values
    steps: tuple[Step, ...]
    exclude: tuple[Condition, ...]
    include: tuple[Values, ...]
    overrides: tuple[Override, ...]
    env: Values
    slurm: Slurm


def read_table(path: Path) -> Table:
    """Raises MissingInputError or TableError."""
    return _Reader(Source.read(path)).read()


class _Reader(Fields):
    def read(self) -> Table:
        top = self.source.content
        self.known((), top, _TOP)
        axes = {key: self._axis(key, value) for key, value in self.section("axes").items()}
        if not axes:
            self.fault(("axes",), "has no axis; write one, as game = ['a', 'b']")
        steps = tuple(self._step(i, entry) for i, entry in enumerate(self.entries("step")))
        if not steps:
            self.fault((), "there is no [[step]]; write one with run = 'train --model ...'")
        self._unique(steps)
        return Table(
            source=self.source,
            on=self.text((), top, "on", ""),
            retries=self.whole((), top, "retries", 0),
            backoff=self.number((), top, "backoff", 5.0),
            axes=axes,
            values=self._named("values", TASK, *axes),
            steps=steps,
            exclude=tuple(
                self._condition(("exclude", i), entry, axes)
                for i, entry in enumerate(self.entries("exclude"))
            ),
            include=tuple(self._cell(i, e, axes) for i, e in enumerate(self.entries("include"))),
            overrides=tuple(
                self._override(i, entry, axes, {step.name for step in steps})
                for i, entry in enumerate(self.entries("override"))
            ),
            env={k: self._variable(k, v) for k, v in self.section("env").items()},
            slurm=self._slurm(),
        )

    def _variable(self, name: str, value: Any) -> str:
        text = self.value(("env", name), value)
        if not name or "=" in name or "\0" in name + text:
            self.fault(("env", name), "is no variable of an environment")
        return text

    def _axis(self, name: str, values: Any) -> tuple[str, ...]:
        self._name(("axes", name), name)
        if not isinstance(values, list) or not values:
            self.fault(("axes", name), "must be a list with at least one value")
        texts = tuple(self.value(("axes", name), value) for value in values)
        if len(set(texts)) < len(texts):
            again = next(text for i, text in enumerate(texts) if text in texts[:i])
            self.fault(("axes", name), f"has {again!r} twice")
        return texts

    def _name(self, where: Where, name: str) -> None:
        if not _NAME.fullmatch(name):
            self.fault(where, "a name is of letters, digits, '_' and '-', a letter first")
        if name == TASK:
            self.fault(where, f"{{{TASK}}} is the name of each task; choose another one")

    def _named(self, section: str, *taken: str) -> dict[str, str]:
        found = {}
        for name, value in self.section(section).items():
            self._name((section, name), name)
            if name in taken:
                self.fault((section, name), "is an axis already; choose another name")
            found[name] = self.value((section, name), value)
        return found

    def _step(self, index: int, entry: dict[str, Any]) -> Step:
        where = ("step", index)
        self.known(where, entry, ("run", "name"))
        words = self.words((*where, "run"), self.text(where, entry, "run", ""))
        if not words:
            self.fault(where, "has no run; write the command, as run = 'train --model small'")
        if words[0] == "c3d-export":
            words = words[1:]
        name = self.text(where, entry, "name", words[0] if words else "")
        self._name((*where, "name"), name)
        return Step(name, words)

    def _unique(self, steps: tuple[Step, ...]) -> None:
        names = [step.name for step in steps]
        for index, name in enumerate(names):
            if name in names[:index]:
                self.fault(("step", index), f"{name} is a step already; give this one a name")

    def _condition(
        self, where: Where, entry: Any, axes: Mapping[str, tuple[str, ...]]
    ) -> dict[str, tuple[str, ...]]:
        if not isinstance(entry, dict) or not entry:
            self.fault(where, "must name values of axes, as { game = 'a' }")
        self.known(where, entry, axes)
        found = {}
        for axis, wanted in entry.items():
            values = wanted if isinstance(wanted, list) else [wanted]
            found[axis] = tuple(self.value((*where, axis), value) for value in values)
        return found

    def _cell(self, index: int, entry: dict[str, Any], axes: Any) -> dict[str, str]:
        self.known(("include", index), entry, axes)
        for axis in axes:
            if axis not in entry:
                self.fault(("include", index), f"has no {axis}; a cell has a value of every axis")
        return {axis: self.value(("include", index, axis), entry[axis]) for axis in axes}

    def _override(self, index: int, entry: Any, axes: Any, steps: set[str]) -> Override:
        where = ("override", index)
        self.known(where, entry, ("when", "set", "add"))
        when = self._condition((*where, "when"), entry.get("when"), axes)
        known = self.section("values")
        return Override(
            when,
            self._inner(where, entry, "set", known, "values"),
            {
                step: self.words((*where, "add"), options)
                for step, options in self._inner(where, entry, "add", steps, "steps").items()
            },
        )

    def _inner(self, where: Where, entry: Any, key: str, known: Any, what: str) -> dict[str, str]:
        found = entry.get(key, {})
        if not isinstance(found, dict):
            self.fault((*where, key), f"must be a table by the names of {what}")
        for name in found:
            if name not in known:
                there = ", ".join(known) or "none"
                self.fault((*where, key), f"{name} is none of the {what}: {there}")
        return {name: self.value((*where, key), value) for name, value in found.items()}

    def _slurm(self) -> Slurm:
        entry, where = self.section("slurm"), ("slurm",)
        self.known(where, entry, Slurm.__dataclass_fields__)
        options = entry.get("options", {})
        if not isinstance(options, dict):
            self.fault((*where, "options"), "must be a table, as { account = 'codecs' }")
        return Slurm(
            self.text(where, entry, "partition", ""),
            self.whole(where, entry, "gpus", 0),
            self.whole(where, entry, "cpus", 0),
            self.number(where, entry, "memory_gb", 0.0),
            self.whole(where, entry, "minutes", Slurm.minutes),
            {key: self.value((*where, "options"), value) for key, value in options.items()},
        )
