"""The patch predictors: mean and scale of a latent from a 5x5 neighbourhood of hyper-features.

`runtime/c2f/patches.py` says how the published form on patches becomes whole-frame convolutions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...runtime.c2f.patches import PLACES, REACH, STAGES, Axis, Place, pieces
from .spec import LevelSpec
from .transforms import SLOPE, leaky

Maps = Mapping[Place, Tensor]
Layer = Callable[[Tensor, int, Place], Tensor]
"""x, stage and place -> what conv<stage> gives there, its activation included."""


def kernel(weight: Tensor, stage: int, place: Place) -> Tensor:
    """Of conv<stage>'s kernel (d, c, 3, 3) what one of its maps needs, over joined inputs."""
    parts = [
        weight[:, :, slice(*rows.kernel), slice(*columns.kernel)]
        for rows, columns in pieces(stage, place)
    ]
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def join(maps: Maps, stage: int, place: Place) -> Tensor:
    """What `kernel` is applied to, from the maps of the stage before."""
    parts = [_crop(maps[piece.source], *piece) for piece in pieces(stage, place)]
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def _crop(x: Tensor, rows: Axis, columns: Axis) -> Tensor:
    height, width = x.shape[2:]
    (top, bottom), (left, right) = rows.crop, columns.crop
    return x[:, :, top : height - bottom, left : width - right]


def maps_of(h: Tensor) -> Maps:
    """What conv1 reads of hyper-features (B, c, h, w)."""
    return {(0, 0): F.pad(h, (REACH, REACH, REACH, REACH))}


def next_maps(maps: Maps, stage: int, layer: Layer) -> Maps:
    """All nine maps of conv<stage>, from those of the stage before."""
    return {place: layer(join(maps, stage, place), stage, place) for place in PLACES}


def joined(maps: Maps) -> Tensor:
    """(B, 9 d, h, w): what the linear layer sees, in the order (place, channel)."""
    return torch.cat([maps[place] for place in PLACES], 1)


def dense(h: Tensor, layer: Layer) -> Tensor:
    """h (B, c, h, w) -> what the linear layer sees."""
    maps = maps_of(h)
    for stage in STAGES:
        maps = next_maps(maps, stage, layer)
    return joined(maps)


def head_kernel(weight: Tensor) -> Tensor:
    """A linear layer (n, 9 d), over a patch as (channel, place), as 1x1 over (place, channel)."""
    grouped = weight.reshape(len(weight), -1, len(PLACES)).transpose(1, 2)
    return grouped.reshape(len(weight), -1, 1, 1)


class Predictor(nn.Module):
    """h (B, features, h, w) -> mean and log-scale of the latents below, each (B, n, h, w).

    The weights are the published ones, the linear layer in two halves.
    """

    def __init__(self, level: LevelSpec, outputs: int) -> None:
        super().__init__()
        a, b, c = level.predictor
        self.conv1 = nn.Conv2d(level.features, a, 3, padding=1)
        self.conv2 = nn.Conv2d(a, b, 3, stride=2)
        self.conv3 = nn.Conv2d(b, c, 3, padding=1)
        self.mean = nn.Linear(len(PLACES) * c, outputs)
        self.log_scale = nn.Linear(len(PLACES) * c, outputs)

    def forward(self, h: Tensor) -> tuple[Tensor, Tensor]:
        x = dense(h, self.layer)
        return _head(x, self.mean), _head(x, self.log_scale)

    def on_patch(self, patch: Tensor) -> tuple[Tensor, Tensor]:
        """The published form on patches (B, features, 5, 5) -> mean, log-scale, each (B, n)."""
        x = F.leaky_relu(self.conv1(patch), SLOPE)
        x = F.leaky_relu(self.conv2(F.pad(x, (1, 2, 1, 2))), SLOPE)
        x = F.leaky_relu(self.conv3(x), SLOPE).flatten(1)
        return self.mean(x), self.log_scale(x)

    def convolution(self, stage: int) -> nn.Conv2d:
        """conv<stage>."""
        return (self.conv1, self.conv2, self.conv3)[stage - 1]

    def layer(self, x: Tensor, stage: int, place: Place) -> Tensor:
        """A `Layer`: with the published weights and the leaky ReLU."""
        conv = self.convolution(stage)
        return leaky(F.conv2d(x, kernel(conv.weight, stage, place), conv.bias))


def _head(x: Tensor, linear: nn.Linear) -> Tensor:
    return F.conv2d(x, head_kernel(linear.weight), linear.bias)
