"""The entropy path of coarse-to-fine networks in integers: near the float one, within its proof."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from c3d_export.core.errors import CertificateError
from c3d_export.models.c2f.frames import to_network
from c3d_export.models.c2f.network import CoarseToFine
from c3d_export.models.entropy import TABLES
from c3d_export.quantize.post.c2f import (
    LATENT_LARGEST,
    MEAN_LARGEST,
    EntropyPath,
    IntegerLevel,
    table_of_log_scale,
)
from c3d_export.quantize.post.c2f_convert import HEADROOM, convert_entropy
from c3d_export.quantize.post.certificate import certify
from c3d_export.quantize.post.convert import IN_FLOAT32, part_sums
from c3d_export.quantize.post.layer import IntegerLayer
from c3d_export.quantize.tables import table_scale

from ...models.c2f.specs import SMALL, lively
from .conftest import smooth_frame

LAYERS = [*(f"h_s.{n}" for n in range(4)), *(f"predictor.conv{n}" for n in (1, 2, 3)),
          "predictor.index", "predictor.mean"]  # fmt: skip


def frame(seed: int) -> Tensor:
    return to_network(255 * smooth_frame(seed, 256, 384))


@pytest.fixture(scope="module", params=[SMALL, SMALL.without_z1()], ids=["z1", "without-z1"])
def network(request: pytest.FixtureRequest) -> CoarseToFine:
    return lively(request.param)


@pytest.fixture(scope="module")
def path(network: CoarseToFine) -> EntropyPath:
    return convert_entropy(network, [frame(seed) for seed in range(3)])


@torch.no_grad()
def in_float(network: CoarseToFine, graph: str, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """h, index of the scale (with a fraction) and mean, as the float network has them."""
    fine = graph == "side3"
    h_s, predictor = (
        (network.h_s2, network.predictor3) if fine else (network.h_s1, network.predictor2)
    )
    h = h_s(z)
    mean, log_scale = predictor(h)
    first, step = table_of_log_scale()
    return h, (log_scale.double() - first) / step, mean


def noise(level: IntegerLevel, seed: int, rows: int = 5, columns: int = 4) -> Tensor:
    """Latents over all of their range, both ends among them."""
    generator = torch.Generator().manual_seed(seed)
    low, high = (end[:, None, None] for end in (level.source.low, level.source.high))
    share = torch.rand(2, len(low), rows, columns, generator=generator, dtype=torch.float64)
    z = (low + share * (high - low)).round()
    z[0, :, 0, 0], z[1, :, 0, 0] = low[:, 0, 0], high[:, 0, 0]
    return z.float()


@torch.no_grad()
def test_integers_are_near_the_float_network(network: CoarseToFine, path: EntropyPath) -> None:
    latents = network.analyse(frame(9))
    for graph, level in path.levels().items():
        z = latents.z2 if graph == "side3" else latents.z1
        assert z is not None
        z = level.clipped(z)
        h, index, mean = level(z)
        wanted_h, wanted_index, wanted_mean = in_float(network, graph, z)
        assert wanted_index.std() > 2, "nothing to compare"
        assert wanted_mean.std() > 0.2, "nothing to compare"
        error = (level.features.values(h) - wanted_h).square().mean().sqrt()
        assert error < 0.002 * wanted_h.std()
        off = (index - wanted_index.clamp(0, TABLES - 1)).abs()
        assert off.max() < 0.5 + 0.1
        off = (mean - wanted_mean * 2**path.fraction).abs()
        assert off.max() < 1.0
        assert off.square().mean() < 1.2 / 12


@torch.no_grad()
def test_numbers_stay_in_their_ranges_for_all_of_z(path: EntropyPath) -> None:
    for level in path.levels().values():
        for z in (noise(level, 1), level.clipped(1e6 * noise(level, 2)), noise(level, 3, 1, 1)):
            h, index, mean = level(z)
            assert all(torch.equal(x, x.round()) for x in (z, h, index, mean))
            assert z.abs().max() <= LATENT_LARGEST
            low, high = (end[:, None, None] for end in (level.features.low, level.features.high))
            assert ((h >= low) & (h <= high)).all()
            assert ((index >= 0) & (index < TABLES)).all()
            assert mean.abs().max() <= MEAN_LARGEST
            assert h.shape[2:] == index.shape[2:] == mean.shape[2:]
            assert [2 * n for n in z.shape[2:]] == list(h.shape[2:])


@torch.no_grad()
def test_no_sum_is_beyond_its_certificate(path: EntropyPath) -> None:
    """Of the layers as they run on noise over all of z, each part of split weights by itself."""
    for level in path.levels().values():
        largest = {
            name: certify(name, layer, IN_FLOAT32).largest_sum
            for name, layer in level.named_layers()
        }
        seen: dict[str, float] = {}
        x = noise(level, 4).double()
        for number, layer in enumerate(level.before.layers()):
            for taps, bias in layer.parts():
                sums = torch.nn.functional.conv2d(x, taps.double(), bias.double())
                name = f"h_s.{number}"
                seen[name] = max(seen.get(name, 0.0), float(sums.abs().max()))
            x = layer(x).double()
        assert len(seen) == 3
        assert all(0 < total <= largest[name] for name, total in seen.items())


def test_every_layer_has_its_certificate(network: CoarseToFine, path: EntropyPath) -> None:
    graphs = ["side3"] if network.spec.coarse is None else ["side2", "side3"]
    made = path.certificates()
    assert [c.layer for c in made] == [f"{graph}.{name}" for graph in graphs for name in LAYERS]
    assert all(c.holds and c.largest_sum < 2**24 for c in made)
    # Bits are not given away: sums, or the weights of those of few inputs, fill what there is.
    assert all(c.largest_sum > 0.99 * 2**24 or c.largest_weight == 2**11 for c in made)


@pytest.mark.parametrize("name", LAYERS[1:])  # of the first one single weights are the limit
def test_a_weight_too_many_has_no_certificate(name: str) -> None:
    """One unit of one weight decides."""
    path = convert_entropy(lively(SMALL), [frame(0)])
    layer = dict(path.fine.named_layers())[name]
    output, most = int(part_sums(layer).argmax()), int(layer.source.magnitude.argmax())
    unit = layer.radix if layer.weight[output, most, 0, 0] >= 0 else -layer.radix
    while part_sums(layer).max() < IN_FLOAT32.total:
        assert path.certificates()
        layer.weight[output, most, 0, 0] += unit * max(1, _missing(layer))
    with pytest.raises(CertificateError, match=f"layer side3.{name} cannot be exact everywhere"):
        path.certificates()
    layer.weight[output, most, 0, 0] -= unit
    assert part_sums(layer).max() < IN_FLOAT32.total


def _missing(layer: IntegerLayer) -> int:
    """Units of the weight of the largest input that still fit."""
    return int((IN_FLOAT32.total - part_sums(layer).max()) / layer.source.magnitude.max())


def test_without_z1_there_is_one_level(network: CoarseToFine, path: EntropyPath) -> None:
    coarse = network.spec.coarse is not None
    assert list(path.levels()) == (["side2", "side3"] if coarse else ["side3"])
    assert len(path.top) == network.spec.levels[-1].latents
    torch.testing.assert_close(path.top, network.top_scale.detach().abs().reshape(-1))


@torch.no_grad()
def test_large_latents_leave_fewer_bits_to_means() -> None:
    fractions = []
    for factor in (0.05, 1, 20):
        network = lively(SMALL.without_z1())
        network.g_a[-1].weight *= factor
        known = network.analyse(frame(0))
        largest = max(float(z.abs().max()) for z in (known.z3, known.z2))
        bits = convert_entropy(network, [frame(0)]).fraction
        fractions.append(bits)
        assert bits == 1 or HEADROOM * largest * 2**bits <= MEAN_LARGEST
        assert bits == 6 or HEADROOM * largest * 2 ** (bits + 1) > MEAN_LARGEST
    assert fractions[0] == 6
    assert sorted(fractions, reverse=True) == fractions
    assert fractions[-1] < 6


def test_tables_are_equally_far_apart() -> None:
    first, step = table_of_log_scale()
    for table in range(TABLES):
        wanted = torch.tensor(table_scale(table), dtype=torch.float64).log()
        assert first + step * table == pytest.approx(float(wanted), abs=1e-9)
