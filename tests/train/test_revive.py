"""Dead units come back without a change of what the network computes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from c3d_export.models.layers import IntConv2d, ResidualBlock
from c3d_export.models.network import Codec
from c3d_export.train.centering import input_means
from c3d_export.train.loop import Trainer
from c3d_export.train.revive import Link, dead_units, links, revive

FRAME = torch.arange(3 * 128 * 128).reshape(1, 3, 128, 128) * 7919 % 251.0
QUALITY = torch.tensor([1])
SWITCHED_OFF = -1e4


@pytest.fixture
def model(noisy_nano: Codec) -> Codec:
    return noisy_nano


def _means(model: Codec) -> dict[str, Tensor]:
    return input_means(model, lambda: model(FRAME, QUALITY))


def _layer(model: Codec, path: str) -> IntConv2d:
    layer = model.get_submodule(path)
    assert isinstance(layer, IntConv2d)
    return layer


@torch.no_grad()
def _kill(model: Codec, link: Link, unit: int) -> None:
    source = _layer(model, link.source)
    assert source.bias is not None
    source.bias[unit :: source.out_channels // link.copies] = SWITCHED_OFF


def test_links_cover_every_layer_of_units(model: Codec) -> None:
    trunks = {"g_a.patch", "g_a.down", "g_s.enter", "g_s.up"}
    relu = {
        path
        for path, layer in model.named_modules()
        if isinstance(layer, IntConv2d) and layer.rounding and not layer.signed
    }
    heads = {f"{part}.index" for part in ("h_s", "g_cp", "g_ep")}
    assert {layer for link in links(model) for layer in link.layers} == relu - trunks - heads
    blocks = [m for m in model.modules() if isinstance(m, ResidualBlock)]
    assert len(blocks) == 4


def test_the_function_stays_and_the_units_live(model: Codec) -> None:
    every = list(links(model))
    for link in every:
        _kill(model, link, 1)
    average = {name: value.clone() for name, value in model.state_dict().items()}
    means = _means(model)
    dead = {link.source: dead_units(model, link, means).tolist() for link in every}
    assert all(1 in units for units in dead.values()), dead
    with torch.no_grad():
        before = model(FRAME, QUALITY)
    torch.manual_seed(5)
    assert revive(model, means, average) == sum(map(len, dead.values()))
    with torch.no_grad():
        after = model(FRAME, QUALITY)
    for name in ("x_hat", "bits_y", "bits_z"):
        # Constants of depthwise units go into biases, in another order of sums.
        assert torch.allclose(getattr(before, name), getattr(after, name), rtol=1e-4, atol=1e-3)
    for link in every:
        for path in (link.source, *(reader for reader, _ in link.readers)):
            assert torch.equal(average[f"{path}.weight"], _layer(model, path).weight)
    means = _means(model)
    living = [link.source for link in every if 1 not in dead_units(model, link, means).tolist()]
    # A fresh unit may by chance be dead on this one small frame, but most are not.
    assert len(living) > len(every) * 2 // 3


def test_living_units_are_left_alone(model: Codec) -> None:
    link = next(link for link in links(model) if link.source == "g_s.high.0.conv1")
    _kill(model, link, 2)
    weight = _layer(model, link.source).weight.detach().clone()
    average = {name: value.clone() for name, value in model.state_dict().items()}
    dead = dead_units(model, link, _means(model)).tolist()
    revive(model, _means(model), average)
    changed = (_layer(model, link.source).weight != weight).any((1, 2, 3))
    assert torch.nonzero(changed).flatten().tolist() == dead
    assert len(dead) < len(weight)


@pytest.mark.parametrize(("quantize_from", "back"), [(6, True), (0, False)])
def test_training_revives_until_it_simulates_integers(
    make_trainer: Callable[..., Trainer], quantize_from: int, back: bool
) -> None:
    trainer = make_trainer(quantize_from=quantize_from)
    link = next(link for link in links(trainer.model) if link.source == "h_s.conv3")
    _kill(trainer.model, link, 0)
    trainer.train_step()
    bias = _layer(trainer.model, link.source).bias
    assert bias is not None
    assert (float(bias[0].detach()) > SWITCHED_OFF / 2) == back
