"""`validate`: the proof that a user runs, as a table, as JSON and as a page."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

from c3d_export.deploy import matrix
from c3d_export.models.klt import initialize_from_frames
from c3d_export.models.network import build_network
from c3d_export.models.spec import SIZES
from c3d_export.runtime.archive import unpack_archive
from c3d_export.runtime.bundle import FLAVOURS, GRAPHS
from c3d_export.runtime.sessions import LEVELS
from c3d_export.train.service import SavedModel, save

from .conftest import Run, _leave_zero
from .test_coding import line_of

Frame = NDArray[np.uint8]
Repack = Callable[..., bytes]


@pytest.fixture
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two configurations and one small grid and frame, where a test is about something else."""
    chosen = (matrix.Configuration("qlinear", "all", 1), matrix.Configuration("float", "none", 2))
    monkeypatch.setattr(matrix, "available", lambda bundle: (chosen, ()))
    monkeypatch.setattr(matrix, "GRIDS", ((1, 1),))
    monkeypatch.setattr(matrix, "SMALL_SIZES", ((17, 31),))


def test_a_bundle_validates_in_every_way(run: Run, bundle: Path) -> None:
    done = run("validate", bundle, "--json")
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["bundle"], report["exact"], report["differing"]) == ("tiny", True, 0)
    assert report["compared"] > 100_000
    assert report["divergence"] is None
    assert report["float"] is None
    assert {"onnxruntime", "numpy", "torch", "cpu"} <= report["environment"].keys()
    rows = report["rows"]
    ways = {(r["flavour"], r["level"], r["threads"]) for r in rows if r["device"] == "cpu"}
    assert len(ways) == len(FLAVOURS) * len(LEVELS) * 3
    assert {r["what"] for r in rows} == {*GRAPHS, "frame", "known answers"}
    layers = {c["layer"] for c in report["certificates"]}
    assert len(report["certificates"]) == 2 * len(layers) > 60


@pytest.mark.usefixtures("_few")
def test_the_table_fits_in_a_hundred_columns(run: Run, bundle: Path, images: Path) -> None:
    done = run("validate", bundle, "--frames", images)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0].startswith("tiny: 0 of ")
    table = lines[: next(k for k, line in enumerate(lines) if line.startswith("ways: "))]
    assert max(len(line.rstrip()) for line in table) <= 100
    assert any(line.split()[:2] == ["a.png", "64x48"] for line in table)
    assert "certificates of" in done.stdout


