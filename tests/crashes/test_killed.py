"""Some dozens of the deaths of scripts/crash: the old version works, running again completes."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from .conftest import NEW, OLD, ROOT


@pytest.fixture(scope="session")
def shim(harness: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return harness.build_shim(tmp_path_factory.mktemp("shim"))
    except harness.CompilerMissingError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(
    ("stage", "least", "every", "kills"),
    [
        ("install", 100, 16, 4),
        ("prune-old", 50, 20, 2),
        ("rollback", 5, 2, 1),
        ("data-import", 50, 10, 3),
        ("data-split", 25, 8, 2),
    ],
)
def test_killed_commands(
    harness: ModuleType, shim: Path, tmp_path: Path, stage: str, least: int, every: int, kills: int
) -> None:
    with harness.trials(stage, tmp_path / "t", OLD, NEW, shim) as run:
        assert run.tally.points >= least
        run.points(range(1, run.tally.points + 1, every))
        deaths = run.tally.trials
        assert run.tally.killed == deaths
        run.random_times(kills)
    assert run.tally.faults == []


def _disturb(run: Any, act: Any) -> list[str]:
    """The faults that the harness finds where `act(work)` follows a death."""
    check = run._check

    def disturbed() -> None:
        act(run.work)
        check()

    run._check = disturbed
    run.tally.faults.clear()
    run.points([run.tally.points // 2])
    run._check = check
    return list(run.tally.faults)


def test_the_harness_finds_what_it_is_there_for(
    harness: ModuleType, shim: Path, tmp_path: Path
) -> None:
    def lose_a_member(work: Path) -> None:
        sorted((work / "store" / "blobs").iterdir())[0].unlink()
        sorted((work / "store" / "blobs").iterdir())[-1].write_bytes(b"x")

    def lose_the_name(work: Path) -> None:
        (work / "store" / "names" / "tried.json").unlink()

    def leave_litter(work: Path) -> None:
        (work / "store" / "litter").write_bytes(b"")

    with harness.trials("install", tmp_path / "t", OLD, NEW, shim) as run:
        for act, said in (
            (lose_a_member, "Error"),
            (lose_the_name, "MissingModelError"),
            (leave_litter, "left otherwise"),
        ):
            (fault,) = _disturb(run, act)
            assert said in fault


def test_two_installs_and_a_pruning_at_once(harness: ModuleType, tmp_path: Path) -> None:
    """Three processes: none fails, and what was installed last is whole."""
    with harness.trials("install", tmp_path / "t", OLD, NEW) as run:
        others = [harness.Server("install", None) for _ in range(2)]
        store = ["--store", str(run.work / "store")]
        commands = [
            ["install", str(run.work / "new.c3b"), *store],
            ["install", str(run.work / "old.c3b"), *store],
            ["prune-old", *store],
        ]
        run._fresh()
        ends: list[dict[str, Any]] = []

        def work(server: Any, args: list[str]) -> None:
            ends.extend(server.ask(call="command", args=args) for _ in range(4))

        pairs = zip((run.server, *others), commands, strict=True)
        threads = [threading.Thread(target=work, args=pair) for pair in pairs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # A codec that is not active yet may be pruned before it is: that is said, in one line.
        failed = [end["said"] for end in ends if end["status"]]
        assert all("no codec in" in said for said in failed), failed
        run._check()
        for server in others:
            server.close()


def test_the_script_is_read_by_the_shell_and_tells_of_itself() -> None:
    done = subprocess.run(
        ["sh", "-n", str(ROOT / "scripts" / "crash")], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
