"""What going to integers costs: the float network beside the integer one, on the same frames.

"Float" is the trainable network in evaluation mode with nothing simulated: weights, biases and
quantiser steps unrounded, activations unrounded but clipped to the ranges that they are trained in
(that is part of the network), tables' scales unrounded. Latents and hyper-latents are rounded, for
without that there is no codec. Of a workspace model these are the weights that were trained; a
bundle has integers only, so that its float network has the integer network's weights, and what is
measured is what the activations, steps and table indexes lose.

So that the two compare, both sides round at one half (a shipped encoder rounds a little towards
zero, which is no loss but a choice), and the rate of both is that of the network's own entropy
model, -log2 of a Gaussian over unit bins: no frequency tables, no headers. The integer network's
Gaussians have the 64 scales of its tables; those of the hyper-latents are the float network's
scales, rounded, and not the ones that a bundle fits to the counts of its tables. PSNR is that of
pixels rounded to 8 bits.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.errors import OptionError
from ..evaluate.metrics import bd_rate, psnr
from ..models.entropy import FINE_PER_TABLE, gaussian_bits, scale_of
from ..models.network import Codec as Network
from ..quantize.freeze import parameters_of
from ..quantize.reference import padded_frame
from ..runtime.bundle import TABLES, Bundle
from ..runtime.codec import Codec
from ..runtime.images import Frame
from .matrix import NamedFrame

LEAST_POINTS = 4
"""Rate points that a BD-rate needs."""


@dataclass(frozen=True)
class AnalysisDifference:
    """|integer - float| of y over a frame, in units (LSB) of v. share_above_half: in 0..1."""

    frame: str
    mean: float
    largest: float
    share_above_half: float


@dataclass(frozen=True)
class RateRow:
    """Bits per pixel and PSNR in dB of one frame at one rate point, both networks."""

    frame: str
    quality: int
    bpp_float: float
    bpp_integer: float
    psnr_float: float
    psnr_integer: float


@dataclass(frozen=True)
class FloatComparison:
    """trained: whether the float weights are those of training (a workspace model) or those of the
    integer network (a bundle)."""

    trained: bool
    analysis: tuple[AnalysisDifference, ...]
    rates: tuple[RateRow, ...]

    def by_quality(self) -> list[RateRow]:
        """The mean over the frames, a row per rate point."""
        qualities = sorted({row.quality for row in self.rates})
        return [_mean([r for r in self.rates if r.quality == q]) for q in qualities]

    @property
    def bd_rate(self) -> float | None:
        """Percent of rate that the integers cost at equal PSNR; None for fewer than four rate
        points, or curves that do not rise."""
        rows = self.by_quality()
        if len(rows) < LEAST_POINTS:
            return None
        try:
            return bd_rate(
                [(row.bpp_float, row.psnr_float) for row in rows],
                [(row.bpp_integer, row.psnr_integer) for row in rows],
            )
        except OptionError:
            return None

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "bd_rate_percent": self.bd_rate}


def _mean(rows: Sequence[RateRow]) -> RateRow:
    return RateRow(
        f"mean of {len(rows)}",
        rows[0].quality,
        fmean(r.bpp_float for r in rows),
        fmean(r.bpp_integer for r in rows),
        fmean(r.psnr_float for r in rows),
        fmean(r.psnr_integer for r in rows),
    )


def as_float(model: Network) -> Network:
    """A copy that simulates nothing (see the head of this module)."""
    network = copy.deepcopy(model).eval()
    network.quantize(False)
    return network


@torch.no_grad()
def compare_with_float(
    model: Network,
    frozen: Network,
    bundle: Bundle,
    frames: Sequence[NamedFrame],
    qualities: Sequence[int],
    *,
    trained: bool,
    report: Callable[[str], None] = lambda text: None,
) -> FloatComparison:
    """model: the float network; frozen, bundle: the integers of the same network, validated.

    qualities: rate points, 1..Q. report: called after each frame and rate point.
    """
    network, integer = as_float(model), _integer_codec(model, bundle)
    analysis, rates = [], []
    for frame in frames:
        analysis.append(_analysis(network, frozen, frame))
        for quality in qualities:
            bpp, picture = _float_point(network, frame.pixels, quality)
            size, other = _integer_point(integer, frame.pixels, quality)
            values = bpp, size, psnr(frame.pixels, picture), psnr(frame.pixels, other)
            rates.append(RateRow(frame.name, quality, *values))
            report(f"float, {frame.name} quality {quality}")
    return FloatComparison(trained, tuple(analysis), tuple(rates))


def _analysis(network: Network, frozen: Network, frame: NamedFrame) -> AnalysisDifference:
    pixels = padded_frame(frame.pixels)
    difference = (frozen.g_a(pixels).double() - network.g_a(pixels.float()).double()).abs()
    share = float((difference > 0.5).double().mean())
    return AnalysisDifference(frame.name, float(difference.mean()), float(difference.max()), share)


def _float_point(network: Network, frame: Frame, quality: int) -> tuple[float, Frame]:
    """Bits per pixel and the picture of the float network."""
    height, width = frame.shape[:2]
    pixels = padded_frame(frame).float() + 128.0
    out = network(pixels, torch.tensor([quality - 1]))
    picture = (out.x_hat[0].permute(1, 2, 0) + 128.0).round().clamp(0, 255).to(torch.uint8)
    bpp = float(out.bits_y + out.bits_z) / (height * width)
    return bpp, np.ascontiguousarray(picture.numpy()[:height, :width])


def _integer_codec(model: Network, bundle: Bundle) -> Codec:
    """The codec of the bundle with what the head of this module says, in the default flavour."""
    half, z_index = np.full(TABLES, 0.5, np.float32), parameters_of(model).z_index
    arrays = {**bundle.arrays, "rounding": half, "z_index": z_index}
    return Codec(replace(bundle, arrays=arrays))


def _integer_point(codec: Codec, frame: Frame, quality: int) -> tuple[float, Frame]:
    latents = codec.latents(frame, quality)
    z_index = np.broadcast_to(codec.bundle.arrays["z_index"][quality - 1], latents.z.shape)
    bits = _bits(latents.z, z_index)
    for symbols, indexes in zip(latents.symbols, latents.indexes, strict=True):
        bits += _bits(symbols, indexes)
    picture = codec.decode(codec.encode(frame, quality))
    return bits / (frame.shape[0] * frame.shape[1]), picture


def _bits(symbols: NDArray[np.int16], indexes: NDArray[np.uint8]) -> float:
    """Under Gaussians of the tables' scales, the middle of the fine indexes that share each."""
    fine = _tensor(indexes) * FINE_PER_TABLE + (FINE_PER_TABLE - 1) / 2
    return float(gaussian_bits(_tensor(symbols), scale_of(fine)).sum())


def _tensor(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(array.astype(np.float64))
