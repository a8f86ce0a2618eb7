"""From a checkpoint of CompressAI to a bundle that is validated and codes a frame."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from c3d_export.models.mbt.network import build_network
from c3d_export.models.mbt.spec import uniform_spec
from c3d_export.runtime.images import read_image, write_image

from .conftest import Frame, Run


@pytest.fixture
def imported(run: Run, workspace: Path, frame: Frame, tmp_path: Path) -> str:
    """The name of a model in a workspace that has two frames of a game."""
    network = build_network(uniform_spec("tiny", "mbt2018", 6, 8))
    with torch.no_grad():
        network.g_a[6].weight.mul_(40)
    torch.save(network.state_dict(), tmp_path / "tiny.pth.tar")
    command = ("import", tmp_path / "tiny.pth.tar", "--family", "compressai", "-o", "mine")
    assert run(*command).exit_code == 0
    folder = workspace / "data" / "train" / "game-48p"
    folder.mkdir(parents=True)
    for number in range(2):
        write_image(folder / f"a_{number}.png", frame)
    return "mine"


def test_an_imported_network_is_shipped(
    run: Run, workspace: Path, imported: str, frame: Frame, tmp_path: Path
) -> None:
    pytest.importorskip("cryptography")
    assert run("keygen", "-o", tmp_path / "me").exit_code == 0
    sign = "--sign", tmp_path / "me.key"
    done = run("bundle", "--model", imported, "--game", "game", *sign, "--json")
    assert done.exit_code == 0, done.stderr
    made = json.loads(done.stdout)
    assert run("verify", made["bundle"], "--key", tmp_path / "me.pub").exit_code == 0
    assert (made["name"], made["qualities"]) == ("game-mine", 1)
    again = run("bundle", "--model", imported, "--game", "game")
    assert (again.exit_code, "--force" in again.stderr) == (2, True)
    checked = run("validate", made["bundle"])
    assert checked.exit_code == 0, checked.stderr
    assert "0 of " in checked.stdout
    assert "14 layers certified again" in checked.stdout
    write_image(tmp_path / "frame.png", frame)
    coded = run(
        "encode", tmp_path / "frame.png", "-o", tmp_path / "f.c3s", "--codec", made["bundle"]
    )
    assert coded.exit_code == 0, coded.stderr
    shown = run(
        "decode", tmp_path / "f.c3s", "-o", tmp_path / "shown.png", "--codec", made["bundle"]
    )
    assert shown.exit_code == 0, shown.stderr
    assert read_image(tmp_path / "shown.png").shape == frame.shape
    found = run("doctor", "--codec", made["bundle"])
    assert "as exported" in found.stdout
    timed = run("bench", "--codec", made["bundle"], "--size", "64x48", "--repeat", "1", "--json")
    assert timed.exit_code == 0, timed.stderr
    assert {"g_a", "h_a", "h_s", "coder"} <= json.loads(timed.stdout)["rows"][0]["encode"][
        "stages"
    ].keys()
    wrong = run(
        "encode", tmp_path / "frame.png", "-o", tmp_path / "g.c3s", "--codec", made["bundle"],
        "--quality", "2",
    )  # fmt: skip
    assert (wrong.exit_code, "one rate point, 1" in wrong.stderr) == (2, True)


def test_an_imported_network_is_evaluated(run: Run, imported: str, tmp_path: Path) -> None:
    made = json.loads(run("bundle", "--model", imported, "--game", "game", "--json").stdout)
    frames = tmp_path / "frames"
    frames.mkdir()
    write_image(
        frames / "frame.png", np.random.default_rng(1).integers(0, 256, (200, 210, 3), np.uint8)
    )
    out = tmp_path / "report"
    done = run(
        "eval", "--codec", made["bundle"], "--data", frames, "--baselines", "webp",
        "--metrics", "psnr", "--out", out,
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert "a bundle with one rate point has no curve" in done.stderr
    rows = json.loads((out / "results.json").read_text())["summaries"]
    (ours,) = [row for row in rows if row["model"] == "ours"]
    assert (ours["quality"], ours["images"]) == (1, 1)
    assert ours["bpp"] > 0
    other = run(
        "eval", "--codec", made["bundle"], "--data", frames, "--qualities", "2", "--out", out
    )
    assert (other.exit_code, "choose from 1" in other.stderr) == (2, True)


def test_commands_that_train_name_the_way_on(run: Run, imported: str, workspace: Path) -> None:
    done = run("validate", imported)
    assert done.exit_code == 2
    assert "c3d-export bundle --model mine" in done.stderr
