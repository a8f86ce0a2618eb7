"""The certificate: what holds, what is refused, and that the bounds are real."""

from __future__ import annotations

import copy

import pytest
import torch

from c3d_export.core.errors import CertificateError
from c3d_export.deploy.bundle import Export, export_network
from c3d_export.deploy.certificate import PAIR_LIMIT, SUM_LIMIT, certify, certify_layer
from c3d_export.models.layers import BIAS_UNIT, WEIGHT_LIMIT, IntConv2d
from c3d_export.models.network import Codec
from c3d_export.quantize.freeze import ExactConv2d


@pytest.fixture
def frozen(tiny_export: Export) -> Codec:
    return copy.deepcopy(tiny_export.frozen)


def _layer(frozen: Codec, path: str) -> ExactConv2d:
    layer = frozen.get_submodule(path)
    assert isinstance(layer, ExactConv2d)
    return layer


def test_every_layer_has_one_and_it_holds(frozen: Codec) -> None:
    certificates = certify(frozen)
    layers = [n for n, m in frozen.named_modules() if isinstance(m, ExactConv2d)]
    assert [c.layer for c in certificates] == layers
    assert all(c.holds for c in certificates)


def test_it_is_what_the_bundle_tells(frozen: Codec, tiny_export: Export) -> None:
    assert [c.to_json() for c in certify(frozen)] == tiny_export.certificates


def test_the_weights_that_freezing_makes_fit_the_pairs() -> None:
    assert 2 * 255 * WEIGHT_LIMIT <= PAIR_LIMIT < 2 * 255 * (WEIGHT_LIMIT + 1)


def test_the_sum_is_reached_by_the_worst_input(frozen: Codec) -> None:
    layer = _layer(frozen, "g_a.down")
    certificate = certify_layer("g_a.down", layer)
    for channel in range(3):
        positive = (layer.weight[channel] > 0) * 255.0
        total = layer.accumulate(positive[None].double())[0, channel, 1, 1]
        assert abs(float(total)) <= certificate.largest_sum
    weights = layer.weight.double().abs().sum((1, 2, 3)) * 255
    assert certificate.largest_sum == int((weights + layer.bias.abs()).max())


@pytest.mark.parametrize("value", [127, -127, -128, 65])
@pytest.mark.parametrize("path", ["g_a.linear", "h_s.conv2", "g_s.low.0.conv2"])
def test_a_weight_beyond_the_pairs(frozen: Codec, path: str, value: int) -> None:
    _layer(frozen, path).weight[1, 2] = value
    with pytest.raises(CertificateError, match=path.replace(".", r"\.")):
        certify(frozen)


def test_a_sum_of_two_to_the_24(frozen: Codec) -> None:
    layer = _layer(frozen, "h_a.conv1")
    weights = int(layer.weight[0].to(torch.int64).abs().sum()) * 255
    layer.bias[0] = SUM_LIMIT - 1 - weights
    certify(frozen)
    for bias in (SUM_LIMIT - weights, weights - SUM_LIMIT, -(1 << 31), (1 << 31) - 1):
        layer.bias[0] = bias
        with pytest.raises(CertificateError, match=r"h_a\.conv1"):
            certify(frozen)


def test_a_kernel_that_sums_up_too_far(frozen: Codec) -> None:
    """Small weights, but very many: what a too wide layer would do."""
    wide = ExactConv2d(IntConv2d(1100, 2, 1))
    wide.weight[:] = 60
    frozen.h_a.conv1 = wide  # type: ignore[assignment]
    with pytest.raises(CertificateError, match=r"h_a\.conv1"):
        certify(frozen)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("inf"), float("nan")])
def test_a_scale_that_is_no_scale(frozen: Codec, scale: float) -> None:
    _layer(frozen, "g_ep.mean").scale[3] = scale
    with pytest.raises(CertificateError, match=r"g_ep\.mean"):
        certify(frozen)


@pytest.mark.parametrize("size", [0.0, 1e-12, 1e-5])
@torch.no_grad()
def test_a_channel_of_hardly_any_weight_keeps_its_bias(tiny_model: Codec, size: float) -> None:
    """In steps of its weights alone the bias would overflow 32 bits."""
    model = copy.deepcopy(tiny_model)
    layer = model.h_s.conv3
    assert layer.bias is not None
    layer.weight[0] = size
    layer.bias[0] = 90 / BIAS_UNIT
    exact = _layer(export_network(model).frozen, "h_s.conv3")
    assert exact(torch.zeros(1, 64, 2, 2))[0, 0].tolist() == [[90.0] * 2] * 2


@torch.no_grad()
def test_a_weight_that_is_no_number_is_not_exported(tiny_model: Codec) -> None:
    model = copy.deepcopy(tiny_model)
    model.h_s.conv3.weight[0, 0] = float("nan")
    with pytest.raises(CertificateError, match=r"h_s\.conv3"):
        export_network(model)
