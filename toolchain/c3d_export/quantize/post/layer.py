"""A convolution or transposed convolution of integers with (leaky) ReLU, exact on every host."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .grid import Grid


@dataclass(frozen=True)
class Affine:
    """A float layer and the activation behind it.

    slope: of the activation's negative side: 1 for none, 0 for ReLU.
    """

    layer: nn.Conv2d | nn.ConvTranspose2d
    slope: float = 1.0

    @property
    def weight(self) -> Tensor:
        """(O, I, kh, kw), of transposed convolutions too; float64."""
        weight = self.layer.weight.detach().double()
        return weight.transpose(0, 1) if self.transposed else weight

    @property
    def bias(self) -> Tensor:
        """(O,) float64."""
        bias = self.layer.bias
        return (
            torch.zeros(self.layer.out_channels).double()
            if bias is None
            else bias.detach().double()
        )

    @property
    def transposed(self) -> bool:
        return isinstance(self.layer, nn.ConvTranspose2d)

    def __call__(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x)
        return F.leaky_relu(out, self.slope) if self.slope != 1.0 else out


def affines_of(sequence: nn.Sequential) -> list[Affine]:
    """The layers of a chain, each with its activation; raises TypeError for any other module."""
    chain: list[Affine] = []
    for module in sequence:
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            if module.groups != 1 or module.dilation != (1, 1) or module.padding_mode != "zeros":
                raise TypeError(f"{module} is no plain convolution")
            chain.append(Affine(module))
        elif isinstance(module, nn.ReLU | nn.LeakyReLU) and chain and chain[-1].slope == 1.0:
            slope = 0.0 if isinstance(module, nn.ReLU) else float(module.negative_slope)
            chain[-1] = Affine(chain[-1].layer, slope)
        else:
            raise TypeError(f"{module} has no integer form here")
    return chain


def split(values: Tensor, radix: int) -> tuple[Tensor, Tensor]:
    """Whole numbers as radix * high + low, |low| at most radix / 2."""
    high = (values / radix).round()
    return high, values - radix * high


class IntegerLayer(nn.Module):
    """Integers in, integers out:

        total = sum(weight * x) + bias
        out = clip(round(max(total * scale, total * negative)), low, high)

    The sums are integers and, by the certificate, of bounded size; total becomes float32 (which
    holds it exactly below 2^24), each product is one float32 operation, and the rounding is to the
    nearest, half to even. max(a, slope * a) is a leaky ReLU for slopes up to 1.

    weight: (O, I, kh, kw) int32, or (I, O, kh, kw) where transposed. bias: (O,) int32. scale,
    negative: (O,) float32. low, high: (O,) float32, whole numbers. source: the units of x.

    radix: above 1 a host has weights and bias as radix * high + low (`split`), computes two sums,
    and total = float32(radix * sum_high + sum_low). The product is exact, radix being a power of
    two, so that the addition rounds once, fused or not: to what the whole sum would become.
    """

    weight: Tensor
    bias: Tensor
    scale: Tensor
    negative: Tensor
    low: Tensor
    high: Tensor

    def __init__(
        self, affine: Affine, weight: Tensor, bias: Tensor, source: Grid, radix: int = 1
    ) -> None:
        """weight: (O, I, kh, kw) and bias: (O,), whole numbers."""
        super().__init__()
        self.radix = radix
        layer, self.transposed = affine.layer, affine.transposed
        self.stride, self.padding = int(layer.stride[0]), int(layer.padding[0])
        self.output_padding = int(layer.output_padding[0])
        self.source = source
        stored = weight.transpose(0, 1) if self.transposed else weight
        self.register_buffer("weight", stored.to(torch.int32).contiguous())
        self.register_buffer("bias", bias.to(torch.int32))

    def requantise(self, scale: Tensor, slope: float, target: Grid) -> None:
        """scale: (O,) units of the output in a unit of the sums; target: units of the output."""
        self.register_buffer("scale", scale.float())
        self.register_buffer("negative", (scale * slope).float())
        self.register_buffer("low", target.low.float())
        self.register_buffer("high", target.high.float())

    def taps(self) -> Tensor:
        """(O, I, kh, kw) float64."""
        weight = self.weight.double()
        return weight.transpose(0, 1) if self.transposed else weight

    def parts(self) -> list[tuple[Tensor, Tensor]]:
        """Taps and bias of each sum that a host computes: high and low where there is a radix."""
        whole = (self.taps(), self.bias.double())
        if self.radix == 1:
            return [whole]
        high, low = zip(*(split(values, self.radix) for values in whole), strict=True)
        return [(high[0], high[1]), (low[0], low[1])]

    def accumulate(self, x: Tensor, padding: int | None = None) -> Tensor:
        """Integer sums with the bias, float64, exact. padding: another than the layer's own."""
        weight, bias = self.weight.double(), self.bias.double()
        if self.transposed:
            geometry = (self.stride, self.padding, self.output_padding)
            return F.conv_transpose2d(x.double(), weight, bias, *geometry)
        around = self.padding if padding is None else padding
        return F.conv2d(x.double(), weight, bias, self.stride, around)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, I, h, w) whole numbers of any dtype -> whole numbers, float32."""
        return self.requantised(self.accumulate(x))

    def requantised(self, total: Tensor) -> Tensor:
        total = total.float()
        scale, negative, low, high = (
            t[:, None, None] for t in (self.scale, self.negative, self.low, self.high)
        )
        return torch.maximum(total * scale, total * negative).round().clamp(low, high)


class IntegerChain(nn.Sequential):
    """Integer layers one after the other; target: the units of what comes out."""

    def __init__(self, layers: list[IntegerLayer], target: Grid) -> None:
        super().__init__(*layers)
        self.target = target

    def layers(self) -> list[IntegerLayer]:
        return [layer for layer in self if isinstance(layer, IntegerLayer)]
