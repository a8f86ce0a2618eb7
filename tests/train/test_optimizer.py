"""Muon's update: all directions alike, at the size that the learning rate says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from c3d_export.models.network import Codec
from c3d_export.train.optimizer import (
    DECAY,
    LINEAR_PATHS,
    layer_factors,
    make_optimizer,
    orthogonalized,
    set_learning_rate,
)

MakeModel = Callable[[], Codec]


def _skewed(rows: int, columns: int) -> torch.Tensor:
    """A gradient as convolutions have them: one direction that dwarfs the others."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(rows, columns, generator=generator)
    return noise + 100 * torch.ones(rows, columns)


@pytest.mark.parametrize("shape", [(8, 8), (8, 40), (40, 8)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_singular_values_become_about_one(shape: tuple[int, int], dtype: torch.dtype) -> None:
    before = torch.linalg.svdvals(_skewed(*shape))
    alike = torch.stack([_skewed(*shape), 1000 * _skewed(*shape)])
    assert before[0] / before[1] > 30
    for moved in orthogonalized(alike, dtype):
        after = torch.linalg.svdvals(moved)
        assert after[1] > 0.5
        assert after[0] < 1.3


def test_a_gradient_of_zero_moves_nothing() -> None:
    assert torch.equal(orthogonalized(torch.zeros(1, 4, 6), torch.float32), torch.zeros(1, 4, 6))


def _stepped(model: Codec, scale: float) -> dict[str, torch.Tensor]:
    """How far one step moves every parameter, for gradients of this size."""
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = make_optimizer(model, layer_factors(model))
    set_learning_rate(optimizer, 0.01)
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        parameter.grad = scale * torch.randn(parameter.shape, generator=generator)
    optimizer.step()
    return {name: p.detach() - before[name] for name, p in model.named_parameters()}


def test_the_update_has_the_size_of_the_learning_rate(make_nano: MakeModel) -> None:
    model = make_nano()
    factors = layer_factors(model)
    for name, moved in _stepped(model, 1.0).items():
        size = float(moved.square().mean().sqrt()) / (0.01 * factors[name])
        assert 0.5 < size < 1.3, name


def test_the_size_of_the_gradient_does_not_matter(make_nano: MakeModel) -> None:
    small, large = _stepped(make_nano(), 1.0), _stepped(make_nano(), 1000.0)
    for name, moved in small.items():
        assert float((moved - large[name]).abs().max()) < 1e-3 * float(moved.abs().max()), name


def test_the_weights_of_the_trunks_decay_and_no_others(make_nano: MakeModel) -> None:
    model = make_nano()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = make_optimizer(model, layer_factors(model))
    set_learning_rate(optimizer, 0.5)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in model.named_parameters():
        matrix = parameter.ndim == 4 and parameter.shape[1] > 1
        trunk = matrix and name not in LINEAR_PATHS
        wanted = before[name] * (1 - 0.5 * DECAY) if trunk else before[name]
        assert torch.allclose(parameter, wanted, rtol=1e-6, atol=0), name


def test_parameters_without_a_gradient_stay(make_nano: MakeModel) -> None:
    model = make_nano()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = make_optimizer(model, layer_factors(model))
    set_learning_rate(optimizer, 1.0)
    optimizer.step()
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())
