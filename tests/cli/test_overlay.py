"""`overlay`, and the overlays of bundles: found, written, validated, coded and left out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from c3d_export.cli.gathering import gather_frames
from c3d_export.cli.main import main
from c3d_export.cli.overlay import as_coded
from c3d_export.data.workspace import Workspace
from c3d_export.deploy import matrix
from c3d_export.models.klt import initialize_from_frames
from c3d_export.models.network import build_network
from c3d_export.models.spec import SIZES
from c3d_export.runtime.codec import open_codec
from c3d_export.runtime.images import read_image, write_image
from c3d_export.runtime.stream import peek_header
from c3d_export.train.service import SavedModel, TrainingFrames, save

from .conftest import Run, _leave_zero
from .test_coding import line_of

Frame = NDArray[np.uint8]
HEIGHT, WIDTH = 72, 104
TOY = ("--model", "xsmall", "--game", "toy")


def _frame(scene: int, number: int) -> Frame:
    """A slope of its own, and the panel: two rows of three tiles at the bottom left."""
    rng = np.random.default_rng(10 * scene + number)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    slopes, middle = rng.uniform(-0.8, 0.8, (3, 2)), rng.uniform(80, 170, 3)
    terms = zip(middle, slopes, strict=True)
    planes = [m + a * (rows - 36) + b * (columns - 52) for m, (a, b) in terms]
    frame = np.stack(planes, 2).clip(0, 255).astype(np.uint8)
    frame[32:64, :48] = _panel()
    return frame


def _panel() -> Frame:
    rows, columns = np.mgrid[:32, :48]
    lit = (rows // 3 + columns // 4) % 2
    return np.stack([200 * lit + 30, 90 * lit + 60, 220 - 160 * lit], 2).astype(np.uint8)


def _is_panel(frame: Frame) -> bool:
    """Pixels of a bundle have six bits."""
    return bool(np.abs(frame[32:64, :48].astype(int) - _panel()).max() <= 2)


def _write_game(root: Path, name: str) -> Path:
    folder = root / "data" / "train" / f"{name}-72p"
    folder.mkdir(parents=True)
    for scene in range(4):
        for number in range(2):
            write_image(folder / f"map{scene}_{number:03d}.png", _frame(scene, number))
    return folder


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace with eight frames of a game, a network for it, and its bundle."""
    root = tmp_path_factory.mktemp("played")
    _write_game(root, "toy")
    network = build_network(replace(SIZES["xsmall"], qualities=3))
    initialize_from_frames(network, [torch.from_numpy(_frame(0, 0))], [1.0])
    _leave_zero(network)
    (root / "models" / "toy-xsmall").mkdir(parents=True)
    save(root / "models" / "toy-xsmall", SavedModel(network, {"stage": "train", "name": "toy"}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("c3d_export.data.locate.source_root", lambda: None)
        patch.setattr("c3d_export.runtime.shipped.shipped_folders", lambda: (root / "none",))
        assert _in(root, "bundle", *TOY, "-o", root / "toy.c3b").exit_code == 0
        yield root


def _in(root: Path, command: str, *args: object) -> Result:
    """A command in this workspace; the result as of `run`."""
    whole = [command, *map(str, args), "--workspace", str(root)]
    return CliRunner().invoke(main, whole)


def test_what_is_found_is_told_and_shown(played: Path, tmp_path: Path) -> None:
    picture = tmp_path / "found.png"
    done = _in(played, "overlay", "--game", "toy", "--picture", picture, "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    share = 100 * 32 * 48 / (HEIGHT * WIDTH)
    assert told["game"] == "toy"
    assert (told["tiles"], told["groups"], told["frame"]) == (6, 1, "104x72")
    assert told["pixels_of_a_frame"] == f"{share:.1f} %"
    shown = read_image(picture)
    assert shown.shape == (HEIGHT, WIDTH, 3)
    assert _is_panel(shown)
    plain = _in(played, "overlay", "--game", "toy")
    assert (plain.exit_code, plain.stdout) == (0, "")
    assert "tiles 6  groups 1  frame 104x72" in plain.stderr


def test_a_game_without_an_overlay(run: Run, workspace: Path, tmp_path: Path) -> None:
    folder = _write_game(workspace, "bare")
    for path in folder.iterdir():
        write_image(path, np.ascontiguousarray(read_image(path)[:32]))
    picture = tmp_path / "found.png"
    done = run("overlay", "--game", "bare", "--picture", picture, "--json")
    assert (done.exit_code, json.loads(done.stdout)) == (0, {"game": "bare", "tiles": 0})
    assert "draws nothing at the same place" in done.stderr
    assert not picture.exists()


def test_a_game_without_frames(run: Run) -> None:
    done = run("overlay", "--game", "nothing")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "c3d-export data import" in line_of(done.stderr)
    assert run("overlay").exit_code == 2


def test_a_bundle_of_a_game_has_its_overlay(played: Path) -> None:
    overlay = open_codec(played / "toy.c3b").overlay
    assert overlay is not None
    assert (overlay.height, overlay.width, len(overlay.place)) == (HEIGHT, WIDTH, 6)
    assert len(overlay.limit) == 3


def test_a_bundle_without_one(played: Path, tmp_path: Path) -> None:
    path = tmp_path / "plain.c3b"
    done = _in(played, "bundle", *TOY, "-o", path, "--overlay-bytes", 0, "--json")
    assert done.exit_code == 0, done.stderr
    assert open_codec(path).overlay is None
    grown = (played / "toy.c3b").stat().st_size - path.stat().st_size
    assert 2_000 < grown < 8_000


def test_frames_go_through_the_command_line(played: Path, tmp_path: Path) -> None:
    image, stream, shown = (tmp_path / name for name in ("a.png", "a.c3s", "b.png"))
    frame = _frame(9, 9)
    write_image(image, frame)
    codec = ("--codec", played / "toy.c3b")
    assert _in(played, "encode", image, "-o", stream, *codec, "--quality", 1).exit_code == 0
    assert peek_header(stream.read_bytes()).has_overlay
    assert _in(played, "decode", stream, "-o", shown, *codec).exit_code == 0
    decoded = read_image(shown)
    assert np.array_equal(decoded, open_codec(played / "toy.c3b").decode(stream.read_bytes()))
    assert _is_panel(decoded)
    write_image(image, np.ascontiguousarray(frame[:, 3:]))
    assert _in(played, "encode", image, "-o", stream, *codec).exit_code == 0
    assert not peek_header(stream.read_bytes()).has_overlay


def test_a_bundle_with_an_overlay_validates(
    played: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = (matrix.Configuration("qlinear", "all", 1), matrix.Configuration("float", "none", 2))
    monkeypatch.setattr(matrix, "available", lambda bundle: (chosen, ()))
    monkeypatch.setattr(matrix, "GRIDS", ((1, 1),))
    monkeypatch.setattr(matrix, "SMALL_SIZES", ((17, 31),))
    write_image(tmp_path / "hud.png", _frame(8, 8))
    done = _in(played, "validate", played / "toy.c3b", "--frames", tmp_path, "--json")
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["exact"], report["differing"]) == (True, 0)
    assert "hud.png" in {row["name"] for row in report["rows"]}


def test_a_game_is_trained_without_its_overlay(played: Path) -> None:
    """A generic network sees whole frames."""
    workspace = Workspace(played)
    whole = gather_frames(workspace, ["toy"])
    left = as_coded(workspace, whole, False)
    assert left.to_json() == {**whole.to_json(), "lifted": True}
    assert all(map(_is_panel, whole.pools[0].frames))
    for frame, seen in zip(left.pools[0].frames, whole.pools[0].frames, strict=True):
        assert np.abs(frame[32:64, :48].astype(int) - _panel()).mean() > 30
        assert np.array_equal(frame[:16], seen[:16])
    several = replace(whole, pools=[*whole.pools, *whole.pools])
    assert as_coded(workspace, several, False) is several
    assert as_coded(workspace, whole, True) is whole


@pytest.mark.parametrize("flags", [[], ["--whole-frames"]])
def test_prune_and_finetune_see_the_same_frames(
    played: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str]
) -> None:
    root, seen = tmp_path / "copy", []

    def spy(workspace: Workspace, frames: TrainingFrames, whole: bool) -> TrainingFrames:
        coded = as_coded(workspace, frames, whole)
        seen.append(coded.lifted)
        return coded

    shutil.copytree(played, root)
    monkeypatch.setattr("c3d_export.cli.prune.as_coded", spy)
    monkeypatch.setattr("c3d_export.cli.train.as_coded", spy)
    tune = ["--steps", "1", "--batch", "1", "--crop", "64"]
    assert _in(root, "prune", *TOY, "--ratio", "0.1", *flags).exit_code == 0
    assert _in(root, "finetune", *TOY, *tune, *flags).exit_code == 0
    assert seen == [not flags, not flags]
