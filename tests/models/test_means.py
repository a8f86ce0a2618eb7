"""The entropy model starts with a prediction of mean colours, in h_s and in g_cp."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from c3d_export.models.klt import initialize_from_frames, two_level_klt
from c3d_export.models.means import COLOURS, mean_colours
from c3d_export.models.network import Codec, build_network, first_step_mask
from c3d_export.models.spec import SIZES

SPEC = SIZES["xsmall"]
SIDE = 256
QUALITY = torch.tensor([3])


@pytest.fixture(scope="module")
def frames(make_frame: Callable[..., np.ndarray]) -> list[Tensor]:
    return [torch.from_numpy(make_frame(SIDE, SIDE, seed)) for seed in range(4)]


@pytest.fixture(scope="module")
def model(frames: list[Tensor]) -> Codec:
    made = build_network(SPEC)
    initialize_from_frames(made, frames, [1.0] * len(frames))
    return made.eval()


@pytest.fixture(scope="module")
def colours(frames: list[Tensor]) -> list[int]:
    return mean_colours(two_level_klt(frames, [1.0] * 4, SPEC.latents).vectors, SPEC.base)


@pytest.fixture(scope="module")
def gradient() -> Tensor:
    """A slope of each colour: what a good prediction gets right."""
    along = torch.linspace(20.0, 220.0, SIDE)
    return torch.stack([along.repeat(SIDE, 1), along[:, None].repeat(1, SIDE),
                        along.flip(0).repeat(SIDE, 1)])[None]  # fmt: skip


def test_the_colours_span_the_constant_blocks(frames: list[Tensor]) -> None:
    basis = two_level_klt(frames, [1.0] * 4, SPEC.latents)
    chosen = mean_colours(basis.vectors, SPEC.base)
    assert len(set(chosen)) == COLOURS
    constant = torch.eye(3).repeat(256, 1) / 16.0
    captured = (basis.vectors[:, chosen].T @ constant).square().sum(0)
    assert float(captured.min()) > 0.8


@torch.no_grad()
def test_both_steps_predict_them(model: Codec, colours: list[int], gradient: Tensor) -> None:
    y = model.g_a(gradient - 128.0)
    mean, _, _ = model.priors(y, QUALITY)
    first = first_step_mask(y[:, : SPEC.base])
    inside = F.pad(torch.ones(10, 10, dtype=torch.bool), (3, 3, 3, 3))
    for channel in colours:
        error, signal = (y - mean)[0, channel], y[0, channel]
        for mask in (first[channel] & inside, ~first[channel] & inside):
            # A step of z is four units, interpolated: some units of error.
            assert float(error[mask].abs().mean()) < 0.2 * float(signal[inside].abs().mean()) + 3.0


@torch.no_grad()
def test_other_latents_are_not_predicted(
    model: Codec, colours: list[int], gradient: Tensor
) -> None:
    mean, _, _ = model.priors(model.g_a(gradient - 128.0), QUALITY)
    others = [c for c in range(SPEC.latents) if c not in colours]
    assert float(mean[:, others].abs().max()) == 0.0
