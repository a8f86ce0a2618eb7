"""mbt2018-mean and mbt2018, with the state dicts of CompressAI's classes.

    x -> g_a -> y ---> h_a -> z -> round -> z_hat -> h_s -> params
                |                                             |
                |    y_hat -> context_prediction -> concat <--+     (mbt2018 only)
                |                                     |
                |                             entropy_parameters
                |                                     |
                +--> round(y - means) <--- scales, means
                         |
                       y_hat -> g_s -> x_hat

Minnen, Balle, Toderici: Joint autoregressive and hierarchical priors for learned image
compression, NeurIPS 2018; CompressAI (Begaint et al., 2020): MeanScaleHyperprior and
JointAutoregressiveHierarchicalPriors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from .entropy import EntropyBottleneck, GaussianConditional, quantize
from .gdn import GDN
from .spec import MbtSpec

CONTEXT_KERNEL = 5


@dataclass
class Output:
    """x_hat: (B, 3, H, W), 0..1 before clipping. y_likelihoods, scales, means, y_hat: (B, M, H/16,
    W/16). z_likelihoods: (B, N, H/64, W/64)."""

    x_hat: Tensor
    y_likelihoods: Tensor
    z_likelihoods: Tensor
    scales: Tensor
    means: Tensor
    y_hat: Tensor

    def bits(self) -> Tensor:
        """(B,) estimated bits of each frame."""
        both = (self.y_likelihoods, self.z_likelihoods)
        return -sum((p.log2().sum((1, 2, 3)) for p in both), torch.zeros(()))


class MaskedConv2d(nn.Conv2d):
    """5x5 convolution that sees what comes before a position in raster order (mask A).

    van den Oord et al., NeurIPS 2016, section 2.
    """

    mask: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, CONTEXT_KERNEL, padding=CONTEXT_KERNEL // 2)
        mask = torch.ones_like(self.weight)
        middle = CONTEXT_KERNEL // 2
        mask[:, :, middle, middle:] = 0
        mask[:, :, middle + 1 :] = 0
        self.register_buffer("mask", mask)

    def masked_weight(self) -> Tensor:
        return self.weight * self.mask

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self._conv_forward(x, self.masked_weight(), self.bias)
        return result


def _conv(inputs: int, outputs: int, kernel: int = 5, stride: int = 2) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)


def _deconv(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 5, 2, padding=2, output_padding=1)


def _analysis(widths: Sequence[int]) -> nn.Sequential:
    """Convolutions between these widths, GDN after all but the last."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [_conv(inputs, outputs), GDN(outputs)]
    return nn.Sequential(*layers[:-1])


def _synthesis(widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [_deconv(inputs, outputs), GDN(outputs, inverse=True)]
    return nn.Sequential(*layers[:-1])


class MeanScaleHyperprior(nn.Module):
    """CompressAI's mbt2018-mean."""

    def __init__(self, spec: MbtSpec) -> None:
        super().__init__()
        self.spec = spec
        m, n = spec.latents, spec.hyper
        self.entropy_bottleneck = EntropyBottleneck(n)
        self.g_a = _analysis((3, *spec.g_a, m))
        self.g_s = _synthesis((m, *spec.g_s, 3))
        first, second = spec.h_a
        self.h_a = nn.Sequential(
            _conv(m, first, 3, 1),
            nn.LeakyReLU(),
            _conv(first, second),
            nn.LeakyReLU(),
            _conv(second, n),
        )
        first, second = spec.h_s
        self.h_s = nn.Sequential(
            _deconv(n, first),
            nn.LeakyReLU(),
            _deconv(first, second),
            nn.LeakyReLU(),
            _conv(second, 2 * m, 3, 1),
        )
        self.gaussian_conditional = GaussianConditional()

    def gaussians(self, y: Tensor, params: Tensor) -> Tensor:
        """y, and what h_s gave (B, 2 M, h, w) -> scales and means in one tensor of that shape."""
        return params

    def decoded_latents(self, y: Tensor, y_hat: Tensor) -> Tensor:
        """What g_s is given."""
        return y_hat

    def forward(self, x: Tensor) -> Output:
        """x: (B, 3, H, W) float, 0..1, sides multiples of 64.

        As in CompressAI, the estimate of mbt2018 lets the context be whole numbers, where its
        coder's latents are whole distances from the means.
        """
        y = self.g_a(x)
        z_hat, z_likelihoods = self.entropy_bottleneck(self.h_a(y))
        scales, means = self.gaussians(y, self.h_s(z_hat)).chunk(2, 1)
        y_hat, y_likelihoods = self.gaussian_conditional(y, scales, means)
        y_hat = self.decoded_latents(y, y_hat)
        return Output(self.g_s(y_hat), y_likelihoods, z_likelihoods, scales, means, y_hat)


class JointAutoregressive(MeanScaleHyperprior):
    """CompressAI's mbt2018: the same with a context model."""

    def __init__(self, spec: MbtSpec) -> None:
        super().__init__(spec)
        m = spec.latents
        first, second = spec.entropy_parameters
        self.entropy_parameters = nn.Sequential(
            nn.Conv2d(4 * m, first, 1),
            nn.LeakyReLU(),
            nn.Conv2d(first, second, 1),
            nn.LeakyReLU(),
            nn.Conv2d(second, 2 * m, 1),
        )
        self.context_prediction = MaskedConv2d(m, 2 * m)

    def gaussians(self, y: Tensor, params: Tensor) -> Tensor:
        context = self.context_prediction(self.decoded_latents(y, y))
        gaussians: Tensor = self.entropy_parameters(torch.cat((params, context), 1))
        return gaussians

    def decoded_latents(self, y: Tensor, y_hat: Tensor) -> Tensor:
        return quantize(y, None, self.training)


def build_network(spec: MbtSpec, seed: int = 0) -> MeanScaleHyperprior:
    """A fresh network; the same seed gives the same weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return JointAutoregressive(spec) if spec.has_context else MeanScaleHyperprior(spec)
