"""The patch predictors: mean and scale of a latent from a 5x5 neighbourhood of hyper-features.

As published, the neighbourhood of every position is cut out and goes through three 3x3 layers that
pad *the patch* with zeros:

    5x5 --conv1--> 5x5 --conv2, stride 2--> 3x3 --conv3--> 3x3 --linear--> mean, log-scale

Neighbouring patches overlap, so most of that is computed again and again: conv1 sees each position
of the frame 25 times. Yet in a patch it knows three kinds of rows only: the first, where the
kernel's upper row meets padding, the last, and those between; likewise columns. Nine maps over the
whole frame (`conv1`, by kind of row and column) hold all that it can ever give. conv2 reads some
of them at fixed distances, once for each of its 3x3 outputs; conv3 and the linear layer then stay
at their position. All of it is plain convolutions without padding over concatenated maps, with
165 d^2 multiplications a position instead of 405 d^2, and no patch in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .spec import LevelSpec
from .transforms import SLOPE, leaky

REACH: Final = 2
"""Positions that a neighbourhood reaches to each side."""
PLACES: Final = tuple((row, column) for row in range(3) for column in range(3))
"""Outputs of conv2 in a patch; also the kinds of row and column of conv1: first, between, last."""

Maps = Mapping[tuple[int, int], Tensor]
Layer = Callable[[Tensor], Tensor]

_INPUT: Final = ((1, 3), (0, 3), (0, 2))
"""Rows of conv1's kernel that do not meet padding, by kind."""
_INPUT_CROP: Final = ((0, 3), (0, 0), (3, 0))
"""What each kind leaves out of the padded rows, at the top and at the bottom."""
_SOURCES: Final = (((0, 1, 0), (1, 2, 0)), ((1, None, 0),), ((1, 0, 2), (2, 1, 0)))
"""conv2's output rows: (kind of row that it reads, kernel row or None for all three, first row)."""


def conv1_kernel(weight: Tensor, kind: tuple[int, int]) -> Tensor:
    """The part of conv1's kernel (d, c, 3, 3) that a kind of position sees."""
    (top, bottom), (left, right) = _INPUT[kind[0]], _INPUT[kind[1]]
    return weight[:, :, top:bottom, left:right]


def conv2_kernel(weight: Tensor, place: tuple[int, int]) -> Tensor:
    """conv2's kernel (d, c, 3, 3) for one of its outputs, over the maps that `_read` joins."""
    parts = []
    for _, row, _ in _SOURCES[place[0]]:
        rows = weight if row is None else weight[:, :, row : row + 1]
        for _, column, _ in _SOURCES[place[1]]:
            parts.append(rows if column is None else rows[:, :, :, column : column + 1])
    return torch.cat(parts, 1)


def conv3_kernel(weight: Tensor, place: tuple[int, int]) -> Tensor:
    """conv3's kernel (d, c, 3, 3) for one output, 1x1 over the outputs of conv2 around it."""
    near = [weight[:, :, r - place[0] + 1, c - place[1] + 1] for r, c in _around(place)]
    return torch.cat(near, 1)[:, :, None, None]


def head_kernel(weight: Tensor) -> Tensor:
    """A linear layer (n, 9 d), over a patch as (channel, place), as 1x1 over (place, channel)."""
    grouped = weight.reshape(len(weight), -1, len(PLACES)).transpose(1, 2)
    return grouped.reshape(len(weight), -1, 1, 1)


def _around(place: tuple[int, int]) -> list[tuple[int, int]]:
    return [(r, c) for r, c in PLACES if abs(r - place[0]) <= 1 and abs(c - place[1]) <= 1]


def _crop(x: Tensor, rows: tuple[int, int], columns: tuple[int, int]) -> Tensor:
    """x without so many (first, last) rows and columns."""
    height, width = x.shape[2:]
    return x[:, :, rows[0] : height - rows[1], columns[0] : width - columns[1]]


def _read(maps: Maps, place: tuple[int, int], height: int, width: int) -> Tensor:
    """What one output of conv2 reads, from conv1's maps by kind; they are joined by channels."""
    parts = []
    for kind_row, row, top in _SOURCES[place[0]]:
        for kind_column, column, left in _SOURCES[place[1]]:
            rows = height + 2 if row is None else height
            columns = width + 2 if column is None else width
            x = maps[kind_row, kind_column]
            parts.append(x[:, :, top : top + rows, left : left + columns])
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


Layers = tuple[Mapping[tuple[int, int], Layer], Mapping[tuple[int, int], Layer],
               Mapping[tuple[int, int], Layer]]  # fmt: skip
"""conv1 by kind, conv2 and conv3 by place, each with its bias and without its activation."""


Activation = Callable[[Tensor], Tensor]


