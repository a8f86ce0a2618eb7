"""The six networks of the codec (`models/network.py` says how they work together).

g_a and g_s have a linear path beside a trunk of residual blocks at 1/8 and 1/16; h_a, h_s, g_cp and
g_ep make up the entropy model. All tensors are in integer units (`models/layers.py`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .layers import IntConv2d, ResidualBlock, depth_to_space, space_to_depth, zero_
from .spec import BLOCK, BLOCK_CHANNELS, PATCH, PATCH_CHANNELS, PLANES, CodecSpec

BASE_UNIT, DETAIL_UNIT, CORRECTION_UNIT = 1.5, 1.0, 0.5
"""Grey levels in one unit of each part of the picture. The parts of a sharp edge overshoot the
range of their sum: units of 1 and 0.5 for the first two cost up to .75 dB (docs/models.md)."""


class Analysis(nn.Module):
    """g_a: pixels - 128 (B, 3, H, W), H and W multiples of 16 -> y (B, M, H/16, W/16), float."""

    def __init__(self, spec: CodecSpec) -> None:
        super().__init__()
        s = spec.g_a
        self.patch = IntConv2d(PATCH_CHANNELS, s.high, 1)
        self.high = nn.Sequential(*(ResidualBlock(s.high, n) for n in s.high_inner))
        self.down = IntConv2d(s.high, s.low, 3, stride=2)
        self.low = nn.Sequential(*(ResidualBlock(s.low, n) for n in s.low_inner))
        self.head = zero_(IntConv2d(s.low, spec.latents, 1, rounding=False))
        self.linear = IntConv2d(BLOCK_CHANNELS, spec.latents, 1, rounding=False)

    def forward(self, x: Tensor) -> Tensor:
        trunk = self.low(self.down(self.high(self.patch(space_to_depth(x, PATCH)))))
        with torch.autocast(x.device.type, enabled=False):
            linear = self.linear(space_to_depth(x.float(), BLOCK))
        y: Tensor = linear + self.head(trunk).float()
        return y


class HyperAnalysis(nn.Module):
    """h_a: activity of y (`activity`), with planes (B, base + M + PLANES, h, w) -> z before
    rounding (B, Z, h/4, w/4).
    """

    def __init__(self, spec: CodecSpec) -> None:
        super().__init__()
        self.conv1 = IntConv2d(spec.base + spec.latents + PLANES, spec.h_a, 3, stride=2)
        self.conv2 = IntConv2d(spec.h_a, spec.hyper, 3, stride=2, signed=True)
        with torch.no_grad():
            self.conv2.weight.mul_(0.3)

    def forward(self, y: Tensor) -> Tensor:
        z: Tensor = self.conv2(self.conv1(y))
        return z


class HyperSynthesis(nn.Module):
    """h_s: z_hat with planes (B, Z + PLANES, h, w) -> features, mean (signed), index (unsigned).

    Mean and index (base channels) serve the first step; the features go on to g_cp and g_ep.
    """

    def __init__(self, spec: CodecSpec) -> None:
        super().__init__()
        a, b, c = spec.h_s
        self.conv1 = IntConv2d(spec.hyper + PLANES, 4 * a, 1)
        self.conv2 = IntConv2d(a, 4 * b, 3)
        self.conv3 = IntConv2d(b, c, 3)
        self.mean = zero_(IntConv2d(c, spec.base, 1, signed=True, gained=True))
        self.index = zero_(IntConv2d(c, spec.base, 1))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = depth_to_space(self.conv1(z), 2)
        x = self.conv3(depth_to_space(self.conv2(x), 2))
        return x, self.mean(x), self.index(x)


class EntropyParameters(nn.Module):
    """g_cp and g_ep: features of h_s (B, c, h, w), activity of the base latents that are known,
    with planes (B, 2 base + PLANES, h, w) -> mean (signed), index (unsigned), `outputs` channels.

    g_cp serves the second half of the base latents: at each position it knows the other channels,
    and of each channel the four neighbours (a checkerboard that alternates with the channel; cf.
    Li et al., CVPR 2023, section 3.3). g_ep serves all other latents, which it predicts from the
    whole base, in the neighbourhood too (channel groups: Minnen and Singh, ICIP 2020).
    """

    def __init__(self, spec: CodecSpec, outputs: int) -> None:
        super().__init__()
        e = spec.g_ep
        self.features = IntConv2d(spec.h_s[2], e, 1)
        self.latents = IntConv2d(2 * spec.base + PLANES, e, 1)
        self.conv1 = IntConv2d(2 * e, e, 3)
        self.conv2 = IntConv2d(e, e, 1)
        self.mean = zero_(IntConv2d(e, outputs, 1, signed=True, gained=True))
        self.index = zero_(IntConv2d(e, outputs, 1))

    def forward(self, features: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        x = self.conv2(self.conv1(torch.cat([self.features(features), self.latents(known)], 1)))
        return self.mean(x), self.index(x)


class Synthesis(nn.Module):
    """g_s: v with planes (B, M + PLANES, h, w) -> pixels - 128 (B, 3, 16h, 16w), unclipped.

    Three parts are added, each in units of its own: a base from the first latents, a detail from
    the others and a correction by the trunk. Their sum is what eight bits each can carry without
    a visible rounding error, and with room for what overshoots at edges.
    """

    def __init__(self, spec: CodecSpec) -> None:
        super().__init__()
        s = spec.g_s
        self.split = spec.base
        self.latents = spec.latents
        self.enter = IntConv2d(spec.latents + PLANES, s.low, 1)
        self.low = nn.Sequential(*(ResidualBlock(s.low, n) for n in s.low_inner))
        self.up = IntConv2d(s.low, 4 * s.high, 1)
        self.high = nn.Sequential(*(ResidualBlock(s.high, n) for n in s.high_inner))
        self.correction = zero_(IntConv2d(s.high, PATCH_CHANNELS, 1, signed=True))
        self.base = IntConv2d(spec.base, BLOCK_CHANNELS, 1, signed=True)
        self.detail = IntConv2d(spec.latents - spec.base, BLOCK_CHANNELS, 1, signed=True)

    def forward(self, v: Tensor) -> Tensor:
        trunk = self.high(depth_to_space(self.up(self.low(self.enter(v))), 2))
        correction = depth_to_space(self.correction(trunk), PATCH).float()
        with torch.autocast(v.device.type, enabled=False):
            latents = v.float()
            base = self.base(latents[:, : self.split])
            detail = self.detail(latents[:, self.split : self.latents])
        linear = depth_to_space(BASE_UNIT * base + DETAIL_UNIT * detail, BLOCK)
        return linear + CORRECTION_UNIT * correction
