"""Units that no input switches on get fresh weights: a ReLU unit that is dead learns no more.

Of a network that was trained without this, nine in ten units of h_a and of g_cp's features were
dead in the end (docs/models.md). A fresh unit enters with outgoing weights of zero, so that
the network's function stays as it is; the optimiser then finds what the unit is good for. Cf.
Lyle et al., "Understanding plasticity in neural networks", ICML 2023, for resets of this kind.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..models.layers import BIAS_UNIT, IntConv2d, ResidualBlock, depthwise_kernels
from ..models.network import Codec


@dataclass(frozen=True)
class Link:
    """A layer of ReLU units and who reads them.

    copies: outputs of `source` per unit (4 before a depth-to-space by 2, else 1). through: a
    depthwise layer between source and readers, whose units live and die with the source's.
    readers: layers and the first of their input channels that is such a unit.
    """

    source: str
    readers: tuple[tuple[str, int], ...]
    copies: int = 1
    through: str | None = None

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.source,) if self.through is None else (self.source, self.through)


def links(model: Codec) -> Iterator[Link]:
    """All layers of units but the residual trunks, whose channels live as long as their input."""
    for path, module in model.named_modules():
        if isinstance(module, ResidualBlock):
            yield Link(f"{path}.conv1", ((f"{path}.conv2", 0),), through=f"{path}.spatial")
    yield Link("h_a.conv1", (("h_a.conv2", 0),))
    yield Link("h_s.conv1", (("h_s.conv2", 0),), copies=4)
    yield Link("h_s.conv2", (("h_s.conv3", 0),), copies=4)
    heads = ("h_s.mean", "h_s.index", "g_cp.features", "g_ep.features")
    yield Link("h_s.conv3", tuple((name, 0) for name in heads))
    for part in ("g_cp", "g_ep"):
        yield Link(f"{part}.features", ((f"{part}.conv1", 0),))
        yield Link(f"{part}.latents", ((f"{part}.conv1", model.spec.g_ep),))
        yield Link(f"{part}.conv1", ((f"{part}.conv2", 0),))
        yield Link(f"{part}.conv2", ((f"{part}.mean", 0), (f"{part}.index", 0)))


def _layer(model: nn.Module, path: str) -> IntConv2d:
    layer = model.get_submodule(path)
    assert isinstance(layer, IntConv2d)
    return layer


def dead_units(model: Codec, link: Link, means: Mapping[str, Tensor]) -> Tensor:
    """Indexes of the units that are zero wherever `means` were taken; ReLU means are sums of
    nothing negative.

    means: of every input channel of every layer (`centering.input_means`).
    """
    count = _layer(model, link.source).out_channels // link.copies
    reader, start = link.readers[0]
    dead = means[reader][start : start + count] == 0
    if link.through is not None:
        dead = dead | (means[link.through] == 0)
    return torch.nonzero(dead).flatten()


def _spread(weight: Tensor, alive: Tensor) -> float:
    """Standard deviation for fresh weights: that of the living units, else He et al. 2015."""
    if bool(alive.any()):
        return float(weight[alive].square().mean().sqrt())
    return math.sqrt(2.0 / weight[0].numel())


@torch.no_grad()
def revive(model: Codec, means: Mapping[str, Tensor], average: dict[str, Tensor]) -> int:
    """Gives dead units fresh weights, in place, here and in the moving average; their number."""
    count = 0
    for link in links(model):
        dead = dead_units(model, link, means)
        if len(dead):
            _refresh(model, link, dead, means, average)
            count += len(dead)
    return count


def _refresh(
    model: Codec,
    link: Link,
    dead: Tensor,
    means: Mapping[str, Tensor],
    average: dict[str, Tensor],
) -> None:
    units = _layer(model, link.source).out_channels // link.copies
    rows = torch.cat([dead + copy * units for copy in range(link.copies)])
    for path in link.layers:
        layer = _layer(model, path)
        fresh = _fresh(layer, rows)
        assert layer.bias is not None
        for weight, bias in (
            (layer.weight, layer.bias),
            (average[f"{path}.weight"], average[f"{path}.bias"]),
        ):
            weight[rows] = fresh.to(weight.dtype)
            bias[rows] = 0.0
    for path, start in link.readers:
        reader, columns = _layer(model, path), dead + start
        # A depthwise unit whose source is dead is constant: what it adds goes into the bias.
        level = means[path][columns] - reader.center[columns]
        assert reader.bias is not None
        for weight, bias in (
            (reader.weight, reader.bias),
            (average[f"{path}.weight"], average[f"{path}.bias"]),
        ):
            bias += weight[:, columns].sum((2, 3)) @ level / BIAS_UNIT
            weight[:, columns] = 0.0


def _fresh(layer: IntConv2d, rows: Tensor) -> Tensor:
    if layer.depthwise:
        return depthwise_kernels(layer.weight[rows])
    alive = torch.ones(layer.out_channels, dtype=torch.bool, device=rows.device)
    alive[rows] = False
    return torch.randn_like(layer.weight[rows]) * _spread(layer.weight, alive)
