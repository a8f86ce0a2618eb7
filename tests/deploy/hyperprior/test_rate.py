"""The bytes of a file against the bits that the float network's likelihoods promise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from c3d_export.deploy.bundle import Provenance
from c3d_export.models.mbt.network import JointAutoregressive, MeanScaleHyperprior
from c3d_export.quantize.post.mbt import by_waves
from c3d_export.quantize.tables import build_tables

from .conftest import Made, picture


def gaussians(network: MeanScaleHyperprior, y_hat: Tensor, z_hat: Tensor) -> tuple[Tensor, ...]:
    """Scales and means (1, M, h, w) as the float network predicts them from decoded latents."""
    params = network.h_s(z_hat)
    if isinstance(network, JointAutoregressive):
        context = network.context_prediction(y_hat)
        params = network.entropy_parameters(torch.cat([params, context], 1))
    return params.chunk(2, 1)


def drawn(network: MeanScaleHyperprior, z_hat: Tensor) -> Tensor:
    """Latents (1, M, h, w) that are distributed as the float network says."""
    params, generator = network.h_s(z_hat), torch.Generator().manual_seed(8)

    def draw(scale: Tensor, mean: Tensor) -> Tensor:
        return mean + scale.clamp_min(0.11) * torch.randn(mean.shape, generator=generator)

    if not isinstance(network, JointAutoregressive):
        return draw(*params.chunk(2, 1))
    context, scales = network.context_prediction, []

    def at(windows: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        seen = F.conv2d(windows, context.masked_weight(), context.bias)
        scale, mean = network.entropy_parameters(torch.cat([params, seen], 1)).chunk(2, 1)
        scales.append(scale)
        return scale, mean

    def quantise(_: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
        y = draw(scales[-1], mean)
        return y, (y - mean).round() + mean

    empty = torch.zeros(1, network.spec.latents, *params.shape[2:])
    return by_waves(empty, params, at, quantise)[0]


def nchw(x: NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(x.astype(np.float32)).permute(2, 0, 1)[None]


@torch.no_grad()
def test_a_file_has_the_bytes_that_the_float_likelihoods_promise(made: Made) -> None:
    """Integers instead of floats, 64 tables instead of every scale, a coder, and a header: all
    together less than one percent."""
    network = made.export.network
    # Tables that are fitted to frames suit these latents less.
    codec = replace(made.export, bank=build_tables()).codec(Provenance("rate"))
    _, z = codec.analyse(picture(960, 1280, 0))
    z_hat = nchw(z) + network.entropy_bottleneck.medians()[:, None, None]
    y = np.ascontiguousarray(drawn(network, z_hat)[0].permute(1, 2, 0).numpy())
    latents = codec.code(y, z)
    y_hat = nchw(latents.y_hat) / (1 << codec.path.fraction)
    scales, means = gaussians(network, y_hat, z_hat)
    y_bits = -network.gaussian_conditional.likelihood(y_hat, scales, means).log2()
    values = z_hat.transpose(0, 1).reshape(z_hat.shape[1], 1, -1)
    z_bits = -network.entropy_bottleneck.likelihood(values).log2()
    promised = float(y_bits.sum() + z_bits.sum()) / 8
    size = len(b"".join(codec.packed(latents)))
    assert promised > 20_000, "so few bytes that a header would count"
    assert size == pytest.approx(promised, rel=0.01)
