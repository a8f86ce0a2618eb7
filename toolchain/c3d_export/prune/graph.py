"""Torch-Pruning's dependency graph of the codec, with the pixel shuffles taught to it.

`DependencyGraph` traces the real forward pass. Two things need help:

- `depth_to_space` is reshape, permute, reshape. Torch-Pruning 1.6.1 takes a reshape for a
  flattening whose channels lie together (c * 4 + place) and would silently cut the wrong
  channels; ours lie apart (place * width + c). We put our own index mapping on that edge.
- A pruning step that starts at the layer before a shuffle would be a request for single places.
  Groups are therefore entered from the consumer's input, where one index is one channel.

No `BasePruner` is built, so its shared mutable defaults (`in_channel_groups`) play no role: what
to keep is decided by `plan.py` and `importance.py`, and the graph does the cutting.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch_pruning as tp
from torch import nn

from ..core.errors import C3DError
from ..models.layers import IntConv2d
from ..models.network import Codec

FRAME_SIDE = 64
"""Pixels a side of the example frame: the smallest whose hyper-latents need no padding."""
PLACES = 4
"""Positions that a depth-to-space by 2 makes of one."""
SHUFFLED = ("g_s.up", "h_s.conv1", "h_s.conv2")
"""Layers before a depth-to-space by 2 into a hidden width (those at the image end stay whole)."""
KEPT_PARAMETERS = ("planes", "log_step", "z_fine")


class _Mapping:
    """One direction of a shuffle's edge; Torch-Pruning's index has fields idx and root_idx."""

    def __init__(self, conv: IntConv2d) -> None:
        # The layer and not its width: earlier cuts have changed the width by the time of use.
        self.conv = conv

    @property
    def width(self) -> int:
        return self.conv.out_channels // PLACES

    def __call__(self, indexes: list[Any]) -> list[Any]:
        mapped = [type(i)(place, i.root_idx) for i in indexes for place in self.places(i.idx)]
        # Without dropping doubles the two directions would feed each other without end.
        return list(dict.fromkeys(mapped))

    def places(self, index: int) -> list[int]:
        raise NotImplementedError


class _Gather(_Mapping):
    """From the layer's outputs (dy, dx, c) to the channels after the shuffle."""

    def places(self, index: int) -> list[int]:
        return [index % self.width]


class _Spread(_Mapping):
    """From a channel after the shuffle to its four outputs before it."""

    def places(self, index: int) -> list[int]:
        return [place * self.width + index for place in range(PLACES)]


@dataclass(frozen=True)
class Graph:
    """A traced network. model: what is traced, and cut by `Cut.prune`.

    positions: output positions of each layer per pixel of the frame, by path.
    """

    model: Codec
    dependencies: Any
    positions: dict[str, float]

    def layer_path(self, module: nn.Module) -> str:
        path: str = self.dependencies._module2name[module]
        return path

    def group(self, layer: str, side: str, indexes: list[int]) -> Any:
        """Torch-Pruning's group of these channels; side: "in" or "out" of the root layer."""
        functions = {"in": tp.prune_conv_in_channels, "out": tp.prune_conv_out_channels}
        module = self.model.get_submodule(layer)
        return self.dependencies.get_pruning_group(module, functions[side], indexes)

    def is_output(self, handler: Callable[..., Any]) -> bool:
        return bool(self.dependencies.is_out_channel_pruning_fn(handler))

    def history(self) -> list[list[Any]]:
        """Torch-Pruning's own record [root layer, outputs?, indexes cut] of every cut, plain."""
        past = self.dependencies.pruning_history()
        return [[name, bool(out), [int(i) for i in cut]] for name, out, cut in past]


def trace(model: Codec) -> Graph:
    """The graph of `model`, which it then owns: trace a copy.

    Puts the model in floating point, with gradients: Torch-Pruning follows autograd's record.
    Raises C3DError where the forward pass is not the one that this module knows.
    """
    model.requires_grad_(True).quantize(False)
    positions: dict[str, float] = {}
    hooks = [_count_positions(path, layer, positions) for path, layer in _layers(model)]
    # Named so that Torch-Pruning neither warns of them nor touches them.
    kept = [(getattr(model, name), 1) for name in KEPT_PARAMETERS]
    with torch.enable_grad():
        dependencies = tp.DependencyGraph().build_dependency(
            model,
            example_inputs=_example(model),
            forward_fn=_forward,
            unwrapped_parameters=kept,
            ignored_params=[parameter for parameter, _ in kept],
        )
    for hook in hooks:
        hook.remove()
    for path in SHUFFLED:
        _teach_shuffle(dependencies, model.get_submodule(path))
    return Graph(model, dependencies, positions)


def _layers(model: Codec) -> list[tuple[str, IntConv2d]]:
    return [(path, m) for path, m in model.named_modules() if isinstance(m, IntConv2d)]


def _example(model: Codec) -> tuple[torch.Tensor, torch.Tensor]:
    device = model.planes.device
    frame = torch.full((1, 3, FRAME_SIDE, FRAME_SIDE), 128.0, device=device)
    return frame, torch.zeros(1, dtype=torch.int64, device=device)


def _forward(model: Codec, inputs: tuple[torch.Tensor, torch.Tensor]) -> list[torch.Tensor]:
    output = model(*inputs)
    return [output.x_hat, output.bits_y, output.bits_z]


def _count_positions(path: str, layer: IntConv2d, positions: dict[str, float]) -> Any:
    def hook(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        positions[path] = output.shape[2] * output.shape[3] / FRAME_SIDE**2

    return layer.register_forward_hook(hook)


def _teach_shuffle(dependencies: Any, conv: nn.Module) -> None:
    """Replaces Torch-Pruning's guess at the two reshapes after `conv` by the true mapping."""
    assert isinstance(conv, IntConv2d)
    node = dependencies.module2node[conv]
    reshapes = _reshapes_after(node)
    if len(reshapes) != 2 or reshapes[0] not in node.outputs:
        raise C3DError(f"{dependencies._module2name[conv]} is not followed by a depth-to-space")
    for reshape in reshapes:
        # As element-wise operations they are left alone when mappings are next updated.
        reshape.type = tp.ops.OPTYPE.ELEMENTWISE
        for source, target in _edges(reshape):
            _set_mapping(source, target, None)
    _set_mapping(node, reshapes[0], _Gather(conv))
    _set_mapping(reshapes[0], node, _Spread(conv))


def _reshapes_after(node: Any) -> list[Any]:
    """Reshape nodes between a layer and the next layers, in the order of the dataflow."""
    found: list[Any] = []
    seen, queue = {node}, list(node.outputs)
    while queue:
        current = queue.pop(0)
        if current in seen or isinstance(current.module, IntConv2d):
            continue
        seen.add(current)
        queue.extend(current.outputs)
        if current.type == tp.ops.OPTYPE.RESHAPE:
            found.append(current)
    return found


def _edges(node: Any) -> list[tuple[Any, Any]]:
    neighbours = [*node.inputs, *node.outputs]
    return [(node, other) for other in neighbours] + [(other, node) for other in neighbours]


def _set_mapping(source: Any, target: Any, mapping: _Mapping | None) -> None:
    for dependency in source.dependencies:
        if dependency.target is target:
            dependency.index_mapping[0] = mapping
