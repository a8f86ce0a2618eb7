"""Synthesis of the coarse-to-fine networks in integers: pixels that are exact on every host.

    z3 --> up, GDN, up, GDN, up, GDN --> y     h2, h1 --> up, up, up --> side
    trunk = y, side --> block1..3 + trunk --> up4 --> tail --> pixels

Convolutions as in the entropy path, int16 with int32 sums. GDN as in
`gdn.py`.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from ...models.layers import depth_to_space
from .certificate import SumCertificate, certify
from .convert import IN_INT16
from .gdn import IntegerGDN
from .layer import IntegerLayer

TRUNK_LARGEST: Final = 4095
"""Of what the residual block adds up."""
UPS: Final = ("up0", "up1", "up2")
SIDES: Final = ("side0", "side1", "side2")
BLOCKS: Final = ("block1", "block2", "block3")
ENDS: Final = ("up4", "tail", "pixels")


class IntegerSynthesis(nn.Module):
    """layers: by the names above; gdns: three. z3_low, z3_high: (C,) to what latents are cut."""

    z3_low: Tensor
    z3_high: Tensor

    def __init__(
        self,
        layers: dict[str, IntegerLayer],
        gdns: list[IntegerGDN],
        z3_low: Tensor,
        z3_high: Tensor,
    ) -> None:
        super().__init__()
        self.layers, self.gdns = nn.ModuleDict(layers), nn.ModuleList(gdns)
        self.register_buffer("z3_low", z3_low)
        self.register_buffer("z3_high", z3_high)

    def layer(self, name: str) -> IntegerLayer:
        """Of UPS, SIDES, BLOCKS or ENDS."""
        layer = self.layers[name]
        assert isinstance(layer, IntegerLayer)
        return layer

    def run(self, name: str, x: Tensor) -> Tensor:
        """A layer; an up-sampling one without its last row and column, which are padding there."""
        out: Tensor = self.layer(name)(x)
        return out[:, :, :-1, :-1] if self.layer(name).transposed else out

    @torch.no_grad()
    def forward(self, z3: Tensor, h2: Tensor, h1: Tensor | None) -> Tensor:
        """z3, h2, h1: (1, C, h, w) whole, in the units of the entropy path -> pixels (1, 3, 16 h,
        16 w), whole, 0..255."""
        y = torch.minimum(
            torch.maximum(z3.double(), self.z3_low[:, None, None]), self.z3_high[:, None, None]
        )
        for name, gdn in zip(UPS, self.gdns, strict=True):
            y = gdn(self.run(name, y))
        side = h2 if h1 is None else torch.cat([h2, depth_to_space(h1, 2)], 1)
        for name in SIDES:
            side = self.run(name, side)
        trunk = torch.cat([y, side], 1)
        x = trunk
        for name in BLOCKS:
            x = self.run(name, x)
        x = x + trunk
        for name in ENDS:
            x = self.run(name, x)
        return x

    def certificates(self) -> list[SumCertificate]:
        """Raises CertificateError where a layer has no proof."""
        names = [*UPS, *SIDES, *BLOCKS, *ENDS]
        made = [certify(f"synthesis.{name}", self.layer(name), IN_INT16) for name in names]
        for number, gdn in enumerate(self.gdns):
            assert isinstance(gdn, IntegerGDN)
            made.append(certify(f"synthesis.gdn{number}", gdn.norm, IN_INT16))
        return made


def even_up(layer: nn.ConvTranspose2d) -> nn.ConvTranspose2d:
    """An `Up` of the float network as one that pads alike on all sides, and makes a row and a
    column too many, at the ends."""
    made = nn.ConvTranspose2d(layer.in_channels, layer.out_channels, 5, stride=2, padding=1)
    with torch.no_grad():
        made.weight.copy_(layer.weight)
        if made.bias is not None and layer.bias is not None:
            made.bias.copy_(layer.bias)
    return made
