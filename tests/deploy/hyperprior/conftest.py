"""A bundle of each architecture, of small networks with random weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from c3d_export.deploy.bundle import Provenance
from c3d_export.deploy.hyperprior.bundle import HyperpriorExport, build_bundle, export_network
from c3d_export.models.mbt.network import build_network
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


@pytest.fixture(scope="session", params=["mbt2018-mean", "mbt2018"])
def made(request: pytest.FixtureRequest) -> Made:
    network = build_network(uniform_spec("tiny", request.param, 16, 24), seed=3).eval()
    last = network.get_submodule("h_s.4" if request.param.endswith("mean") else
                                 "entropy_parameters.4")  # fmt: skip
    with torch.no_grad():
        network.g_a[6].weight.mul_(40)
        network.h_a[4].weight.mul_(40)
        last.weight.mul_(20)
        last.bias[:24].add_(0.5)
        network.entropy_bottleneck.quantiles[:, 0, 1] += torch.linspace(-0.4, 0.4, 16)
    export = export_network(network, [picture(80, 112, seed) for seed in range(2)])
    return Made(export, build_bundle(export, Provenance("tiny", "synthetic", "CC0-1.0")))
