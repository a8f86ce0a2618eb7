"""Layers whose activations are integers by nature.

Every activation of the family lives in integer units: 0..255 after a clipped ReLU, -128..127
where it is signed (pixels minus 128, latents, residual branches). Training uses the same units
in floating point, so that going to integers is a matter of rounding, with no scale to calibrate.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .straight import pointwise, rounded_clip, straight

WEIGHT_LIMIT = 64
"""Largest |integer weight|: 2 * 255 * 64 <= 32767 keeps AVX2's 16-bit pair sums exact."""
BIAS_LIMIT = float(1 << 20)
"""Largest |integer bias|."""
SUM_LIMIT = float((1 << 24) - (1 << 20) - (1 << 20))
"""Largest sum of |integer weights| * 255: with the bias, and with half a step of rounding for
each of 8,000 weights, below the 2^24 up to which float32 counts exactly."""
WIDE = 32767.0
"""Largest |output| of a wide layer."""
BIAS_UNIT = 16.0
"""Biases are stored divided by this, so that one learning rate suits them and the weights."""


def round_ste(x: Tensor) -> Tensor:
    """Round half to even, with the gradient of the identity (straight-through estimator)."""
    return straight(x, x.detach().round())


def floor_ste(x: Tensor) -> Tensor:
    """Round down, with the gradient of the identity."""
    return straight(x, x.detach().floor())


