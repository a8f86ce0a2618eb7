"""g_s of mbt2018 and mbt2018-mean in integers: pixels that are exact on every host.

    y_hat (1/2^fraction) --> up0, GDN, up1, GDN, up2, GDN --> pixels

`pixels` is the last up-sampling layer as a 3x3 convolution at half resolution, with the three
colours of the four pixels of each position: three outputs would leave most of a host's lanes empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from ...models.layers import depth_to_space
from ...models.mbt.gdn import GDN
from ...models.mbt.network import MeanScaleHyperprior
from .certificate import SumCertificate, certify
from .convert import IN_INT16, input_grid, integer_layer
from .gdn import LIMITS, IntegerGDN, convert_gdn, fine_grid, observe_widely
from .grid import Grid, even_grid
from .layer import Affine, IntegerLayer
from .mbt import LATENT_LARGEST

UPS: Final = ("up0", "up1", "up2")
LAST: Final = "pixels"
ROWS: Final = 24
COLUMNS: Final = 40
"""Positions of y, from the middle of each frame, that the calibration looks at."""


class IntegerSynthesis(nn.Module):
    """layers: by the names above; gdns: three."""

    def __init__(self, layers: dict[str, IntegerLayer], gdns: list[IntegerGDN]) -> None:
        super().__init__()
        self.layers, self.gdns = nn.ModuleDict(layers), nn.ModuleList(gdns)

    def layer(self, name: str) -> IntegerLayer:
        """Of UPS, or LAST."""
        layer = self.layers[name]
        assert isinstance(layer, IntegerLayer)
        return layer

    @torch.no_grad()
    def forward(self, y_hat: Tensor) -> Tensor:
        """y_hat: (1, M, h, w) in 1/2^fraction, whole -> pixels (1, 3, 16 h, 16 w), 0..255."""
        x = y_hat
        for name, gdn in zip(UPS, self.gdns, strict=True):
            x = gdn(self.layer(name)(x))
        return depth_to_space(self.layer(LAST)(x), 2)

    def certificates(self) -> list[SumCertificate]:
        """Raises CertificateError where a layer has no proof."""
        made = [certify(f"synthesis.{n}", self.layer(n), IN_INT16) for n in (*UPS, LAST)]
        for number, gdn in enumerate(self.gdns):
            assert isinstance(gdn, IntegerGDN)
            made.append(certify(f"synthesis.gdn{number}", gdn.norm, IN_INT16))
        return made


@torch.no_grad()
def convert_synthesis(
    network: MeanScaleHyperprior, fraction: int, frames: Sequence[Tensor]
) -> IntegerSynthesis:
    """frames: (1, 3, H, W) 0..1, sides multiples of 16, for the calibration."""
    xs = [_middle(network.g_a(x)) for x in frames]
    grid = even_grid(network.spec.latents, 2.0**-fraction, -LATENT_LARGEST, LATENT_LARGEST)
    parts, layers, gdns = list(network.g_s), {}, []
    affines = [Affine(part) for part in parts[0:6:2] if isinstance(part, nn.ConvTranspose2d)]
    affines.append(Affine(_four_pixels(parts[6])))
    for number, name in enumerate(UPS):
        ups, gdn = [affines[number](x) for x in xs], parts[2 * number + 1]
        assert isinstance(gdn, GDN)
        xs = [gdn(up) for up in ups]
        middle = fine_grid(observe_widely(ups), LIMITS.activation)
        target = input_grid(affines[number + 1], observe_widely(xs), LIMITS)
        # Latents have all of int16, and the first layer is the smallest.
        limits = IN_INT16 if number == 0 else LIMITS
        layers[name] = integer_layer(affines[number], grid, middle, limits)
        gdns.append(convert_gdn(gdn, ups, middle, target))
        grid = target
    shown = even_grid(12, 1 / 255, 0, 255)
    layers[LAST] = integer_layer(affines[-1], grid, shown, LIMITS)
    return IntegerSynthesis(layers, gdns)


def _middle(y: Tensor) -> Tensor:
    rows, columns = min(y.shape[2], ROWS), min(y.shape[3], COLUMNS)
    top, left = (y.shape[2] - rows) // 2, (y.shape[3] - columns) // 2
    return y[:, :, top : top + rows, left : left + columns]


def _four_pixels(last: nn.Module) -> nn.Conv2d:
    """The 5x5 transposed convolution of stride 2 and padding 2 as a 3x3 one with 4 times the
    outputs: output 2 m + p sees input m + d by tap p + 2 - 2 d."""
    assert isinstance(last, nn.ConvTranspose2d)
    made = nn.Conv2d(last.in_channels, 4 * last.out_channels, 3, padding=1)
    assert made.bias is not None
    assert last.bias is not None
    kernel = torch.zeros_like(made.weight).reshape(2, 2, last.out_channels, -1, 3, 3)
    near = [(p, d, p + 2 - 2 * d) for p in (0, 1) for d in (-1, 0, 1) if 0 <= p + 2 - 2 * d < 5]
    for p, down, row in near:
        for q, right, column in near:
            kernel[p, q, :, :, down + 1, right + 1] = last.weight[:, :, row, column].T
    made.weight.copy_(kernel.reshape(made.weight.shape))
    made.bias.copy_(last.bias.repeat(4))
    return made


def source_grid(latents: int) -> Grid:
    """Of y_hat, units being of no account."""
    return even_grid(latents, 1.0, -LATENT_LARGEST, LATENT_LARGEST)
