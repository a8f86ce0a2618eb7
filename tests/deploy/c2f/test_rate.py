"""Bytes of a real stream against the likelihoods of the float network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from c3d_export.deploy.c2f.bundle import C2FExport
from c3d_export.deploy.c2f.graphs import build_graphs
from c3d_export.models.c2f.network import CoarseToFine, Gaussian, Latents, build_network
from c3d_export.quantize.post.c2f_convert import convert_entropy
from c3d_export.quantize.post.c2f_tables import top_tables
from c3d_export.runtime.bundle import parse_bundle
from c3d_export.runtime.c2f.bundle import KNOWN_SHAPE
from c3d_export.runtime.c2f.codec import C2FLatents, CoarseToFineCodec
from c3d_export.runtime.stream import parse_stream

from ...models.c2f.specs import SMALL
from .bundles import ONE_THREAD, PROVENANCE, gaussian_tables

SIDE = 1024
"""Of the frame: of enough latents that 100 bytes a slice are little."""


def network_of(coarse: bool) -> CoarseToFine:
    """Many latents, whose scales are a tenth to tens and whose means are some units."""
    spec = replace(SMALL, latents=60) if coarse else replace(SMALL, latents=60).without_z1()
    network = build_network(spec, seed=5).eval()
    with torch.no_grad():
        network.g_a[-1].weight *= 10
        network.top_scale += torch.linspace(1, 6, network.top_scale.numel()).reshape(1, -1, 1, 1)
        for predictor in (network.predictor2, network.predictor3):
            if predictor is not None:
                count = len(predictor.mean.bias)
                predictor.mean.bias += torch.linspace(-3, 3, count)
                predictor.log_scale.weight *= 0.2
                predictor.log_scale.bias += torch.linspace(-1.5, 2.5, count)
    return network


def drawn(gaussian: Gaussian, rows: int, generator: torch.Generator) -> Tensor:
    """Rounded latents, distributed as the network says."""
    noise = torch.randn(1, gaussian.mean.shape[1], rows, rows, generator=generator)
    return (gaussian.mean + gaussian.scale * noise).round()


@torch.no_grad()
def sampled(network: CoarseToFine, side: int, seed: int) -> Latents:
    """Latents of a square frame for which the network's own model is true, from z1 down."""
    rng, rows = torch.Generator().manual_seed(seed), side // 64
    z1, of_z2 = None, network.top()
    if network.spec.coarse is not None:
        z1 = drawn(network.top(), rows, rng)
        of_z2 = network.from_z1(z1)[1]
    z2 = drawn(of_z2, 2 * rows, rng)
    return Latents(drawn(network.from_z2(z2)[1], 4 * rows, rng), z2, z1)


def codec_of(network: CoarseToFine) -> CoarseToFineCodec:
    """Calibrated with such latents; its tables are the network's Gaussians, fitted to nothing."""
    seeds = iter(range(3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "analyse", lambda x: sampled(network, 512, next(seeds)))
        path = convert_entropy(network, [torch.empty(0)] * 3)
    export = C2FExport(
        network,
        path,
        gaussian_tables(),
        top_tables(path.top.double().numpy()),
        build_graphs(network, path),
        [],
        np.zeros(KNOWN_SHAPE, np.uint8),
    )
    return CoarseToFineCodec(parse_bundle(export.bundle(PROVENANCE, [])), ONE_THREAD)


def whole(z: Tensor) -> np.ndarray:
    return z[0].permute(1, 2, 0).numpy().astype(np.int16)


@pytest.mark.parametrize("coarse", [True, False], ids=["z1", "without-z1"])
def test_a_stream_is_as_long_as_the_likelihoods_say(coarse: bool) -> None:
    network = network_of(coarse)
    codec, latents = codec_of(network), sampled(network, SIDE, 9)
    with torch.no_grad():
        parts = network.rates(latents, network.side(latents))
    bits = float(sum(part.item() for part in parts))
    own = C2FLatents(
        whole(latents.z3), whole(latents.z2), None if latents.z1 is None else whole(latents.z1)
    )
    stream = codec.stream_of(own, SIDE, SIDE)
    assert 8 * len(stream) == pytest.approx(bits, rel=0.01)
    decoded = codec.decode_latents(parse_stream(stream)).latents
    assert all(np.array_equal(a, b) for a, b in zip(decoded.arrays(), own.arrays(), strict=True))
    tables = np.unique(np.concatenate([part.indexes.reshape(-1) for part in codec.parts(own)[1:]]))
    assert len(tables) > 60, "a test of few tables says little"
