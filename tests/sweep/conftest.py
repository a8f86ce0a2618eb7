"""A program that does what it is told, in place of c3d-export, and sweeps of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from c3d_export.sweep.executors import Executor, LocalExecutor
from c3d_export.sweep.folder import hold
from c3d_export.sweep.runner import Rules, Sweep
from c3d_export.sweep.state import Stage, TaskState, fresh, restore

# Each word is an act; every act leaves a line in the file `acts`.
PROGRAM = """
import os, signal, sys, time
from pathlib import Path

here = Path(os.environ["ACTS"])
with open(here / "acts", "a") as file:
    file.write(" ".join(sys.argv[1:]) + "\\n")
act, name = sys.argv[1], sys.argv[2]
if act == "fail":
    print("a line before")
    sys.exit("error: " + name + " went wrong")
if act == "refuse":
    print("error: no such option", file=sys.stderr)
    sys.exit(2)
if act == "flaky" and not (here / name).exists():
    (here / name).touch()
    sys.exit("error: not yet")
if act == "vanish":
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)
if act == "wait":
    while not (here / name).exists():
        time.sleep(0.05)
if act == "sleep":
    try:
        (here / name).write_text(str(os.getpid()))
        time.sleep(60)
    except KeyboardInterrupt:
        (here / name).write_text("interrupted")
        sys.exit(130)
"""

Made = tuple[Sweep, list[TaskState]]
Make = Callable[..., "contextmanager[Made]"]  # type: ignore[type-arg]


@pytest.fixture
def program(tmp_path: Path) -> tuple[str, ...]:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return sys.executable, str(path)


@pytest.fixture
def acts(tmp_path: Path) -> Callable[[], list[str]]:
    """What was run so far, in order."""
    path = tmp_path / "acts"
    return lambda: path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def make(tmp_path: Path, program: tuple[str, ...]):  # type: ignore[no-untyped-def]
    """make({task: [words of a stage, ...]}, retries=0, resume=False, executor=...): a sweep."""

    @contextmanager
    def opened(
        tasks: dict[str, list[str]],
        retries: int = 0,
        resume: bool = False,
        executor: Executor | None = None,
        stages: dict[str, list[Stage]] | None = None,
    ) -> Iterator[Made]:
        made = {
            name: [Stage(f"s{i}", tuple(line.split())) for i, line in enumerate(lines)]
            for name, lines in tasks.items()
        } | (stages or {})
        states = [fresh(name, {}, lines) for name, lines in made.items()]
        folder = tmp_path / "sweep"
        rules = Rules(retries, 0.05, {"ACTS": str(tmp_path)}, program)
        with hold(folder) as token:
            if resume:
                restore(folder / "state.json", states)
            yield Sweep(states, folder, token, executor or LocalExecutor(), rules), states

    return opened
