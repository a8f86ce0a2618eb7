"""Small networks of both architectures with latents of some units."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from c3d_export.models.mbt.network import MeanScaleHyperprior, build_network
from c3d_export.models.mbt.spec import uniform_spec


def smooth_frame(seed: int, height: int = 96, width: int = 128) -> Tensor:
    """(1, 3, height, width), 0..1."""
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(1, 3, height // 8, width // 8, generator=generator)
    return F.interpolate(small, scale_factor=8.0, mode="bilinear")


def lively(architecture: str, n: int = 16, m: int = 24) -> MeanScaleHyperprior:
    """Random weights, larger where a fresh network's latents, means and scales are all but zero."""
    network = build_network(uniform_spec("tiny", architecture, n, m), seed=3).eval()
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(1)
        network.g_a[6].weight.mul_(40)
        network.h_a[4].weight.mul_(40)
        last = network.h_s[4] if architecture == "mbt2018-mean" else network.entropy_parameters[4]
        last.weight.mul_(20)
        last.bias[:m].add_(0.5)
        medians = network.entropy_bottleneck.quantiles[:, :, 1]
        medians.add_(torch.rand_like(medians) - 0.5)
    return network


@pytest.fixture(params=["mbt2018-mean", "mbt2018"])
def network(request: pytest.FixtureRequest) -> MeanScaleHyperprior:
    return lively(request.param)
