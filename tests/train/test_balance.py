"""Losses are weighed by what is usual for their rate point and for their frame."""

from __future__ import annotations

import torch
from torch import Tensor

from c3d_export.train.balance import LEAST_FRAME, Balance

QUALITY, FRAMES = torch.tensor([0, 0, 0, 1, 1, 1]), torch.tensor([0, 1, 2, 0, 1, 2])
# Rate point 1 costs ten times as much as 0; frame 1 half as much as 0, and frame 2 twice.
LOSS = torch.tensor([1.0, 0.5, 2.0, 10.0, 5.0, 20.0])


def _train(balance: Balance, loss: Tensor, steps: int) -> Tensor:
    for _ in range(steps):
        weighed = loss / balance.divisors(loss, QUALITY, FRAMES)
    return weighed


def test_the_first_crop_of_a_rate_point_sets_its_mean() -> None:
    balance = Balance(2, 3, 0.98, "cpu")
    loss = torch.tensor([7.0])
    assert torch.equal(balance.divisors(loss, torch.tensor([1]), FRAMES[:1]), loss)
    assert balance.loss_mean.tolist() == [0.0, 7.0]


def test_in_the_end_all_weigh_alike() -> None:
    balance = Balance(2, 3, 0.98, "cpu")
    assert torch.allclose(_train(balance, LOSS, 1000), torch.ones(6), atol=0.05)


def test_a_frame_of_next_to_nothing_is_not_blown_up() -> None:
    balance = Balance(2, 3, 0.98, "cpu")
    small = torch.where(FRAMES == 1, LOSS * 1e-6, LOSS)
    weighed = _train(balance, small, 1000)
    ratio = small / balance.loss_mean[QUALITY]
    assert torch.allclose(weighed[FRAMES == 1], ratio[FRAMES == 1] / LEAST_FRAME, rtol=0.05)


def test_crops_are_weighed_by_what_was_usual_before_them() -> None:
    balance = Balance(2, 3, 0.98, "cpu")
    balance.frame_mean[1] = 0.5
    divisors = balance.divisors(LOSS, QUALITY, FRAMES)
    usual = balance.loss_mean[QUALITY]
    assert torch.equal(divisors, torch.where(FRAMES == 1, 0.5 * usual, usual))
    assert balance.frame_mean[1] != 0.5


def test_what_is_kept_comes_back() -> None:
    balance, other = Balance(2, 3, 0.98, "cpu"), Balance(2, 3, 0.98, "cpu")
    _train(balance, LOSS, 5)
    other.restore(balance.tensors())
    assert torch.equal(_train(balance, LOSS, 1), _train(other, LOSS, 1))
