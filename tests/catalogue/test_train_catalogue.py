"""The command itself: what it refuses, and a catalogue from some frames, with a kill on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from catalogue.__main__ import main
from catalogue.commands import CommandFailedError, Runner
from catalogue.ledger import locked
from catalogue.options import parse

from c3d_export.runtime.images import write_image

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "train-catalogue"


def _environment(workspace: Path) -> dict[str, str]:
    paths = [str(ROOT / "scripts"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "C3D_WORKSPACE": str(workspace)}


def _start(workspace: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "catalogue", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(workspace),
        cwd=workspace,
    )


Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Call:
    """Runs a line in this process, with this test's folder as workspace: exit code, out, err."""
    monkeypatch.setenv("C3D_WORKSPACE", str(tmp_path))

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main([*arguments, "--exported", str(tmp_path / "exported")])
        except SystemExit as end:  # argparse
            code = int(str(end.code))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_the_shell_reads_it_and_help_needs_no_environment(tmp_path: Path) -> None:
    done = subprocess.run(["sh", "-n", str(SCRIPT)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    variables = {**os.environ, "C3D_VENV": str(tmp_path / "none")}
    command = ["sh", str(SCRIPT), "--games", "one", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
    assert (done.returncode, done.stderr) == (0, "")
    for word in ("--minutes", "--jobs", "--device", "--fresh", "exit codes", "examples"):
        assert word in done.stdout
    assert not (tmp_path / "none").exists()


def test_what_stands_behind_two_dashes_goes_to_the_training_commands() -> None:
    options = parse(["--steps", "5", "--frames", "/a/b", "--", "--decay", "linear"])
    resumed, fresh = options.training.settings(), options.training.schedule(None)
    assert resumed[-4:] == ["--device", "cpu", "--decay", "linear"]
    assert fresh == ["--steps", "5", *resumed]
    assert options.training.schedule(2.5)[:2] == ["--minutes", "2.5"]
    line = "scripts/train-catalogue --steps 5 --frames DIR -- --decay linear"
    assert options.command == line
    assert parse(["--frames=/a/b"]).command == "scripts/train-catalogue --frames=DIR"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--steps", "5", "--minutes", "5"], "not allowed with"),
        (["--minutes", "0"], "not above 0"),
        (["--only", "three-small"], "no network 'three-small'"),
        (["--sizes", "huge"], "unknown size 'huge'"),
        (["--frames", "none"], "no folder"),
        (["--evaluate"], "no bundle to evaluate"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_exits_2(arguments: Sequence[str], named: str, call: Call) -> None:
    code, out, err = call("--games", "one", *arguments)
    assert (code, out) == (2, "")
    assert named in err.splitlines()[-1]


def test_the_plan_is_shown_and_nothing_is_made(call: Call, tmp_path: Path) -> None:
    only = "generic-small,generic-xsmall,one-xsmall"
    sizes = ["--sizes", "small,xsmall", "--only", only]
    code, out, err = call("--plan", "--games", "one,two", *sizes)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "generic-small: from klt",
        "generic-xsmall: from prune generic-small, teacher generic-small, after generic-small",
        "one-xsmall: from tune generic-xsmall, teacher one-small, after generic-xsmall",
    ]
    assert not list(tmp_path.iterdir())


def test_a_command_that_fails_is_told_in_one_line(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    with pytest.raises(
        CommandFailedError, match="prune --model tiny --game one: no train frames"
    ) as caught:
        Runner().run(["prune", "--model", "tiny", "--game", "one"], tmp_path, log)
    assert caught.value.code == 2
    assert str(log) in str(caught.value)
    lines = log.read_text("utf-8").splitlines()
    assert lines[0] == "$ c3d-export prune --model tiny --game one"
    assert lines[-1].startswith("error: ")


@pytest.fixture
def line(tmp_path: Path, make_frame: Any) -> list[str]:
    for number, split in enumerate(("train", "validation", "test")):
        folder = tmp_path / "data" / split / "one-128p"
        folder.mkdir(parents=True)
        write_image(folder / "a_000.png", make_frame(128, 192, number))
    places = ["--exported", str(tmp_path / "exported"), "--games", "one", "--sizes", "xsmall"]
    return [*places, "--steps", "3", "--batch", "1", "--crop", "64", "--jobs", "2"]


def _wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 600
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, f"no {path}"
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_catalogue_from_frames_killed_on_the_way(line: list[str], tmp_path: Path) -> None:
    network = tmp_path / "catalogue" / "rounds" / "0001" / "one-xsmall"
    for step in ("work/begun", "train.json"):
        with _start(tmp_path, *line) as process:
            _wait_for(network / step, process)
            process.send_signal(signal.SIGKILL)
    with locked(tmp_path / "catalogue"):  # so no child is left
        assert not (network / "outcome.json").exists()
    trained = (network / "train.json").read_bytes()
    with _start(tmp_path, *line) as process:
        _, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert "one-xsmall: taken, there was none" in err
    assert (network / "train.json").read_bytes() == trained
    assert (network.parent / "done.json").is_file()

    found = json.loads((tmp_path / "exported" / "CATALOGUE.json").read_text("utf-8"))
    entry = found["bundles"]["one-xsmall"]
    assert (entry["steps"], entry["round"]["outcome"]) == (3, "taken")
    assert [len(entry["curves"]["one"]), len(found["baselines"]["one"]["jpeg"])] == [8, 8]
    assert entry["bd_rate"]["one"]["jpeg444"]["bd_rate"] is not None
    assert str(tmp_path) not in json.dumps(found)
    text = (tmp_path / "exported" / "CATALOGUE.md").read_text("utf-8")
    assert "| `one-xsmall` | one |" in text
    assert str(tmp_path) not in text
