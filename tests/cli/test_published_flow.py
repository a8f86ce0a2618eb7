"""A checkpoint of each published family on its way: import, prune, finetune, train on, bundle."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from c3d_export.models.c2f.spec import SIZES
from c3d_export.models.mbt.network import build_network
from c3d_export.models.mbt.spec import uniform_spec
from c3d_export.models.saving import Saved, load
from c3d_export.prune.published.apply import replay
from c3d_export.prune.published.families import scaled, widths_of
from c3d_export.runtime.bundle import read_bundle
from c3d_export.runtime.images import read_image, write_image

from ..models.c2f.legacy import checkpoint
from ..models.c2f.specs import SMALL
from .conftest import Run
from .test_coding import line_of

SHORT = ("--batch", "1", "--crop", "64", "--steps", "2", "--learning-rate", "0.001")
GAME = ("--game", "toy")


@pytest.fixture(autouse=True)
def _quick_importance(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same measurement on one crop instead of 128."""
    from c3d_export.prune import importance

    monkeypatch.setattr(importance, "Sampling", functools.partial(_quick, importance.Sampling))


def _quick(sampling: Any, crop: int = 64, seed: int = 0) -> Any:
    return sampling(batches=1, batch=1, crop=crop, seed=seed)


@pytest.fixture
def toy(workspace: Path, frame: NDArray[np.uint8]) -> Path:
    folder = workspace / "data" / "train" / "toy-192p"
    folder.mkdir(parents=True)
    write_image(folder / "a_001.png", np.tile(frame, (4, 3, 1)))
    return workspace


def _saved(workspace: Path, name: str) -> Saved:
    return load(workspace / "models" / name / "model.safetensors")


def _mbt(path: Path) -> str:
    """Of CompressAI, as its training script saves it. The family's name is returned."""
    network = build_network(uniform_spec("tiny", "mbt2018", 16, 24), seed=2)
    with torch.no_grad():
        network.g_a[6].weight.mul_(40)
    torch.save({"epoch": 2, "state_dict": network.state_dict()}, path)
    return "compressai"


def _c2f(path: Path) -> str:
    torch.save(checkpoint(SMALL, training=True, prefix="module."), path)
    return "c2f"


@pytest.fixture(params=[_mbt, _c2f], ids=["mbt", "c2f"])
def imported(request: pytest.FixtureRequest, run: Run, toy: Path, tmp_path: Path) -> Path:
    """The workspace, which has a model `mine` of two frames of the game `toy`."""
    path = tmp_path / "mine.pth"
    done = run("import", path, "--family", request.param(path), "-o", "mine")
    assert done.exit_code == 0, done.stderr
    return toy


def test_from_a_checkpoint_to_a_file(
    run: Run, imported: Path, frame: NDArray[np.uint8], tmp_path: Path
) -> None:
    unknown = run("prune", "--model", "mine", *GAME, "--keep", "0.5")
    assert (unknown.exit_code, "give --quality" in line_of(unknown.stderr)) == (2, True)

    pruned = run("prune", "--model", "mine", *GAME, "--keep", "0.5", "--quality", "4")
    assert pruned.exit_code == 0, pruned.stderr
    assert "of the MACs of all parts removed" in pruned.stdout
    assert "kMAC/px" in pruned.stdout
    assert "finetune --model mine-pruned --game toy" in pruned.stderr
    source, half = _saved(imported, "mine"), _saved(imported, "mine-pruned")
    assert widths_of(half.network.spec) == scaled(source.network.spec, 0.5)
    assert half.state["command"] == (
        "c3d-export prune --model mine --game toy --keep 0.5 --quality 4 --seed 0"
    )
    assert half.state["rate"]["quality"] == 4
    again = replay(source.network, half.state["pruning"])
    assert all(torch.equal(t, again.state_dict()[n]) for n, t in half.network.state_dict().items())

    tuned = run("finetune", "--model", "mine-pruned", *GAME, *SHORT, "-o", "toy-mine", "--json")
    assert tuned.exit_code == 0, tuned.stderr
    assert json.loads(tuned.stdout)["model"] == "toy-mine"
    made = _saved(imported, "toy-mine")
    assert [s["stage"] for s in (*made.state["parents"], made.state)] == ["import", "prune", "tune"]
    assert made.state["rate"] == half.state["rate"]
    assert made.state["config"]["weight"] == half.state["rate"]["weight"]
    assert made.network.spec == half.network.spec
    weights = (made.network.g_a[0].weight, half.network.g_a[0].weight)
    assert not torch.equal(*weights)

    _ship(run, "toy-mine", frame, tmp_path)


def _ship(run: Run, name: str, frame: NDArray[np.uint8], folder: Path) -> None:
    write_image(folder / "frame.png", frame)
    bundle, stream, shown = (folder / n for n in ("mine.c3b", "frame.c3s", "shown.png"))
    for line in (
        (*("bundle", "--model", name, *GAME, "-o", bundle), *_deployed(folder)),
        ("validate", bundle),
        ("encode", folder / "frame.png", "-o", stream, "--codec", bundle),
        ("decode", stream, "-o", shown, "--codec", bundle),
    ):
        done = run(*line)
        assert done.exit_code == 0, done.stderr
    assert read_image(shown).shape == frame.shape
    assert [path.name.split("-")[0] for path in (folder / "wheels").iterdir()] == [
        "c3d_codec_toy_mine"
    ]
    graphs = {graph for graph, _ in read_bundle(bundle).graphs}
    assert {path.name.rsplit("-", 1)[1] for path in (folder / "models").iterdir()} == graphs


