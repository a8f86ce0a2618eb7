"""`c3d-export train --task sr`, from frames to a bundle."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from c3d_export.cli.main import main
from c3d_export.runtime.images import Frame, write_image
from c3d_export.superres.rcan import open_rcan
from c3d_export.superres.resample import downscale

pytest.importorskip("torch")
pytest.importorskip("onnx")


@pytest.fixture
def workspace(tmp_path: Path, discs: list[Frame]) -> Path:
    for split, frames in (("train", discs[:3]), ("validation", discs[3:])):
        folder = tmp_path / "data" / split / "discs-72p"
        folder.mkdir(parents=True)
        for index, frame in enumerate(frames):
            write_image(folder / f"a_{index:03}.png", frame)
    return tmp_path


def _run(workspace: Path, *arguments: str) -> Result:
    common = ["train", "--workspace", str(workspace), "--task", "sr", "--games", "discs"]
    return CliRunner().invoke(main, [*common, *arguments])


def _train(workspace: Path, *arguments: str) -> Result:
    return _run(workspace, "--crop", "64", "--batch", "1", *arguments)


def test_from_frames_to_a_bundle(workspace: Path, discs: list[Frame]) -> None:
    done = _train(workspace, "--steps", "3", "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["steps"] == 3
    assert said["validation_frames"] == 1
    assert set(said["psnr"]) == {"bicubic", "lanczos", "rcan"}
    path = workspace / "bundles" / "discs-x2.c3u"
    assert said["path"] == str(path)
    upscaler = open_rcan(path, threads=1)
    assert upscaler(downscale(discs[0], 2), (72, 96), 2).shape == (72, 96, 3)
    training = upscaler.bundle.manifest["training"]
    assert training["frames"]["games"] == {"discs": 3}
    assert "--factor 2 --steps 3" in training["command"]
    assert str(workspace) not in json.dumps(upscaler.bundle.manifest)
    assert not list((workspace / "runs" / "discs-x2").glob("checkpoint*"))

    again = _train(workspace, "--steps", "3")
    assert again.exit_code == 2
    assert "add --force" in again.stderr
    tuned = _train(workspace, "--steps", "2", "--force", "--from", "discs-x2")
    assert tuned.exit_code == 0, tuned.output
    assert "PSNR of 1 validation frames in dB: bicubic" in tuned.stderr
    other = _train(workspace, "--steps", "2", "--factor", "4", "--from", "discs-x2")
    assert other.exit_code == 2
    assert "enlarges 2 times, not 4" in other.stderr


def test_a_stopped_run_is_resumed(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from c3d_export.superres.training import SrTrainer

    step = SrTrainer.train_step

    def stopping(self: SrTrainer) -> float:
        if self.step == 2:
            self.save()
            raise KeyboardInterrupt
        return step(self)

    monkeypatch.setattr(SrTrainer, "train_step", stopping)
    stopped = _train(workspace, "--steps", "4")
    assert stopped.exit_code != 0
    assert "stopped at step 2" in stopped.stderr
    monkeypatch.undo()
    assert "unfinished run" in _train(workspace, "--steps", "4").stderr
    resumed = _train(workspace, "--resume", "--json")
    assert resumed.exit_code == 0, resumed.output
    assert json.loads(resumed.stdout)["steps"] == 4
    assert "no checkpoint to resume" in _train(workspace, "--resume").stderr


def test_training_on_what_a_codec_decodes(workspace: Path, tiny_path: Path) -> None:
    done = _train(workspace, "--steps", "1", "--codec", str(tiny_path), "--qualities", "1,2")
    assert done.exit_code == 0, done.output
    manifest = open_rcan(workspace / "bundles" / "discs-x2.c3u").bundle.manifest
    assert manifest["training"]["codec"] == "tiny"
    assert manifest["training"]["qualities"] == [1, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "small"], "--model means nothing to --task sr"),
        (["--teacher", "x"], "--teacher means nothing to --task sr"),
        (["--quantize-from", "0.5"], "--quantize-from means nothing to --task sr"),
        (["--task", "codec", "--factor", "3"], "--factor means nothing to --task codec"),
        (["--task", "codec", "--codec", "x"], "--codec means nothing to --task codec"),
        (["--factor", "5"], "cannot enlarge 5 times; choose from 2, 3, 4"),
        (["--qualities", "3"], "name it with --codec"),
        (["--codec", "nowhere.c3b"], "no bundle nowhere.c3b"),
        (["--steps", "3", "--minutes", "1"], "either --steps or --minutes"),
        (["--resume", "--steps", "3"], "keeps its schedule"),
        (["--crop", "70"], "--crop 70 is no multiple of 4"),
        (["--crop", "128"], "a side of 72 pixels"),
        (["--minutes", "0"], "must be more than 0"),
        (["--from", "none", "--steps", "1"], "no up-scaler none in"),
        (["--game", "discs"], "either --game or --games"),
    ],
)
def test_what_cannot_be_is_one_line(arguments: list[str], message: str, workspace: Path) -> None:
    crop = [] if "--crop" in arguments else ["--crop", "64"]
    done = _run(workspace, *crop, "--batch", "1", *arguments)
    assert done.exit_code == 2, done.output
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_a_gpu_cuda_is_refused(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    done = _train(workspace, "--steps", "1", "--device", "cuda")
    assert done.exit_code == 4
    assert "no CUDA device" in done.stderr


def test_games_without_frames(tmp_path: Path) -> None:
    done = _run(tmp_path, "--steps", "1")
    assert done.exit_code == 2
    assert "data import" in done.stderr


def test_without_validation_frames_the_gain_is_not_told(workspace: Path) -> None:
    (workspace / "data" / "validation" / "discs-72p").rename(workspace / "elsewhere")
    done = _train(workspace, "--steps", "1")
    assert done.exit_code == 0, done.output
    assert "discs has no validation frames" in done.stderr
    assert "PSNR" not in done.stderr


def test_without_torch_it_says_what_to_install(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    done = _run(workspace, "--steps", "1")
    assert done.exit_code == 4
    assert "training needs torch; run pip install 'c3d-export[train]'" in done.stderr


def test_the_help_names_both_tasks() -> None:
    done = CliRunner().invoke(main, ["train", "--help"])
    assert "--task [codec|sr]" in done.stdout
    assert "c3d-export train --task sr" in done.stdout


def test_discs_are_what_a_network_can_learn(discs: list[Frame]) -> None:
    """A guard of the fixture: enlarged frames must leave something to be gained."""
    from c3d_export.superres.upscalers import FIXED

    large = FIXED["bicubic"](downscale(discs[0], 2), (72, 96), 2)
    assert np.abs(large.astype(int) - discs[0]).max() > 30
