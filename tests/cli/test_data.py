"""`data` as it is typed: what is said, what is printed, and the exit code."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from c3d_export.runtime.images import read_image, write_image

from .conftest import Run


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """Five scenes of two frames."""
    folder = tmp_path / "scenes"
    folder.mkdir()
    for number, name in enumerate("abcde"):
        for index in range(2):
            value = 40 * number + 20 * index
            write_image(folder / f"{name}_{index}.png", np.full((24, 32, 3), value, np.uint8))
    return folder


def test_what_cannot_be_used_is_a_line_and_the_code_is_three(run: Run, scenes: Path) -> None:
    (scenes / "cut.png").write_bytes((scenes / "a_0.png").read_bytes()[:-9])
    (scenes / os.fsdecode(b"caf\xe9.png")).write_bytes(b"x")
    (scenes / "notes.txt").write_text("x")
    Image.new("RGB", (32, 24)).save(scenes / "photo.jpg")
    write_image(scenes / "a_2.png", np.full((24, 32, 3), 21, np.uint8))
    done = run("data", "import", scenes, "--game", "toy", "--json")
    assert done.exit_code == 3
    lines = done.stderr.splitlines()
    assert sum(line.startswith("skipped ") for line in lines) == 3
    assert any("left alone" in line and "notes.txt" in line for line in lines)
    assert any(line.startswith("near-duplicates left out: ") for line in lines)
    assert lines[-1].startswith("error: 3 files were skipped")
    told = json.loads(done.stdout)
    assert told["train"] + told["validation"] + told["test"] == 10
    assert [Path(entry["input"]).name for entry in told["near_duplicates"]] == ["a_2.png"]
    assert sorted(Path(entry["input"]).name for entry in told["skipped"]) == [
        "caf\\udce9.png",
        "cut.png",
        "photo.jpg",
    ]


def test_lossy_frames_come_with_a_loud_note(run: Run, scenes: Path) -> None:
    Image.new("RGB", (32, 24), "red").save(scenes / "photo.jpg")
    done = run("data", "import", scenes, "--game", "toy", "--lossy")
    assert done.exit_code == 0
    assert "WARNING: frames that lost pixels to JPEG: 1;" in done.stderr


def test_a_split_is_a_table_of_scenes(run: Run, scenes: Path) -> None:
    run("data", "import", scenes, "--game", "toy")
    done = run("data", "split", "--test", "a,c", "--validation", "b", "--json")
    assert done.exit_code == 0
    (game,) = json.loads(done.stdout)
    assert [(entry["scene"], entry["split"]) for entry in game["scenes"]] == [
        ("a", "test"),
        ("b", "validation"),
        ("c", "test"),
        ("d", "train"),
        ("e", "train"),
    ]
    again = run("data", "split", "--game", "toy", "--test", "a,c", "--validation", "b")
    assert "toy: 0 files moved" in again.stderr
    (line,) = (line for line in again.stdout.splitlines() if "validation" in line)
    assert line.split() == ["toy", "b", "validation", "2"]


def test_a_scene_with_a_comma_in_its_name(run: Run, scenes: Path) -> None:
    for path in scenes.glob("b_*"):
        path.rename(path.with_name(path.name.replace("b_", "b, the old town_")))
    run("data", "import", scenes, "--game", "toy")
    done = run("data", "split", "--test", '"b, the old town",c', "--json")
    assert done.exit_code == 0, done.stderr
    (game,) = json.loads(done.stdout)
    found = [entry["scene"] for entry in game["scenes"] if entry["split"] == "test"]
    assert found == ["b, the old town", "c"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--test", "a", "--validation", "a"), "choose one"),
        (("--test", "a\nb"), "are no scenes"),
        (("--test", "zoo"), "no scene 'zoo'"),
        (("--by", "[0-9]"), "toy: scenes for 3 splits are wanted"),
        (("--fractions", "1,2"), "write them like"),
        (("--game", "other"), "data import FOLDER --game other"),
        (("--game", "../other"), "no game name"),
    ],
)
def test_splits_that_cannot_be(run: Run, scenes: Path, options: tuple[str, ...], said: str) -> None:
    run("data", "import", scenes, "--game", "toy")
    done = run("data", "split", *options)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.mark.parametrize("command", ["split", "inspect"])
def test_a_workspace_without_any_game(run: Run, command: str) -> None:
    done = run("data", command)
    assert done.exit_code == 2
    assert "no games in " in done.stderr
    assert "`c3d-export data import` brings some" in done.stderr


def test_a_sheet_is_written(run: Run, scenes: Path, tmp_path: Path) -> None:
    done = run("data", "inspect", scenes, "--sheet", tmp_path / "sheet.png", "--json")
    assert done.exit_code == 0
    (folder,) = json.loads(done.stdout)
    assert folder["scenes"] == dict.fromkeys("abcde", 2)
    assert folder["bits_per_pixel"] == 0
    assert read_image(tmp_path / "sheet.png").shape[1] > 1000
    assert run("data", "inspect", scenes, "--sheet", tmp_path / "a.gif").exit_code == 2
