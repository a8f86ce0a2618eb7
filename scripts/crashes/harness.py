"""Kills commands at random times and at every change of a file, and looks at what is left."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

import stages  # noqa: E402

KILLED = -9


class CompilerMissingError(Exception):
    """There is no C compiler for the shim."""


@dataclass
class Tally:
    """What became of the trials. killed: of them died in the middle. points: changes of files that
    an undisturbed run makes. faults: one line each; none is what is wanted."""

    trials: int = 0
    killed: int = 0
    points: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


def build_shim(folder: Path) -> Path:
    """Compiles shim.c; raises CompilerMissingError."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None or not sys.platform.startswith("linux"):
        raise CompilerMissingError("the shim needs a C compiler, and Linux")
    target = folder / "shim.so"
    flags = ["-O1", "-shared", "-fPIC", "-o", str(target)]
    subprocess.run([compiler, *flags, str(HERE / "shim.c"), "-ldl"], check=True)
    return target


class Server:
    """A process of server.py."""

    def __init__(self, stage: str, shim: Path | None) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "toolchain"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            **({"LD_PRELOAD": str(shim)} if shim else {}),
        }
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "server.py"), *stages.STAGES[stage].imports],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        self._answer()

    def ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the server of the trials died")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        with self._process:  # closes the pipes, at which the server ends, and waits
            pass


class Trials:
    """Trials of one stage. Each begins with a copy of one folder."""

    def __init__(self, stage: str, folder: Path, old: Path, new: Path, shim: Path | None) -> None:
        self.name, self.stage = stage, stages.STAGES[stage]
        self.start, self.work = folder / "start", folder / "work"
        self.start.mkdir(parents=True)
        self.server = Server(stage, shim)
        self.tally = Tally()
        self._call("prepare", self.start, old, new)
        for _ in range(2):  # the first run has to load something yet
            self._fresh()
            done = self._command(self.stage.args(self.work))
        self.tally.points, self.tally.seconds = done["calls"], done["seconds"]
        self._clean()
        self._check()
        self.wanted = self.stage.left(self.work)

    def random_times(self, count: int, seed: int = 0) -> None:
        """Kills at times that are spread evenly over an undisturbed run, and a little beyond."""
        times = random.Random(seed)
        for index in range(count):
            after = times.uniform(0, 1.05 * self.tally.seconds)
            self._trial(f"kill {index} after {after:.4f} s", {"after": after})

    def points(self, points: Iterable[int]) -> None:
        """Deaths at these changes of files, counted from 1."""
        for point in points:
            self._trial(f"death at change {point}", {"at": point})

    def _trial(self, title: str, death: dict[str, Any]) -> None:
        self._fresh()
        ended = self.server.ask(call="command", args=self.stage.args(self.work), **death)
        self.tally.trials += 1
        self.tally.killed += ended["status"] == KILLED
        try:
            if ended["status"] not in (0, KILLED) or ("at" in death and ended["status"] == 0):
                raise stages.BrokenError(f"ended with {ended['status']}: {ended['said']}")
            self._check()
            if args := self.stage.again(self.work):
                self._command(args)
            self._clean()
            if (left := self.stage.left(self.work)) != self.wanted:
                differing = sorted(set(left.items()) ^ set(self.wanted.items()))
                raise stages.BrokenError(f"left otherwise than an undisturbed run: {differing[:4]}")
        except stages.BrokenError as error:
            self.tally.faults.append(f"{self.name}, {title}: {' '.join(str(error).split())}")

    def _fresh(self) -> None:
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(self.start, self.work)

    def _check(self) -> None:
        self._call("check", self.work)

    def _call(self, what: str, *paths: Path) -> None:
        done = self.server.ask(call=what, stage=self.name, paths=[str(path) for path in paths])
        if done["status"]:
            raise stages.BrokenError(done["said"])

    def _command(self, args: list[str]) -> dict[str, Any]:
        done = self.server.ask(call="command", args=args)
        if done["status"]:
            raise stages.BrokenError(f"{args[0]} ends with {done['status']}: {done['said']}")
        return done

    def _clean(self) -> None:
        if args := self.stage.cleaning(self.work):
            self._command(args)


@contextlib.contextmanager
def trials(
    stage: str, folder: Path, old: Path, new: Path, shim: Path | None = None
) -> Iterator[Trials]:
    """Trials of a stage in an empty folder; shim: of `build_shim`, needed for `Trials.points`."""
    run = Trials(stage, folder, old, new, shim)
    try:
        yield run
    finally:
        run.server.close()
