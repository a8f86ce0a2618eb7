"""Analytic gradients against autograd's of the plain formulas, and against differences."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from c3d_export.models import latents
from c3d_export.models.entropy import gaussian_bits, scale_of

Loss = Callable[..., Tensor]
SIZE = (3, 6, 2, 2)


def _uniform(*size: int, low: float, high: float, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    made = torch.rand(size, generator=generator, dtype=torch.float64) * (high - low) + low
    return made.requires_grad_()


def _inputs() -> tuple[Tensor, ...]:
    """y, mean, index, step, offset, of which no fine index is where it is clamped."""
    return (
        _uniform(*SIZE, low=-9.0, high=9.0),
        _uniform(*SIZE, low=-2.0, high=2.0, seed=1),
        _uniform(*SIZE, low=60.0, high=200.0, seed=2),
        _uniform(*SIZE[:2], 1, 1, low=0.5, high=3.0, seed=3),
        _uniform(*SIZE[:2], 1, 1, low=-20.0, high=20.0, seed=4),
    )


def _noise() -> Tensor:
    return _uniform(*SIZE, low=-0.5, high=0.5, seed=5).detach()


def _gradients(made: Tensor, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    weights = _uniform(*made.shape, low=0.5, high=2.0, seed=6).detach()
    return list(torch.autograd.grad((made * weights).sum(), inputs, materialize_grads=True))


def _agree(made: Tensor, plain: Tensor, inputs: tuple[Tensor, ...]) -> None:
    torch.testing.assert_close(made, plain)
    for own, other in zip(_gradients(made, inputs), _gradients(plain, inputs), strict=True):
        torch.testing.assert_close(own, other)


def test_the_gradient_of_the_rate_is_its_slope() -> None:
    def bits(*inputs: Tensor) -> Tensor:
        return latents.rate(*inputs, _noise())

    assert torch.autograd.gradcheck(bits, _inputs())


def _plain_rate(
    y: Tensor, mean: Tensor, index: Tensor, step: Tensor, offset: Tensor, noise: Tensor
) -> Tensor:
    scale = scale_of((index - offset).clamp(0.0, 255.0))
    return gaussian_bits((y - mean) / step + noise, scale).sum((1, 2, 3))


@pytest.mark.parametrize("spread", [1.0, 40.0])
@pytest.mark.parametrize("portion", [1, 1 << 17])
def test_the_rate_is_that_of_the_plain_formula(
    spread: float, portion: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wide: with symbols at the floor of the likelihood and indexes that are clamped."""
    monkeypatch.setattr(latents, "PORTION", portion)
    y, mean, index, step, offset = _inputs()
    index = ((index - 128.0) * spread + 128.0).detach().requires_grad_()
    inputs = (y, mean, index, step, offset)
    fine = (index - offset).detach()
    assert (spread > 1) == bool((fine < 0).any() and (fine > 255).any())
    _agree(latents.rate(*inputs, _noise()), _plain_rate(*inputs, _noise()), inputs)


def _straight_round(x: Tensor) -> Tensor:
    return x + (x.round() - x).detach()


def test_decoded_latents_are_those_of_the_plain_formula() -> None:
    y, mean, _, step, _ = _inputs()
    y = (y * 20).detach().requires_grad_()
    inputs = (y, mean, step)
    plain = (mean + _straight_round((y - mean) / step) * step).clamp(-128.0, 127.0)
    assert bool((plain == 127.0).any() and (plain == -128.0).any())
    _agree(latents.decode(*inputs), plain, inputs)


def _plain_activity(v: Tensor, factor: Tensor, raw: int, base: int, quantized: bool) -> Tensor:
    moved = v * factor
    size = _straight_round(moved.abs()) if quantized else moved.abs()
    low = size.clamp(max=latents.KNEE)
    high = (size.clamp(max=latents.CEILING) - low) / latents.SHALLOW
    size = low + (high + (high.floor() - high).detach() if quantized else high)
    return torch.cat([v[:, :raw], size[:, raw:base] * moved[:, raw:base].sign(), size], 1)


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("base", [4, 6])
def test_activities_are_those_of_the_plain_formula(base: int, quantized: bool) -> None:
    v = _uniform(*SIZE, low=-127.0, high=127.0)
    factor = _uniform(*SIZE[:2], 1, 1, low=0.1, high=8.0, seed=1).detach()
    size = (v * factor).abs()
    assert bool((size > latents.CEILING).any() and (size < latents.KNEE).any())
    made = latents.activity(v, factor, 2, base, quantized)
    _agree(made, _plain_activity(v, factor, 2, base, quantized), (v,))


@pytest.mark.parametrize("offsets", [None, torch.linspace(0.1, 0.9, 11, dtype=torch.float64)])
def test_copies_are_those_of_the_plain_formula(offsets: Tensor | None) -> None:
    fine = _uniform(*SIZE, low=-128.0, high=127.0)
    runs = [(0, 6), (0, 3), (2, 2)]
    plain = fine[:, [0, 1, 2, 3, 4, 5, 0, 1, 2, 2, 3]]
    if offsets is not None:
        moved = plain + offsets[:, None, None]
        plain = moved + (moved.floor() - moved).detach()
    _agree(latents.spread(fine, runs, offsets), plain, (fine,))
