"""The real-time codec network: four transforms around a mean-scale hyperprior.

    frame -> [1/8 patches] --- trunk ---\\
          -> [1/16 blocks] --- linear ---+-> y -> h_a -> z -> z_hat -> h_s -> (mean, index)
                                              |                                |
                                              +--> symbols = round((y - mean) / step) <-+
    (in three steps: h_s serves half of the base latents, a checkerboard; g_cp the other half,
     from the first; g_ep all other latents, from the base)
    symbols, mean -> v = clip(mean + symbols * step) -> g_s: linear path + trunk -> frame

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
from ..runtime.copies import all_runs, copied_offsets
from . import latents
from .entropy import STEPS_PER_OCTAVE, fine_of, gaussian_bits, scale_of
from .layers import IntConv2d, round_ste
from .noise import uniform_like
from .spec import BLOCK, PATCH, CodecSpec
from .transforms import Analysis, EntropyParameters, HyperAnalysis, HyperSynthesis, Synthesis


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
        noisy = z + uniform_like(z) if self.training else z.round()
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
        factor = factor.clamp(max=MAX_ACTIVITY_FACTOR / FACTOR_ONE)
        base = self.spec.base
        return latents.activity(v, factor, min(RAW_CHANNELS, base), base, self.quantized)

    def step(self, quality: Tensor) -> Tensor:
        """Quantiser steps (B, M, 1, 1) in units of v, on the fixed-point grid when quantised."""
        step = torch.exp(self.log_step[quality])
        if self.quantized:
            step = round_ste(step * 256.0).clamp(1.0, 65535.0) / 256.0
        return step[:, :, None, None]

    def decoded_latents(self, y: Tensor, mean: Tensor, step: Tensor) -> Tensor:
        """Latents of the decoder, straight-through, before they are rounded to v."""
        return latents.decode(y, mean, step)

    def rounded_latents(self, y: Tensor, mean: Tensor, step: Tensor) -> Tensor:
        """v, which the entropy networks see."""
        fine = self.decoded_latents(y, mean, step)
        return round_ste(fine) if self.quantized else fine

    def spread(self, fine: Tensor) -> Tensor:
        """Decoded latents rounded to v, then their copies (`runtime/copies.py`)."""
        count = self.spec.latents
        runs = [(run.first, run.channels) for run in all_runs(count)]
        offsets = fine.new_tensor(copied_offsets(count)) if self.quantized else None
        return latents.spread(fine, runs, offsets)

    def rate(self, y: Tensor, mean: Tensor, index: Tensor, step: Tensor) -> Tensor:
        """(B,) bits of all symbols; with additive uniform noise in training (Balle et al. 2017)."""
        offset = torch.log2(step) * STEPS_PER_OCTAVE
        if self.quantized:
            offset = round_ste(offset)
        if self.training:
            return latents.rate(y, mean, index, step, offset, uniform_like(y))
        symbol = ((y - mean) / step).round()
        return gaussian_bits(symbol, scale_of((index - offset).clamp(0.0, 255.0))).sum((1, 2, 3))

    def priors(self, y: Tensor, quality: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """y (B, M, h, w) -> mean and index of all latents as a decoder knows them; bits of z."""
        (features, mean1, index1), bits_z = self.hyper(y, quality)
        base = self.spec.base
        y_base, step = y[:, :base], self.step(quality)[:, :base]
        first = first_step_mask(y_base)
        v1 = self.rounded_latents(y_base, mean1.float(), step) * first
        mean2, index2 = self.g_cp(features, self._known(v1, quality))
        mean = torch.where(first, mean1.float(), mean2.float())
        index = torch.where(first, index1.float(), index2.float())
        v = self.rounded_latents(y_base, mean, step)
        mean3, index3 = self.g_ep(features, self._known(v, quality))
        return torch.cat([mean, mean3.float()], 1), torch.cat([index, index3.float()], 1), bits_z

    def _known(self, v: Tensor, quality: Tensor) -> Tensor:
        return self.with_planes(self.activity(v, quality), quality)

    def forward(self, frame: Tensor, quality: Tensor) -> Output:
        """frame: (B, 3, H, W) float, 0..255, sides multiples of 16; quality: (B,) int64."""
        y = self.g_a(frame - 128.0)
        mean, index, bits_z = self.priors(y, quality)
        step = self.step(quality)
        bits_y = self.rate(y, mean, index, step)
        fine = self.decoded_latents(y, mean, step)
        v = self.with_planes(round_ste(fine) if self.quantized else fine, quality)
        x_hat = self.g_s(v, self.spread(fine))
        return Output(x_hat, bits_y, bits_z)


def first_step_mask(y: Tensor) -> Tensor:
    """(base, h, w) bool: the base latents that are coded in the first step."""
    c, h, w = (torch.arange(n, device=y.device) for n in y.shape[1:])
    channels_last = (h[:, None, None] + w[:, None] + c) % 2 == 0
    return channels_last.permute(2, 0, 1)


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
