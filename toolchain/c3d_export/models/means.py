"""The entropy model's start: mean colours are predicted, as a transform codec's always were.

Three latents hold (nearly) a block's mean colour, of which their neighbours tell most. Left to
training, the hyperprior never carried it (docs/models.md). So h_a starts with the mean of 4x4
blocks in z, h_s with its bilinear interpolation, and g_cp with the mean of the four neighbours.
Signed values pass through ReLU units as pairs of opposite sign.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..runtime.activity import RAW_CHANNELS
from .entropy import fine_of
from .layers import IntConv2d
from .network import Codec

COLOURS = 3
Z_GAIN = 0.25
"""z's units per unit of v: finer costs more than it tells."""
CORNER = torch.tensor([[0.0, 0.0, 0.0], [0.0, 1.0, 1.0], [0.0, 1.0, 1.0]]) / 4.0
"""With stride 2 the mean of each 2x2."""
TENT = torch.outer(torch.tensor([1.0, 2.0, 1.0]), torch.tensor([1.0, 2.0, 1.0])) / 16.0
"""After doubling by repetition: bilinear interpolation."""
CROSS = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]) / 4.0
POINT = torch.ones(1, 1)


def mean_colours(vectors: Tensor, base: int) -> list[int]:
    """The basis vectors (pixels * 3, M) that are nearest to constant colours, of those that the
    entropy networks see as they are; base: number of the base latents.
    """
    raw = vectors[:, : min(base, RAW_CHANNELS)]
    constant = raw.reshape(-1, COLOURS, raw.shape[1]).sum(0).square().sum(0)
    return sorted(constant.argsort(descending=True)[:COLOURS].tolist())


def _connect(conv: IntConv2d, row: int, inputs: dict[int, float], kernel: Tensor) -> None:
    """Makes one output the sum of some inputs under a kernel, each with its factor."""
    conv.weight[row] = 0.0
    for channel, factor in inputs.items():
        conv.weight[row, channel] = kernel * factor


def _pair(conv: IntConv2d, row: int, inputs: dict[int, float], kernel: Tensor) -> None:
    _connect(conv, row, inputs, kernel)
    _connect(conv, row + 1, {k: -v for k, v in inputs.items()}, kernel)


@torch.no_grad()
def start_means(model: Codec, channels: list[int], deviation: Tensor) -> None:
    """Sets the prediction of these latents up, in place.

    deviation: (M,) standard deviation of each latent, in units of v.
    """
    widths = (model.spec.h_a, *model.spec.h_s, model.spec.g_ep, 2 * model.spec.hyper)
    for i, channel in enumerate(channels[: min(widths) // 2]):
        signed = {2 * i: 1.0, 2 * i + 1: -1.0}
        _start_hyper(model, i, channel, signed)
        _start_context(model, i, channel, signed)
        model.z_fine[:, i] = fine_of(deviation[channel] * Z_GAIN).clamp(1.0, 254.0)


def _start_hyper(model: Codec, i: int, channel: int, signed: dict[int, float]) -> None:
    h_a, h_s = model.h_a, model.h_s
    _pair(h_a.conv1, 2 * i, {channel: 1.0}, CORNER)
    _connect(h_a.conv2, i, {k: v * Z_GAIN for k, v in signed.items()}, CORNER)
    for place in range(4):
        a, b, _ = model.spec.h_s
        _pair(h_s.conv1, place * a + 2 * i, {i: 1.0 / Z_GAIN}, POINT)
        _pair(h_s.conv2, place * b + 2 * i, signed, TENT)
    _pair(h_s.conv3, 2 * i, signed, TENT)
    _connect(h_s.mean, channel, signed, POINT)


def _start_context(model: Codec, i: int, channel: int, signed: dict[int, float]) -> None:
    g_cp, first = model.g_cp, model.spec.g_ep
    _pair(g_cp.latents, 2 * i, {channel: 1.0}, POINT)
    _pair(g_cp.conv1, 2 * i, {first + k: v for k, v in signed.items()}, CROSS)
    _pair(g_cp.conv2, 2 * i, signed, POINT)
    _connect(g_cp.mean, channel, signed, POINT)
