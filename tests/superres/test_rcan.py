"""The network, its graph and the host's side of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from c3d_export.core.errors import OptionError
from c3d_export.runtime.images import Frame
from c3d_export.superres.bundle import parse_bundle
from c3d_export.superres.export import TOLERANCE, largest_difference
from c3d_export.superres.graph import build_graph
from c3d_export.superres.network import Rcan, bicubic_kernels, build_rcan
from c3d_export.superres.pairs import to_planes
from c3d_export.superres.pipeline import LosslessCodec, RescaledCodec
from c3d_export.superres.rcan import RcanUpscaler
from c3d_export.superres.resample import downscale
from c3d_export.superres.spec import RcanSpec
from c3d_export.superres.upscalers import FIXED

SMALL = RcanSpec(features=8, groups=1, blocks=1)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_fresh_network_is_the_bicubic_enlargement(factor: int, discs: list[Frame]) -> None:
    network = build_rcan(RcanSpec(factor, features=8, groups=1, blocks=1)).eval()
    # Smooth and away from black and white: Pillow clips and rounds between its two passes.
    low = downscale(discs[0], 3)[:24, :32] // 2 + 60
    shape = low.shape[0] * factor, low.shape[1] * factor
    with torch.no_grad():
        high = network(to_planes(low[np.newaxis]))[0].permute(1, 2, 0).numpy() * 255
    wanted = FIXED["bicubic"](low, shape, factor)
    inside = slice(3 * factor, -3 * factor)  # Pillow's kernels end at the edge
    assert np.abs(high - wanted)[inside, inside].max() < 1.2  # it rounds twice


def test_bicubic_kernels_sum_to_one() -> None:
    for factor in (2, 3, 4):
        sums = bicubic_kernels(factor).sum((1, 2, 3))
        torch.testing.assert_close(sums, torch.ones(factor * factor))


def test_the_seed_alone_makes_the_weights() -> None:
    torch.manual_seed(7)
    first = build_rcan(SMALL, 1).state_dict()
    torch.manual_seed(8)
    before = torch.rand(1)
    torch.manual_seed(8)
    second = build_rcan(SMALL, 1).state_dict()
    assert torch.equal(torch.rand(1), before)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(build_rcan(SMALL, 2).head.weight, first["head.weight"])


def test_attention_lets_the_whole_picture_matter(tiny_rcan: Rcan) -> None:
    low = torch.rand(1, 3, 32, 32)
    changed = low.clone()
    changed[..., 28:, 28:] = 1
    with torch.no_grad():
        difference = (tiny_rcan(low) - tiny_rcan(changed))[..., :8, :8]
    assert difference.abs().max() > 0


@pytest.mark.parametrize("size", [(2, 2), (36, 48), (35, 49), (7, 24)])
@pytest.mark.parametrize("factor", [2, 3])
def test_onnx_runtime_computes_what_torch_does(
    size: tuple[int, int], factor: int, tiny_rcan: Rcan, discs: list[Frame]
) -> None:
    network = tiny_rcan
    if factor != 2:
        network = build_rcan(RcanSpec(factor, features=8, groups=2, blocks=2))
        torch.nn.init.normal_(network.tail.weight, std=0.02)
    difference = largest_difference(network, discs[0][: size[0], : size[1]])
    assert difference <= TOLERANCE


def test_a_network_that_computes_something_else_is_not_exported(
    tiny_rcan: Rcan, discs: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    from c3d_export.core.errors import ValidationError
    from c3d_export.superres import export

    other = build_rcan(SMALL, seed=9)
    torch.nn.init.normal_(other.tail.weight, std=0.02)
    monkeypatch.setattr(export, "build_graph", lambda _, **kw: build_graph(other, **kw))
    with pytest.raises(ValidationError, match="differs from PyTorch"):
        export.export_rcan("x", tiny_rcan, licence="", training={}, low=discs[0])


def test_pixels_are_rounded_and_clipped(tiny_upscaler: bytes, tiny_rcan: Rcan) -> None:
    low = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    high = RcanUpscaler(parse_bundle(tiny_upscaler), threads=1)(low, (24, 32), 2)
    with torch.no_grad():
        planes = tiny_rcan(to_planes(low[np.newaxis]))[0].permute(1, 2, 0).numpy() * 255
    assert planes.min() < -1
    assert planes.max() > 256
    assert np.abs(high - np.rint(planes).clip(0, 255)).max() <= 1
    assert (high != np.rint(planes).clip(0, 255)).mean() < 0.01


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (45, 81), (46, 80), (47, 79), (48, 82)])
def test_any_size_comes_back(shape: tuple[int, int], tiny_upscaler: bytes) -> None:
    upscaler = RcanUpscaler(parse_bundle(tiny_upscaler), threads=1)
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]]
    frame = np.stack([rows * 2, columns * 2, rows + columns], 2).astype(np.uint8)
    codec = RescaledCodec(LosslessCodec(), 2, upscaler)
    assert codec.decode(codec.encode(frame, quality=0)).shape == frame.shape


@pytest.mark.parametrize("shape", [(64, 96), (65, 97), (63, 95), (62, 94)])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_fresh_network_moves_nothing(shape: tuple[int, int], axis: int) -> None:
    """Also where low resolutions have odd sides, and frames end within a low pixel."""
    from c3d_export.superres.export import export_rcan

    line = 2 * np.arange(shape[axis])
    line = line[:, None] if axis == 0 else line[None, :]
    ramp = np.broadcast_to(line[..., None], (*shape, 3)).astype(np.uint8)
    low = downscale(ramp, 2)
    data = export_rcan("x", build_rcan(SMALL), licence="", training={}, low=low)
    high = RcanUpscaler(parse_bundle(data), threads=1)(low, shape, 2)
    inside = (high.astype(float) - ramp)[10:-10, 10:-10]
    assert abs(inside.mean()) < 0.1
    assert np.abs(inside).max() <= 1


@pytest.mark.parametrize("factor", [1.999, 1.7, 3, 4])
def test_another_factor_is_refused(factor: float, tiny_upscaler: bytes) -> None:
    upscaler = RcanUpscaler(parse_bundle(tiny_upscaler), threads=1)
    with pytest.raises(OptionError, match="tiny-x2 enlarges 2 times, not"):
        RescaledCodec(LosslessCodec(), factor, upscaler)
    data = RescaledCodec(LosslessCodec(), factor, FIXED["fsr"]).encode(
        np.zeros((9, 9, 3), np.uint8), quality=0
    )
    with pytest.raises(OptionError, match="enlarges 2 times"):
        RescaledCodec(LosslessCodec(), 2, upscaler).decode(data)


@pytest.mark.parametrize(
    "wrong",
    [
        {"factor": 1},
        {"factor": 5},
        {"factor": 2.5},
        {"features": 0},
        {"features": 10},
        {"blocks": 33},
        {"groups": "2"},
        {"layers": 2},
    ],
)
def test_sizes_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        RcanSpec.from_json({**SMALL.to_json(), **wrong})
