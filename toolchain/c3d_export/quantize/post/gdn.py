"""Inverse GDN in integers, and what integer synthesis of all families shares.

    square = (x^2 + half) >> SHIFT,  norm = conv(square),  out = round(x * (sqrt(norm) * scale))

in float32, whose square roots and products IEEE 754 rounds correctly everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

import torch
from torch import Tensor, nn

from .convert import IN_INT16, MARGIN, Limits, integer_layer
from .grid import Grid, Statistics, even_grid, observe
from .layer import Affine, IntegerLayer

SHIFT: Final = 11
"""8191^2 >> 11 is the largest that int16 holds."""
SQUARE_LARGEST: Final = 32767
NORM_LARGEST: Final = 65535
LIMITS: Final = Limits((1 << 29) - 1, 3600, 8191)
"""Of convolutions of synthesis. Nine weights together fit int16, and four inputs: hosts may save
multiplications (Lavin, Gray, CVPR 2016: F(2, 3) in integers), which takes two bits of the inputs
and of the sums."""


HEADROOM: Final = 2.0
"""Ranges of synthesis are this many times those of other layers, MARGIN of what was seen: a value
that is clipped shows as a wrong pixel, and 16 bits have steps to spare."""


def observe_widely(tensors: Iterable[Tensor]) -> Statistics:
    """As `observe`, with HEADROOM times the extremes."""
    seen = observe(tensors)
    return Statistics(seen.square, HEADROOM * seen.low, HEADROOM * seen.high)


class FloatGDN(Protocol):
    """A GDN of any family."""

    def coefficients(self) -> tuple[Tensor, Tensor]:
        """beta (C,) and gamma (C, C, 1, 1)."""


class IntegerGDN(nn.Module):
    """Inverse GDN. norm: 1x1 over squares. scale, low, high: (C,) float32, low and high whole."""

    scale: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, norm: IntegerLayer, scale: Tensor, low: Tensor, high: Tensor) -> None:
        super().__init__()
        self.norm = norm
        for name, value in (("scale", scale), ("low", low), ("high", high)):
            self.register_buffer(name, value.float())

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, h, w) whole, within int16 -> whole, float32."""
        square = torch.floor((x.double().square() + (1 << (SHIFT - 1))) / (1 << SHIFT))
        norm = self.norm(square.clamp(max=SQUARE_LARGEST))
        scale, low, high = (t[:, None, None] for t in (self.scale, self.low, self.high))
        # PyTorch's square root of float32 is off by its last bit at times; rounded from float64 it
        # is what hosts compute.
        root = norm.double().sqrt().float()
        out: Tensor = (x.float() * (root * scale)).round().clamp(low, high)
        return out


@torch.no_grad()
def convert_gdn(gdn: FloatGDN, inputs: Sequence[Tensor], source: Grid, target: Grid) -> IntegerGDN:
    """inputs: float, of a calibration. source, target: units of what comes in and goes out."""
    beta, gamma = (t.detach() for t in gdn.coefficients())
    conv = nn.Conv2d(len(beta), len(beta), 1)
    assert conv.bias is not None
    conv.weight.copy_(gamma)
    conv.bias.copy_(beta)
    whole = even_grid(len(beta), 1.0, 0, SQUARE_LARGEST)
    squares = Grid(source.step.square() * (1 << SHIFT), whole.low, whole.high)
    step = MARGIN * HEADROOM * max(float(conv(x.square()).max()) for x in inputs) / NORM_LARGEST
    norms = even_grid(len(beta), step, 0, NORM_LARGEST)
    layer = integer_layer(Affine(conv), squares, norms, IN_INT16)
    return IntegerGDN(layer, source.step * step**0.5 / target.step, target.low, target.high)


def fine_grid(seen: Statistics, most: int) -> Grid:
    """The finest units that hold MARGIN times what was seen."""
    magnitude = torch.maximum(seen.low.abs(), seen.high.abs()).clamp_min(1e-6)
    edge = torch.full_like(magnitude, float(most))
    return Grid(MARGIN * magnitude / most, -edge, edge)
