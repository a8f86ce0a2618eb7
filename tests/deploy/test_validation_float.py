"""The float network beside the integer one: what is measured, and that it is measured."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from c3d_export.deploy.analysis import (
    FloatComparison,
    RateRow,
    as_float,
    compare_with_float,
)
from c3d_export.deploy.bundle import Export
from c3d_export.deploy.matrix import NamedFrame
from c3d_export.evaluate.metrics import psnr
from c3d_export.models.network import Codec as Network
from c3d_export.runtime.bundle import Bundle

MakeFrame = Callable[..., NDArray[np.uint8]]


@pytest.fixture(scope="module")
def comparison(
    tiny_model: Network, tiny_export: Export, tiny_bundle: Bundle, make_frame: MakeFrame
) -> FloatComparison:
    frames = [NamedFrame(f"f{seed}", make_frame(50, 70, seed)) for seed in (2, 3)]
    return compare_with_float(
        tiny_model, tiny_export.frozen, tiny_bundle, frames, [1, 8], trained=True
    )


def test_the_integer_numbers_are_those_of_the_networks_own_simulation(
    comparison: FloatComparison, tiny_model: Network, make_frame: MakeFrame
) -> None:
    """Two ways to the same numbers: ONNX graphs, and the trainable network in PyTorch."""
    simulated = copy.deepcopy(tiny_model).eval()
    simulated.quantize(True)
    frame = np.pad(make_frame(50, 70, 2), ((0, 14), (0, 10), (0, 0)), "edge")
    pixels = torch.from_numpy(frame).permute(2, 0, 1)[None].float()
    for row in comparison.rates[:2]:
        with torch.no_grad():
            out = simulated(pixels, torch.tensor([row.quality - 1]))
        bpp = float(out.bits_y + out.bits_z) / (50 * 70)
        assert row.bpp_integer == pytest.approx(bpp, rel=0.02)
        picture = (out.x_hat[0].permute(1, 2, 0) + 128).round().clamp(0, 255).to(torch.uint8)
        decibels = psnr(np.ascontiguousarray(frame[:50, :70]), picture.numpy()[:50, :70].copy())
        assert row.psnr_integer == pytest.approx(decibels, abs=0.1)


def test_the_float_numbers_are_others(comparison: FloatComparison) -> None:
    for row in comparison.rates:
        assert abs(row.bpp_float - row.bpp_integer) > 1e-4
        assert 0.001 < abs(row.psnr_float - row.psnr_integer) < 2
    for item in comparison.analysis:
        assert 0 < item.mean < item.largest
        assert 0 <= item.share_above_half <= 1


def test_higher_rate_points_cost_and_give_more(comparison: FloatComparison) -> None:
    low, high = comparison.by_quality()
    assert (low.quality, high.quality) == (1, 8)
    assert low.bpp_float < high.bpp_float
    assert low.bpp_integer < high.bpp_integer
    assert low.psnr_float < high.psnr_float
    assert low.psnr_integer < high.psnr_integer


def test_the_summary_is_the_mean_of_the_frames() -> None:
    rows = (RateRow("a", 3, 1.0, 2.0, 30.0, 40.0), RateRow("b", 3, 3.0, 5.0, 34.0, 41.0))
    (mean,) = FloatComparison(True, (), rows).by_quality()
    assert mean == RateRow("mean of 2", 3, 2.0, 3.5, 32.0, 40.5)


def _curve(points: int, times: float) -> FloatComparison:
    """The integer network needs `times` the rate of the float one."""
    rows = (RateRow("a", q, 0.1 * q, 0.1 * q * times, 25.0 + q, 25.0 + q) for q in range(points))
    return FloatComparison(False, (), tuple(rows)[1:])


def test_the_cost_is_a_bd_rate_where_there_are_points_enough() -> None:
    assert _curve(6, 1.02).bd_rate == pytest.approx(2.0, abs=0.01)
    assert _curve(6, 1.0).to_json()["bd_rate_percent"] == pytest.approx(0.0, abs=1e-6)
    assert _curve(4, 1.02).bd_rate is None
    flat = tuple(RateRow("a", q, 1.0, 1.0, 30.0, 30.0) for q in range(1, 6))
    assert replace(_curve(6, 1.0), rates=flat).bd_rate is None


def test_every_frame_and_rate_point_is_reported(
    tiny_model: Network, tiny_export: Export, tiny_bundle: Bundle, make_frame: MakeFrame
) -> None:
    seen: list[str] = []
    frames = [NamedFrame("f", make_frame(16, 16))]
    result = compare_with_float(
        *(tiny_model, tiny_export.frozen, tiny_bundle, frames, [2, 3]),
        trained=False,
        report=seen.append,
    )
    assert seen == ["float, f quality 2", "float, f quality 3"]
    assert result.to_json()["trained"] is False
    assert [row["quality"] for row in result.to_json()["rates"]] == [2, 3]


def test_the_float_network_simulates_nothing_and_the_model_is_left_alone(
    tiny_model: Network,
) -> None:
    model = copy.deepcopy(tiny_model).train()
    model.quantize(True)
    network = as_float(model)
    assert not network.training
    assert not network.quantized
    assert model.training
    assert model.quantized
    x = torch.full((1, 3, 16, 16), 3.3)
    with torch.no_grad():
        trunk = network.g_a.patch(torch.full((1, 192, 1, 1), 3.3))
        assert not torch.equal(trunk, trunk.round())
        assert not torch.equal(network.g_a(x), model.eval().g_a(x))


def test_a_network_that_is_another_one_shows(
    tiny_model: Network, tiny_export: Export, tiny_bundle: Bundle, make_frame: MakeFrame
) -> None:
    """The control: twice the latents are no rounding error."""
    other = copy.deepcopy(tiny_model)
    with torch.no_grad():
        other.g_a.linear.weight.mul_(2.0)
    frames = [NamedFrame("f", make_frame(48, 48))]
    result = compare_with_float(other, tiny_export.frozen, tiny_bundle, frames, [4], trained=True)
    assert result.analysis[0].largest > 10
    assert result.rates[0].bpp_float > 1.1 * result.rates[0].bpp_integer
