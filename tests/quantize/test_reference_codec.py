"""The integer network in PyTorch and the torch-free codec of a host: the same integers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from c3d_export.deploy.bundle import Export
from c3d_export.models.network import Codec as Network
from c3d_export.models.network import first_step_mask
from c3d_export.models.spec import SIZES
from c3d_export.quantize.reference import Coded, ReferenceCodec, padded_frame
from c3d_export.runtime.bundle import Bundle
from c3d_export.runtime.codec import Codec
from c3d_export.runtime.geometry import Step
from c3d_export.runtime.sessions import SessionOptions

BASE = SIZES["xsmall"].base
MakeFrame = Callable[..., NDArray[np.uint8]]


@pytest.fixture(scope="module")
def reference(tiny_export: Export) -> ReferenceCodec:
    return ReferenceCodec(tiny_export.frozen, tiny_export.parameters)


@pytest.fixture(scope="module", params=["qlinear", "float"])
def codec(tiny_bundle: Bundle, request: pytest.FixtureRequest) -> Codec:
    return Codec(tiny_bundle, SessionOptions(flavour=request.param, threads=1))


def _in_coding_order(plane: NDArray[np.generic], step: int) -> NDArray[np.generic]:
    """(h, w, M) -> the values of one coding step: positions in raster order, channels inside."""
    if step == 2:
        return plane[..., BASE:].reshape(-1)
    mask = first_step_mask(torch.empty(1, BASE, *plane.shape[:2])).numpy()
    return plane[..., :BASE][(mask if step == 0 else ~mask).transpose(1, 2, 0)]


def _check(codec: Codec, frame: NDArray[np.uint8], quality: int, wanted: Coded) -> None:
    latents = codec.latents(frame, quality)
    assert np.array_equal(latents.z, wanted.z)
    for step in Step:
        assert np.array_equal(latents.symbols[step], _in_coding_order(wanted.symbols, step))
        assert np.array_equal(latents.indexes[step], _in_coding_order(wanted.indexes, step))
    assert np.array_equal(latents.v[..., : codec.bundle.latents], wanted.v)
    assert np.array_equal(codec.decode(codec.encode(frame, quality)), wanted.frame)


@pytest.mark.parametrize("quality", [1, 4, 8])
@pytest.mark.parametrize("size", [(1, 1), (17, 33), (64, 64), (70, 101)], ids=str)
def test_the_host_computes_the_reference_bit_for_bit(
    codec: Codec,
    reference: ReferenceCodec,
    make_frame: MakeFrame,
    size: tuple[int, int],
    quality: int,
) -> None:
    frame = make_frame(*size, 21)
    _check(codec, frame, quality, reference.encode(frame, quality - 1))


@pytest.mark.parametrize("kind", ["noise", "black", "white", "stripes"])
def test_frames_at_the_ends_of_the_range(
    codec: Codec, reference: ReferenceCodec, kind: str
) -> None:
    frame = np.random.default_rng(3).integers(0, 256, (33, 40, 3), dtype=np.uint8)
    if kind != "noise":
        frame[:] = 255 * (kind != "black")
    if kind == "stripes":
        frame[:, ::2] = 0
    _check(codec, frame, 8, reference.encode(frame, 7))


def test_the_reference_does_code_something(
    reference: ReferenceCodec, make_frame: MakeFrame
) -> None:
    frame = make_frame(64, 64, 21)
    coded = reference.encode(frame, 7)
    assert len(np.unique(coded.symbols)) > 10
    assert len(np.unique(coded.indexes)) > 10
    assert len(np.unique(coded.z)) > 2
    error = coded.frame.astype(float) - frame
    assert 10 * np.log10(255**2 / np.square(error).mean()) > 25


def test_frames_are_padded_with_their_last_row_and_column() -> None:
    frame = np.arange(5 * 18 * 3, dtype=np.uint8).reshape(5, 18, 3)
    padded = padded_frame(frame)
    assert padded.shape == (1, 3, 16, 32)
    assert torch.equal(padded[0, :, 5:, :18], padded[0, :, 4:5, :18].expand(-1, 11, -1))
    assert torch.equal(padded[0, :, :, 18:], padded[0, :, :, 17:18].expand(-1, -1, 14))
    assert np.array_equal(padded[0, :, :5, :18].permute(1, 2, 0) + 128, frame)


@torch.no_grad()
def test_training_sees_the_activities_of_the_integer_network(
    tiny_model: Network, reference: ReferenceCodec
) -> None:
    generator = torch.Generator().manual_seed(0)
    v = torch.randint(-128, 128, (1, SIZES["xsmall"].latents, 3, 5), generator=generator)
    tiny_model.quantize(True)
    try:
        for quality in (0, 3, 7):
            trained = tiny_model.activity(v.float(), torch.tensor([quality]))
            exact = reference._activity(v.double(), quality)
            # Steps of the fixed point may tip a rounding, no more.
            assert (trained - exact).abs().max() <= 1
            assert (trained == exact).float().mean() > 0.98
    finally:
        tiny_model.quantize(False)
