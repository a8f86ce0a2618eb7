"""The entropy path of mbt2018 and mbt2018-mean in integers: near the float one, and decodable."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from c3d_export.models.mbt.network import JointAutoregressive, MeanScaleHyperprior
from c3d_export.quantize.post.mbt import (
    LATENT_LARGEST,
    EntropyPath,
    scale_thresholds,
)
from c3d_export.quantize.post.mbt_convert import analyse, convert_entropy
from c3d_export.quantize.tables import table_scale
from c3d_export.runtime.hyperprior.waves import waves

from .conftest import smooth_frame


@pytest.fixture
def path(network: MeanScaleHyperprior) -> EntropyPath:
    return convert_entropy(network, [smooth_frame(seed) for seed in range(2)])


@torch.no_grad()
def in_float(network: MeanScaleHyperprior, z: Tensor, y_hat: Tensor) -> tuple[Tensor, Tensor]:
    """Scales and means of the float network for what the integers decoded."""
    params = network.h_s(z + network.entropy_bottleneck.medians()[:, None, None])
    params = params[:, :, : y_hat.shape[2], : y_hat.shape[3]]
    if isinstance(network, JointAutoregressive):
        context = network.context_prediction(y_hat)
        params = network.entropy_parameters(torch.cat([params, context], 1))
    scales, means = params.chunk(2, 1)
    return scales, means


@torch.no_grad()
def test_means_and_tables_are_near_the_float_network(
    network: MeanScaleHyperprior, path: EntropyPath
) -> None:
    y, z = analyse(network, smooth_frame(7))
    z = path.clipped_z(z)
    coded = path.code(y, z)
    one = 1 << path.fraction
    y_hat = coded.y_hat / one
    scales, means = in_float(network, z, y_hat)
    assert coded.symbols.abs().max() >= 3, "nothing to compare"
    assert coded.indexes.float().std() > 1
    error = y_hat - coded.symbols - means
    assert error.square().mean().sqrt() < 0.03 * means.std()
    wanted = torch.tensor([table_scale(int(i)) for i in coded.indexes.flatten()])
    ratio = scales.flatten().clamp_min(0.11) / wanted
    assert (ratio.log2().abs() < 1.5 / 6).float().mean() > 0.97


@torch.no_grad()
def test_a_decoder_finds_the_same_with_all_latents_at_hand(
    network: MeanScaleHyperprior, path: EntropyPath
) -> None:
    """Wave by wave gives what the context convolution gives over the whole of y_hat."""
    y, z = analyse(network, smooth_frame(8))
    z = path.clipped_z(z)
    coded = path.code(y, z)
    params = path.hyper(z)[:, :, : y.shape[2], : y.shape[3]]
    indexes, mean = path.gaussians(params, coded.y_hat)
    assert torch.equal(indexes.float(), coded.indexes.float())
    assert torch.equal(coded.symbols * (1 << path.fraction) + mean, coded.y_hat)
    assert ((y - coded.y_hat / (1 << path.fraction)).abs() <= 0.5 + 1e-4).all()


def test_every_layer_has_its_certificate(network: MeanScaleHyperprior, path: EntropyPath) -> None:
    names = [made.layer for made in path.certificates()]
    wanted = ["h_s.0", "h_s.1", "h_s.2"]
    if isinstance(network, JointAutoregressive):
        wanted += ["context_prediction", *(f"entropy_parameters.{i}" for i in range(3))]
    assert names == wanted
    assert all(made.holds for made in path.certificates())


@torch.no_grad()
def test_latents_beyond_the_range_stay_in_it(
    network: MeanScaleHyperprior, path: EntropyPath
) -> None:
    y, z = analyse(network, smooth_frame(8))
    coded = path.code(y * 1e5, path.clipped_z(z * 100))
    assert coded.y_hat.abs().max() <= LATENT_LARGEST
    assert coded.symbols.abs().max() <= LATENT_LARGEST
    assert torch.equal(coded.symbols, coded.symbols.round())


def test_thresholds_lie_between_the_scales_of_their_tables() -> None:
    thresholds = scale_thresholds()
    assert sorted(set(thresholds)) == thresholds
    for table, edge in enumerate(thresholds):
        middle = (table_scale(table) * table_scale(table + 1)) ** 0.5
        assert edge == pytest.approx(256 * middle, abs=0.5)


@pytest.mark.parametrize(
    ("rows", "columns"), [(1, 1), (1, 7), (7, 1), (2, 2), (4, 5), (9, 3), (45, 80)]
)
def test_waves_hold_each_position_once_and_after_what_it_sees(rows: int, columns: int) -> None:
    when = np.full((rows, columns), -1)
    for wave, (row, column) in enumerate(waves(rows, columns)):
        assert len(row) > 0
        assert (when[row, column] == -1).all()
        when[row, column] = wave
        assert (np.diff(row) == 1).all() if len(row) > 1 else True
    assert (when >= 0).all()
    for dy in range(-2, 1):
        for dx in range(-2, 3):
            if (dy, dx) >= (0, 0):
                continue
            for r in range(max(0, -dy), rows):
                for c in range(max(0, -dx), columns - max(0, dx)):
                    assert when[r + dy, c + dx] < when[r, c]
