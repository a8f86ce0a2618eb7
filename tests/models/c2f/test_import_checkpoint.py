"""Whole files: pickles with and without a prefix, optimisers beside them, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
importing = pytest.importorskip("c3d_export.models.importing")

from c3d_export.core.errors import CheckpointError  # noqa: E402
from c3d_export.models.c2f.spec import C2FSpec  # noqa: E402

from .legacy import State, checkpoint  # noqa: E402

Wrap = Callable[[State], Any]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "2500.ckpt"


def _with_optimiser(state: State) -> dict[str, Any]:
    moments = {"step": torch.tensor(3.0), "exp_avg": torch.zeros(2)}
    adam = {"state": {0: moments}, "param_groups": [{"lr": 1e-4, "params": [0]}]}
    return {"state_dict": state, "optimizer": adam, "epoch": 7}


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("wrap", [dict, _with_optimiser], ids=["bare", "with-optimiser"])
@pytest.mark.parametrize("training", [False, True])
def test_variants_of_one_checkpoint(
    spec: C2FSpec, path: Path, prefix: str, wrap: Wrap, training: bool
) -> None:
    state = checkpoint(spec, training=training, prefix=prefix)
    torch.save(wrap(state), path)
    made = importing.import_checkpoint(path, "c2f")
    assert made.spec == spec.renamed(made.spec.name)
    weight = state[f"{prefix}a_model.transform.10.weight"]
    assert torch.equal(made.network.g_a[-1].weight, weight)
    assert ("optimizer" in made.ignored) == (wrap is _with_optimiser)


Edit = Callable[[State], Any]


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        (lambda s: s.pop("side_recon_model.layer_6.bias"), "missing reconstruction.pixels.bias"),
        (lambda s: s.update(extra=torch.zeros(1)), "unexpected extra"),
        (lambda s: s.update({"a_model.transform.5.beta": torch.ones(9)}), "g_a.3.beta has shape"),
        (lambda s: s["a_model.transform.1.bias"].fill_(torch.nan), "g_a.0.bias holds"),
        (
            lambda s: s.update({"prediction_model_3.fc.bias": torch.zeros(7)}),
            "predictor3.mean.bias",
        ),
    ],
    ids=["missing", "extra", "shape", "nan", "halves"],
)
def test_faults_are_listed_by_name(spec: C2FSpec, path: Path, edit: Edit, fault: str) -> None:
    state = checkpoint(spec)
    edit(state)
    torch.save(state, path)
    with pytest.raises(importing.CheckpointFaultsError) as caught:
        importing.import_checkpoint(path, "c2f")
    assert any(line.startswith(fault) for line in caught.value.faults), caught.value.faults


def test_another_family(spec: C2FSpec, path: Path) -> None:
    torch.save({"g_a.0.weight": torch.zeros(128, 3, 5, 5)}, path)
    with pytest.raises(CheckpointError, match="no coarse-to-fine network"):
        importing.import_checkpoint(path, "c2f")
    torch.save(checkpoint(spec), path)
    with pytest.raises(CheckpointError):
        importing.import_checkpoint(path, "compressai")
