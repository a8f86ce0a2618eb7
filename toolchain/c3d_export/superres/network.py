"""A small RCAN (Zhang et al., "Image super-resolution using very deep residual channel attention
networks", ECCV 2018), made for milliseconds on a CPU.

    low --+--> bicubic ------------------------------------------------> + --> high
          |                                                              |
          +--> head (stride 2) --+--> groups --> end --> + --> tail --> shuffle
                                 +-----------------------+

    group: x + conv(blocks(x));  block: x + attention(conv(relu(conv(x))))
    attention(x): x * sigmoid(conv1x1(relu(conv1x1(mean of x over the picture))))

Three things differ from the paper. The features have half the low resolution, which is the first
layer over a pixel unshuffle: twice the features for the time (docs/super-resolution.md). The tail
is one layer and one shuffle. And the network gives what is missing in a bicubic enlargement, so
that it starts as that one and is aligned as it is.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .spec import STRIDE, RcanSpec

TAPS = 5
"""Low-resolution pixels, along each axis, that a bicubic enlargement looks at."""


def keys_cubic(x: float) -> float:
    """Keys' kernel, a = -1/2 ("Cubic convolution interpolation for digital image processing",
    IEEE TASSP 1981), the one of Pillow.
    """
    x, a = abs(x), -0.5
    if x < 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return a * (((x - 5) * x + 8) * x - 4) if x < 2 else 0.0


def bicubic_kernels(factor: int) -> Tensor:
    """(factor^2, 1, 5, 5): what each pixel of an enlarged one takes of the pixels around it."""
    places = [(phase + 0.5) / factor - 0.5 for phase in range(factor)]
    lines = [[keys_cubic(tap - TAPS // 2 - place) for tap in range(TAPS)] for place in places]
    line = np.array(lines)
    kernels = np.einsum("iy,jx->ijyx", line, line).reshape(factor * factor, 1, TAPS, TAPS)
    return torch.from_numpy(kernels.astype(np.float32))


class Attention(nn.Module):
    """Channel attention: one gain a channel, from the means of all channels."""

    def __init__(self, features: int, reduction: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(features, features // reduction, 1)
        self.excite = nn.Conv2d(features // reduction, features, 1)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.excite(F.relu(self.squeeze(mean))))


class Block(nn.Module):
    """Residual channel attention block."""

    def __init__(self, features: int, reduction: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)
        self.attention = Attention(features, reduction)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.attention(self.conv2(F.relu(self.conv1(x))))
        return out


class Group(nn.Module):
    """Residual group: blocks, a convolution, and a skip around them."""

    def __init__(self, spec: RcanSpec) -> None:
        super().__init__()
        blocks = [Block(spec.features, spec.reduction) for _ in range(spec.blocks)]
        self.blocks = nn.ModuleList(blocks)
        self.end = nn.Conv2d(spec.features, spec.features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for block in self.blocks:
            y = block(y)
        out: Tensor = x + self.end(y)
        return out


class Rcan(nn.Module):
    """low: (B, 3, h, w) float in 0..1, h and w even; gives (B, 3, factor h, factor w), unclipped.

    Fresh, it is the bicubic enlargement, edges repeated.
    """

    bicubic: Tensor

    def __init__(self, spec: RcanSpec) -> None:
        super().__init__()
        self.spec = spec
        features, scale = spec.features, STRIDE * spec.factor
        self.register_buffer("bicubic", bicubic_kernels(spec.factor).repeat(3, 1, 1, 1))
        self.head = nn.Conv2d(3, features, 3 * STRIDE, stride=STRIDE, padding=STRIDE)
        self.groups = nn.ModuleList([Group(spec) for _ in range(spec.groups)])
        self.end = nn.Conv2d(features, features, 3, padding=1)
        self.tail = nn.Conv2d(features, 3 * scale * scale, 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]

    def enlarged(self, low: Tensor) -> Tensor:
        """The bicubic enlargement, in the precision of `low`."""
        around = F.pad(low, [TAPS // 2] * 4, mode="replicate")
        with torch.autocast(low.device.type, enabled=False):
            return F.pixel_shuffle(F.conv2d(around, self.bicubic, groups=3), self.spec.factor)

    def forward(self, low: Tensor) -> Tensor:
        head = self.head(low - 0.5)
        x = head
        for group in self.groups:
            x = group(x)
        x = self.tail(head + self.end(x))
        return self.enlarged(low) + F.pixel_shuffle(x.float(), STRIDE * self.spec.factor)


def build_rcan(spec: RcanSpec, seed: int = 0) -> Rcan:
    """A fresh network; its weights depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Rcan(spec)
