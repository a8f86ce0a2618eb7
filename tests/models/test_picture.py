"""Pixels and their error, against the plain formulas."""

from __future__ import annotations

import torch
from torch import Tensor

from c3d_export.models.layers import depth_to_space
from c3d_export.models.picture import picture, squared_error

UNITS = (0.125, 0.5)


def _parts() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    sizes = ((2, 3 * 4 * 4, 1, 2), (2, 3 * 2 * 2, 2, 4))
    made = [torch.randn(s, generator=generator, dtype=torch.float64) for s in sizes]
    return made[0].requires_grad_(), made[1].requires_grad_()


def test_a_picture_is_the_sum_of_its_parts() -> None:
    linear, correction = _parts()
    wanted = UNITS[0] * depth_to_space(linear, 4) + UNITS[1] * depth_to_space(correction, 2)
    torch.testing.assert_close(picture(linear, correction, UNITS), wanted)


def test_the_gradient_of_a_picture_is_its_slope() -> None:
    def made(linear: Tensor, correction: Tensor) -> Tensor:
        return picture(linear, correction, UNITS)

    assert torch.autograd.gradcheck(made, _parts())


def test_each_part_gets_its_gradient_in_its_own_precision() -> None:
    linear, correction = (part.detach() for part in _parts())
    linear, correction = linear.float().requires_grad_(), correction.bfloat16().requires_grad_()
    picture(linear, correction, UNITS).sum().backward()
    assert linear.grad is not None
    assert correction.grad is not None
    assert torch.equal(linear.grad, torch.full_like(linear, UNITS[0]))
    assert torch.equal(correction.grad, torch.full_like(correction, UNITS[1]))


def test_the_error_is_that_of_the_plain_formula_and_its_gradient_its_slope() -> None:
    x_hat = picture(*_parts(), UNITS).detach().requires_grad_()
    frame = torch.randn(x_hat.shape, dtype=torch.float64) + 128.0
    wanted = (x_hat + 128.0 - frame).square().mean((1, 2, 3))
    torch.testing.assert_close(squared_error(x_hat, frame), wanted)
    assert torch.autograd.gradcheck(lambda x: squared_error(x, frame), (x_hat,))
