"""From float layers to integers: weights, biases, rounding, per-quality parameters."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from c3d_export.models.layers import BIAS_LIMIT, BIAS_UNIT, SUM_LIMIT, WEIGHT_LIMIT, IntConv2d
from c3d_export.models.network import Codec
from c3d_export.models.transforms import dithered
from c3d_export.quantize.freeze import ExactConv2d, freeze, parameters_of
from c3d_export.runtime.copies import copied_channels

Ints = NDArray[np.int64]


def _grid_layer(
    kernel: int, stride: int, *, signed: bool = False, rounding: bool = True
) -> IntConv2d:
    """3 -> 4 channels; integer weights with a step of 1/2, so that every other sum is a tie."""
    layer = IntConv2d(3, 4, kernel, stride=stride, signed=signed, rounding=rounding)
    generator = torch.Generator().manual_seed(kernel + stride)
    weight = torch.randint(-3, 4, layer.weight.shape, generator=generator)
    weight[:, 0, 0, 0] = torch.tensor([64, -64, 64, -64])
    bias = torch.randint(-40, 41, (4,), generator=generator)
    with torch.no_grad():
        layer.weight.copy_(weight * 0.5)
        assert layer.bias is not None
        layer.bias.copy_(bias * 0.5 / BIAS_UNIT)
    return layer


def _literal_sums(x: Ints, weight: Ints, bias: Ints, stride: int) -> Ints:
    """(C, H, W) integers -> (O, h, w) sums, one product at a time."""
    outputs, inputs, side, _ = weight.shape
    pad = side // 2
    rows, columns = (-(-n // stride) for n in x.shape[1:])
    total = np.zeros((outputs, rows, columns), np.int64)
    for o, r, c in np.ndindex(total.shape):
        total[o, r, c] = bias[o]
        for i, dy, dx in np.ndindex(inputs, side, side):
            y, z = r * stride + dy - pad, c * stride + dx - pad
            if 0 <= y < x.shape[1] and 0 <= z < x.shape[2]:
                total[o, r, c] += int(x[i, y, z]) * int(weight[o, i, dy, dx])
    return total


def test_a_depthwise_layer_is_one_of_its_diagonal() -> None:
    layer = IntConv2d(5, 5, 3, depthwise=True)
    full = IntConv2d(5, 5, 3)
    with torch.no_grad():
        for source in (layer, full):
            assert source.bias is not None
            source.bias.copy_(torch.arange(5.0))
            source.center.copy_(torch.arange(10.0, 15.0))
        full.weight.zero_()
        for channel in range(5):
            full.weight[channel, channel] = layer.weight[channel, 0]
    x = torch.randint(0, 256, (1, 5, 6, 7)).float()
    for quantized in (False, True):
        layer.quantized = full.quantized = quantized
        # Float sums of many zeros and of none are taken in another order.
        assert torch.allclose(layer(x), full(x), atol=0 if quantized else 1e-3)
    thin, wide = ExactConv2d(layer), ExactConv2d(full)
    assert torch.equal(thin.bias, wide.bias)
    assert torch.equal(thin(x.double()), wide(x.double()))


def _round_half_even(doubled: int) -> int:
    whole, half = divmod(doubled, 2)
    return whole + (whole % 2 if half else 0)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2)])
def test_a_layer_is_the_literal_sum_rounded_half_to_even(
    kernel: int, stride: int, signed: bool
) -> None:
    exact = ExactConv2d(_grid_layer(kernel, stride, signed=signed))
    rng = np.random.default_rng(kernel)
    x = rng.integers(-5, 6, (3, 5, 6))
    x[:, 2:] *= 25
    sums = _literal_sums(x, exact.weight.numpy(), exact.bias.numpy(), stride)
    low, high = (-128, 127) if signed else (0, 255)
    wanted = np.array([min(max(_round_half_even(int(s)), low), high) for s in sums.flat])
    got = exact(torch.from_numpy(x)[None].double())[0].numpy()
    assert np.array_equal(got.ravel(), wanted)
    # The cases are worth something: ties in both directions, and both ends of the range.
    inside = sums[(sums > 2 * low) & (sums < 2 * high)]
    assert {int(s) % 4 for s in inside} >= {1, 3}
    assert wanted.min() == low
    assert wanted.max() == high


def test_a_raw_layer_is_the_sum_times_its_scale_plus_the_bias_in_float32() -> None:
    exact = ExactConv2d(_grid_layer(1, 1, rounding=False))
    x = np.random.default_rng(1).integers(-128, 128, (3, 4, 5))
    zero = np.zeros(4, np.int64)
    sums = _literal_sums(x, exact.weight.numpy(), zero, 1).astype(np.float32)
    wanted = sums * exact.scale.numpy()[:, None, None] + exact.bias.numpy()[:, None, None]
    tensor = torch.from_numpy(x)[None].double()
    assert np.array_equal(exact(tensor)[0].numpy(), wanted)
    assert np.array_equal(exact.accumulate(tensor)[0].numpy(), sums)
    assert exact.bias.dtype == torch.float32


def _layers(model: Codec, kind: type[torch.nn.Module]) -> dict[str, torch.nn.Module]:
    return {name: m for name, m in model.named_modules() if isinstance(m, kind)}


def test_freezing_replaces_every_layer_and_leaves_the_original(tiny_model: Codec) -> None:
    before = {name: t.clone() for name, t in tiny_model.state_dict().items()}
    frozen = freeze(tiny_model)
    assert not _layers(frozen, IntConv2d)
    assert _layers(frozen, ExactConv2d).keys() == _layers(tiny_model, IntConv2d).keys()
    assert not frozen.training
    assert all(torch.equal(before[name], t) for name, t in tiny_model.state_dict().items())


def test_weights_use_the_whole_range_and_no_more(tiny_model: Codec) -> None:
    sources = _layers(tiny_model, IntConv2d)
    for name, exact in _layers(freeze(tiny_model), ExactConv2d).items():
        source = sources[name]
        assert isinstance(exact, ExactConv2d)
        assert isinstance(source, IntConv2d)
        assert exact.weight.dtype == torch.int8
        largest = exact.weight.to(torch.int32).abs().amax((1, 2, 3))
        assert (largest <= WEIGHT_LIMIT).all()
        # Only a channel whose bias is a million steps of its weights has coarser ones, or one
        # that has so many inputs that their worst sum decides.
        bias_decides = source.bias.detach().abs() * BIAS_UNIT > 0.9 * BIAS_LIMIT * exact.scale
        worst = exact.weight.to(torch.int32).abs().sum((1, 2, 3)) * 255
        sum_decides = worst > 0.97 * SUM_LIMIT
        assert ((largest == WEIGHT_LIMIT) | bias_decides | sum_decides).all()
        error = exact.weight * exact.scale[:, None, None, None] - source.weight
        steps = error / exact.scale[:, None, None, None]
        # Copies of a latent are rounded apart, so that their sum is right.
        dither = torch.tensor(0.5) if source.dither is None else source.dither[:, None, None]
        assert (steps <= dither + 0.001).all()
        assert (steps >= dither - 1.001).all()


def test_the_weights_of_copies_add_up() -> None:
    """Five weights that are each a fifth of a float one: their sum is off by half a step, not by
    five times that."""
    latents = 120
    channels = torch.tensor(copied_channels(latents))
    total = torch.randn(8, latents, 1, 1, generator=torch.Generator().manual_seed(3))
    source = dithered(IntConv2d(len(channels), 8, 1, wide=True), latents)
    with torch.no_grad():
        source.weight.copy_((total / torch.bincount(channels)[:, None, None])[:, channels])
    layer = ExactConv2d(source)
    steps = torch.zeros(8, latents, 1, 1).index_add(1, channels, layer.weight.float())
    # The points of rounding are multiples of 1/256.
    assert ((steps - total / layer.scale[:, None, None, None]).abs() <= 0.51).all()
    apart = layer.weight[:, :16].float() - layer.weight[:, latents : latents + 16]
    assert set(apart.unique().tolist()) == {0.0, 1.0}, "the copies of a weight are not the same"


def test_a_channel_of_bias_alone_keeps_its_bias() -> None:
    conv = IntConv2d(4, 2, 1)
    with torch.no_grad():
        conv.weight.zero_()
        assert conv.bias is not None
        conv.bias.fill_(7.5)
    exact = ExactConv2d(conv)
    assert int(exact.bias.abs().max()) <= BIAS_LIMIT
    assert exact(torch.zeros(1, 4, 1, 1)).flatten().tolist() == [120.0, 120.0]


def test_very_wide_layers_keep_their_sums_below_the_limit() -> None:
    conv = IntConv2d(1024, 3, 3)
    with torch.no_grad():
        conv.weight.fill_(0.01)
    exact = ExactConv2d(conv)
    assert int(exact.weight.to(torch.int64).abs().sum((1, 2, 3)).max()) * 255 < 1 << 24


def test_the_simulation_in_training_gives_the_same_integers() -> None:
    layer = IntConv2d(8, 8, 3)
    with torch.no_grad():
        assert layer.bias is not None
        layer.bias.copy_(torch.linspace(-2, 2, 8))
    x = torch.randint(0, 256, (1, 8, 16, 16), generator=torch.Generator().manual_seed(2)).float()
    exact = ExactConv2d(layer)(x.double())
    layer.quantized = True
    simulated = layer(x).detach()
    # Float sums are off by less than what a rounding at a tie makes of them.
    assert float((simulated - exact).abs().max()) <= 1.0
    assert float((simulated != exact).float().mean()) < 0.001


def test_centres_that_training_subtracts_are_part_of_the_bias() -> None:
    layer = IntConv2d(4, 4, 3)
    with torch.no_grad():
        layer.center.copy_(torch.tensor([90.0, 20.0, 5.0, 60.0]))
    x = torch.randint(0, 256, (1, 4, 8, 8), generator=torch.Generator().manual_seed(3)).float()
    exact = ExactConv2d(layer)(x.double())
    layer.quantized = True
    assert float((layer(x).detach() - exact).abs().max()) <= 1.0


def test_parameters_are_what_the_model_says(tiny_model: Codec) -> None:
    p = parameters_of(tiny_model)
    spec = tiny_model.spec
    shapes = {name: getattr(p, name).shape for name in ("step", "planes", "z_index", "rounding")}
    assert shapes == {
        "step": (spec.qualities, spec.latents),
        "planes": (spec.qualities, 4),
        "z_index": (spec.qualities, spec.hyper),
        "rounding": (64,),
    }
    assert p.step.min() >= 1
    assert p.step.max() <= 65535
    learned = tiny_model.log_step.detach().double().exp().clamp(1 / 256, 65535 / 256).numpy()
    assert np.abs(p.step / 256 - learned).max() <= 0.51 / 256
    assert np.array_equal(p.offset, -np.rint(24 * np.log2(p.step / 256)))
    assert np.array_equal(p.reciprocal, (256 / p.step).astype(np.float32))
    assert np.array_equal(p.planes[:, 3], np.full(spec.qualities, 192))


@pytest.mark.parametrize(("log_step", "step"), [(-20.0, 1), (20.0, 65535), (math.log(3.0), 768)])
def test_steps_are_held_within_what_the_coder_can_carry(
    tiny_model: Codec, log_step: float, step: int
) -> None:
    saved: Tensor = tiny_model.log_step.data
    tiny_model.log_step.data = torch.full_like(saved, log_step)
    try:
        assert (parameters_of(tiny_model).step == step).all()
    finally:
        tiny_model.log_step.data = saved
