"""The real-time codec network: four transforms around a mean-scale hyperprior.

    frame -> [1/8 patches] --- trunk ---\\
          -> [1/16 blocks] --- linear ---+-> y -> h_a -> z -> z_hat -> h_s -> (mean, index)
                                              |                                |
                                              +--> symbols = round((y - mean) / step) <-+
    (in three steps: h_s serves half of the base latents, a checkerboard; g_cp the other half,
     from the first; g_ep all other latents, from the base)
    symbols, mean -> v = clip(mean + symbols * step) -> g_s: linear base + linear detail + trunk
          -> frame

Each transform has a linear path set from the frames' block KLT (`models/klt.py`), so that the
untrained network already is a transform codec; the non-linear trunks learn what goes beyond it.
Mean-scale hyperprior: Minnen et al., NeurIPS 2018; gains per rate point: Cui et al., CVPR 2021.
All tensors are in integer units (`models/layers.py`); y, mean and v are in units of `v`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..runtime.activity import ACTIVITY_ONE, FACTOR_ONE, MAX_ACTIVITY_FACTOR, RAW_CHANNELS
from .entropy import STEPS_PER_OCTAVE, fine_of, gaussian_bits, scale_of
from .layers import (
    IntConv2d,
    ResidualBlock,
    depth_to_space,
    floor_ste,
    round_ste,
    space_to_depth,
    zero_,
)
from .spec import BLOCK, BLOCK_CHANNELS, PATCH, PATCH_CHANNELS, PLANES, CodecSpec

BASE_UNIT, DETAIL_UNIT, CORRECTION_UNIT = 1.5, 1.0, 0.5
"""Grey levels in one unit of each part of the picture. The parts of a sharp edge overshoot the
range of their sum: units of 1 and 0.5 for the first two cost up to .8 dB (docs/models.md)."""
KNEE, CEILING, SHALLOW = 64.0, 512.0, 8.0
"""Activities are exact up to two steps, an eighth as steep up to sixteen, and constant beyond."""


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


@dataclass
class Output:
    """x_hat: (B, 3, H, W), pixels - 128. bits_y, bits_z: (B,), bits of each frame."""

    x_hat: Tensor
    bits_y: Tensor
    bits_z: Tensor


class Codec(nn.Module):
    """The whole network with its per-quality parameters.

    log_step: (Q, M), natural logarithm of the quantiser step in units of v. planes: (Q, PLANES).
    z_fine: (Q, Z), fine index of z's scale.
    """

    def __init__(self, spec: CodecSpec) -> None:
        super().__init__()
        self.spec = spec
        self.g_a, self.g_s = Analysis(spec), Synthesis(spec)
        self.h_a, self.h_s = HyperAnalysis(spec), HyperSynthesis(spec)
        self.g_cp = EntropyParameters(spec, spec.base)
        self.g_ep = EntropyParameters(spec, spec.latents - spec.base)
        ramp = torch.linspace(-1.0, 1.0, spec.qualities)
        planes = torch.stack([ramp, -ramp, ramp.abs() * 2 - 1, torch.ones_like(ramp)], 1) * 64.0
        self.planes = nn.Parameter(planes)
        self.log_step = nn.Parameter(torch.zeros(spec.qualities, spec.latents))
        self.z_fine = nn.Parameter(torch.full((spec.qualities, spec.hyper), 120.0))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def quantized(self) -> bool:
        return self.g_a.patch.quantized

    def quantize(self, on: bool) -> None:
        """Switches between training in floating point and simulating the integer network."""
        for module in self.modules():
            if isinstance(module, IntConv2d):
                module.quantized = on

    def with_planes(self, x: Tensor, quality: Tensor) -> Tensor:
        planes = self.planes[quality].clamp(-127.0, 127.0)
        if self.quantized:
            planes = round_ste(planes)
        expanded = planes[:, :, None, None].expand(-1, -1, x.shape[2], x.shape[3])
        return torch.cat([x, expanded], 1)

    def hyper(self, y: Tensor, quality: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """y (B, M, h, w) -> (features, mean, index) of h_s and bits of z (B,)."""
        height, width = y.shape[2:]
        padded = F.pad(round_ste(y).clamp(-128.0, 127.0), (0, -width % 4, 0, -height % 4))
        z = self.h_a(self.with_planes(self.activity(padded, quality), quality)).float()
        scale = scale_of(self.z_fine[quality].clamp(0.0, 255.0))[:, :, None, None]
        noisy = z + torch.rand_like(z) - 0.5 if self.training else z.round()
        bits = gaussian_bits(noisy, scale).sum((1, 2, 3))
        outputs = self.h_s(self.with_planes(round_ste(z), quality))
        return tuple(t[..., :height, :width] for t in outputs), bits

    def activity(self, v: Tensor, quality: Tensor) -> Tensor:
        """What the entropy networks see of latents: v (B, n, h, w), n of base or M, in units of v
        -> (B, base + n, h, w): the base latents, of which the first RAW_CHANNELS as they are
        (-128..127) and the others companded, then all magnitudes companded (-120..120).

        Companded means: in units of the quantiser step, so that the same numbers mean the same at
        every rate point, and such that 1 differs from 0 more than 9 from 8. Magnitudes are beside
        the signed values, since scales depend on them alone (9 % of the rate, docs/models.md).
        """
        factor = ACTIVITY_ONE / self.step(quality)[:, : v.shape[1]].detach()
        moved = v * factor.clamp(max=MAX_ACTIVITY_FACTOR / FACTOR_ONE)
        size = moved.abs()
        if self.quantized:
            size = round_ste(size)
        low = size.clamp(max=KNEE)
        high = (size.clamp(max=CEILING) - low) / SHALLOW
        size = low + (floor_ste(high) if self.quantized else high)
        base, raw = self.spec.base, min(RAW_CHANNELS, self.spec.base)
        signed = size[:, raw:base] * moved[:, raw:base].sign()
        return torch.cat([v[:, :raw], signed, size], 1)

    def step(self, quality: Tensor) -> Tensor:
        """Quantiser steps (B, M, 1, 1) in units of v, on the fixed-point grid when quantised."""
        step = torch.exp(self.log_step[quality])
        if self.quantized:
            step = round_ste(step * 256.0).clamp(1.0, 65535.0) / 256.0
        return step[:, :, None, None]

    def quantized_latents(self, y: Tensor, mean: Tensor, step: Tensor) -> Tensor:
        """v of the decoder, rounded straight-through."""
        v = mean + round_ste((y - mean) / step) * step
        if self.quantized:
            v = round_ste(v)
        return v.clamp(-128.0, 127.0)

    def rate(self, y: Tensor, mean: Tensor, index: Tensor, step: Tensor) -> Tensor:
        """Bits of every symbol; with additive uniform noise in training (Balle et al. 2017)."""
        offset = torch.log2(step) * STEPS_PER_OCTAVE
        if self.quantized:
            offset = round_ste(offset)
        residual = (y - mean) / step
        noisy = residual + torch.rand_like(y) - 0.5 if self.training else residual.round()
        return gaussian_bits(noisy, scale_of((index - offset).clamp(0.0, 255.0)))

    def priors(self, y: Tensor, quality: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """y (B, M, h, w) -> mean and index of all latents as a decoder knows them; bits of z."""
        (features, mean1, index1), bits_z = self.hyper(y, quality)
        base = self.spec.base
        y_base, step = y[:, :base], self.step(quality)[:, :base]
        first = first_step_mask(y_base)
        v1 = self.quantized_latents(y_base, mean1.float(), step) * first
        mean2, index2 = self.g_cp(features, self._known(v1, quality))
        mean = torch.where(first, mean1.float(), mean2.float())
        index = torch.where(first, index1.float(), index2.float())
        v = self.quantized_latents(y_base, mean, step)
        mean3, index3 = self.g_ep(features, self._known(v, quality))
        return torch.cat([mean, mean3.float()], 1), torch.cat([index, index3.float()], 1), bits_z

    def _known(self, v: Tensor, quality: Tensor) -> Tensor:
        return self.with_planes(self.activity(v, quality), quality)

    def forward(self, frame: Tensor, quality: Tensor) -> Output:
        """frame: (B, 3, H, W) float, 0..255, sides multiples of 16; quality: (B,) int64."""
        y = self.g_a(frame - 128.0)
        mean, index, bits_z = self.priors(y, quality)
        step = self.step(quality)
        bits_y = self.rate(y, mean, index, step).sum((1, 2, 3))
        v = self.quantized_latents(y, mean, step)
        x_hat = self.g_s(self.with_planes(v, quality))
        return Output(x_hat, bits_y, bits_z)


def first_step_mask(y: Tensor) -> Tensor:
    """(base, h, w) bool: the base latents that are coded in the first step."""
    c, h, w = (torch.arange(n, device=y.device) for n in y.shape[1:])
    return (c[:, None, None] + h[:, None] + w) % 2 == 0


def build_network(spec: CodecSpec, seed: int = 0) -> Codec:
    """A fresh network; the same seed gives the same weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Codec(spec)


