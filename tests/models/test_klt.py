"""The KLT start: an untrained network is a transform codec."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from c3d_export.models.klt import (
    RANGE,
    block_klt,
    blocks_of,
    initialize_from_frames,
    two_level_klt,
)
from c3d_export.models.layers import IntConv2d
from c3d_export.models.network import Codec, build_network
from c3d_export.models.spec import BLOCK, SIZES

SPEC = SIZES["xsmall"]
HEIGHT, WIDTH = 96, 128


@pytest.fixture(scope="module")
def frames(make_frame: Callable[..., np.ndarray]) -> list[Tensor]:
    return [torch.from_numpy(make_frame(HEIGHT, WIDTH, seed)) for seed in range(9)]


@pytest.fixture(scope="module")
def started(frames: list[Tensor]) -> Codec:
    model = build_network(SPEC)
    initialize_from_frames(model, frames[:8], [1.0] * 8)
    return model.eval()


def _psnr(error: Tensor) -> float:
    return float(10 * torch.log10(255.0**2 / error.square().mean()))


@torch.no_grad()
def _reconstruct(model: Codec, frame: Tensor, quality: int) -> float:
    x = frame.permute(2, 0, 1)[None].float()
    return _psnr(model(x, torch.tensor([quality])).x_hat + 128.0 - x)


def test_blocks_are_cut_in_raster_order_with_the_colour_last(frames: list[Tensor]) -> None:
    blocks = blocks_of(frames[0])
    assert blocks.shape == (HEIGHT // BLOCK * (WIDTH // BLOCK), 3 * BLOCK * BLOCK)
    second_row = frames[0][BLOCK : 2 * BLOCK, 3 * BLOCK : 4 * BLOCK].float() - 128.0
    assert torch.equal(blocks[WIDTH // BLOCK + 3], second_row.reshape(-1))


def test_the_basis_is_orthonormal_and_orders_its_components_by_energy(
    frames: list[Tensor],
) -> None:
    basis = block_klt(frames[:8], [1.0] * 8, 8, 192)
    assert torch.allclose(basis.vectors.T @ basis.vectors, torch.eye(192), atol=1e-4)
    energy = basis.deviation**2
    assert (energy.diff() <= 1e-3 * energy[:-1] + 1e-3).all()
    assert (basis.largest >= 0).all()


def test_the_two_level_basis_is_orthonormal_and_sorted(frames: list[Tensor]) -> None:
    basis = two_level_klt(frames[:8], [1.0] * 8, 768)
    assert torch.allclose(basis.vectors.T @ basis.vectors, torch.eye(768), atol=1e-4)
    assert (basis.deviation[:-1] >= basis.deviation[1:] - 1e-3).all()


def test_the_two_level_basis_is_local_but_for_its_joint_components(frames: list[Tensor]) -> None:
    """All but 24 of the 768 vectors live on one 8x8 patch of the block."""
    vectors = two_level_klt(frames[:8], [1.0] * 8, 768).vectors
    grid = vectors.reshape(2, 8, 2, 24, 768).square().sum((1, 3)).reshape(4, 768)
    assert int((grid.amax(0) < 0.999).sum()) <= 24


def test_a_weight_of_zero_leaves_a_frame_out(frames: list[Tensor]) -> None:
    both = block_klt(frames[:2], [1.0, 0.0], 8, 4).vectors
    one = block_klt(frames[:1], [1.0], 8, 4).vectors
    assert torch.allclose((both * one).sum(0).abs(), torch.ones(4), atol=1e-3)


def test_a_held_out_frame_gains_from_a_higher_quality(started: Codec, frames: list[Tensor]) -> None:
    lowest, highest = (_reconstruct(started, frames[8], q) for q in (0, SPEC.qualities - 1))
    assert highest > lowest + 1.0


def test_without_quantisation_it_is_the_projection_on_the_basis(
    started: Codec, frames: list[Tensor]
) -> None:
    klt = two_level_klt(frames[:8], [1.0] * 8, SPEC.latents)
    unit = (klt.largest / RANGE).clamp_min(0.25)
    blocks = blocks_of(frames[8])
    # A frame that the basis has not seen has coefficients beyond the range of v.
    latents = (blocks @ klt.vectors / unit).clamp(-128, 127) * unit
    projected = _psnr(latents @ klt.vectors.T - blocks)
    model = build_network(SPEC).eval()
    model.load_state_dict(started.state_dict())
    with torch.no_grad():
        model.log_step.fill_(-12.0)
    assert projected > 20.0
    assert _reconstruct(model, frames[8], 0) == pytest.approx(projected, abs=0.1)


def test_trunks_begin_by_adding_nothing(started: Codec) -> None:
    for layer in (started.g_a.head, started.g_s.correction, started.g_ep.mean):
        assert isinstance(layer, IntConv2d)
        assert not layer.weight.any()


def test_steps_fall_with_the_quality(started: Codec) -> None:
    steps = started.log_step.exp()
    assert torch.allclose(steps[:-1] / steps[1:], torch.full_like(steps[1:], 2**0.5), rtol=1e-4)


def test_the_smallest_frame_is_enough(make_frame: Callable[..., np.ndarray]) -> None:
    model = build_network(SPEC)
    initialize_from_frames(model, [torch.from_numpy(make_frame(BLOCK, BLOCK))], [1.0])
    assert all(p.isfinite().all() for p in model.parameters())
