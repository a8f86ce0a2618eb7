"""scripts/compare_trainings.py: trials that are run once, bundled and set beside the first."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import compare_trainings
import pytest

from c3d_export.core.errors import OptionError
from c3d_export.runtime.bundle import read_bundle
from c3d_export.runtime.images import write_image

SHORT = "--steps 1 --batch 1 --crop 64"


@pytest.fixture(scope="module")
def frames(make_frame: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("frames")
    for number, split in enumerate(("train", "validation")):
        for game in ("one", "two"):
            folder = root / split / f"{game}-128p"
            folder.mkdir(parents=True)
            write_image(folder / "scene_000.png", make_frame(128, 192, number))
    return root


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["x", *map(str, arguments)])
    return compare_trainings.main()


def test_trials_are_trained_once_and_compared(
    frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    begun = f"train --model xsmall --games one {SHORT}"
    trials = [
        f"whole = {begun} --whole-frames",
        f"several=train --model xsmall --games one,two {SHORT} --seed 3",
        f"tuned = {begun}; finetune --model xsmall --game one {SHORT}",
    ]
    line = ["--frames", frames, "--folder", tmp_path, "--game", "one", *trials]
    assert _run(monkeypatch, *line) == 0
    first = capsys.readouterr().out
    rows = [row.split(" | ") for row in first.splitlines() if row.startswith("| ")][2:]
    assert [row[0] for row in rows] == ["| whole", "| several", "| tuned"]
    assert [row[1] for row in rows] == ["1", "1", "2"]
    assert rows[0][3] == "+0.0 %"
    assert rows[1][3] != "+0.0 %"
    bundles = [read_bundle(tmp_path / name / "trial.c3b") for name in ("whole", "several", "tuned")]
    assert [bundle.manifest.get("game") for bundle in bundles] == ["one", "", "one"]
    monkeypatch.setattr("catalogue.commands.Runner.run", lambda *_: pytest.fail("trained again"))
    assert _run(monkeypatch, *line) == 0
    assert capsys.readouterr().out == first


def test_a_start_is_a_model_of_the_workspace(
    frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    line = ["--frames", frames, "--game", "one", "--folder"]
    begun = f"begun = train --model xsmall --games one,two {SHORT}"
    assert _run(monkeypatch, *line, tmp_path / "a", begun) == 0
    start = tmp_path / "generic-xsmall.c3b"
    start.write_bytes((tmp_path / "a" / "begun" / "trial.c3b").read_bytes())
    tuned = f"tuned = finetune --model xsmall --game one {SHORT}"
    assert _run(monkeypatch, *line, tmp_path / "b", "--start", start, tuned) == 0
    assert "| tuned | 1 |" in capsys.readouterr().out
    stages = read_bundle(tmp_path / "b" / "tuned" / "trial.c3b").manifest["training"]["stages"]
    assert [stage["stage"] for stage in stages if "command" in stage] == ["train", "tune"]


@pytest.mark.parametrize("text", ["no commands", "= train", "a =", "a = train; ; finetune"])
def test_what_is_no_trial_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="NAME = COMMAND"):
        compare_trainings.parse_trial(text)


@pytest.mark.parametrize("names", [("a", "a"), ("../a", "b"), ("curves", "b"), ("..", "b")])
def test_names_are_folders_of_their_own(names: tuple[str, str]) -> None:
    with pytest.raises(OptionError, match="folder of its own"):
        compare_trainings.parse_trials([f"{name} = train" for name in names])


def test_a_split_that_no_folder_has_is_told(
    frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(compare_trainings.Bench, "run", lambda *_: {"steps": 1, "minutes": 0.0})
    line = ["--frames", frames, "--folder", tmp_path, "--game", "one", "--split", "test"]
    assert _run(monkeypatch, *line, "a = train") != 0
    assert capsys.readouterr().err.startswith("error: ")


def test_a_failed_command_ends_with_its_exit_code(
    frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    trial = "bad = finetune --model xsmall --game three --steps 1"
    line = ["--frames", frames, "--folder", tmp_path, "--game", "one", trial]
    assert _run(monkeypatch, *line) != 0
    assert capsys.readouterr().err.startswith("error: c3d-export finetune")
