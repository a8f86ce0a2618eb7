"""Widths, parameter counts and causality of mbt2018 and mbt2018-mean."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from c3d_export.models.mbt import MODELS
from c3d_export.models.mbt.gdn import GDN, NonNegative
from c3d_export.models.mbt.network import JointAutoregressive, MaskedConv2d, build_network
from c3d_export.models.mbt.spec import SPECS, MbtSpec, uniform_spec

# Counted on CompressAI's own classes (1.2.8).
PARAMETERS = {
    "mbt2018-mean-1": 7_028_003,
    "mbt2018-mean-8": 17_561_699,
    "mbt2018-1": 14_130_467,
    "mbt2018-8": 25_504_596,
}


@pytest.mark.parametrize(("name", "count"), PARAMETERS.items())
def test_the_parameters_are_those_of_compressai(name: str, count: int) -> None:
    with torch.device("meta"):
        network = MODELS[name]()
    assert sum(p.numel() for p in network.parameters()) == count


def test_every_quality_has_a_name() -> None:
    names = {f"{a}-{q}" for a in ("mbt2018", "mbt2018-mean") for q in range(1, 9)}
    assert names | {"mbt2018", "mbt2018-mean"} == set(MODELS)
    assert (SPECS["mbt2018-mean-5"].hyper, SPECS["mbt2018-mean-5"].latents) == (192, 320)
    assert (SPECS["mbt2018-mean"].hyper, SPECS["mbt2018-mean"].latents) == (128, 192)


@pytest.mark.parametrize("architecture", ["mbt2018", "mbt2018-mean"])
def test_a_spec_survives_json(architecture: str) -> None:
    spec = uniform_spec("tiny", architecture, 8, 12)
    assert MbtSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    "change",
    [
        {"latents": 0},
        {"hyper": 5000},
        {"g_a": (8, 8)},
        {"entropy_parameters": ()},
        {"architecture": "cheng2020"},
        {"h_s": (8, True)},
        {"h_a": (8, 8.0)},
    ],
)
def test_a_spec_that_breaks_a_law_is_refused(change: dict[str, object]) -> None:
    fields = {**uniform_spec("tiny", "mbt2018", 8, 12).to_json(), **change}
    with pytest.raises(ValueError):
        MbtSpec.from_json(fields)


def test_networks_of_uneven_widths_run_and_reload() -> None:
    even = uniform_spec("tiny", "mbt2018", 8, 12)
    spec = replace(even, g_a=(5, 6, 7), g_s=(9, 8, 4), h_a=(3, 5), h_s=(10, 11), hyper=6)
    network = build_network(replace(spec, entropy_parameters=(13, 9))).eval()
    other = build_network(network.spec, seed=1).eval()
    other.load_state_dict(network.state_dict())
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(network(x).x_hat, other(x).x_hat)


def test_the_context_sees_only_what_was_decoded_before() -> None:
    conv = MaskedConv2d(2, 4)
    x = torch.zeros(1, 2, 9, 9, requires_grad=True)
    conv(x)[0, :, 4, 4].sum().backward()
    assert x.grad is not None
    seen = x.grad[0].abs().sum(0) > 0
    wanted = torch.zeros(9, 9, dtype=torch.bool)
    wanted[2:4, 2:7] = True
    wanted[4, 2:4] = True
    assert torch.equal(seen, wanted)


def test_training_adds_noise_and_evaluation_rounds() -> None:
    network = build_network(uniform_spec("tiny", "mbt2018", 8, 12))
    assert isinstance(network, JointAutoregressive)
    x = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert not torch.equal(network(x).y_hat, network(x).y_hat)
        assert torch.equal(network.eval()(x).y_hat, network(x).y_hat.round())
    assert network(x).bits().shape == (2,)


def test_the_bits_have_gradients_everywhere() -> None:
    network = build_network(uniform_spec("tiny", "mbt2018", 8, 12))
    out = network(torch.rand(1, 3, 64, 64))
    (out.bits().sum() + out.x_hat.square().mean()).backward()
    network.entropy_bottleneck.auxiliary_loss().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


def test_gdn_divides_and_its_inverse_multiplies() -> None:
    x = torch.tensor([3.0, 4.0])[None, :, None, None]
    layer, inverse = GDN(2), GDN(2, inverse=True)
    with torch.no_grad():
        for gdn in (layer, inverse):
            gdn.gamma.copy_(gdn.gamma_reparam.parameter(torch.tensor([[0.1, 0.2], [0.0, 0.3]])))
    norm = torch.tensor([1 + 0.1 * 9 + 0.2 * 16, 1 + 0.3 * 16]).sqrt()
    torch.testing.assert_close(layer(x)[0, :, 0, 0], torch.tensor([3.0, 4.0]) / norm)
    torch.testing.assert_close(inverse(x)[0, :, 0, 0], torch.tensor([3.0, 4.0]) * norm)


def test_a_parameter_below_its_bound_can_come_back() -> None:
    parameter = torch.tensor([0.0], requires_grad=True)
    (-NonNegative(0.1)(parameter)).sum().backward()
    assert parameter.grad is not None
    assert parameter.grad.item() < 0  # a step against the gradient raises it
