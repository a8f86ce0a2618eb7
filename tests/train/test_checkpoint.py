"""Checkpoints: what is damaged, foreign or a pickle is refused with one error."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from c3d_export.core.errors import CheckpointError, MissingInputError
from c3d_export.models.network import Codec
from c3d_export.train.checkpoint import (
    FORMAT,
    Checkpoint,
    load_checkpoint,
    load_model,
    restore_model,
    save_checkpoint,
    save_model,
    to_half,
)
from c3d_export.train.crops import Pool
from c3d_export.train.loop import Trainer

MakeModel = Callable[[], Codec]

GOOD = Checkpoint({"step": 3, "name": "é"}, {"a": torch.arange(6.0).reshape(2, 3)})


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "good.safetensors"
    save_checkpoint(path, GOOD)
    return path


def test_state_and_tensors_come_back(saved: Path) -> None:
    loaded = load_checkpoint(saved)
    assert loaded.state == GOOD.state
    assert loaded.tensors.keys() == GOOD.tensors.keys()
    assert torch.equal(loaded.tensors["a"], GOOD.tensors["a"])


def test_equal_contents_are_equal_bytes(saved: Path, tmp_path: Path) -> None:
    """safetensors orders its metadata at random, in one of six ways here."""
    again = tmp_path / "again.safetensors"
    for _ in range(20):
        save_checkpoint(again, GOOD)
        assert again.read_bytes() == saved.read_bytes()


def test_tensors_need_not_be_contiguous(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    tensor = torch.arange(12.0).reshape(3, 4).T
    save_checkpoint(path, Checkpoint({}, {"t": tensor}))
    assert torch.equal(load_checkpoint(path).tensors["t"], tensor)


def test_every_prefix_is_refused(saved: Path) -> None:
    data = saved.read_bytes()
    for length in range(len(data)):
        saved.write_bytes(data[:length])
        with pytest.raises(CheckpointError):
            load_checkpoint(saved)


def test_every_flipped_bit_is_refused(saved: Path) -> None:
    data = saved.read_bytes()
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        saved.write_bytes(flipped)
        with pytest.raises(CheckpointError):
            load_checkpoint(saved)


def test_bytes_behind_the_end_are_refused(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes() + b"\0")
    with pytest.raises(CheckpointError):
        load_checkpoint(saved)


def test_a_length_that_claims_terabytes(saved: Path) -> None:
    saved.write_bytes(b"\xff\xff\xff\xff\xff\x0f\0\0" + saved.read_bytes()[8:])
    with pytest.raises(CheckpointError):
        load_checkpoint(saved)


class _Trap:
    """Leaves a file behind if it is ever unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("kind", ["pickle", "torch"])
def test_a_pickle_is_refused_and_never_run(tmp_path: Path, kind: str) -> None:
    path, sprung = tmp_path / "model.safetensors", tmp_path / "sprung"
    if kind == "pickle":
        path.write_bytes(pickle.dumps(_Trap(sprung)))
    else:
        torch.save({"trap": _Trap(sprung)}, path)
    with pytest.raises(CheckpointError):
        load_checkpoint(path)
    assert not sprung.exists()


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"format": "other", "state": "{}"},
        {"format": FORMAT},
        {"format": FORMAT, "state": "{"},
        {"format": FORMAT, "state": " " * (5 << 20)},
    ],
    ids=["none", "foreign", "no state", "no json", "too long"],
)
def test_safetensors_of_others(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(2)}, path, metadata)
    with pytest.raises(CheckpointError):
        load_checkpoint(path)


def test_what_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(MissingInputError):
            load_checkpoint(path)


def test_a_network_comes_back(make_nano: MakeModel, tmp_path: Path) -> None:
    model, path = make_nano(), tmp_path / "model.safetensors"
    save_model(path, model, {"game": "none"})
    loaded = load_model(path)
    assert loaded.spec == model.spec
    assert load_checkpoint(path).state["game"] == "none"
    wanted = model.state_dict()
    assert all(torch.equal(wanted[k], v) for k, v in loaded.state_dict().items())


@pytest.mark.parametrize(
    "spec",
    [None, {}, "text", {"g_a": "ab"}, {"latents": 18}, {"latents": "x"}, {"base": -1}],
    ids=str,
)
def test_a_spec_that_does_not_fit_its_tensors(
    make_nano: MakeModel, tmp_path: Path, spec: object
) -> None:
    model, path = make_nano(), tmp_path / "model.safetensors"
    save_model(path, model, {})
    checkpoint = load_checkpoint(path)
    good = checkpoint.state["spec"]
    checkpoint.state["spec"] = {**good, **spec} if isinstance(spec, dict) and spec else spec
    with pytest.raises(CheckpointError):
        restore_model(checkpoint)


def test_a_tensor_that_is_missing_or_too_many(make_nano: MakeModel) -> None:
    model = make_nano()
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    state = {"spec": json.loads(json.dumps(model.spec.to_json()))}
    restore_model(Checkpoint(state, tensors))
    for change in ({"model.more": torch.zeros(1)}, {"model.planes": torch.zeros(1)}):
        with pytest.raises(CheckpointError):
            restore_model(Checkpoint(state, tensors | change))
    del tensors["model.planes"]
    with pytest.raises(CheckpointError):
        restore_model(Checkpoint(state, tensors))


def test_a_network_alone_is_no_run_to_resume(
    make_nano: MakeModel, pools: list[Pool], tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    save_model(path, make_nano(), {})
    with pytest.raises(CheckpointError, match="no training run"):
        Trainer.resume(path, pools)


def test_halves() -> None:
    halved = to_half({"a": torch.tensor([1.0, 1 / 3])})
    assert halved["a"].dtype == torch.float16
    assert halved["a"].tolist() == pytest.approx([1.0, 1 / 3], rel=1e-3)
