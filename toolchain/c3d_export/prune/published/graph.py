"""Torch-Pruning's dependency graph of a traced network, and what it is taught for all families.

No `BasePruner` is built, so its shared mutable defaults play no role: `apply.py` says what is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch
import torch_pruning as tp
from torch import Tensor, nn

from ...models.c2f import gdn as c2f_gdn
from ...models.families import Network
from ...models.mbt import gdn as mbt_gdn
from ...train.staged import MULTIPLE

GDNS: Final = (c2f_gdn.GDN, mbt_gdn.GDN)
"""beta (C,) and gamma (C, C) in both."""


@dataclass(frozen=True)
class Graph:
    """A traced network. model: what is traced, and cut by groups' `prune`."""

    model: Network
    dependencies: Any

    def group(self, layer: str, side: str, indexes: list[int]) -> Any:
        """Torch-Pruning's group of these channels; side: "in" or "out" of the layer."""
        functions = {"in": tp.prune_conv_in_channels, "out": tp.prune_conv_out_channels}
        module = self.model.get_submodule(layer)
        return self.dependencies.get_pruning_group(module, functions[side], indexes)

    def path(self, module: nn.Module) -> str:
        name: str = self.dependencies._module2name[module]
        return name

    def is_output(self, handler: Callable[..., Any]) -> bool:
        return bool(self.dependencies.is_out_channel_pruning_fn(handler))

    def history(self) -> list[list[Any]]:
        """Torch-Pruning's own record [layer, outputs?, indexes cut] of every cut, plain values."""
        past = self.dependencies.pruning_history()
        return [[name, bool(out), [int(i) for i in cut]] for name, out, cut in past]


class WholePruner(tp.pruner.function.BasePruningFunc):  # type: ignore[misc]
    """Of a module whose inputs are its outputs: a channel is cut from all that it has at once.

    cut: makes the module's parameters those of the channels that are kept. width: its channels.
    """

    def __init__(
        self, cut: Callable[[WholePruner, Any, list[int]], None], width: Callable[[Any], int]
    ) -> None:
        super().__init__()
        self._cut, self._width = cut, width

    def prune_out_channels(self, layer: Any, idxs: list[int]) -> Any:
        self._cut(self, layer, sorted(set(range(self._width(layer))) - set(idxs)))
        return layer

    prune_in_channels = prune_out_channels

    def get_out_channels(self, layer: Any) -> int:
        return self._width(layer)

    get_in_channels = get_out_channels

    def kept(self, parameter: nn.Parameter, kept: list[int], axis: int) -> nn.Parameter:
        """The parameter with these channels, its gradient too."""
        result: nn.Parameter = self._prune_parameter_and_grad(parameter, kept, axis)
        return result


def _cut_gdn(pruner: WholePruner, layer: Any, kept: list[int]) -> None:
    layer.beta = pruner.kept(layer.beta, kept, 0)
    layer.gamma = pruner.kept(pruner.kept(layer.gamma, kept, 0), kept, 1)


def _gdn_width(layer: Any) -> int:
    return len(layer.beta)


def build(
    model: Network,
    forward: Callable[[Any, Tensor], list[Tensor]],
    pruners: Mapping[type[nn.Module], WholePruner],
    unwrapped: list[tuple[nn.Parameter, int]],
) -> Graph:
    """The graph of what `forward` makes of a frame: maps whose channels are tied to one another.

    pruners: of modules besides the GDNs. unwrapped: parameters of no layer, with their axis.
    """
    gdn = WholePruner(_cut_gdn, _gdn_width)
    normalisations: dict[type[nn.Module], WholePruner] = {c2f_gdn.GDN: gdn, mbt_gdn.GDN: gdn}
    with torch.enable_grad():
        dependencies = tp.DependencyGraph().build_dependency(
            model,
            example_inputs=torch.zeros(1, 3, MULTIPLE, MULTIPLE),
            forward_fn=forward,
            unwrapped_parameters=unwrapped,
            customized_pruners={**normalisations, **pruners},
        )
    return Graph(model, dependencies)
