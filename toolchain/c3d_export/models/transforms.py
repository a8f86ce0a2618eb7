"""The six networks of the codec (`models/network.py` says how they work together).

g_a and g_s have a linear path beside a trunk of residual blocks at 1/8 and 1/16; h_a, h_s, g_cp and
g_ep make up the entropy model. All tensors are in integer units (`models/layers.py`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..runtime.copies import copied_offsets
from .layers import IntConv2d, ResidualBlock, depth_to_space, space_to_depth, zero_
from .picture import picture
from .spec import BLOCK, BLOCK_CHANNELS, PATCH, PATCH_CHANNELS, PLANES, CodecSpec

LINEAR_UNIT, CORRECTION_UNIT = 0.125, 0.5
"""Grey levels in one unit of the two parts of the picture."""


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
        self.linear = IntConv2d(BLOCK_CHANNELS, spec.latents, 1, rounding=False, precise=True)

    def forward(self, x: Tensor) -> Tensor:
        trunk = self.low(self.down(self.high(self.patch(space_to_depth(x, PATCH)))))
        linear = self.linear(space_to_depth(x, BLOCK))
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
    """g_s: v with planes (B, M + PLANES, h, w), v with its copies (B, spread, h, w) -> pixels -
    128 (B, 3, 16h, 16w), unclipped.

    Two parts are added, each in units of its own: the linear path, which sees the copies
    (`runtime/copies.py`) and whose sums leave the graph as they are, since eight bits could not
    hold what overshoots at edges without a visible rounding error; and a correction by the trunk.
    """

    def __init__(self, spec: CodecSpec) -> None:
        super().__init__()
        s = spec.g_s
        self.enter = IntConv2d(spec.latents + PLANES, s.low, 1)
        self.low = nn.Sequential(*(ResidualBlock(s.low, n) for n in s.low_inner))
        self.up = IntConv2d(s.low, 4 * s.high, 1)
        self.high = nn.Sequential(*(ResidualBlock(s.high, n) for n in s.high_inner))
        self.correction = zero_(IntConv2d(s.high, PATCH_CHANNELS, 1, signed=True))
        pixels = IntConv2d(spec.spread, BLOCK_CHANNELS, 1, wide=True, precise=True)
        self.pixels = dithered(pixels, spec.latents)

    def forward(self, v: Tensor, spread: Tensor) -> Tensor:
        trunk = self.high(depth_to_space(self.up(self.low(self.enter(v))), 2))
        linear = self.pixels(spread)
        return picture(linear, self.correction(trunk), (LINEAR_UNIT, CORRECTION_UNIT))


def dithered(conv: IntConv2d, latents: int) -> IntConv2d:
    """Rounds the weights of copies of a latent as the copies themselves are rounded: their sum is
    then right to a step of one weight, and the errors of n equal ones do not add up."""
    conv.dither = torch.tensor(copied_offsets(latents))
    return conv
