"""Any chain of convolutions becomes integers: near the float chain, exact, and within its proof."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from c3d_export.core.errors import CertificateError
from c3d_export.quantize.post.certificate import certify
from c3d_export.quantize.post.convert import (
    IN_FLOAT32,
    IN_INT16,
    Limits,
    convert,
    input_grid,
    largest_sums,
)
from c3d_export.quantize.post.grid import even_grid, joined, observe
from c3d_export.quantize.post.layer import (
    Affine,
    IntegerChain,
    IntegerLayer,
    affines_of,
    split,
)

EIGHT_BITS = Limits(1 << 16, 64, 255)


def chain() -> nn.Sequential:
    torch.manual_seed(2)
    return nn.Sequential(
        nn.ConvTranspose2d(6, 8, 5, 2, padding=2, output_padding=1),
        nn.LeakyReLU(),
        nn.Conv2d(8, 10, 3, 2, padding=1),
        nn.ReLU(),
        nn.Conv2d(10, 4, 1),
    )


def signal(seed: int, channels: int = 6) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    size = torch.logspace(-1, 1, channels)[:, None, None]
    return torch.randn(2, channels, 9, 7, generator=generator) * size


def converted(limits: Limits, target_step: float = 1e-4) -> tuple[nn.Sequential, IntegerChain]:
    network = chain().eval()
    affines, xs = affines_of(network), [signal(seed) for seed in range(3)]
    source = input_grid(affines[0], observe(xs), limits)
    target = even_grid(4, target_step, -(1 << 20), 1 << 20)
    return network, convert(affines, xs, source, target, limits)


@pytest.mark.parametrize(
    ("limits", "share"), [(IN_FLOAT32, 4e-3), (IN_INT16, 1e-3), (EIGHT_BITS, 0.1)]
)
@torch.no_grad()
def test_integers_are_near_the_float_chain(limits: Limits, share: float) -> None:
    network, integers = converted(limits)
    x = signal(9)
    wanted = network(x)
    got = integers.target.values(integers(integers.layers()[0].source.integers(x)))
    error = (got - wanted).square().mean().sqrt() / wanted.std()
    assert share / 30 < error < share


@torch.no_grad()
def test_float32_in_any_order_gives_the_same_integers() -> None:
    _, integers = converted(IN_FLOAT32)
    x = integers.layers()[0].source.integers(signal(9) * 3)  # clipped, as in the worst case
    for layer in integers.layers():
        single = _sums_in_float32(layer, x.float())
        flipped = _sums_in_float32(layer, x.float().flip(1), flip=True)
        assert torch.equal(flipped, single)
        assert torch.equal(single, layer.accumulate(x).float())
        x = layer(x)
    assert torch.equal(x, x.round())


def _sums_in_float32(layer: IntegerLayer, x: Tensor, flip: bool = False) -> Tensor:
    """As a host does it: each part by itself, then one addition."""
    sums = []
    for taps, bias in layer.parts():
        weight = (taps.flip(1) if flip else taps).float()
        if layer.transposed:
            geometry = (layer.stride, layer.padding, layer.output_padding)
            sums.append(F.conv_transpose2d(x, weight.transpose(0, 1), bias.float(), *geometry))
        else:
            sums.append(F.conv2d(x, weight, bias.float(), layer.stride, layer.padding))
        assert torch.equal(sums[-1], sums[-1].round())
    return sums[0] if layer.radix == 1 else sums[0] * layer.radix + sums[1]


@pytest.mark.parametrize("limits", [IN_FLOAT32, IN_INT16, EIGHT_BITS])
@torch.no_grad()
def test_no_input_exceeds_the_certificate(limits: Limits) -> None:
    """The worst input of the worst output of each layer, made from the signs of its weights."""
    _, integers = converted(limits)
    for number, layer in enumerate(integers.layers()):
        made = certify(str(number), layer, limits)
        assert made.holds
        assert made.largest_sum >= 0.9 * limits.total or made.largest_weight == limits.weight
        worst = 0.0
        for taps, bias in layer.parts():
            part = IntegerLayer(_like(layer), taps, bias, layer.source)
            worst = max(worst, *(_worst(part, output) for output in range(len(bias))))
        assert made.largest_sum * 0.99 <= worst <= made.largest_sum


def _like(layer: IntegerLayer) -> Affine:
    """A layer of this geometry; its weights are of no account."""
    inputs, outputs, size = len(layer.source.low), len(layer.bias), layer.weight.shape[2]
    geometry = (inputs, outputs, size, layer.stride, layer.padding)
    if layer.transposed:
        return Affine(nn.ConvTranspose2d(*geometry, layer.output_padding))
    return Affine(nn.Conv2d(*geometry))


def _worst(layer: IntegerLayer, output: int) -> float:
    """The largest sum of one output position in the middle of an input fit for it."""
    size = 9
    x = torch.zeros(1, len(layer.source.low), size, size, dtype=torch.float64, requires_grad=True)
    most = 0.0
    with torch.enable_grad():
        sums = layer.accumulate(x)
    middle = sums.shape[2] // 2
    sign = 1.0 if layer.bias[output] >= 0 else -1.0
    for row in (middle, middle + 1):
        for column in (middle, middle + 1):
            with torch.enable_grad():
                target = sums[0, output, row, column]
            (gradient,) = torch.autograd.grad(target, x, retain_graph=True)
            fit = sign * gradient.sign() * layer.source.magnitude[:, None, None]
            most = max(most, abs(float(layer.accumulate(fit)[0, output, row, column])))
    return most


def test_a_layer_beyond_its_limits_gets_no_certificate() -> None:
    _, integers = converted(IN_FLOAT32)
    layer = integers.layers()[1]
    certify("fine", layer, IN_FLOAT32)
    with pytest.raises(CertificateError, match=r"layer narrow cannot be exact"):
        certify("narrow", layer, replace(IN_FLOAT32, total=1 << 23))
    layer.scale[0] = float("inf")
    with pytest.raises(CertificateError):
        certify("endless", layer, IN_FLOAT32)


def test_steps_follow_what_a_channel_is_worth() -> None:
    """A channel of larger values gets larger steps, one of larger weights gets smaller ones."""
    layer = nn.Conv2d(3, 4, 3)
    with torch.no_grad():
        layer.weight.fill_(1.0)
        layer.weight[:, 2] = 8.0
    x = torch.randn(1, 3, 40, 40)
    x[:, 1] *= 16
    step = input_grid(Affine(layer), observe([x]), IN_FLOAT32).step
    torch.testing.assert_close(step[1] / step[0], torch.tensor(4.0).double(), rtol=0.1, atol=0)
    torch.testing.assert_close(step[0] / step[2], torch.tensor(8.0**0.5).double(), rtol=0.1, atol=0)


def test_the_chosen_steps_are_the_best() -> None:
    """Other steps of the same ranges, finer or coarser, lose more."""
    layer = nn.Conv2d(16, 16, 3, padding=1)
    xs = [signal(seed, 16) for seed in range(4)]
    best = input_grid(Affine(layer), observe(xs), IN_FLOAT32)
    target = even_grid(16, 1e-5, -(1 << 23), 1 << 23)

    def error(factor: float) -> float:
        low, high = ((edge / factor).round() for edge in (best.low, best.high))
        grid = replace(best, step=best.step * factor, low=low, high=high)
        integers = convert([Affine(layer)], xs, grid, target, IN_FLOAT32)
        x = signal(9, 16)
        with torch.no_grad():
            got = integers.target.values(integers(grid.integers(x)))
            return float((got - layer(x)).square().mean())

    assert error(1.0) < 0.7 * error(3.0)
    assert error(1.0) < 0.7 * error(1 / 3.0)


def test_sums_of_a_transposed_convolution_count_each_tap_once() -> None:
    weight = torch.ones(1, 1, 5, 5)
    assert largest_sums(weight, torch.ones(1), 2).item() == 9.0
    assert largest_sums(weight, torch.ones(1), 1).item() == 25.0


def test_concatenated_tensors_keep_their_own_units() -> None:
    grid = joined([even_grid(2, 0.5, -1, 1), even_grid(1, 0.25, 0, 8)])
    assert grid.step.tolist() == [0.5, 0.5, 0.25]
    assert grid.magnitude.tolist() == [1, 1, 8]
    assert grid.integers(torch.full((1, 3, 1, 1), 9.0)).flatten().tolist() == [1, 1, 8]


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.ReLU()),
        nn.Sequential(nn.Conv2d(2, 2, 1), nn.Sigmoid()),
        nn.Sequential(nn.Conv2d(2, 2, 1, groups=2)),
        nn.Sequential(nn.Conv2d(2, 2, 3, dilation=2)),
        nn.Sequential(nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect")),
        nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU(), nn.LeakyReLU()),
    ],
)
def test_what_has_no_integer_form_is_refused(module: nn.Sequential) -> None:
    with pytest.raises(TypeError):
        affines_of(module)


def test_a_split_weight_is_its_parts() -> None:
    values = torch.arange(-1000, 1001).double()
    for radix in (2, 8, 16):
        high, low = split(values, radix)
        assert torch.equal(radix * high + low, values)
        assert low.abs().max() <= radix / 2


def test_splitting_makes_finer_sums() -> None:
    """A radix of 16 where there is room, and less noise by about its root."""
    errors = []
    for limits in (replace(IN_FLOAT32, radix=1), IN_FLOAT32):
        network, integers = converted(limits)
        assert {layer.radix for layer in integers.layers()} == {limits.radix}
        x = signal(9)
        with torch.no_grad():
            got = integers.target.values(integers(integers.layers()[0].source.integers(x)))
            errors.append(float((got - network(x)).square().mean()))
    assert errors[1] < errors[0] / 8


@torch.no_grad()
def test_a_sign_that_the_calibration_did_not_see_is_kept() -> None:
    """The proof counts magnitudes: both signs have the range of the larger one."""
    affine = Affine(nn.Conv2d(6, 4, 1))
    grid = input_grid(affine, observe([signal(0).abs()]), IN_FLOAT32)
    assert torch.equal(grid.low, -grid.high)
    x = -signal(0).abs()
    assert torch.allclose(grid.values(grid.integers(x)), x.double(), atol=float(grid.step.max()))
