"""Importance: what is dead comes last, and nothing is left behind in the model."""

from __future__ import annotations

import copy

import pytest
import torch

from c3d_export.core.errors import OptionError
from c3d_export.models.layers import IntConv2d
from c3d_export.models.network import Codec
from c3d_export.prune.groups import Part
from c3d_export.prune.importance import (
    Importance,
    Sampling,
    importance_of,
    magnitude_importance,
    rate_points,
)
from c3d_export.train.crops import Pool

DEAD = 5


def _taylor(model: Codec, pools: list[Pool]) -> Importance:
    return importance_of(model, pools, Sampling(batches=4, batch=2, crop=64))


@torch.no_grad()
def _kill(model: Codec, part: Part) -> None:
    """Channel 5 of a group is never anything but zero; its consumers keep their weights."""
    for member in part.members:
        layer = model.get_submodule(member.layer)
        assert isinstance(layer, IntConv2d)
        assert layer.bias is not None
        if member.side == "out":
            layer.weight[list(member.channels[DEAD])] = 0.0
            layer.bias[list(member.channels[DEAD])] = 0.0


def test_taylor_ranks_a_dead_channel_last(
    model: Codec, parts: dict[str, Part], pools: list[Pool]
) -> None:
    for part in parts.values():
        _kill(model, part)
    importance = _taylor(model, pools)
    for name, part in parts.items():
        scores = importance.scores[name]
        assert scores[DEAD] == 0.0, name
        assert DEAD not in importance.best(name, int((scores > 0).sum())), name
        assert (scores > 0).sum() > part.size // 2, name


def test_scores_cover_each_group_with_mean_one(
    shared_model: Codec, parts: dict[str, Part], pools: list[Pool]
) -> None:
    importance = _taylor(shared_model, pools)
    assert importance.kind == "taylor-squared"
    for name, part in parts.items():
        assert importance.scores[name].shape == (part.size,)
        assert float(importance.scores[name].mean()) == pytest.approx(1.0)
        assert float(importance.scores[name].min()) >= 0.0


def test_taylor_leaves_model_and_random_state_alone(model: Codec, pools: list[Pool]) -> None:
    before, state = copy.deepcopy(model.state_dict()), torch.random.get_rng_state()
    first, second = _taylor(model, pools), _taylor(model, pools)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not model.training
    assert all(p.grad is None for p in model.parameters())
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(torch.equal(first.scores[k], second.scores[k]) for k in first.scores)


def test_without_frames_magnitudes_decide(model: Codec, parts: dict[str, Part]) -> None:
    _kill(model, parts["g_ep.latents"])
    importance = importance_of(model)
    assert importance.kind == "magnitude"
    assert DEAD not in importance.best("g_ep.latents", 63)


def test_equal_channels_go_from_the_end(shared_model: Codec) -> None:
    scores = {"a": torch.tensor([1.0, 2.0, 1.0, 1.0])}
    assert Importance("magnitude", scores, {}).best("a", 2) == [0, 1]
    assert magnitude_importance(shared_model).best("h_a", 0) == []


def test_losses_are_what_the_channels_that_go_were_worth() -> None:
    importance = Importance("magnitude", {"a": torch.tensor([0.5, 2.0, 0.5, 1.0])}, {"a": 8.0})
    assert importance.losses("a") == pytest.approx([8.0, 4.0, 2.0, 1.0, 0.0])


@pytest.mark.parametrize("games", [1, 2, 3, 4, 5])
def test_every_game_meets_every_rate_point(games: int) -> None:
    met = {
        ((step + i) % games, quality)  # the game as `sample_batch` takes it
        for step in range(Sampling().batches)
        for i, quality in enumerate(rate_points(step, Sampling().batch, 8).tolist())
    }
    assert len(met) == games * 8


@pytest.mark.parametrize("options", [{"crop": 96}, {"crop": 0}, {"batches": 0}, {"batch": 0}])
def test_bad_numbers_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(OptionError):
        Sampling(**options)


def test_a_pool_without_frames_is_refused(shared_model: Codec) -> None:
    with pytest.raises(OptionError, match="without frames"):
        importance_of(shared_model, [Pool("empty", [])])