def space_to_depth(x: Tensor, r: int) -> Tensor:
    """(B, C, H, W) -> (B, r*r*C, H/r, W/r), channel order (dy, dx, c): rows stay contiguous."""
    b, c, h, w = x.shape
    x = x.reshape(b, c, h // r, r, w // r, r).permute(0, 2, 4, 3, 5, 1)
    return x.reshape(b, h // r, w // r, r * r * c).permute(0, 3, 1, 2)


def depth_to_space(x: Tensor, r: int) -> Tensor:
    """Inverse of `space_to_depth`."""
    b, c, h, w = x.shape
    x = x.reshape(b, r, r, c // (r * r), h, w).permute(0, 4, 1, 5, 2, 3)
    return x.reshape(b, h * r, w * r, c // (r * r)).permute(0, 3, 1, 2)


def weight_scale(weight: Tensor, bias: Tensor) -> Tensor:
    """(outputs,) float: the size of one integer weight step of each output channel.

    The smallest for which weights, their worst sum over activations of 255, and the bias keep
    their limits. The sum decides in the widest layers only, the bias where a channel's
    weights are all but zero (a head before its first step). Both are in output units.
    """
    size = weight.detach().abs()
    largest = size.amax((1, 2, 3)).clamp_min(1e-9) / WEIGHT_LIMIT
    total = size.sum((1, 2, 3)) * (255.0 / SUM_LIMIT)
    offset = bias.detach().abs() / BIAS_LIMIT
    return torch.maximum(torch.maximum(largest, total), offset)


class IntConv2d(nn.Conv2d):
    """Convolution with output in integer units.

    signed: output range -128..127 instead of 0..255 (which is the clipped ReLU). wide: -32767..
    32767, for a pass in C that adds it to something else.
    rounding: whether the output is an activation (clipped, and rounded in quantised mode) or a
    raw sum that a later pass scales. gained: whether output channels have units of their own in
    training. depthwise: each output sees the input channel of its own number only.
    precise: a 1x1 layer that computes in float32 under autocast too.
    quantized: False trains in floating point; True simulates the integer network (weights on a
    grid of 2 * WEIGHT_LIMIT + 1 values per output channel, rounded outputs).
    """

    center: Tensor
    gain: Tensor | None
    dither: Tensor | None

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        signed: bool = False,
        wide: bool = False,
        rounding: bool = True,
        gained: bool = False,
        depthwise: bool = False,
        precise: bool = False,
    ) -> None:
        groups = inputs if depthwise else 1
        padding = kernel // 2
        super().__init__(inputs, outputs, kernel, stride=stride, padding=padding, groups=groups)
        self.range = (-WIDE, WIDE) if wide else (-128.0, 127.0) if signed else (0.0, 255.0)
        self.signed = signed or wide
        self.depthwise = depthwise
        self.precise = precise
        self.rounding = rounding
        self.quantized = False
        nn.init.kaiming_normal_(self.weight, nonlinearity="linear" if signed else "relu")
        assert self.bias is not None
        nn.init.zeros_(self.bias)
        # Mean of each input channel, subtracted while training (`train/centering.py`).
        self.register_buffer("center", torch.zeros(inputs))
        # Units of each output channel in which weight and bias are trained (`train/centering.py`).
        self.register_buffer("gain", torch.ones(outputs) if gained else None)
        # Of inputs that are copies of each other, where their weights are rounded: what is added
        # before rounding down (`dithered`). Follows from the spec, so no checkpoint has it.
        self.register_buffer("dither", None, persistent=False)

    def in_units(self) -> tuple[Tensor, Tensor]:
        """Weight and bias (in output units) with the gain applied, without the centre."""
        assert self.bias is not None
        weight, bias = self.weight, self.bias * BIAS_UNIT
        if self.gain is None:
            return weight, bias
        return weight * self.gain[:, None, None, None], bias * self.gain

    def response(self, weight: Tensor, level: Tensor) -> Tensor:
        """(outputs,): what these weights make of inputs that are constant, (inputs,)."""
        total = weight.sum((2, 3))
        # Not a product of matrices: autocast would do that in bfloat16.
        return total[:, 0] * level if self.depthwise else (total * level).sum(1)

    def weight_scale(self) -> Tensor:
        """`weight_scale` of the layer's own weights."""
        return weight_scale(*self.in_units())

    @torch.no_grad()
    def steps(self, weight: Tensor, grid: Tensor) -> Tensor:
        """The integers of weights on a grid."""
        steps = weight / grid
        if self.dither is None:
            return steps.round_()
        return steps.add_(self.dither[:, None, None]).floor_()

    def effective(self) -> tuple[Tensor, Tensor]:
        """Weight and bias as the forward pass uses them."""
        weight, bias = self.in_units()
        if not self.quantized:
            return weight, bias - self.response(weight, self.center)
        scale = self.weight_scale()
        grid = scale[:, None, None, None]
        weight = straight(weight, self.steps(weight, grid) * grid)
        bias = bias - self.response(weight, self.center)
        return weight, straight(bias, (bias / scale).round() * scale)

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.effective()
        out = self._convolved(x, weight, bias)
        if not self.rounding:
            return out
        if self.quantized:  # in bfloat16 too: it has all integers of a byte
            return rounded_clip(out, *self.range)
        return F.hardtanh(out, *self.range)

    def _convolved(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        if self.precise:
            return pointwise(x, weight, bias)
        return F.conv2d(x, weight, bias, self.stride, self.padding, groups=self.groups)


def depthwise_kernels(like: Tensor) -> Tensor:
    """(C, 1, 3, 3) to start from, nearly the identity: a random one would first of all blur."""
    kernels = torch.randn_like(like) * 0.15
    kernels[:, :, 1, 1] += 0.8
    return kernels


class ResidualBlock(nn.Module):
    """x -> clip(x + conv1x1(relu(depthwise3x3(relu(conv1x1(x)))))), trunk in 0..255.

    A depthwise convolution costs about what a 1x1 of the same width costs, a full 3x3 seven times
    as much: three such blocks in the time of one with a full 3x3 (docs/models.md). Cf. the blocks
    of MobileNetV2 (Sandler et al., CVPR 2018) and of DCVC-RT (Jia et al., CVPR 2025).
    """

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.conv1 = IntConv2d(width, inner, 1)
        self.spatial = IntConv2d(inner, inner, 3, depthwise=True)
        self.conv2 = IntConv2d(inner, width, 1, signed=True)
        with torch.no_grad():
            self.spatial.weight.copy_(depthwise_kernels(self.spatial.weight))
            self.conv2.weight.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        return F.hardtanh(x + self.conv2(self.spatial(self.conv1(x))), 0.0, 255.0)


def zero_(conv: IntConv2d) -> IntConv2d:
    """Sets a layer to zero: a branch that begins by adding nothing."""
    nn.init.zeros_(conv.weight)
    return conv
