"""A coarse-to-fine network of a workspace: bundled, proved, coded with and timed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from c3d_export.models.c2f.network import build_network
from c3d_export.models.c2f.saving import save
from c3d_export.models.c2f.spec import SIZES, C2FSpec
from c3d_export.prune.published.families import scaled, with_widths
from c3d_export.quantize.post import c2f_tables
from c3d_export.runtime.bundle import read_bundle
from c3d_export.runtime.images import read_image, write_image

from .conftest import Frame, Run
from .test_coding import line_of

TOY = with_widths(SIZES["c2f-xsmall"], scaled(SIZES["c2f-xsmall"], 1 / 8)).renamed("c2f-toy")


@pytest.fixture(params=[TOY, TOY.without_z1()], ids=["z1", "without-z1"])
def spec(request: pytest.FixtureRequest) -> C2FSpec:
    made: C2FSpec = request.param
    return made


@pytest.fixture
def trained(workspace: Path, spec: C2FSpec, frame: Frame) -> str:
    """The name of a model of a game that has two frames, of two sizes."""
    name = f"game-{spec.name}-q6"
    path = workspace / "models" / name / "model.safetensors"
    path.parent.mkdir(parents=True)
    network = build_network(spec, seed=1)
    with torch.no_grad():
        network.g_a[-1].weight.mul_(40)
    save(path, network, {"name": name, "stage": "train", "steps": 2})
    folder = workspace / "data" / "train" / "game-96p"
    folder.mkdir(parents=True)
    write_image(folder / "a_0.png", np.tile(frame, (2, 2, 1)))
    write_image(folder / "a_1.png", np.ascontiguousarray(np.tile(frame, (2, 2, 1))[::-1, :77]))
    return name


def made_by(run: Run, *args: object) -> dict[str, Any]:
    done = run(*args, "--json")
    assert done.exit_code == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.fixture
def _plain_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables of one scale take no time; those of all are tested elsewhere."""
    table = c2f_tables.cheapest_table(c2f_tables.gaussian(0.0, 1.0))
    monkeypatch.setattr(c2f_tables, "cheapest_table", lambda masses: table)


@pytest.mark.usefixtures("_plain_tables")
def test_a_trained_network_is_shipped(
    run: Run, trained: str, spec: C2FSpec, frame: Frame, tmp_path: Path
) -> None:
    made = made_by(run, "bundle", "--model", trained, "--game", "game", "--licence", "CC0-1.0")
    assert (made["name"], made["qualities"]) == (trained, 1), "the game is in the name once"
    path = Path(made["bundle"])
    assert (path.name, path.stat().st_size) == (f"{trained}.c3b", made["bytes"])
    manifest = read_bundle(path).manifest
    assert (manifest["family"], manifest["game"], manifest["licence"]) == ("c2f", "game", "CC0-1.0")
    assert manifest["training"] == {"stages": [{"name": trained, "stage": "train", "steps": 2}]}

    frames = _folder(tmp_path, frame)
    if spec.coarse is None:
        shown = run("validate", path)
        assert shown.exit_code == 0, shown.stderr
        assert shown.stdout.startswith("0 of ")
        assert "24 layers certified again" in shown.stdout
    else:
        report = made_by(run, "validate", path, "--frames", frames)
        assert report["certificates"] == 33
        assert {row["subject"] for row in report["integers"]} == {"noise", "known frame", "one.png"}
        assert sum(row["differing"] for row in report["integers"]) == 0
        assert [row["subject"] for row in report["psnr"]] == ["one.png"]

    coded, back = tmp_path / "f.c3s", tmp_path / "back.png"
    for command in (
        ("encode", frames / "one.png", "-o", coded, "--codec", trained),
        ("decode", coded, "-o", back),
    ):
        done = run(*command)
        assert done.exit_code == 0, done.stderr
    assert read_image(back).shape == frame.shape

    found = run("doctor", "--codec", path)
    assert f"{trained} {made['codec_id']}: as exported" in found.stdout
    stages = made_by(run, "bench", "--codec", path, "--size", "64x48", "--repeat", "1")["rows"][0]
    sides = {"side3"} if spec.coarse is None else {"side2", "side3"}
    assert sides | {"g_a", "coder"} <= stages["encode"]["stages"].keys()
    assert sides | {"g_s", "coder"} <= stages["decode"]["stages"].keys()
    assert not {"features", "picture"} & stages["encode"]["stages"].keys()


def _folder(tmp_path: Path, frame: Frame) -> Path:
    folder = tmp_path / "frames"
    folder.mkdir()
    write_image(folder / "one.png", frame)
    return folder


@pytest.mark.usefixtures("_plain_tables")
@pytest.mark.parametrize("spec", [TOY.without_z1()], ids=["without-z1"])
def test_names_have_the_game_once(run: Run, trained: str, workspace: Path) -> None:
    """That of a network without a game is put before it; without --game it is its own."""
    models = workspace / "models"
    (models / trained).rename(models / "mine")
    for options, name in (
        (("mine", "--game", "game"), "game-mine"),
        (("mine",), "mine"),
    ):
        assert made_by(run, "bundle", "--model", *options)["name"] == name
    again = run("bundle", "--model", "mine")
    assert (again.exit_code, "--force" in line_of(again.stderr)) == (2, True)
    assert made_by(run, "bundle", "--model", "mine", "--force")["name"] == "mine"


@pytest.mark.parametrize("spec", [TOY.without_z1()], ids=["without-z1"])
def test_frames_that_cannot_be_read_are_told(run: Run, trained: str, workspace: Path) -> None:
    for path in (workspace / "data" / "train" / "game-96p").iterdir():
        path.write_bytes(b"no image")
    done = run("bundle", "--model", trained, "--game", "game")
    assert done.exit_code == 2
    assert "skipped" in done.stderr
    assert "no frames to calibrate the integers with" in done.stderr.splitlines()[-1]
    assert not (workspace / "bundles").exists()


@pytest.mark.usefixtures("_plain_tables")
@pytest.mark.parametrize("spec", [TOY.without_z1()], ids=["without-z1"])
def test_a_differing_integer_fails_the_validation(
    run: Run, trained: str, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no codec opens where one differs."""
    from c3d_export.runtime.c2f.level import Level

    path = made_by(run, "bundle", "--model", trained)["bundle"]
    call = Level.__call__

    def wrong(self: Level, z: Any) -> Any:
        h, index, mean = call(self, z)
        mean[0, 0, 0] ^= 1
        return h, index, mean

    monkeypatch.setattr(Level, "__call__", wrong)
    done = run("validate", path)
    assert done.exit_code == 3
    assert "does not decode alike everywhere" in line_of(done.stderr)
    coded = run("encode", images / "a.png", "-o", tmp_path / "a.c3s", "--codec", path)
    assert coded.exit_code == 4
    assert "run c3d-export doctor" in line_of(coded.stderr)
    assert not (tmp_path / "a.c3s").exists()