def _deployed(folder: Path) -> tuple[object, ...]:
    return ("--wheel", folder / "wheels", "--triton", folder / "models")


def test_training_goes_on_only_at_the_same_widths(run: Run, imported: Path) -> None:
    """An imported network of odd widths is tuned, not trained as a published one."""
    size = "mbt2018" if _saved(imported, "mine").family.name == "mbt" else "c2f-xsmall"
    line = ("train", "--model", size, *GAME, *SHORT, "--quality", "4", "--from", "mine")
    done = run(*line)
    assert done.exit_code == 2
    assert "finetune --model mine`" in line_of(done.stderr)
    if size == "mbt2018":
        onward = run(*line, "--widths", "16,24")
        assert onward.exit_code == 0, onward.stderr
        made = _saved(imported, "toy-mbt2018-16x24-q4")
        assert [parent["stage"] for parent in made.state["parents"]] == ["import"]


def test_an_imported_network_of_published_widths_trains_on(
    run: Run, toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SIZES, "c2f-toy", SMALL.renamed("c2f-toy"))
    assert run("import", tmp_path / "c", "--family", _c2f(tmp_path / "c"), "-o", "a").exit_code == 0
    done = run("train", "--model", "c2f-toy", *GAME, *SHORT, "--quality", "4", "--from", "a")
    assert done.exit_code == 0, done.stderr
    made = _saved(toy, "toy-c2f-toy-q4")
    assert made.state["config"]["schedule"] == "app-specific-tune"
    assert [parent["stage"] for parent in made.state["parents"]] == ["import"]


def test_rates_other_than_its_own(run: Run, imported: Path) -> None:
    tune = ("finetune", "--model", "mine", *GAME, *SHORT)
    assert run(*tune, "--quality", "3").exit_code == 0
    more = ("finetune", "--model", "mine-tuned", *GAME, *SHORT, "--crop", "192")
    done = run(*more, "--distortion", "ms-ssim")
    assert done.exit_code == 0, done.stderr
    rate = {"quality": 3, "distortion": "ms-ssim", "weight": 8.73}
    assert _saved(imported, "mine-tuned-tuned").state["rate"] == rate
    cut = run("prune", "--model", "mine-tuned-tuned", *GAME, "--keep", "0.5", "--json")
    assert cut.exit_code == 0, cut.stderr
    assert json.loads(cut.stdout)["model"] == "mine-tuned-tuned-pruned"
    assert _saved(imported, "mine-tuned-tuned-pruned").state["rate"] == rate


def test_nothing_is_cut_or_replaced_unasked(run: Run, imported: Path) -> None:
    line = ("prune", "--model", "mine", *GAME, "--keep", "0.5", "--quality", "4")
    planned = run(*line, "--plan", "--json")
    assert planned.exit_code == 0, planned.stderr
    assert 0 < json.loads(planned.stdout)["ratio"] < 1
    assert not (imported / "models" / "mine-pruned").exists()
    assert run(*line).exit_code == 0
    again = run(*line)
    assert (again.exit_code, "--force" in line_of(again.stderr)) == (2, True)
    assert run(*line, "--force").exit_code == 0
    twice = run("prune", "--model", "mine-pruned", *GAME, "--keep", "0.5")
    assert (twice.exit_code, "pruned already" in line_of(twice.stderr)) == (2, True)
    tune = ("finetune", "--model", "mine-pruned", *GAME, *SHORT)
    assert run(*tune).exit_code == 0
    again = run(*tune)
    assert (again.exit_code, "--force" in line_of(again.stderr)) == (2, True)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (("prune", "--target-ms", "9"), "--target-ms: not for published models"),
        (("prune", "--size", "360p", "--again"), "--size, --again: not for"),
        (("prune", "--to", "xsmall"), "--to: not for"),
        (("prune", "--keep", "0.5", "--ratio", "0.5"), "at most one"),
        (("prune", "--keep", "1.5", "--quality", "4"), "share of 1.5"),
        (("prune", "--ratio", "0.9", "--quality", "4"), "out of reach"),
        (("prune", "--quality", "9", "--distortion", "ms-ssim"), "choose 1 to 8"),
        (("prune", "--distortion", "ms-ssim"), "give --quality"),
        (("finetune",), "give --quality"),
        (("finetune", "--quality", "4", "--teacher", "large"), "--teacher: not for published"),
        (("finetune", "--quality", "4", "--from", "small"), "--from: not for"),
        (("finetune", "--quality", "4", "--resume"), "no checkpoint"),
        (("finetune", "--quality", "4", "-o", "../up"), "no model name"),
    ],
)
def test_what_cannot_be(run: Run, imported: Path, line: tuple[str, ...], told: str) -> None:
    done = run(line[0], "--model", "mine", *GAME, *line[1:])
    assert (done.exit_code, done.stdout) == (2, "")
    assert told in done.stderr.splitlines()[-1]
    assert [path.name for path in (imported / "models").iterdir()] == ["mine"]
    assert not (imported / "runs").exists()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (("prune", "--keep", "0.5"), "--keep and -o: only for published"),
        (("prune", "-o", "mine"), "--keep and -o: only for published"),
        (("prune", "--quality", "3"), "--quality: only for published"),
        (("finetune", "-o", "mine"), "-o: only for published"),
        (("finetune", "--schedule", "study"), "--schedule: only for published"),
    ],
)
def test_what_the_own_family_has_not(run: Run, toy: Path, line: tuple[str, ...], told: str) -> None:
    done = run(line[0], "--model", "small", *GAME, *line[1:])
    assert (done.exit_code, done.stdout) == (2, "")
    assert told in line_of(done.stderr)
