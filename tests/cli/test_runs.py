"""`runs`, and the logs that trainings leave for it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export.cli.main import main
from c3d_export.cli.run_names import run_folder
from c3d_export.cli.settings import Settings
from c3d_export.cli.sweep_lines import parsed
from c3d_export.data.workspace import Workspace
from c3d_export.runtime.images import write_image
from c3d_export.train.logs import LOG_FILE, read_log
from c3d_export.train.staged import StagedTrainer

from .conftest import Run
from .test_coding import line_of

TOY = ("train", "--model", "mbt2018-mean", "--widths", "8,12", "--game", "toy", "--quality", "4")
NAME = "toy-mbt2018-mean-8x12-q4"
SHORT = ("--batch", "1", "--crop", "64")


@pytest.fixture(autouse=True)
def toy(workspace: Path, frame: NDArray[np.uint8]) -> Path:
    folder = workspace / "data" / "train" / "toy-192p"
    folder.mkdir(parents=True)
    write_image(folder / "a_001.png", np.tile(frame, (4, 3, 1)))
    return workspace


def _list(run: Run, *args: str) -> list[dict[str, object]]:
    done = run("runs", "--json", *args)
    assert done.exit_code == 0, done.stderr
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


def test_a_training_that_was_stopped_goes_on_with_the_line_that_is_shown(
    run: Run, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = StagedTrainer.step

    def stop(trainer: StagedTrainer):  # type: ignore[no-untyped-def]
        if trainer.done == 13:
            raise KeyboardInterrupt
        return step(trainer)

    monkeypatch.setattr(StagedTrainer, "step", stop)
    assert run(*TOY, *SHORT, "--steps", "25").exit_code == 130
    monkeypatch.setattr(StagedTrainer, "step", step)
    (found,) = _list(run)
    assert (found["name"], found["kind"], found["model"]) == (NAME, "train", "mbt2018-mean")
    assert (found["state"], found["step"], found["steps"]) == ("interrupted", 10, 25)
    line = shlex.split(str(found["continue"]))
    assert line == ["c3d-export", *TOY[:3], *TOY[5:], *TOY[3:5], *SHORT, "--resume"]
    shown = run("runs")
    assert f"{NAME} goes on with: {found['continue']}" in shown.stderr
    assert "10/25" in shown.stdout

    assert run(*line[1:]).exit_code == 0
    (found,) = _list(run)
    assert (found["state"], found["step"], found["continue"]) == ("finished", 25, None)
    records = read_log(toy / "runs" / NAME / LOG_FILE)
    assert [record["step"] for record in records] == [10, 20, 25]
    assert all({"loss", "bpp", "psnr", "learning_rate"} <= record.keys() for record in records)


def _train(run: Run, toy: Path, *args: str) -> None:
    """Also: what a sweep expects of the line is where it logs."""
    context = parsed(args, main, Settings())
    folder = run_folder(Workspace(toy), args[0], context.params)
    assert folder is not None
    assert not (folder / LOG_FILE).exists()
    done = run(*args, "--steps", "2")
    assert done.exit_code == 0, done.stderr
    assert (folder / LOG_FILE).exists()


def test_all_kinds_of_trainings_have_logs(run: Run, toy: Path) -> None:
    _train(run, toy, "train", "--model", "xsmall", *SHORT)  # of all games, which is one
    _train(run, toy, "finetune", "--model", "xsmall", "--game", "toy", *SHORT)
    _train(run, toy, "train", "--task", "sr", "--games", "toy", *SHORT)
    _train(run, toy, *TOY, "--batch", "1", "--crop", "192", "--distortion", "ms-ssim")
    _train(run, toy, *TOY, *SHORT, "-o", "named")
    _train(run, toy, "finetune", "--model", "named", "--game", "toy", *SHORT)
    found = {str(entry["name"]): entry for entry in _list(run)}
    kinds = {name: (entry["kind"], entry["model"]) for name, entry in found.items()}
    assert kinds == {
        "toy-xsmall": ("train", "xsmall"),
        "toy-xsmall-tune": ("finetune", "xsmall"),
        "toy-x2": ("train-sr", "x2"),
        NAME: ("train", "mbt2018-mean"),
        "named": ("train", "mbt2018-mean"),
        "named-tuned": ("finetune", "named"),
    }
    assert {entry["state"] for entry in found.values()} == {"finished"}
    assert {entry["step"] for entry in found.values()} == {2}
    assert "ms_ssim" in dict(found[NAME]["last"])  # type: ignore[call-overload]
    assert [entry["name"] for entry in _list(run, "--model", "x2")] == ["toy-x2"]
    assert _list(run, "--game", "other") == []
    assert len(_list(run, "--game", "toy")) == 6


def test_one_run_in_full(run: Run, toy: Path) -> None:
    assert run(*TOY, *SHORT, "--steps", "30").exit_code == 0
    shown = run("runs", NAME)
    assert shown.exit_code == 0
    assert "finished at step 30 of 30" in shown.stdout
    assert "loss" in shown.stdout
    whole = json.loads(run("runs", NAME, "--json").stdout)
    assert [record["step"] for record in whole["log"]] == [10, 20, 30]


def test_no_such_run_and_no_runs_at_all(run: Run) -> None:
    done = run("runs", "none")
    assert (done.exit_code, "no run none" in line_of(done.stderr)) == (2, True)
    assert _list(run) == []
