"""`sweep`: tables are refused before anything runs, and real trainings from one that is not."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from c3d_export.cli.sweep_table import _table
from c3d_export.runtime.images import write_image
from c3d_export.sweep.executors import LocalExecutor
from c3d_export.sweep.runner import Rules, Sweep
from c3d_export.sweep.state import Stage, fresh
from c3d_export.train.logs import LOG_FILE, About, RunLog, read_log

from .conftest import Run
from .test_coding import line_of

TRAIN = (
    "train --model mbt2018-mean --widths 8,12 --game {game} --quality 4 --batch 1 --crop 64"
    " --steps {steps} -o {game}-net"
)


@pytest.fixture
def games(workspace: Path, frame: NDArray[np.uint8]) -> Path:
    """A workspace with frames of the game `first`."""
    _add_frames(workspace, frame, "first")
    return workspace


def _add_frames(workspace: Path, frame: NDArray[np.uint8], game: str) -> None:
    folder = workspace / "data" / "train" / f"{game}-192p"
    folder.mkdir(parents=True)
    write_image(folder / "a_001.png", np.tile(frame, (4, 3, 1)))


def _toml(tmp_path: Path, run: str, axes: str = 'game = ["first"]', more: str = "") -> Path:
    path = tmp_path / "toy.toml"
    path.write_text(f'[axes]\n{axes}\n[[step]]\nrun = "{run}"\n{more}')
    return path


def test_the_commands_are_printed_as_a_shell_takes_them(run: Run, tmp_path: Path) -> None:
    table = _toml(tmp_path, "data inspect {folder}", 'folder = ["a", "my frames"]')
    done = run("sweep", table, "--dry-run")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "# a",
        "c3d-export data inspect a",
        "# my_frames",
        "c3d-export data inspect 'my frames'",
    ]
    listed = json.loads(run("sweep", table, "--dry-run", "--json").stdout)
    assert listed[0] == {"name": "a", "commands": ["c3d-export data inspect a"]}
    elsewhere = run("--workspace", "w", "sweep", table, "--dry-run")
    assert "c3d-export data inspect a --workspace w" in elsewhere.stdout


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("train --modell small --game {game}", "--modell"),
        ("train --game {game} --steps many", "'many' is not a valid integer range"),
        ("train --game {game} --steps 0", "0 is not in the range"),
        ("finetune --model small{game}", "Missing option '--game'"),
        ("walk {game}", "no command 'walk' to run; choose one of data, import, train"),
        ("data walk {game}", "no command 'walk' to run; choose one of capture, import"),
        ("sweep {game}", "no command 'sweep' to run"),
        ("train --help {game}", "asks for help"),
        ("train --model c2f-huge --quality 4 --game {game}", "unknown model 'c2f-huge'"),
        ("train --model smal --game {game}", "unknown model 'smal'; choose one of xsmall"),
        ("train --model small --game ../{game}", "is no model name"),
    ],
)
def test_lines_are_refused_before_anything_runs(
    run: Run, workspace: Path, tmp_path: Path, line: str, told: str
) -> None:
    done = run("sweep", _toml(tmp_path, line))
    assert done.exit_code == 2
    message = done.stderr.splitlines()[-1]
    assert message.startswith("error: toy.toml, line 4: step 1 run: ")
    assert told in message
    assert not workspace.exists()


def test_neither_torch_nor_onnx_is_loaded(workspace: Path, tmp_path: Path) -> None:
    table = _toml(tmp_path, "train --model c2f-small --quality 4 --game {game}")
    code = "import sys; from c3d_export.cli.main import main\n"
    code += "try: main(sys.argv[1:])\nexcept SystemExit as end: print(end.code)\n"
    code += "print({'torch', 'onnx', 'onnxruntime', 'submitit'} & set(sys.modules))"
    for args in (["sweep", str(table), "--dry-run"], ["runs"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *args], capture_output=True, text=True, check=False
        )
        assert done.stdout.splitlines()[-2:] == ["0", "set()"], done.stderr


def test_trainings_in_one_folder_are_refused(run: Run, workspace: Path, tmp_path: Path) -> None:
    axes = 'rate = [0.01, 0.02]\ngame = ["first", "second"]'
    line = "train --model small --game {game} --learning-rate {rate}"
    done = run("sweep", _toml(tmp_path, line, axes))
    assert done.exit_code == 2
    assert "0.01-first and 0.02-first would both train in" in line_of(done.stderr)
    apart = run("sweep", _toml(tmp_path, line + " --workspace w{rate}", axes), "--dry-run")
    assert apart.exit_code == 0
    named = "train --model mbt2018-mean-4 --game {game} --learning-rate {rate} -o {task}"
    assert run("sweep", _toml(tmp_path, named, axes), "--dry-run").exit_code == 0


def test_bad_places_and_names(run: Run, tmp_path: Path) -> None:
    table = _toml(tmp_path, "data inspect {game}")
    done = run("sweep", table, "--on", "moon")
    assert (done.exit_code, "no place 'moon'" in line_of(done.stderr)) == (2, True)
    done = run("sweep", table, "--resume")
    assert (done.exit_code, "leave --resume out" in line_of(done.stderr)) == (2, True)
    done = run("sweep", tmp_path / "none.toml")
    assert (done.exit_code, "cannot read" in line_of(done.stderr)) == (2, True)
    done = run("sweep", table.rename(tmp_path / "a b.toml"))
    assert (done.exit_code, "is no sweep name" in line_of(done.stderr)) == (2, True)


def _call(workspace: Path, *args: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "c3d_export.cli", "sweep", *map(str, args)]
    env = {**os.environ, "C3D_WORKSPACE": str(workspace)}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    )


def _finish(call: subprocess.Popen[str]) -> tuple[int, str, str]:
    stdout, stderr = call.communicate(timeout=300)
    return call.returncode, stdout, stderr


def test_one_of_two_tasks_fails_and_is_resumed(
    games: Path, frame: NDArray[np.uint8], tmp_path: Path
) -> None:
    more = '[[step]]\nname = "again"\nrun = "data inspect {frames}/{game}-192p --json"\n'
    more += f'[values]\nframes = "{games}/data/train"\n'
    line = "data inspect {frames}/{game}-192p"
    table = _toml(tmp_path, line, 'game = ["first", "second"]', more)
    table.write_text(table.read_text().replace("[[step]]", '[[step]]\nname = "look"', 1))
    code, stdout, stderr = _finish(_call(games, table, "--on", "local:2", "--json"))
    assert code == 3, stderr
    found = {task["name"]: task for task in json.loads(stdout)["tasks"]}
    assert [stage["state"] for stage in found["first"]["stages"]] == ["done", "done"]
    assert Path(found["first"]["stages"][1]["log"]).read_text()
    failed = found["second"]["stages"][0]
    assert (failed["state"], failed["attempts"], failed["exit_code"]) == ("failed", 1, 2)
    assert failed["error"] in Path(failed["log"]).read_text()
    assert f"second: look failed: {failed['error']}" in stderr
    assert stderr.splitlines()[-1].startswith("error: 1 of 2 tasks failed: second;")

    again = _finish(_call(games, table))
    assert again[0] == 2
    assert "go on with --resume" in again[2]
    _add_frames(games, frame, "second")
    code, stdout, stderr = _finish(_call(games, table, "--on", "local:2", "--resume"))
    assert code == 0, stderr
    assert "first" not in stderr
    assert stdout.count("done") == 2


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
def test_an_interrupted_training_goes_on_from_its_checkpoint(games: Path, tmp_path: Path) -> None:
    table = _toml(tmp_path, TRAIN, more="[values]\nsteps = 60\n")
    log = games / "runs" / "first-net" / LOG_FILE
    call = _call(games, table, "--on", "local:1")
    deadline = time.monotonic() + 120
    while not read_log(log):
        assert time.monotonic() < deadline, "the training told nothing"
        time.sleep(0.05)
    call.send_signal(signal.SIGINT)
    code, _, stderr = _finish(call)
    assert code == 130, stderr
    stopped = read_log(log)[-1]["step"]
    assert stopped < 60
    assert (games / "runs" / "first-net" / "checkpoint.safetensors").exists()

    code, stdout, stderr = _finish(_call(games, table, "--resume", "--json"))
    assert code == 0, stderr
    (task,) = json.loads(stdout)["tasks"]
    assert task["stages"][0]["attempts"] == 2
    assert (task["last"]["step"], task["last"]["steps"]) == (60, 60)
    assert (games / "models" / "first-net" / "model.safetensors").exists()
    assert [record["step"] for record in read_log(log)] == list(range(10, 61, 10))


def test_the_table_on_a_terminal(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with RunLog(run, About("net", "train", "small", ("game",), "line")) as log:
        log.begin(0, 40)
        log.add(10, loss=1.0, bpp=0.25, psnr=31.5)
    stage = Stage("train", ("train",), (), run)
    names = ("idle", "broken", "busy", "ready", "late")
    tasks = [fresh(name, {}, [stage]) for name in names]
    states = ("waiting", "failed", "running", "done", "running")
    for task, state in zip(tasks, states, strict=True):
        task.now.state = state
        task.now.attempts = 0 if state == "waiting" else 1
    tasks[1].now.error = "out of luck " * 20
    tasks[3].now.begun = 1.0
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "busy.train.1.log").touch()
    sweep = Sweep(tasks, tmp_path, "token", LocalExecutor(), Rules(0, 0.0, {}))
    console = Console(file=io.StringIO(), width=120, height=40)
    console.print(_table(sweep, console))
    assert isinstance(console.file, io.StringIO)
    lines = [line.split() for line in console.file.getvalue().splitlines() if line.strip()]
    shown = [line[:2] for line in lines if line[0] in names]
    assert shown == [
        ["busy", "running"],
        ["late", "queued"],
        ["broken", "failed"],
        ["idle", "waiting"],
        ["ready", "done"],
    ]
    (ready,) = [line for line in lines if line[0] == "ready"]
    assert ready[2:8] == ["train", "1", "10/40", "0.25", "31.50", "dB"]
    (broken,) = [line for line in lines if line[0] == "broken"]
    assert broken[4:7] == ["out", "of", "luck"]
    assert broken[-1].endswith("…")
    assert lines[-1][:4] == ["1", "running,", "1", "queued,"]


ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("document", "tasks", "commands"), [("README.md", 8, 8), ("docs/sweeps.md", 8, 24)]
)
def test_the_tables_of_the_documents(
    run: Run, tmp_path: Path, document: str, tasks: int, commands: int
) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    (table,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    (tmp_path / "table.toml").write_text(table)
    done = run("sweep", tmp_path / "table.toml", "--dry-run", "--json")
    assert done.exit_code == 0, done.stderr
    listed = json.loads(done.stdout)
    assert (len(listed), sum(len(task["commands"]) for task in listed)) == (tasks, commands)
