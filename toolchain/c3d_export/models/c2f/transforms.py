"""The transforms of the coarse-to-fine networks; `network.py` says how they work together.

5x5 layers pad as the published ones do (TensorFlow's "same"): one row and column at the start, two
at the end, which no symmetric padding gives.
"""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..layers import depth_to_space, space_to_depth
from .gdn import GDN
from .spec import C2FSpec, LevelSpec

SLOPE: Final = 0.2
"""Of the leaky ReLUs on negative values."""
BAND: Final = 64
"""Rows at half resolution that a reconstruction works on at once, where memory counts."""
HALO: Final = 5
"""Rows beyond a band that its pixels see: 3 by the residual block, 2 by the last two layers."""


class Down(nn.Conv2d):
    """5x5, stride 2: (B, c, h, w) -> (B, n, h/2, w/2), h and w even."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 5, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, (1, 2, 1, 2)))


class Up(nn.ConvTranspose2d):
    """Transposed 5x5, stride 2: (B, c, h, w) -> (B, n, 2h, 2w)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 5, stride=2, padding=3, output_padding=1)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(F.pad(x, (1, 0, 1, 0)))


class SpaceToDepth(nn.Module):
    """(B, c, h, w) -> (B, 4c, h/2, w/2), channels in TensorFlow's order (dy, dx, c)."""

    def forward(self, x: Tensor) -> Tensor:
        return space_to_depth(x, 2)


class DepthToSpace(nn.Module):
    """The inverse of `SpaceToDepth`."""

    def forward(self, x: Tensor) -> Tensor:
        return depth_to_space(x, 2)


class Analysis(nn.Sequential):
    """g_a: frame in -1..1 (B, 3, H, W), sides multiples of 16 -> z3 before rounding, at 1/16."""

    def __init__(self, spec: C2FSpec) -> None:
        a, b, c = spec.g_a
        super().__init__(
            Down(3, a), GDN(a), Down(a, b), GDN(b), Down(b, c), GDN(c), Down(c, spec.latents)
        )


class Synthesis(nn.Sequential):
    """g_s: z3 (B, C, h, w), rounded -> features at half resolution (B, g_s[2], 8h, 8w)."""

    def __init__(self, spec: C2FSpec) -> None:
        a, b, c = spec.g_s
        super().__init__(
            Up(spec.latents, a),
            GDN(a, inverse=True),
            Up(a, b),
            GDN(b, inverse=True),
            Up(b, c),
            GDN(c, inverse=True),
        )


class HyperAnalysis(nn.Sequential):
    """h_a: rounded latents of the level below (B, n, h, w), h and w even -> this level's before
    rounding (B, z, h/2, w/2)."""

    def __init__(self, level: LevelSpec, below: int) -> None:
        a, b, c = level.h_a
        super().__init__(
            nn.Conv2d(below, a, 3, padding=1),
            SpaceToDepth(),
            nn.Conv2d(4 * a, b, 1),
            nn.ReLU(),
            nn.Conv2d(b, c, 1),
            nn.ReLU(),
            nn.Conv2d(c, level.latents, 1),
        )


class HyperSynthesis(nn.Sequential):
    """h_s: rounded latents of a level (B, z, h, w) -> its features h (B, features, 2h, 2w).

    The published layers are transposed convolutions of stride 1; these are the same functions.
    """

    def __init__(self, level: LevelSpec) -> None:
        a, b, c = level.h_s
        super().__init__(
            nn.Conv2d(level.latents, a, 1),
            nn.Conv2d(a, b, 1),
            nn.ReLU(),
            nn.Conv2d(b, c, 1),
            nn.ReLU(),
            DepthToSpace(),
            nn.Conv2d(c // 4, level.features, 3, padding=1),
        )


class Reconstruction(nn.Module):
    """Features of all levels -> frame in -1..1, unclipped (B, 3, 16h, 16w).

    y: of g_s (B, g_s[2], 8h, 8w). h2: of the fine level (B, features, h, w). h1: of the coarse
    level (B, features, h/2, w/2), or None where there is none.
    """

    def __init__(self, spec: C2FSpec) -> None:
        super().__init__()
        r = spec.reconstruction
        wide = spec.g_s[2] + r.up[2]
        self.shuffle = DepthToSpace()
        self.up1 = Up(spec.fine.features + spec.upsampled, r.up[0])
        self.up2 = Up(r.up[0], r.up[1])
        self.up3 = Up(r.up[1], r.up[2])
        self.block1 = nn.Conv2d(wide, r.block[0], 3, padding=1)
        self.block2 = nn.Conv2d(r.block[0], r.block[1], 3, padding=1)
        self.block3 = nn.Conv2d(r.block[1], wide, 3, padding=1)
        self.up4 = Up(wide, r.tail[0])
        self.tail = nn.Conv2d(r.tail[0], r.tail[1], 3, padding=1)
        self.pixels = nn.Conv2d(r.tail[1], 3, 1)

    def forward(self, y: Tensor, h2: Tensor, h1: Tensor | None) -> Tensor:
        trunk = self.residual(torch.cat([y, self.side(h2, h1)], 1))
        return self.picture(trunk)

    def side(self, h2: Tensor, h1: Tensor | None) -> Tensor:
        """What the hyperprior alone knows of the frame, at half resolution (B, up[2], 8h, 8w)."""
        x = h2 if h1 is None else torch.cat([h2, self.shuffle(h1)], 1)
        return leaky(self.up3(leaky(self.up2(self.up1(x)))))

    def residual(self, x: Tensor) -> Tensor:
        """The residual block; most of a decoder's work."""
        branch = leaky(self.block3(leaky(self.block2(leaky(self.block1(x))))))
        return branch + x if torch.is_grad_enabled() else branch.add_(x)

    def in_bands(self, y: Tensor, h2: Tensor, h1: Tensor | None) -> Tensor:
        """The same as `forward`, a band of rows at a time: without gradients.

        At once the block's inputs and outputs take 1.2 GB at 1080p and 96 channels.
        """
        side, rows, bands = self.side(h2, h1), y.shape[2], []
        for top in range(0, rows, BAND):
            bottom = min(rows, top + BAND)
            first, last = max(0, top - HALO), min(rows, bottom + HALO)
            joined = torch.cat([y[:, :, first:last], side[:, :, first:last]], 1)
            band = self.picture(self.residual(joined))
            bands.append(band[:, :, 2 * (top - first) : 2 * (bottom - first)])
        return torch.cat(bands, 2)

    def picture(self, x: Tensor) -> Tensor:
        """Trunk at half resolution -> frame."""
        out: Tensor = self.pixels(leaky(self.tail(self.up4(x))))
        return out


def leaky(x: Tensor) -> Tensor:
    """Leaky ReLU of a fresh tensor; in place where no gradient needs its input."""
    return F.leaky_relu(x, SLOPE) if torch.is_grad_enabled() else F.leaky_relu_(x, SLOPE)
