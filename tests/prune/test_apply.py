"""The pruned network: its spec, its weights, its life afterwards."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from c3d_export.core.errors import OptionError
from c3d_export.models.layers import IntConv2d
from c3d_export.models.network import Codec, build_network
from c3d_export.models.spec import SIZES
from c3d_export.prune.apply import prune_codec, replay
from c3d_export.prune.importance import Importance, magnitude_importance
from c3d_export.prune.planner import Planner
from c3d_export.prune.widths import spec_widths, with_widths
from c3d_export.train.checkpoint import load_checkpoint, load_model, save_model
from c3d_export.train.config import TrainConfig
from c3d_export.train.crops import Pool
from c3d_export.train.loop import Trainer

XSMALL = SIZES["xsmall"]
TARGET = with_widths(
    XSMALL, {name: 24 if now < 96 else 40 for name, now in spec_widths(XSMALL).items()}
)
E, HIGH, H0 = XSMALL.g_ep, XSMALL.g_s.high, XSMALL.h_s[0]

Outputs = Callable[[Codec], list[Tensor]]
Pruned = tuple[Codec, Codec, dict[str, Any]]


@pytest.fixture(scope="module")
def everything(shared_model: Codec, importance: Importance) -> Pruned:
    """Original, pruned in every width, and history."""
    made = Planner(shared_model, importance).by_target(TARGET)
    pruned, history = prune_codec(shared_model, made, importance)
    return shared_model, pruned, history


def _weight(model: Codec, path: str) -> Tensor:
    layer = model.get_submodule(path)
    assert isinstance(layer, IntConv2d)
    return layer.weight.detach()


def _places(kept: list[int], width: int) -> list[int]:
    return [place * width + c for place in range(4) for c in kept]


def test_the_spec_is_the_plans(everything: Pruned) -> None:
    original, pruned, history = everything
    assert pruned.spec == TARGET
    assert history["after"] == TARGET.to_json()
    assert history["before"] == original.spec.to_json()


def test_latents_hyper_latents_and_parameters_stay(everything: Pruned) -> None:
    original, pruned, _ = everything
    for name in ("planes", "log_step", "z_fine", "g_a.linear.weight", "g_a.linear.bias"):
        assert torch.equal(pruned.state_dict()[name], original.state_dict()[name])
    assert (pruned.spec.latents, pruned.spec.hyper) == (original.spec.latents, original.spec.hyper)
    assert _weight(pruned, "h_a.conv1").shape[1] == _weight(original, "h_a.conv1").shape[1]


# Output and input channels of one layer of each kind, from the kept channels of the groups.
Kept = dict[str, list[int]]
Sides = Callable[[Kept], tuple[list[int] | None, list[int] | None]]
CASES: dict[str, Sides] = {
    "g_a.patch": lambda k: (k["g_a.high"], None),
    "g_a.high.0.conv1": lambda k: (k["g_a.high_inner.0"], k["g_a.high"]),
    "g_a.high.0.conv2": lambda k: (k["g_a.high"], k["g_a.high_inner.0"]),
    "g_a.down": lambda k: (k["g_a.low"], k["g_a.high"]),
    "g_a.head": lambda k: (None, k["g_a.low"]),
    "h_a.conv2": lambda k: (None, k["h_a"]),
    "h_s.conv1": lambda k: (_places(k["h_s.0"], H0), None),
    "h_s.conv2": lambda k: (_places(k["h_s.1"], XSMALL.h_s[1]), k["h_s.0"]),
    "h_s.conv3": lambda k: (k["h_s.2"], k["h_s.1"]),
    "h_s.index": lambda k: (None, k["h_s.2"]),
    "g_ep.features": lambda k: (k["g_ep.features"], k["h_s.2"]),
    "g_ep.latents": lambda k: (k["g_ep.latents"], None),
    "g_ep.conv1": lambda k: (
        k["g_ep.conv1"],
        k["g_ep.features"] + [E + c for c in k["g_ep.latents"]],
    ),
    "g_ep.conv2": lambda k: (k["g_ep.conv2"], k["g_ep.conv1"]),
    "g_ep.mean": lambda k: (None, k["g_ep.conv2"]),
    "g_cp.features": lambda k: (k["g_cp.features"], k["h_s.2"]),
    "g_cp.index": lambda k: (None, k["g_cp.conv2"]),
    "g_s.enter": lambda k: (k["g_s.low"], None),
    "g_s.up": lambda k: (_places(k["g_s.high"], HIGH), k["g_s.low"]),
    "g_s.correction": lambda k: (None, k["g_s.high"]),
}


@pytest.mark.parametrize("path", CASES)
def test_kept_weights_are_the_originals(everything: Pruned, path: str) -> None:
    original, pruned, history = everything
    outputs, inputs = CASES[path](history["kept"])
    weight, bias = _weight(original, path), original.state_dict()[f"{path}.bias"]
    if outputs is not None:
        weight, bias = weight[outputs], bias[outputs]
    if inputs is not None:
        weight = weight[:, inputs]
    assert torch.equal(_weight(pruned, path), weight)
    assert torch.equal(pruned.state_dict()[f"{path}.bias"], bias)


def test_the_original_is_left_as_it_was(model: Codec, importance: Importance) -> None:
    before = copy.deepcopy(model.state_dict())
    model.train().quantize(True)
    pruned, _ = prune_codec(model, Planner(model, importance).by_ratio(0.15), importance)
    assert pruned.training
    assert pruned.quantized
    assert model.spec == XSMALL
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_ratio_zero_copies_the_network(shared_model: Codec, importance: Importance) -> None:
    made = Planner(shared_model, importance).by_ratio(0.0)
    pruned, history = prune_codec(shared_model, made, importance)
    assert pruned is not shared_model
    assert pruned.spec == shared_model.spec
    assert history["pruning_history"] == []
    for name, value in shared_model.state_dict().items():
        assert torch.equal(pruned.state_dict()[name], value)


def test_centres_are_folded_first(model: Codec, importance: Importance, outputs: Outputs) -> None:
    for layer in model.modules():
        if isinstance(layer, IntConv2d):
            layer.center += 0.5
    before = outputs(model)
    pruned, _ = prune_codec(model, Planner(model, importance).by_ratio(0.0), importance)
    assert float(model.g_s.up.center.mean()) == 0.5
    assert all(not v.any() for k, v in pruned.state_dict().items() if k.endswith(".center"))
    for name in ("g_s.up", "g_ep.conv1", "h_s.conv3"):
        assert torch.equal(_weight(pruned, name), _weight(model, name))
    x_hat = outputs(pruned)[0]
    assert float((x_hat - before[0]).abs().mean()) < 0.01


def test_a_pruned_network_survives_saving(everything: Pruned, tmp_path: Path) -> None:
    _, pruned, history = everything
    path = tmp_path / "pruned.safetensors"
    save_model(path, pruned, {"pruning": history})
    loaded = load_model(path)
    assert loaded.spec == TARGET
    assert load_checkpoint(path).state["pruning"] == json.loads(json.dumps(history))
    assert all(torch.equal(v, pruned.state_dict()[k]) for k, v in loaded.state_dict().items())


def test_a_pruned_network_can_be_trained(everything: Pruned, pools: list[Pool]) -> None:
    model = copy.deepcopy(everything[1]).train()
    before = copy.deepcopy(model.state_dict())
    config = TrainConfig(steps=1, batch=2, crop=64, precision="float32")
    loss, bpp, mse = Trainer(model, config, pools, None).train_step()
    assert all(0 < value < float("inf") for value in (loss, bpp, mse))
    assert not torch.equal(model.g_s.up.weight, before["g_s.up.weight"])


def test_the_history_repeats_the_pruning(everything: Pruned) -> None:
    original, pruned, history = everything
    again = replay(original, json.loads(json.dumps(history)))
    assert again.spec == pruned.spec
    assert all(torch.equal(v, pruned.state_dict()[k]) for k, v in again.state_dict().items())


def test_small_becomes_xsmall() -> None:
    small = build_network(SIZES["small"])
    importance = magnitude_importance(small)
    made = Planner(small, importance).by_target(XSMALL)
    pruned, history = prune_codec(small, made, importance)
    assert pruned.spec == XSMALL
    assert history["dropped_blocks"] == list(made.dropped)
    again = replay(small, history)
    assert all(torch.equal(v, pruned.state_dict()[k]) for k, v in again.state_dict().items())


def test_foreign_plans_histories_and_importances_are_refused(
    shared_model: Codec, importance: Importance, everything: Pruned
) -> None:
    _, pruned, history = everything
    made = Planner(shared_model, importance).by_ratio(0.15)
    with pytest.raises(OptionError, match="plan again"):
        prune_codec(pruned, made, importance)
    with pytest.raises(OptionError, match="plan again"):
        replay(pruned, history)
    with pytest.raises(OptionError, match="another network"):
        prune_codec(shared_model, made, magnitude_importance(pruned))
