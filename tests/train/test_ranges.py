"""Trunks fill their range without a change of what the network computes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from c3d_export.models.layers import IntConv2d, ResidualBlock
from c3d_export.models.network import Codec
from c3d_export.train.centering import input_means, recenter
from c3d_export.train.loop import Trainer
from c3d_export.train.ranges import FILL, LARGEST, TRUNKS, _measure, fill_ranges

FRAME = torch.arange(3 * 128 * 128).reshape(1, 3, 128, 128) * 7919 % 251.0
QUALITY = torch.tensor([1])


@pytest.fixture
def model(noisy_nano: Codec) -> Codec:
    """With trunks of small numbers, and centred."""
    with torch.no_grad():
        for trunk in TRUNKS:
            entry = noisy_nano.get_submodule(trunk.entry)
            assert isinstance(entry, IntConv2d)
            entry.weight *= 0.1
    average = noisy_nano.state_dict()
    recenter(noisy_nano, input_means(noisy_nano, lambda: _run(noisy_nano)), dict(average))
    return noisy_nano


def _run(model: Codec) -> Tensor:
    x_hat: Tensor = model(FRAME, QUALITY).x_hat.detach()
    return x_hat


def _copy(model: Codec) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_the_function_stays(model: Codec) -> None:
    before, average = _run(model), _copy(model)
    fill_ranges(model, average, lambda: _run(model))
    assert torch.allclose(_run(model), before, atol=0.05)
    for name, value in model.state_dict().items():
        assert torch.equal(average[name], value), name


def test_channels_grow_and_stay_within_their_range(model: Codec) -> None:
    before = _measure(model, lambda: _run(model))
    fill_ranges(model, _copy(model), lambda: _run(model))
    after = _measure(model, lambda: _run(model))
    grown = 0
    for trunk in TRUNKS:
        ratio = after[trunk.entry] / before[trunk.entry].clamp_min(1e-9)
        alive = before[trunk.entry] > 0
        assert (ratio[alive] < LARGEST + 0.01).all()
        assert (after[trunk.entry][ratio > 1.01] < FILL + 1).all()
        grown += int((ratio[alive] > 1.5).sum())
    assert grown > 8


def test_rounding_loses_less(model: Codec) -> None:
    exact = _run(model)
    layers = [m for m in model.g_s.modules() if isinstance(m, IntConv2d)]
    layers.remove(model.g_s.pixels)

    def error() -> float:
        """What rounding g_s's trunk alone adds."""
        for layer in layers:
            layer.quantized = True
        rounded = _run(model)
        model.quantize(False)
        return float((rounded - exact).square().mean())

    before = error()
    fill_ranges(model, _copy(model), lambda: _run(model))
    assert error() < before


def test_what_a_block_adds_stays_within_its_range(model: Codec) -> None:
    """A block that adds up to 100 leaves its channels no room to double."""
    block = model.g_s.low[0]
    assert isinstance(block, ResidualBlock)
    with torch.no_grad():
        assert block.conv2.bias is not None
        block.conv2.weight.zero_()
        block.conv2.bias.fill_(100.0 / 16)
    before = model.g_s.enter.weight.detach().abs().sum((1, 2, 3))
    fill_ranges(model, _copy(model), lambda: _run(model))
    grown = model.g_s.enter.weight.detach().abs().sum((1, 2, 3)) / before
    assert 1.0 <= float(grown.min()) <= float(grown.max()) <= 1.2001


def test_it_happens_when_the_integer_simulation_begins(make_trainer: object) -> None:
    assert callable(make_trainer)
    early: Trainer = make_trainer(quantize_from=2)
    late: Trainer = make_trainer(quantize_from=3)
    for trainer in (early, late):
        for _ in range(2):
            trainer.train_step()
    assert torch.equal(early.model.g_s.enter.weight, late.model.g_s.enter.weight)
    for trainer in (early, late):
        trainer.train_step()
    ratio = early.model.g_s.enter.weight.norm() / late.model.g_s.enter.weight.norm()
    assert float(ratio.detach()) > 1.1
