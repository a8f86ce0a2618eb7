"""The entropy path of the coarse-to-fine networks in integers: one level after the other.

    z (whole) --> h_s: three 1x1, depth-to-space, 3x3 --> h (units of its own)
                                                          |
                                     predictor: conv1, conv2, conv3, head
                                                          |
                     index of the scale (whole tables), mean (1/2^fraction) of the level below

A network gives the logarithm of a scale, and tables are equally far apart in it: the last layer's
rounding makes the index at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...models.c2f.predictor import dense, kernel
from ...models.layers import depth_to_space
from ...runtime.c2f.bundle import LARGEST
from ...runtime.c2f.patches import Place
from ..tables import table_scale
from .certificate import SumCertificate, certify
from .convert import IN_FLOAT32
from .grid import Grid
from .layer import IntegerChain, IntegerLayer

LATENT_LARGEST: Final = LARGEST
"""Of rounded latents; with any mean a symbol still fits int16."""
MEAN_LARGEST: Final = LARGEST
"""Of a mean, in 1/2^fraction."""


class IntegerPredictor(nn.Module):
    """`models.c2f.predictor.Predictor` in integers.

    convs: conv1 to conv3, with the published 3x3 kernels, of which every kind and place uses the
    part that meets no padding; a bound that holds for all taps holds for any of them. index, mean:
    1x1 over what `dense` gives.
    """

    def __init__(
        self,
        convs: Sequence[IntegerLayer],
        index: IntegerLayer,
        mean: IntegerLayer,
    ) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3 = convs
        self.index, self.mean = index, mean

    def forward(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """h: (B, c, h, w) whole -> table index and mean (1/2^fraction), each (B, n, h, w)."""
        x = dense(h, self.layer)
        return self.index(x), self.mean(x)

    def layer(self, x: Tensor, stage: int, place: Place) -> Tensor:
        """As `Predictor.layer`: a layer with the part of its kernel that a place uses."""
        layer = (self.conv1, self.conv2, self.conv3)[stage - 1]
        weight = kernel(layer.weight.double(), stage, place)
        return layer.requantised(F.conv2d(x.double(), weight, layer.bias.double()))


class IntegerLevel(nn.Module):
    """One level of the hyperprior: h_s in two parts, before and after its shuffle, then the
    predictor. source: units (ones) and range of z; features: units of h."""

    def __init__(
        self, before: IntegerChain, after: IntegerLayer, features: Grid, predictor: IntegerPredictor
    ) -> None:
        super().__init__()
        self.before, self.after, self.features = before, after, features
        self.predictor = predictor

    @property
    def source(self) -> Grid:
        return self.before.layers()[0].source

    def clipped(self, z: Tensor) -> Tensor:
        """Latents, rounded, within the range of the proof."""
        return self.source.integers(z).float()

    def h_s(self, z: Tensor) -> Tensor:
        h: Tensor = self.after(depth_to_space(self.before(z), 2))
        return h

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """z: (B, z, h, w) whole -> h (B, features, 2h, 2w); index of the scale and mean of the
        level below, (B, n, 2h, 2w); all whole."""
        h = self.h_s(z)
        index, mean = self.predictor(h)
        return h, index, mean

    def named_layers(self) -> list[tuple[str, IntegerLayer]]:
        """By their names in the graph of this level."""
        own = [(f"h_s.{i}", layer) for i, layer in enumerate(self.before.layers())]
        own.append((f"h_s.{len(own)}", self.after))
        layers = self.predictor.named_children()
        return own + [(f"predictor.{n}", m) for n, m in layers if isinstance(m, IntegerLayer)]


@dataclass(frozen=True)
class EntropyPath:
    """fine: z2 says how z3 is coded; coarse: z1 says it of z2, None where there is no z1.

    fraction: bits behind the point of means. top: standard deviations (n,) of the coarsest
    latents, whose mean is 0.
    """

    fine: IntegerLevel
    coarse: IntegerLevel | None
    fraction: int
    top: Tensor

    def levels(self) -> dict[str, IntegerLevel]:
        """Graph name -> level, the coarsest first, in the order of decoding."""
        both = {"side2": self.coarse, "side3": self.fine}
        return {name: level for name, level in both.items() if level is not None}

    def certificates(self) -> list[SumCertificate]:
        """Raises CertificateError where a layer has no proof."""
        return [
            certify(f"{graph}.{name}", layer, IN_FLOAT32)
            for graph, level in self.levels().items()
            for name, layer in level.named_layers()
        ]


def table_of_log_scale() -> tuple[float, float]:
    """(first, step): natural logarithm of the scale of table 0, and from one table to the next."""
    first, second = (torch.tensor(table_scale(i), dtype=torch.float64).log() for i in (0, 1))
    return float(first), float(second - first)