def first_maps(h: Tensor, conv1: Mapping[tuple[int, int], Layer], act: Activation = leaky) -> Maps:
    """What conv1 gives of h (B, c, h, w), by kind."""
    padded = F.pad(h, (REACH, REACH, REACH, REACH))
    return {
        (r, c): act(conv1[r, c](_crop(padded, _INPUT_CROP[r], _INPUT_CROP[c]))) for r, c in PLACES
    }


def second_maps(
    maps: Maps,
    conv2: Mapping[tuple[int, int], Layer],
    size: tuple[int, int],
    act: Activation = leaky,
) -> Maps:
    """What conv2 gives of those, by place; size: rows and columns of h."""
    return {place: act(conv2[place](_read(maps, place, *size))) for place in PLACES}


def third_maps(
    maps: Maps, conv3: Mapping[tuple[int, int], Layer], act: Activation = leaky
) -> Tensor:
    """What conv3 gives of those, joined: (B, 9 d, h, w)."""
    around = {place: torch.cat([maps[near] for near in _around(place)], 1) for place in PLACES}
    return torch.cat([act(conv3[place](around[place])) for place in PLACES], 1)


def dense(h: Tensor, layers: Layers, act: Activation = leaky) -> Tensor:
    """(B, c, h, w) -> (B, 9 d, h, w): what the linear layer sees, in the order (place, channel).

    act: what comes after each layer, for layers that have it in themselves.
    """
    conv1, conv2, conv3 = layers
    maps = second_maps(first_maps(h, conv1, act), conv2, (h.shape[2], h.shape[3]), act)
    return third_maps(maps, conv3, act)


class Predictor(nn.Module):
    """h (B, features, h, w) -> mean and log-scale of the latents below, each (B, n, h, w).

    The weights are the published ones, the linear layer in two halves. `plain()` makes them
    ordinary convolutions for export.
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
        x = dense(h, self._layers())
        return _head(x, self.mean), _head(x, self.log_scale)

    def on_patch(self, patch: Tensor) -> tuple[Tensor, Tensor]:
        """The published form on patches (B, features, 5, 5) -> mean, log-scale, each (B, n)."""
        x = F.leaky_relu(self.conv1(patch), SLOPE)
        x = F.leaky_relu(self.conv2(F.pad(x, (1, 2, 1, 2))), SLOPE)
        x = F.leaky_relu(self.conv3(x), SLOPE).flatten(1)
        return self.mean(x), self.log_scale(x)

    def plain(self) -> PlainPredictor:
        """The same function of ordinary layers, with copies of these weights."""
        return PlainPredictor(self)

    def _layers(self) -> Layers:
        one, two, three = self.conv1, self.conv2, self.conv3
        return (
            {at: _layer(conv1_kernel(one.weight, at), one.bias) for at in PLACES},
            {at: _layer(conv2_kernel(two.weight, at), two.bias) for at in PLACES},
            {at: _layer(conv3_kernel(three.weight, at), three.bias) for at in PLACES},
        )


def _layer(weight: Tensor, bias: Tensor | None) -> Layer:
    return lambda x: F.conv2d(x, weight, bias)


def _head(x: Tensor, linear: nn.Linear) -> Tensor:
    return F.conv2d(x, head_kernel(linear.weight), linear.bias)


class PlainPredictor(nn.Module):
    """A `Predictor` of nothing but convolutions, leaky ReLUs, crops and concatenations.

    Layers are named by kind or place: "conv1.rc" with r, c in 0..2. For export and for conversion
    to integers; not for training, since one published weight is in several layers here.
    """

    def __init__(self, source: Predictor) -> None:
        super().__init__()
        self.conv1 = _modules(source.conv1, conv1_kernel)
        self.conv2 = _modules(source.conv2, conv2_kernel)
        self.conv3 = _modules(source.conv3, conv3_kernel)
        self.mean = _conv(head_kernel(source.mean.weight), source.mean.bias)
        self.log_scale = _conv(head_kernel(source.log_scale.weight), source.log_scale.bias)

    def forward(self, h: Tensor) -> tuple[Tensor, Tensor]:
        x = dense(h, (_by_place(self.conv1), _by_place(self.conv2), _by_place(self.conv3)))
        return self.mean(x), self.log_scale(x)


def _modules(conv: nn.Conv2d, kernel: Callable[[Tensor, tuple[int, int]], Tensor]) -> nn.ModuleDict:
    return nn.ModuleDict(
        {f"{r}{c}": _conv(kernel(conv.weight, (r, c)), conv.bias) for r, c in PLACES}
    )


def _conv(weight: Tensor, bias: Tensor | None) -> nn.Conv2d:
    outputs, inputs, height, width = weight.shape
    layer = nn.Conv2d(inputs, outputs, (height, width))
    with torch.no_grad():
        layer.weight.copy_(weight)
        if layer.bias is not None and bias is not None:
            layer.bias.copy_(bias)
    return layer


def _by_place(layers: nn.ModuleDict) -> Mapping[tuple[int, int], Layer]:
    return {(r, c): layers[f"{r}{c}"] for r, c in PLACES}
