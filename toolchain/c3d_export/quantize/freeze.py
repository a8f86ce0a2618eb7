"""From the trained network to integers: weights on a grid, biases as integers, steps in 1/256.

A frozen network is the same `Codec`, its convolutions replaced by `ExactConv2d`, so that the
topology stands in one place. It runs in float64 on integers, where every sum below 2^53 is
exact: the reference that all exported graphs are compared with.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ..models.entropy import FINE_PER_TABLE, STEPS_PER_OCTAVE, TABLES
from ..models.layers import BIAS_UNIT, WEIGHT_LIMIT, WIDE, IntConv2d
from ..models.network import Codec
from ..runtime.activity import STEP_ONE, activity_factors
from ..train.centering import fold_centers

MAX_STEP = 65535
"""symbol * step stays within int32 for every int16 symbol."""


class ExactConv2d(nn.Module):
    """A convolution of integers.

    weight: (O, I, k, k) int8 within +-WEIGHT_LIMIT, I being 1 of a depthwise one; scale: (O,)
    float32; bias: (O,) int32, or float32 for a raw layer, whose output is sum * scale + bias in
    float32 without rounding.
    range: of the output. in_c: whether a graph gives the sums alone, for a C pass to go on with.
    """

    weight: Tensor
    bias: Tensor
    scale: Tensor

    def __init__(self, source: IntConv2d) -> None:
        super().__init__()
        self.signed, self.rounding, self.quantized = source.signed, source.rounding, True
        self.range = source.range
        self.in_c = not source.rounding or source.range[1] == WIDE
        self.stride, self.padding = source.stride[0], source.kernel_size[0] // 2
        self.groups = source.groups
        assert source.bias is not None
        scale = source.weight_scale().float()
        grid = scale[:, None, None, None]
        # Rounded once more: straight through, integers are off by what float32 subtracts.
        steps = source.steps(source.weight.detach(), grid).round()
        weight = steps.clamp(-WEIGHT_LIMIT, WEIGHT_LIMIT)
        bias = source.bias.detach() * BIAS_UNIT
        bias = bias - source.response(weight * grid, source.center)
        self.register_buffer("weight", weight.to(torch.int8))
        self.register_buffer("scale", scale)
        exact = (bias.double() / scale.double()).round().to(torch.int32)
        self.register_buffer("bias", exact if self.rounding else bias.float())

    def accumulate(self, x: Tensor) -> Tensor:
        """Integer sums (float64) of integers x, without the bias."""
        weight = self.weight.double()
        return F.conv2d(x.double(), weight, None, self.stride, self.padding, 1, self.groups)

    def forward(self, x: Tensor) -> Tensor:
        total = self.accumulate(x)
        scale, bias = (part.reshape(1, -1, 1, 1) for part in (self.scale, self.bias))
        if not self.rounding:
            return total.float() * scale + bias
        return ((total + bias.double()).float() * scale).round().clamp(*self.range)


def exact(layer: nn.Module) -> ExactConv2d:
    """A convolution of a frozen network (whose class still says IntConv2d) by its true type."""
    if not isinstance(layer, ExactConv2d):
        raise TypeError("the network is not frozen")
    return layer


@torch.no_grad()
def freeze(model: Codec) -> Codec:
    """An integer copy of a trained network, in evaluation mode."""
    frozen = copy.deepcopy(model).eval()
    fold_centers(frozen)
    for module in list(frozen.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, IntConv2d):
                setattr(module, name, ExactConv2d(child))
    return frozen


@dataclass(frozen=True)
class Parameters:
    """Per-quality integers of a codec, as they go into a bundle.

    step: (Q, M) int32, 1..65535, in 1/256 of a unit of v. offset: (Q, M) int16, subtracted from
    the fine index (stored negated: index + offset). reciprocal: (Q, M) float32 = 256 / step.
    planes: (Q, P) uint8, the constants + 128. z_index: (Q, Z) uint8, tables of z. rounding:
    (TABLES,) float32, the encoder's rounding point by table, 0.5 or less.
    """

    step: NDArray[np.int32]
    offset: NDArray[np.int16]
    reciprocal: NDArray[np.float32]
    planes: NDArray[np.uint8]
    z_index: NDArray[np.uint8]
    rounding: NDArray[np.float32]

    @property
    def factor(self) -> NDArray[np.int32]:
        """(Q, M), 1..2^23: activity of one unit of v times 65536."""
        return activity_factors(self.step)


@torch.no_grad()
def parameters_of(model: Codec) -> Parameters:
    """Rounds the per-quality parameters; z tables by the learned scale (see `tables.py`)."""
    step = torch.exp(model.log_step.double()) * STEP_ONE
    step = step.round().clamp(1, MAX_STEP)
    offset = -(torch.log2(step / STEP_ONE) * STEPS_PER_OCTAVE).round()
    planes = model.planes.clamp(-127, 127).round() + 128
    z_index = (model.z_fine / FINE_PER_TABLE).round().clamp(0, TABLES - 1)
    return Parameters(
        step.to(torch.int32).numpy(),
        offset.to(torch.int16).numpy(),
        (STEP_ONE / step).float().numpy(),
        planes.to(torch.uint8).numpy(),
        z_index.to(torch.uint8).numpy(),
        np.full(TABLES, 0.5, np.float32),
    )
