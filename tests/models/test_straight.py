"""Straight-through roundings and the precise convolution, against the plain formulas."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from c3d_export.models.layers import floor_ste, round_ste
from c3d_export.models.straight import pointwise, rounded_clip, straight


def _values() -> Tensor:
    return torch.tensor([-300.0, -128.6, -0.5, 0.4, 1.5, 126.9, 900.0], requires_grad=True)


def test_a_value_takes_the_gradient_of_another() -> None:
    x = _values()
    out = straight(x, x * 7.0)
    assert torch.equal(out, x * 7.0)
    (grad,) = torch.autograd.grad((out * torch.arange(7.0)).sum(), x)
    assert torch.equal(grad, torch.arange(7.0))


def test_roundings() -> None:
    x = _values()
    assert torch.equal(round_ste(x), x.round())
    assert torch.equal(floor_ste(x), x.floor())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_is_rounded_into_a_range_has_a_gradient_inside_of_it(dtype: torch.dtype) -> None:
    x = _values()
    out = rounded_clip(x.to(dtype), -128.0, 127.0)
    assert out.tolist() == [-128, -128, 0, 0, 2, 127, 127]
    (grad,) = torch.autograd.grad(out.sum(), x)
    assert grad.tolist() == [0, 0, 1, 1, 1, 0, 0]


def _layer(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    sizes = ((2, 5, 3, 4), (6, 5, 1, 1), (6,))
    x, weight, bias = (torch.randn(s, generator=generator, dtype=dtype) for s in sizes)
    return x.requires_grad_(), weight.requires_grad_(), bias.requires_grad_()


def test_a_precise_convolution_is_a_convolution() -> None:
    inputs = _layer(torch.float64)
    torch.testing.assert_close(pointwise(*inputs), F.conv2d(*inputs))
    assert torch.autograd.gradcheck(pointwise, inputs)


def test_under_autocast_only_its_gradients_are_rough() -> None:
    inputs = _layer(torch.float32)
    exact = F.conv2d(*inputs)
    wanted = torch.autograd.grad(exact.square().sum(), inputs)
    with torch.autocast("cpu", torch.bfloat16):
        made = pointwise(*inputs)
    torch.testing.assert_close(made, exact)
    for own, other in zip(torch.autograd.grad(made.square().sum(), inputs), wanted, strict=True):
        assert own.dtype == torch.float32
        torch.testing.assert_close(own, other, rtol=0.02, atol=0.02 * float(other.abs().max()))
