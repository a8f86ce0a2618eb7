"""`train` under SIGKILL: in one process as scripts/crash has it, and one of two that share it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from .conftest import NEW, OLD

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
PATIENCE = 120.0


def test_killed_trainings_leave_the_file_of_an_undisturbed_one(
    harness: ModuleType, tmp_path: Path
) -> None:
    with harness.trials("train", tmp_path / "t", OLD, NEW) as run:
        run.random_times(3)
    assert run.tally.faults == []


def _command(line: list[str]) -> list[str]:
    return [sys.executable, "-m", "c3d_export", *line]


def _process_of(rank: int, launcher: int) -> int | None:
    """The process of this number that a launcher started; None while there is none."""
    tasks = Path(f"/proc/{launcher}/task").glob("*/children")
    for child in " ".join(task.read_text() for task in tasks).split():
        environment = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
        if f"RANK={rank}".encode() in environment:
            return int(child)
    return None


def _wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + PATIENCE
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("rank", [0, 1])
def test_one_of_two_processes_is_killed(harness: ModuleType, tmp_path: Path, rank: int) -> None:
    import stages

    stage = stages.STAGES["train"]
    stage.prepare(tmp_path, OLD, NEW)
    line = [*stage.line(tmp_path), "--force", "--processes", "2", "--steps", "60"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = subprocess.Popen(
        _command(line), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    _wait_for(stage.checkpoint(tmp_path), run)
    victim = _process_of(rank, run.pid)
    assert victim is not None
    os.kill(victim, signal.SIGKILL)
    # Half of what a silent host would be waited for.
    _, said = run.communicate(timeout=45)
    assert run.returncode == 4, said
    assert f"process {rank} of this training ended by SIGKILL" in said
    assert "--resume" in said
    assert "Traceback" not in said
    stage.check(tmp_path)
    resumed = subprocess.run(
        _command([*stage.line(tmp_path), "--resume", "--json"]), env=environment,
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["steps"] == 60
    assert not stage.checkpoint(tmp_path).exists()
