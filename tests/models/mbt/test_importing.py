"""Checkpoints of CompressAI: what is taken, and how everything else is refused by name."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from c3d_export.core.errors import CheckpointError, MissingInputError, OptionError
from c3d_export.models.importing import CheckpointFaultsError, import_checkpoint
from c3d_export.models.mbt.importing import rename, widths_of
from c3d_export.models.mbt.network import build_network
from c3d_export.models.mbt.spec import SPECS, uniform_spec

State = dict[str, Tensor]
ARCHITECTURES = ("mbt2018", "mbt2018-mean")


@pytest.fixture(params=ARCHITECTURES)
def state(request: pytest.FixtureRequest) -> State:
    network = build_network(uniform_spec("tiny", request.param, 8, 12))
    found = network.state_dict()
    # As after compressai's update(): tables of sizes that no fresh network has.
    found["entropy_bottleneck._offset"] = torch.full((8,), -9, dtype=torch.int32)
    found["entropy_bottleneck._quantized_cdf"] = torch.ones(8, 21, dtype=torch.int32)
    found["gaussian_conditional.scale_table"] = torch.linspace(0.11, 256, 64)
    return found


def _older(state: State) -> State:
    """Names of compressai 1.1."""
    short = {"matrices.": "_matrix", "biases.": "_bias", "factors.": "_factor"}
    renamed = {}
    for name, tensor in state.items():
        for new, old in short.items():
            name = name.replace(f"entropy_bottleneck.{new}", f"entropy_bottleneck.{old}")
        renamed[name] = tensor
    return renamed


def _oldest(state: State) -> State:
    """Names of the first release, which its published files have."""
    lists = {"matrices.": "_matrices.", "biases.": "_biases.", "factors.": "_factors."}
    renamed = {}
    for name, tensor in state.items():
        for new, old in lists.items():
            name = name.replace(f"entropy_bottleneck.{new}", f"entropy_bottleneck.{old}")
        renamed[name] = tensor
    return renamed


def _training(state: State) -> dict[str, Any]:
    """What compressai's example of a training saves."""
    moments = {0: {"step": torch.tensor(7.0), "exp_avg": torch.zeros(3)}}
    adam = {"state": moments, "param_groups": [{"lr": 1e-4, "betas": (0.9, 0.999), "params": [0]}]}
    return {"epoch": 7, "state_dict": state, "loss": 0.5, "optimizer": adam}


FORMS: dict[str, Callable[[State], Any]] = {
    "plain": lambda state: state,
    "older names": _older,
    "oldest names": _oldest,
    "of a training": _training,
    "parallel": lambda state: {f"module.{name}": t for name, t in state.items()},
    "half precision": lambda state: {
        n: t.half() if t.is_floating_point() else t for n, t in state.items()
    },
}


@pytest.mark.parametrize("form", FORMS)
def test_a_checkpoint_is_taken_in_every_form(form: str, state: State, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pth.tar"
    torch.save(FORMS[form](state), path)
    imported = import_checkpoint(path, "compressai")
    assert imported.ignored == (("epoch", "loss", "optimizer") if form == "of a training" else ())
    for name, tensor in imported.network.state_dict().items():
        wanted = state[name].half().float() if form == "half precision" else state[name]
        assert torch.equal(tensor, wanted.to(tensor.dtype)), name


@pytest.mark.parametrize("name", ["mbt2018-mean-1", "mbt2018-6"])
def test_published_widths_are_called_by_their_name(name: str) -> None:
    with torch.device("meta"):
        spec = widths_of(build_network(SPECS[name]).state_dict())
    assert spec == uniform_spec(spec.name, SPECS[name].architecture, SPECS[name].hyper,
                                SPECS[name].latents)  # fmt: skip
    assert spec.name == SPECS[name].architecture


def test_renaming_twice_changes_nothing(state: State) -> None:
    assert rename(state).keys() == rename(_older(state)).keys() == state.keys()


FAULTS: dict[str, tuple[Callable[[State], Any], list[str]]] = {
    "missing": (lambda s: s.pop("h_a.0.bias"), ["missing h_a.0.bias"]),
    "extra": (lambda s: s.update(other=torch.zeros(1)), ["unexpected other"]),
    "shape": (
        lambda s: s.update({"g_s.1.beta": torch.ones(9)}),
        ["g_s.1.beta has shape (9,), not (8,)"],
    ),
    "kind": (
        lambda s: s.update({"h_a.0.bias": torch.zeros(8, dtype=torch.int64)}),
        ["h_a.0.bias is torch.int64, not torch.float32"],
    ),
    "no number": (
        lambda s: s["g_a.0.weight"].view(-1)[3:4].fill_(float("nan")),
        ["g_a.0.weight holds what is no number"],
    ),
    "two": (
        lambda s: (s.pop("h_a.0.bias"), s.update(other=torch.zeros(1))),
        ["missing h_a.0.bias", "unexpected other"],
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_named(fault: str, state: State, tmp_path: Path) -> None:
    damage, wanted = FAULTS[fault]
    damage(state)
    torch.save(state, tmp_path / "bad.pt")
    with pytest.raises(CheckpointFaultsError) as caught:
        import_checkpoint(tmp_path / "bad.pt", "compressai")
    assert caught.value.faults == wanted


def test_another_family_is_named(state: State, tmp_path: Path) -> None:
    del state["h_s.4.weight"], state["h_s.2.weight"]
    torch.save(state, tmp_path / "bad.pt")
    with pytest.raises(CheckpointError, match=r"bmshj2018.*it has no h_s\.2\.weight"):
        import_checkpoint(tmp_path / "bad.pt", "compressai")
    torch.save({"g_a.0.conv1.weight": torch.zeros(1)}, tmp_path / "bad.pt")
    with pytest.raises(CheckpointError, match="cheng2020"):
        import_checkpoint(tmp_path / "bad.pt", "compressai")


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("this must not run",)


CONTENTS: dict[str, tuple[Any, str]] = {
    "a list": ([torch.zeros(1)], "no state dict but a list"),
    "nothing": ({}, "no state dict"),
    "numbers": ({"a": 1.5}, "no tensors under a"),
    "half prefixed": (
        {"module.a": torch.zeros(1), "b": torch.zeros(1)},
        "with and without 'module.', among them b",
    ),
}


@pytest.mark.parametrize("content", CONTENTS)
def test_what_is_no_state_dict_is_refused(content: str, tmp_path: Path) -> None:
    value, message = CONTENTS[content]
    torch.save(value, tmp_path / "bad.pt")
    with pytest.raises(CheckpointError, match=message):
        import_checkpoint(tmp_path / "bad.pt", "compressai")


def test_code_in_a_pickle_does_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"a": _Evil()}, tmp_path / "evil.pt")
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(_Evil()))
    for name in ("evil.pt", "plain.pkl"):
        with pytest.raises(CheckpointError, match="Python objects, which are not run"):
            import_checkpoint(tmp_path / name, "compressai")
    assert "must not run" not in capsys.readouterr().out


@pytest.mark.parametrize("size", [0, 1, 100, 4000])
def test_a_cut_file_is_refused(size: int, state: State, tmp_path: Path) -> None:
    path = tmp_path / "cut.pt"
    torch.save(state, path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(CheckpointError):
        import_checkpoint(path, "compressai")


def test_no_file_and_no_family(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no checkpoint at"):
        import_checkpoint(tmp_path / "none.pt", "compressai")
    with pytest.raises(MissingInputError):
        import_checkpoint(tmp_path, "compressai")
    with pytest.raises(OptionError, match="compressai, c2f"):
        import_checkpoint(tmp_path / "none.pt", "other")
