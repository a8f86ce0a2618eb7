"""`train` of a published network: its options, its stages, what it leaves in the workspace."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export.cli.published_options import Published, resolve
from c3d_export.models.c2f.saving import load
from c3d_export.models.c2f.spec import SIZES
from c3d_export.models.mbt.spec import MbtSpec
from c3d_export.models.saving import load as load_any
from c3d_export.prune.published.families import scaled, with_widths
from c3d_export.runtime.images import write_image

from .conftest import Run
from .test_coding import line_of

SPEC = with_widths(SIZES["c2f-xsmall"], scaled(SIZES["c2f-xsmall"], 1 / 8)).renamed("c2f-toy")
TOY = ("train", "--model", "c2f-toy", "--game", "toy", "--quality", "6")
SHORT = ("--batch", "1", "--crop", "64", "--steps", "2")


@pytest.fixture(autouse=True)
def _toy_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, "c2f-toy", SPEC)


@pytest.fixture
def toy(workspace: Path, frame: NDArray[np.uint8]) -> Path:
    folder = workspace / "data" / "train" / "toy-192p"
    folder.mkdir(parents=True)
    write_image(folder / "a_001.png", np.tile(frame, (4, 3, 1)))
    return workspace


def test_a_network_is_trained_and_tuned(run: Run, toy: Path) -> None:
    trained = run(*TOY, *SHORT, "--without-z1", "--json")
    assert trained.exit_code == 0, trained.stderr
    result = json.loads(trained.stdout)
    assert (result["model"], result["steps"]) == ("toy-c2f-toy-without-z1-q6", 2)
    network, state = load(Path(result["path"]))
    assert network.spec == SPEC.without_z1()
    assert state["config"]["weight"] == pytest.approx(4 * 0.004)
    assert (state["config"]["schedule"], state["config"]["learning_rate"]) == ("app-specific", 0.0)
    assert not (toy / "runs" / result["model"] / "checkpoint.safetensors").exists()

    again = run(*TOY, *SHORT, "--without-z1")
    assert (again.exit_code, "--force" in line_of(again.stderr)) == (2, True)

    more = ("--distortion", "ms-ssim", "--mse-base", "--crop", "192", "--force")
    tuned = run(*TOY, *SHORT, "--without-z1", "--from", result["model"], *more)
    assert tuned.exit_code == 0, tuned.stderr
    assert ": 2 steps in 0:" in tuned.stderr
    _, state = load(Path(result["path"]))
    assert (state["from"], state["config"]["schedule"]) == (result["model"], "app-specific-tune")
    assert (state["config"]["weight"], state["config"]["base"]) == (60.5, pytest.approx(0.016))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--quality", "6", "--minutes", "3"), "--minutes: not for published models"),
        (("--quality", "6", "--decay", "late"), "--decay: not for published models"),
        (("--quality", "6", "--from", "none"), "no model none"),
        (("--quality", "9", "--distortion", "ms-ssim"), "choose 1 to 8"),
        (("--quality", "6", "--distortion", "ms-ssim", "--crop", "128"), "161 pixels"),
        (("--quality", "6", "--resume"), "no checkpoint"),
        ((), "give --quality"),
    ],
)
def test_what_cannot_be(run: Run, toy: Path, options: tuple[str, ...], told: str) -> None:
    done = run("train", "--model", "c2f-toy", "--game", "toy", *options)
    assert done.exit_code == 2, done.stderr
    assert told in line_of(done.stderr)
    assert not (toy / "models").exists()
    assert not (toy / "runs").exists()


def test_other_sizes(run: Run, toy: Path) -> None:
    done = run("train", "--model", "c2f-huge", "--game", "toy", "--quality", "6")
    assert (done.exit_code, "c2f-xsmall" in line_of(done.stderr)) == (2, True)
    done = run("train", "--model", "small", "--game", "toy", "--distortion", "mse")
    assert done.exit_code == 2
    assert "--distortion: only for published models" in line_of(done.stderr)


def test_mbt_of_other_widths(run: Run, toy: Path) -> None:
    mbt = ("train", "--model", "mbt2018-mean", "--game", "toy", "--widths", "8,12", *SHORT)
    trained = run(*mbt, "--quality", "4", "--json")
    assert trained.exit_code == 0, trained.stderr
    result = json.loads(trained.stdout)
    assert result["model"] == "toy-mbt2018-mean-8x12-q4"
    saved = load_any(Path(result["path"]))
    assert (saved.family.name, saved.network.spec.latents) == ("mbt", 12)
    assert saved.state["config"]["schedule"] == "study"
    rate = {"quality": 4, "distortion": "mse", "weight": 0.013}
    assert saved.state["rate"] == rate

    more = ("--distortion", "ms-ssim", "--mse-base", "--crop", "192")
    tuned = run(*mbt, *more, "--quality", "3", "--from", result["model"], "--json")
    assert tuned.exit_code == 0, tuned.stderr
    saved = load_any(Path(json.loads(tuned.stdout)["path"]))
    assert (saved.state["config"]["weight"], saved.state["config"]["base"]) == (8.73, 0.0067)
    assert [parent["name"] for parent in saved.state["parents"]] == [result["model"]]
    assert saved.state["command"].endswith(
        "--from toy-mbt2018-mean-8x12-q4 --quality 3 --distortion ms-ssim --mse-base --widths 8,12"
    )

    other = run("train", "--model", "mbt2018", "--game", "toy", "--widths", "8,12", "--quality",
                "4", "--from", result["model"])  # fmt: skip
    assert (other.exit_code, "finetune --model" in line_of(other.stderr)) == (2, True)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("mbt2018", "--quality", "9"), "choose 1 to 8"),
        (("mbt2018-9", "--quality", "8"), "mbt2018-mean-8"),
        (("mbt2018", "--quality", "4", "--without-z1"), "--without-z1: only for c2f"),
        (("mbt2018", "--quality", "4", "--widths", "12"), "as 128,192"),
        (("mbt2018", "--quality", "4", "--widths", "0,12"), "a width is 0"),
        (("c2f-toy", "--quality", "4", "--widths", "8,12"), "--widths: only for mbt2018"),
        (("mbt2018-mean-8", "--quality", "4", "--schedule", "app-specific"), "coarse-to-fine"),
        (("mbt2018-mean",), "give --quality"),
    ],
)
def test_what_the_families_have_not(
    run: Run, toy: Path, options: tuple[str, ...], told: str
) -> None:
    done = run("train", "--game", "toy", "--model", *options)
    assert (done.exit_code, done.stdout) == (2, "")
    assert told in line_of(done.stderr)
    assert not (toy / "models").exists()
    assert not (toy / "runs").exists()


@pytest.mark.parametrize(
    ("size", "quality", "wanted"),
    [
        ("mbt2018-mean", 2, ("mbt2018-mean", 128, 192, 2)),
        ("mbt2018-mean", 5, ("mbt2018-mean", 192, 320, 5)),
        ("mbt2018-7", None, ("mbt2018-7", 192, 320, 7)),
        ("mbt2018-7", 3, ("mbt2018-7", 192, 320, 3)),
    ],
)
def test_widths_of_names(size: str, quality: int | None, wanted: tuple[str, int, int, int]) -> None:
    spec, options = resolve(size, Published(quality=quality))
    assert isinstance(spec, MbtSpec)
    assert (spec.name, spec.hyper, spec.latents, options.quality) == wanted


def test_an_unfinished_run_goes_on(run: Run, toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from c3d_export.train.staged import StagedTrainer

    step = StagedTrainer.step

    def stop(trainer: StagedTrainer):  # type: ignore[no-untyped-def]
        if trainer.done == 1:
            raise KeyboardInterrupt
        return step(trainer)

    monkeypatch.setattr(StagedTrainer, "step", stop)
    stopped = run(*TOY, *SHORT)
    assert stopped.exit_code != 0
    assert "stopped at step 1" in stopped.stderr
    monkeypatch.setattr(StagedTrainer, "step", step)
    refused = run(*TOY, *SHORT)
    assert (refused.exit_code, "--resume" in line_of(refused.stderr)) == (2, True)
    frames = toy / "data" / "train" / "toy-192p"
    (frames / "b_001.png").write_bytes((frames / "a_001.png").read_bytes())
    others = run(*TOY, "--resume")
    assert (others.exit_code, "not those that" in line_of(others.stderr)) == (2, True)
    (frames / "b_001.png").unlink()
    another = run(*TOY, "--distortion", "ms-ssim", "--crop", "192", "--resume")
    assert (another.exit_code, "another --quality" in line_of(another.stderr)) == (2, True)
    resumed = run(*TOY, "--resume", "--json")
    assert (resumed.exit_code, json.loads(resumed.stdout)["steps"]) == (0, 2)
