"""`train`, `prune`, `finetune`, `export`, `bundle`: from frames to a bundle in one workspace."""

from __future__ import annotations

import functools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from c3d_export.runtime.codec import open_codec
from c3d_export.runtime.images import write_image
from c3d_export.train.service import load_saved

from .conftest import Run
from .test_coding import line_of

TOY = ("--model", "xsmall", "--game", "toy")
SHORT = ("--batch", "1", "--crop", "64")


@pytest.fixture(autouse=True)
def _quick_importance(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same measurement on two crops instead of 128."""
    from c3d_export.prune import importance

    quick = functools.partial(importance.Sampling, batches=1, batch=2, crop=64)
    monkeypatch.setattr(importance, "Sampling", quick)


@pytest.fixture
def toy(workspace: Path, frame: NDArray[np.uint8]) -> Path:
    """A workspace with two training frames of one game."""
    folder = workspace / "data" / "train" / "toy-96p"
    folder.mkdir(parents=True)
    large = np.tile(frame, (2, 2, 1))
    write_image(folder / "a_001.png", large)
    write_image(folder / "a_002.png", np.ascontiguousarray(large[::-1]))
    return workspace


def test_missing_frames_are_told_in_one_line(run: Run, workspace: Path) -> None:
    done = run("prune", "--model", "small", "--game", "imhotep")
    assert done.exit_code == 2
    assert line_of(done.stderr) == (
        f"error: no train frames of imhotep: looked in {workspace / 'data' / 'train'} for"
        " imhotep-<height>p/NNN.png (or .webp, .jpg); make them with"
        " `c3d-export data import FOLDER --game imhotep`"
    )


def test_the_samples_of_a_checkout_are_looked_at_too(
    run: Run, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "samples").mkdir()
    monkeypatch.setattr("c3d_export.data.locate.source_root", lambda: tmp_path)
    done = run("prune", "--model", "small", "--game", "imhotep")
    assert f" and {tmp_path / 'samples' / 'train'} for" in line_of(done.stderr)


def test_a_missing_network_names_the_command(run: Run, toy: Path) -> None:
    done = run("prune", "--model", "small", "--game", "toy")
    assert done.exit_code == 2
    assert line_of(done.stderr).endswith("make one with `c3d-export train --model small`")


def test_from_frames_to_a_bundle(run: Run, toy: Path, tmp_path: Path) -> None:
    # Fast and long enough for layers that start at zero to get weights that can be certified.
    steps = "--steps", "12", "--learning-rate", "1"
    trained = run("train", *TOY, *SHORT, *steps, "--json")
    assert (trained.exit_code, json.loads(trained.stdout)["steps"]) == (0, 12)
    again = run("train", *TOY, "--steps", "2")
    assert (again.exit_code, "--force" in line_of(again.stderr)) == (2, True)

    planned = run("prune", *TOY, "--ratio", "0.15", "--plan", "--json", "--size", "64x64")
    assert planned.exit_code == 0
    assert json.loads(planned.stdout)["ratio"] >= 0.15
    assert "pruning" not in load_saved(toy / "models" / "toy-xsmall").state
    assert "g_a" in run("prune", *TOY, "--ratio", "0.15").stdout
    twice = run("prune", *TOY, "--ratio", "0.15")
    assert (twice.exit_code, "--force" in twice.stderr) == (2, True)

    assert run("finetune", *TOY, *SHORT, "--steps", "1").exit_code == 0
    state = load_saved(toy / "models" / "toy-xsmall").state
    assert [entry["stage"] for entry in state["parents"]] == ["train", "prune"]
    assert (state["stage"], state["steps"], len(state["history"])) == ("tune", 1, 1)
    assert str(tmp_path) not in json.dumps(state)

    exported = run("export", *TOY)
    assert exported.exit_code == 0, exported.stderr
    files = {path.name for path in (toy / "exports" / "toy-xsmall").iterdir()}
    assert len(files) == 13
    assert {"g_a.float.onnx", "certificates.json"} < files

    made = run("bundle", *TOY, "--licence", "CC0-1.0", "--json")
    assert made.exit_code == 0
    codec = open_codec(json.loads(made.stdout)["bundle"])
    assert codec.bundle.manifest["licence"] == "CC0-1.0"
    stages = codec.bundle.manifest["training"]["stages"]
    assert [entry["stage"] for entry in stages] == ["train", "prune", "tune"]
    assert run("bundle", *TOY).exit_code == 2


def test_a_shipped_bundle_is_pruned_where_nothing_was_trained(
    run: Run, toy: Path, bundle_data: bytes, tmp_path: Path
) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "generic-xsmall.c3b").write_bytes(bundle_data)
    assert run("prune", *TOY, "--ratio", "0.15").exit_code == 0
    state = load_saved(toy / "models" / "toy-xsmall").state
    assert state["parents"][0]["stage"] == "bundle"


def test_a_bundle_is_signed_when_it_is_made(
    run: Run, toy: Path, bundle_data: bytes, tmp_path: Path
) -> None:
    pytest.importorskip("cryptography")
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "generic-xsmall.c3b").write_bytes(bundle_data)
    assert run("keygen", "-o", tmp_path / "studio").exit_code == 0
    path, make = tmp_path / "toy.c3b", ("bundle", *TOY, "-o", tmp_path / "toy.c3b", "--json")
    refused = run(*make, "--sign", tmp_path / "studio.pub")
    assert (refused.exit_code, "no private key" in line_of(refused.stderr)) == (2, True)
    assert not path.exists()
    made = run(*make, "--sign", tmp_path / "studio.key")
    assert made.exit_code == 0, made.stderr
    assert json.loads(made.stdout)["bytes"] == path.stat().st_size
    done = run("verify", path, "--key", tmp_path / "studio.pub", "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["trusted"], told["name"]) == (0, True, "toy-xsmall")
    assert told["provenance"]["fitted_to"]["frames"] > 0


def test_a_generic_network_is_slimmed_on_several_games(run: Run, toy: Path) -> None:
    folder = toy / "data" / "train"
    shutil.copytree(folder / "toy-96p", folder / "other-96p")
    games = "--model", "xsmall", "--games", "toy,other"
    assert run("train", *games, *SHORT, "--steps", "1").exit_code == 0
    small = "--size", "64x64", "--threads", "1"
    done = run("prune", *games, "--ratio", "0.1", "--plan", *small)
    assert "cannot shrink" in done.stdout, done.stderr
    (table,) = (toy / "latency").iterdir()
    shared = json.loads(table.read_text())["graphs"]
    now = sum(ms for name, ms in next(iter(shared.values())).items() if name not in ("g_a", "h_a"))
    goal = f"{0.99 * now:.9f}"
    slim = run("prune", *games, "--target-ms", goal, "--of", "decode", *small, "--json")
    assert slim.exit_code == 0, slim.stderr
    state = load_saved(toy / "models" / "generic-xsmall").state
    assert sorted(state["frames"]["games"]) == ["other", "toy"]
    history = state["pruning"]["milliseconds"]
    assert history["host"]["size"] == "64x64"
    assert history["decode"]["then"] <= float(goal) < history["decode"]["now"]
    assert "--games toy,other --target-ms" in state["command"]
    twice = run("prune", *games, "--ratio", "0.1")
    assert "train --model xsmall --games A,B,C --from generic-xsmall" in line_of(twice.stderr)


def test_training_goes_on_from_a_model(run: Run, toy: Path) -> None:
    assert run("train", *TOY, *SHORT, "--steps", "1").exit_code == 0
    first = load_saved(toy / "models" / "toy-xsmall")
    onward = ("train", *TOY, *SHORT, "--steps", "1", "--from", "toy-xsmall")
    assert run(*onward).exit_code == 2, "it would replace what it starts from"
    assert run(*onward, "--force", "--learning-rate", "1e-9").exit_code == 0
    second = load_saved(toy / "models" / "toy-xsmall")
    assert [entry["stage"] for entry in second.state["parents"]] == ["train"]
    assert "--from toy-xsmall" in second.state["command"]
    # Not all are the same: dead units are revived before the first step.
    for layer in ("g_a.linear", "g_s.pixels", "g_s.enter"):
        weights = [model.network.get_submodule(layer).weight for model in (first, second)]
        assert torch.allclose(*weights, atol=1e-4), layer


def test_a_network_is_tuned_by_a_teacher(run: Run, toy: Path) -> None:
    short = *SHORT, "--steps", "1"
    assert run("train", *TOY, *short).exit_code == 0
    shutil.copytree(toy / "models" / "toy-xsmall", toy / "models" / "full")
    assert run("prune", *TOY, "--ratio", "0.15").exit_code == 0
    how = "--teacher", "full", "--decay", "linear", "--average", "0.5"
    done = run("finetune", *TOY, *short, *how, "--teacher-weight", "0.25")
    assert done.exit_code == 0, done.stderr
    command = load_saved(toy / "models" / "toy-xsmall").state["command"]
    assert "--decay linear" in command
    assert "--average 0.5 --teacher full --teacher-weight 0.25" in command
    missing = run("finetune", *TOY, *short, "--teacher", "none")
    assert (missing.exit_code, "no model none in" in missing.stderr) == (2, True)


def test_a_stopped_run_is_resumed(run: Run, toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from c3d_export.train.loop import Trainer

    step = Trainer.train_step

    def stop(self: Trainer) -> tuple[float, float, float]:
        if self.step == 1:
            self.save()
            raise KeyboardInterrupt
        return step(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train_step", stop)
        stopped = run("train", *TOY, *SHORT, "--steps", "2")
    assert stopped.exit_code == 130
    assert "--resume" in stopped.stderr
    assert run("train", *TOY, *SHORT, "--steps", "2").exit_code == 2
    assert run("train", *TOY, *SHORT, "--steps", "2", "--resume").exit_code == 2
    assert run("train", *TOY, "--batch", "2", "--seed", "5", "--resume").exit_code == 0
    state = load_saved(toy / "models" / "toy-xsmall").state
    assert state["steps"] == 2
    # What made it, and not what this line would have made.
    assert "--batch 1 --crop 64" in state["command"]
    assert (state["seed"], "--seed 5" in state["command"]) == (0, False)


def test_damaged_frames_end_a_command_in_one_line(
    run: Run, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decoded one with exit code 5; one of the workspace is left out."""
    bad = toy / "data" / "train" / "toy-96p" / "a_000.png"
    bad.write_bytes(b"no picture")
    command = ("train", *TOY, *SHORT, "--steps", "1", "--force")
    done = run(*command)
    assert done.exit_code == 0
    assert f"skipped {bad}: cannot read the image: it is no PNG" in done.stderr
    bad.unlink()
    for decoded in (toy / "decoded").glob("*.rgb"):
        data = decoded.read_bytes()
        decoded.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    done = run(*command)
    assert done.exit_code == 5
    assert "is damaged" in line_of(done.stderr)
    shutil.rmtree(toy / "decoded")
    monkeypatch.setattr("c3d_export.cli.gathering._MUCH", 1)
    done = run(*command)
    assert done.exit_code == 0
    assert f"0.0 GB more in {toy / 'decoded'}; 69 GB stay, those used last" in done.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("train", *TOY, "--steps", "1", "--minutes", "1"), "not both"),
        (("train", *TOY, "--minutes", "0"), "more than 0"),
        (("train", *TOY, "--quantize-from", "2"), "no share"),
        (("train", *TOY, "--crop", "100"), "multiple of 64"),
        (("train", *TOY, "--resume"), "no checkpoint to resume"),
        (("train", "--model", "huge"), "unknown model"),
        (("train", *TOY, "--games", "a"), "not both"),
        (("prune", *TOY, "--ratio", "0.1", "--to", "xsmall"), "at most one"),
        (("prune", *TOY, "--target-ms", "9", "--ratio", "0.1"), "at most one"),
        (("prune", *TOY, "--games", "toy,other"), "one of --game NAME and --games"),
        (("prune", *TOY, "--to", "huge"), "unknown model"),
        (("bundle", "--model", "huge"), "unknown model"),
    ],
)
def test_contradictions_are_told_in_one_line(
    run: Run, toy: Path, args: tuple[str, ...], said: str
) -> None:
    done = run(*args)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in line_of(done.stderr)
