"""Torch-Pruning's dependency graph of a coarse-to-fine network.

What it does not know by itself is taught to it:

- The shuffles: Torch-Pruning 1.6.1 takes their reshapes for a flattening, and would cut other
  channels. While the network is traced, each is one operation whose index mapping is ours.
- The predictors work on slices of their kernels, which leave no layer in autograd's record. They
  are traced in the published form, on one patch: the channels are the same.
- The concatenation behind a shuffle, whose sizes it would infer from before the shuffle.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MethodType
from typing import Any, Final

import torch.nn.functional as F
import torch_pruning as tp
from torch import Tensor, nn
from torch.autograd.function import Function

from ...core.errors import C3DError
from ...models.c2f.network import CoarseToFine
from ...models.c2f.predictor import Predictor
from ...models.c2f.spec import PLACES
from ...models.c2f.transforms import SpaceToDepth
from ..published.graph import Graph, build

PATCH: Final = 5
"""Positions a side of what a predictor sees."""


def trace(model: CoarseToFine) -> Graph:
    """The graph of `model`, which it then owns, and which computes no frames any more."""
    model.requires_grad_(True).eval()
    shuffles = _traced_shuffles(model)
    for predictor in (model.predictor3, model.predictor2):
        if predictor is not None:
            predictor.forward = MethodType(_on_one_patch, predictor)  # type: ignore[method-assign]
    graph = build(model, _forward, {}, [(model.top_scale, 1)])
    for conv, shuffle in shuffles:
        _teach_shuffle(graph.dependencies, conv, shuffle)
    _teach_concatenation(graph.dependencies, model)
    return graph


def _forward(model: CoarseToFine, x: Tensor) -> list[Tensor]:
    """Everything that ties channels together, as maps: the sums of rates have no channels."""
    latents = model.latents(x)
    side = model.side(latents)
    pairs = [(latents.z3, side.z3), (latents.z2, side.z2)]
    if latents.z1 is not None and side.z1 is not None:
        pairs.append((latents.z1, side.z1))
    x_hat = model.reconstruct(latents.z3, side.h2, side.h1)
    return [x_hat, *((z - of.mean) / of.scale for z, of in pairs)]


def _on_one_patch(predictor: Predictor, h: Tensor) -> tuple[Tensor, Tensor]:
    height, width = h.shape[2:]
    patch = F.pad(h, (0, PATCH - width, 0, PATCH - height))
    mean, log_scale = predictor.on_patch(patch)
    return _as_map(mean), _as_map(log_scale)


def _as_map(x: Tensor) -> Tensor:
    return x.unsqueeze(-1).unsqueeze(-1)


class _ShuffleFunction(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, shuffle: nn.Module) -> Tensor:
        out: Tensor = shuffle(x)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None]:
        raise C3DError("a traced network has no gradients")


class _Shuffle(nn.Module):
    """Stands for a shuffle in a traced network, and remembers its node in autograd's record."""

    def __init__(self, shuffle: nn.Module) -> None:
        super().__init__()
        self.shuffle = shuffle
        self.node: Any = None

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = _ShuffleFunction.apply(x, self.shuffle)  # type: ignore[no-untyped-call]
        self.node = out.grad_fn
        return out


def _traced_shuffles(model: CoarseToFine) -> list[tuple[nn.Module, _Shuffle]]:
    """Puts the stand-ins in place; with each the layer whose channels it moves."""
    found: list[tuple[nn.Module, _Shuffle]] = []
    for h_a, h_s in ((model.h_a2, model.h_s2), (model.h_a1, model.h_s1)):
        if h_a is not None and h_s is not None:
            down, up = _Shuffle(h_a[1]), _Shuffle(h_s[5])
            h_a[1], h_s[5] = down, up
            found += [(h_a[0], down), (h_s[3], up)]
    if model.h_s1 is not None:
        shuffle = _Shuffle(model.reconstruction.shuffle)
        model.reconstruction.shuffle = shuffle  # type: ignore[assignment]
        found.append((model.h_s1[6], shuffle))
    return found


@dataclass(frozen=True)
class _Mapping:
    """One direction of a shuffle's edge, for indexes of Torch-Pruning (fields idx, root_idx).

    conv: the layer before it, not its width, which earlier cuts have changed by the time of use.
    gathers: places of a channel become the channel; else the channel becomes its places.
    divided: the layer's outputs are the places; else they are the channels.
    """

    conv: nn.Conv2d
    gathers: bool
    divided: bool

    def __call__(self, indexes: list[Any]) -> list[Any]:
        width = self.conv.out_channels // (PLACES if self.divided else 1)
        mapped = [
            type(i)(place, i.root_idx)
            for i in indexes
            for place in ([i.idx % width] if self.gathers else range(i.idx, PLACES * width, width))
        ]
        # Without dropping doubles the two directions would feed each other without end.
        return list(dict.fromkeys(mapped))


def _teach_shuffle(dependencies: Any, conv: nn.Module, shuffle: _Shuffle) -> None:
    assert isinstance(conv, nn.Conv2d)
    nodes = [n for n in dependencies.module2node.values() if n.grad_fn is shuffle.node]
    if len(nodes) != 1 or len(nodes[0].inputs) != 1:
        raise C3DError(f"Torch-Pruning sees {len(nodes)} nodes where a shuffle is")
    divided = not isinstance(shuffle.shuffle, SpaceToDepth)
    node, before = nodes[0], nodes[0].inputs[0]
    for source, target, gathers in ((before, node, divided), (node, before, not divided)):
        for dependency in source.dependencies:
            if dependency.target is target:
                dependency.index_mapping[0] = _Mapping(conv, gathers, divided)


def _teach_concatenation(dependencies: Any, model: CoarseToFine) -> None:
    """The sizes of what the reconstruction joins before its first layer."""
    if model.spec.coarse is None:
        return
    node = dependencies.module2node[model.reconstruction.up1]
    while node.type != tp.ops.OPTYPE.CONCAT:
        (node,) = node.inputs
    node.module.concat_sizes = [model.spec.fine.features, model.spec.upsampled]