def macs_per_pixel(spec: CodecSpec) -> dict[str, float]:
    """Multiply-accumulates per pixel of each transform."""
    counts: dict[str, float] = {}
    network = build_network(spec)
    for name in ("g_a", "g_s", "h_a", "h_s", "g_cp", "g_ep"):
        counts[name] = _macs(getattr(network, name), name)
    return counts


def _macs(module: nn.Module, name: str) -> float:
    total = 0.0
    for path, layer in module.named_modules():
        if isinstance(layer, IntConv2d):
            total += layer.weight.numel() / _positions(f"{name}.{path}")
    return total


def _positions(path: str) -> float:
    """Pixels per output position of a layer."""
    if path.startswith(("g_a.patch", "g_a.high", "g_s.high", "g_s.correction")):
        return PATCH**2
    if path.startswith("g_"):
        return BLOCK**2
    rates = {"h_a.conv1": 2, "h_a.conv2": 4, "h_s.conv1": 4, "h_s.conv2": 2}
    return (BLOCK * rates.get(path, 1)) ** 2


def initial_fine(scale: Tensor) -> Tensor:
    """Bias of h_s's index head (in integer units) for latents of these standard deviations."""
    return fine_of(scale).clamp(1.0, 254.0)


def quality_lambdas(count: int) -> list[float]:
    """Lambda of each rate point, low to high: 0.001 doubling, in 1 / (grey level)^2."""
    return [0.001 * 2.0**i for i in range(count)]


def initial_step(lam: float) -> float:
    """Quantiser step in grey levels at which a transform codec has this lambda as its slope.

    lambda = 3 / (2 ln 2 D) per channel and D = step^2 / 12.
    """
    return math.sqrt(18.0 / (math.log(2.0) * lam))
