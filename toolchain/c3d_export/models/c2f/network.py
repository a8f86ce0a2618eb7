"""The coarse-to-fine network: three levels of latents, each coded by what the coarser one says.

    x --g_a--> z3 ---------------------------- round --> g_s ----------+
               |                                ^ mean, scale          |
               +-- round --h_a2--> z2 - round --+-- h_s2 --> h2 --> predictor3
                                   |    ^ mean, scale        |         |
                                   +-- round --h_a1--> z1    |         |
                                         round --h_s1--> h1 --> predictor2
                                                          |  |         |
                                                          +--+--> reconstruction --> x_hat

All latents are rounded as they are; each is coded under a Gaussian integrated over unit bins. z1
has mean 0 and a learned scale per channel; without the coarse level so has z2.
Hu et al., "Coarse-to-Fine Hyper-Prior Modeling for Learned Image Compression", AAAI 2020; Wang et
al., "Neural-based application-specific compression", ECCV 2022 (the slim sizes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from ..entropy import gaussian_bits
from ..layers import round_ste
from ..noise import uniform_like
from .predictor import Predictor
from .spec import C2FSpec
from .transforms import Analysis, HyperAnalysis, HyperSynthesis, Reconstruction, Synthesis

LIKELIHOOD_FLOOR: Final = 1e-8
"""As published: a symbol never counts for more than 26.6 bits."""
SCALE_FLOOR: Final = 1e-6
"""The published scales have none; at this one a symbol is certain to float32 already."""


@dataclass(frozen=True)
class Latents:
    """z3 (B, C, h, w), z2 (B, c2, h/2, w/2), z1 (B, c1, h/4, w/4): h, w are those of 1/16.

    z1 is None where there is no coarse level.
    """

    z3: Tensor
    z2: Tensor
    z1: Tensor | None


@dataclass(frozen=True)
class Gaussian:
    """mean and scale (standard deviation, positive) in symbol units; they broadcast to latents."""

    mean: Tensor
    scale: Tensor


@dataclass(frozen=True)
class Side:
    """What the hyperprior gives: h2 and h1 for the reconstruction, and how latents are coded.

    h1 is None without a coarse level. z3, z2, z1: the Gaussians of the latents of that name.
    """

    h2: Tensor
    h1: Tensor | None
    z3: Gaussian
    z2: Gaussian
    z1: Gaussian | None


@dataclass(frozen=True)
class Output:
    """x_hat (B, 3, H, W) in -1..1, unclipped. bits: of z3, z2 and, where it exists, z1; (B,) each.

    latents: as they were before rounding. side: what the hyperprior gave.
    """

    x_hat: Tensor
    bits: tuple[Tensor, ...]
    latents: Latents
    side: Side


class CoarseToFine(nn.Module):
    """The network of a spec. Frames are (B, 3, H, W) in -1..1, sides multiples of 64.

    An encoder needs `analyse` and `side`, a decoder `top`, `from_z1`, `from_z2` as latents come in,
    and `reconstruct`.
    """

    def __init__(self, spec: C2FSpec) -> None:
        super().__init__()
        self.spec = spec
        self.g_a, self.g_s = Analysis(spec), Synthesis(spec)
        self.h_a2, self.h_s2 = HyperAnalysis(spec.fine, spec.latents), HyperSynthesis(spec.fine)
        self.predictor3 = Predictor(spec.fine, spec.latents)
        coarse = spec.coarse
        self.h_a1 = None if coarse is None else HyperAnalysis(coarse, spec.fine.latents)
        self.h_s1 = None if coarse is None else HyperSynthesis(coarse)
        self.predictor2 = None if coarse is None else Predictor(coarse, spec.fine.latents)
        self.top_scale = nn.Parameter(torch.ones(1, spec.levels[-1].latents, 1, 1))
        self.reconstruction = Reconstruction(spec)
        self.apply(_initialise)
        # A quarter less time on a CPU, and less memory: its kernels would copy other layouts.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def analyse(self, x: Tensor) -> Latents:
        """The rounded latents of a frame: no synthesis, no hyper-synthesis, no likelihood."""
        return rounded(self.latents(x))

    def latents(self, x: Tensor, coarse: bool = True) -> Latents:
        """Latents before rounding; each level is made from the rounded one below it.

        coarse: False leaves z1 out, as the first stage of a training does.
        """
        z3 = self.g_a(x)
        z2 = self.h_a2(_round(z3))
        return Latents(z3, z2, self.h_a1(_round(z2)) if self.h_a1 is not None and coarse else None)

    def top(self) -> Gaussian:
        """How the coarsest latents are coded: mean 0, a scale per channel."""
        scale = self.top_scale.abs().clamp_min(SCALE_FLOOR)
        return Gaussian(torch.zeros_like(scale), scale)

    def from_z1(self, z1: Tensor) -> tuple[Tensor, Gaussian]:
        """h1 and how z2 is coded, from rounded z1; only where there is a coarse level."""
        assert self.h_s1 is not None
        assert self.predictor2 is not None
        h1: Tensor = self.h_s1(z1)
        return h1, _gaussian(*self.predictor2(h1))

    def from_z2(self, z2: Tensor) -> tuple[Tensor, Gaussian]:
        """h2 and how z3 is coded, from rounded z2."""
        h2: Tensor = self.h_s2(z2)
        return h2, _gaussian(*self.predictor3(h2))

    def side(self, latents: Latents) -> Side:
        """All that the hyperprior says, of rounded latents."""
        h2, of_z3 = self.from_z2(latents.z2)
        if latents.z1 is None:
            return Side(h2, None, of_z3, self.top(), None)
        h1, of_z2 = self.from_z1(latents.z1)
        return Side(h2, h1, of_z3, of_z2, self.top())

    def reconstruct(self, z3: Tensor, h2: Tensor, h1: Tensor | None) -> Tensor:
        """x_hat (B, 3, H, W) in -1..1, unclipped, from rounded z3 and the hyper-features."""
        y = self.g_s(z3)
        if torch.is_grad_enabled():
            return self.reconstruction(y, h2, h1)  # type: ignore[no-any-return]
        return self.reconstruction.in_bands(y, h2, h1)

    def synthesise(self, latents: Latents) -> Tensor:
        """x_hat of rounded latents: no predictor, since nothing is left to decode."""
        h1 = None if self.h_s1 is None else self.h_s1(latents.z1)
        return self.reconstruct(latents.z3, self.h_s2(latents.z2), h1)

    def forward(self, x: Tensor) -> Output:
        """As in training: transforms see rounded latents (straight-through), rates noisy ones
        (uniform, Balle et al., ICLR 2017), in evaluation mode rounded ones too."""
        latents = self.latents(x)
        known = rounded(latents)
        side = self.side(known)
        x_hat = self.reconstruct(known.z3, side.h2, side.h1)
        return Output(x_hat, self.rates(latents, side), latents, side)

    def rates(self, latents: Latents, side: Side) -> tuple[Tensor, ...]:
        """(B,) bits of z3, z2 and, where it exists, z1; latents before rounding."""
        pairs = [(latents.z3, side.z3), (latents.z2, side.z2)]
        if latents.z1 is not None and side.z1 is not None:
            pairs.append((latents.z1, side.z1))
        return tuple(rate(z, gaussian, self.training) for z, gaussian in pairs)


def rate(z: Tensor, gaussian: Gaussian, noisy: bool) -> Tensor:
    """(B,) bits of latents, which are rounded or, if `noisy`, get uniform noise of one bin."""
    symbols = z + uniform_like(z) if noisy else z.round()
    bits = gaussian_bits(symbols - gaussian.mean, gaussian.scale, LIKELIHOOD_FLOOR)
    return bits.sum((1, 2, 3))


def _round(z: Tensor) -> Tensor:
    return round_ste(z) if torch.is_grad_enabled() else z.round()


def rounded(latents: Latents) -> Latents:
    """Rounded half to even; with gradients straight-through."""
    z1 = None if latents.z1 is None else _round(latents.z1)
    return Latents(_round(latents.z3), _round(latents.z2), z1)


def _gaussian(mean: Tensor, log_scale: Tensor) -> Gaussian:
    return Gaussian(mean, log_scale.exp().clamp_min(SCALE_FLOOR))


def _initialise(module: nn.Module) -> None:
    """As published: Glorot for convolutions and linear layers; transposed ones keep PyTorch's."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def build_network(spec: C2FSpec, seed: int = 0) -> CoarseToFine:
    """A network with fresh weights that depend on the seed alone; the random state stays."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return CoarseToFine(spec)
