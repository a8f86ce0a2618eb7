"""A bundle of each architecture, of small networks with random weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from c3d_export.deploy.bundle import Provenance
from c3d_export.deploy.hyperprior.bundle import (
    HyperpriorExport,
    as_tensor,
    build_bundle,
    export_network,
)
from c3d_export.models.mbt.network import MeanScaleHyperprior, build_network
from c3d_export.models.mbt.spec import uniform_spec
from c3d_export.runtime.bundle import Bundle, parse_bundle
from c3d_export.runtime.hyperprior.codec import HyperpriorCodec
from c3d_export.runtime.images import Frame
from c3d_export.runtime.sessions import SessionOptions


def picture(height: int, width: int, seed: int = 0) -> Frame:
    """(height, width, 3) uint8, smooth, with an edge."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [np.sin(rows / a + columns / b) for a, b in rng.uniform(5, 30, (3, 2))]
    pixels = 128 + 90 * np.stack(waves, 2)
    pixels[height // 3 :, width // 2 :] *= 0.5
    return pixels.clip(0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Made:
    export: HyperpriorExport
    data: bytes

    @property
    def bundle(self) -> Bundle:
        return parse_bundle(self.data)

    @property
    def codec(self) -> HyperpriorCodec:
        return HyperpriorCodec(self.bundle, SessionOptions(flavour="float", threads=1))


def scale_outputs(layer: nn.Module, seen: Tensor, wanted: Tensor) -> None:
    """The layer's outputs, seen (B, O, h, w), get these standard deviations (O,) and mean 0."""
    assert isinstance(layer, nn.Conv2d)
    assert layer.bias is not None
    factor = wanted / seen.std((0, 2, 3)).clamp_min(1e-9)
    layer.weight.mul_(factor[:, None, None, None])
    layer.bias.copy_((layer.bias - seen.mean((0, 2, 3))) * factor)


@torch.no_grad()
def random_network(
    architecture: str, frame: Frame, n: int = 16, m: int = 24
) -> MeanScaleHyperprior:
    """Random weights, but latents of this frame are some units wide, as their scales say.

    n, m: channels of the inner layers and of z, and of y.
    """
    network = build_network(uniform_spec("tiny", architecture, n, m), seed=3).eval()
    network.entropy_bottleneck.quantiles[:, 0, 1] += torch.linspace(-0.4, 0.4, n)
    wide, x = 6.0 * 0.88 ** torch.arange(m), as_tensor(frame)
    x = x[:, :, : x.shape[2] // 64 * 64, : x.shape[3] // 64 * 64]
    scale_outputs(network.g_a[6], network.g_a(x), wide)
    scale_outputs(network.h_a[4], network.h_a(network.g_a(x)), torch.full((n,), 2.0))
    last = "entropy_parameters.4" if network.spec.has_context else "h_s.4"
    layer, params = network.get_submodule(last), network(x)
    assert isinstance(layer, nn.Conv2d)
    both = torch.cat([params.scales, params.means], 1)
    scale_outputs(layer, both, torch.cat([0.2 * wide, 0.5 * wide]))
    assert layer.bias is not None
    layer.bias[:m] = wide
    return network


@pytest.fixture(scope="session", params=["mbt2018-mean", "mbt2018"])
def made(request: pytest.FixtureRequest) -> Made:
    frames = [picture(192, 256, seed) for seed in range(2)]
    network = random_network(request.param, frames[0])
    export = export_network(network, frames)
    return Made(export, build_bundle(export, Provenance("tiny", "synthetic", "CC0-1.0")))