@pytest.mark.usefixtures("_few")
def test_frames_are_a_few_without_thorough(
    run: Run, bundle: Path, images: Path, frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "cd":
        (images / f"{name}.png").write_bytes((images / "a.png").read_bytes())
    monkeypatch.setattr(matrix, "LARGE_SIZE", (80, 112))
    monkeypatch.setattr(matrix, "LARGE_GRID", (2, 3))
    told = [
        json.loads(run("validate", bundle, "--frames", images, "--json", *more).stdout)["rows"]
        for more in ((), ("--thorough",))
    ]
    few, all_of_them = ({row["name"] for row in rows} for rows in told)
    assert len(few & {"a.png", "b.png", "c.png", "d.png"}) == 2
    assert {"a.png", "b.png", "c.png", "d.png", "known frames"} <= all_of_them
    assert "3x2" in {row["size"] for row in told[1]} - {row["size"] for row in told[0]}


@pytest.mark.usefixtures("_few")
def test_the_page_is_written(run: Run, bundle: Path, tmp_path: Path) -> None:
    page = tmp_path / "proof.html"
    done = run("validate", bundle, "--report", page)
    assert done.exit_code == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert "Exact. tiny: 0 of " in text
    assert "onnxruntime" in text


@pytest.mark.usefixtures("_few")
def test_one_differing_bit_is_three(
    run: Run, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from c3d_export.deploy import validate

    whole = validate.reference_outputs

    def wrong(net: Any, graph: str, feed: Any) -> dict[str, NDArray[Any]]:
        outputs = whole(net, graph, feed)
        if graph == "h_a":
            outputs["z"] = outputs["z"].copy()
            outputs["z"][0, 0, 0] += 1
        return outputs

    monkeypatch.setattr(validate, "reference_outputs", wrong)
    page = tmp_path / "proof.html"
    done = run("validate", bundle, "--report", page)
    assert done.exit_code == 3
    assert "h_a 1x1 differs in 1 of" in done.stderr.splitlines()[-1]
    assert "values differ" in done.stdout
    assert "Not exact." in page.read_text(encoding="utf-8")


@pytest.mark.usefixtures("_few")
def test_a_pad_that_was_changed_is_three_and_its_node_is_named(
    run: Run, bundle: Path, repack: Repack
) -> None:
    """The weights are those of the certificates, so that the graphs must tell."""
    data, member = bundle.read_bytes(), "graphs/h_s.float"
    model = onnx.load_from_string(unpack_archive(data)[member])
    (node,) = (n for n in model.graph.node if n.name == "conv3.sum")
    (pads,) = (a for a in node.attribute if a.name == "pads")
    pads.ints[:] = [2, 1, 0, 1]
    bundle.write_bytes(repack(data, {member: model.SerializeToString()}))
    done = run("validate", bundle)
    assert done.exit_code == 3
    said = "node conv3.sum (Conv) of layer h_s.conv3 in graph h_s"
    assert f"first divergence: {said}" in done.stdout
    assert said in line_of("\n".join(done.stderr.splitlines()[-1:]))


@pytest.mark.usefixtures("_few")
def test_an_edited_certificate_is_three(
    run: Run, bundle: Path, repack: Repack, tmp_path: Path
) -> None:
    def edit(manifest: dict[str, Any]) -> None:
        manifest["certificates"][3]["largest_sum"] -= 1

    bundle.write_bytes(repack(bundle.read_bytes(), None, edit))
    page = tmp_path / "proof.html"
    done = run("validate", bundle, "--report", page)
    assert done.exit_code == 3
    assert "largest_sum is" in done.stderr.splitlines()[-1]
    assert "certificates do not hold" in done.stdout
    assert "but the manifest says" in page.read_text(encoding="utf-8")


@pytest.mark.usefixtures("_few")
def test_the_float_network_of_a_bundle(run: Run, bundle: Path, images: Path) -> None:
    done = run("validate", bundle, "--frames", images, "--float", "--json")
    assert done.exit_code == 0
    told = json.loads(done.stdout)["float"]
    assert told["trained"] is False
    assert {(r["frame"], r["quality"]) for r in told["rates"]} == {
        (name, quality) for name in ("a.png", "b.png") for quality in (1, 2, 3)
    }
    shown = run("validate", bundle, "--float").stdout
    assert "the integer network's own weights" in shown
    assert "float dB" in shown


@pytest.mark.usefixtures("_few")
def test_a_model_of_the_workspace_is_validated_with_its_float_network(
    run: Run, workspace: Path, frame: Frame
) -> None:
    network = build_network(replace(SIZES["xsmall"], qualities=3))
    initialize_from_frames(network, [torch.from_numpy(frame.copy())], [1.0])
    _leave_zero(network)
    folder = workspace / "models" / "toy-xsmall"
    folder.mkdir(parents=True)
    save(folder, SavedModel(network, {"stage": "train", "name": "toy-xsmall"}))
    done = run("validate", "toy-xsmall", "--json")
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["bundle"], report["exact"]) == ("toy-xsmall", True)
    assert report["float"]["trained"] is True


def test_validating_what_does_not_exist_names_the_commands(run: Run) -> None:
    done = run("validate", "nothing")
    assert done.exit_code == 2
    assert "`c3d-export train --model small`" in line_of(done.stderr)


def test_a_folder_without_images_is_two_and_with_bad_ones_three(
    run: Run, bundle: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    assert run("validate", bundle, "--frames", folder).exit_code == 2
    (folder / "a.png").write_bytes(b"no")
    done = run("validate", bundle, "--frames", folder)
    assert done.exit_code == 3
    assert "skipped" in done.stderr
