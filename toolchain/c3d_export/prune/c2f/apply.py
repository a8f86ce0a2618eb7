"""Cutting a coarse-to-fine network to narrower widths: Torch-Pruning removes the channels, the new
spec describes what is left. Kept channels keep their values bit for bit.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

import torch_pruning as tp
from torch import Tensor

from ...core.errors import OptionError
from ...models.c2f.network import CoarseToFine, build_network
from ...models.c2f.spec import C2FSpec
from ..importance import Importance
from .graph import Graph, trace
from .groups import groups_in
from .widths import entry, widths_of, with_widths

FIRST: Final = "coarse.features"
"""Entered behind the features of the fine level, whose number a cut would change."""


def prune_network(
    model: CoarseToFine, widths: Mapping[str, int], importance: Importance
) -> tuple[CoarseToFine, dict[str, Any]]:
    """A new network of these widths (`prune.c2f.widths`), with the channels that matter most.

    model: left as it is. importance: of that model. Returns the network, in the model's mode, and
    the history as plain JSON values, which `replay` repeats. Raises OptionError where widths or
    importance do not belong to the model.
    """
    after = with_widths(model.spec, widths)
    graph = trace(copy.deepcopy(model))
    groups_in(graph)
    sizes = {name: len(score) for name, score in importance.scores.items()}
    if sizes != widths_of(model.spec):
        raise OptionError("the importance is of another network: compute it for this one")
    kept = {name: importance.best(name, count) for name, count in widths.items()}
    for name in sorted(kept, key=lambda name: name != FIRST):
        _remove(graph, name, sizes[name], kept[name])
    history: dict[str, Any] = {
        "method": "channels by importance, groups by Torch-Pruning",
        "torch_pruning": tp.__version__,
        "importance": importance.kind,
        "before": model.spec.to_json(),
        "after": after.to_json(),
        "kept": kept,
        "pruning_history": graph.history(),
    }
    return _rebuilt(model, after, graph.model.state_dict()), history


def replay(model: CoarseToFine, history: Mapping[str, Any]) -> CoarseToFine:
    """Repeats a pruning on the network that it was made from, or on one of the same spec.

    history: as `prune_network` returned it, also after a round trip through JSON. Raises
    OptionError for a network of another spec, KeyError or TypeError for foreign data.
    """
    if model.spec != C2FSpec.from_json(history["before"]):
        raise OptionError(f"the history is of other widths than {model.spec.name}: prune it anew")
    graph = trace(copy.deepcopy(model))
    graph.dependencies.load_pruning_history(history["pruning_history"])
    after = C2FSpec.from_json(history["after"])
    return _rebuilt(model, after, graph.model.state_dict())


def _remove(graph: Graph, name: str, size: int, kept: list[int]) -> None:
    layer, side, first = entry(graph.model.spec, name)
    removed = sorted(set(range(size)) - set(kept))
    if removed:
        graph.group(layer, side, [first + index for index in removed]).prune()


def _rebuilt(model: CoarseToFine, spec: C2FSpec, state: Mapping[str, Tensor]) -> CoarseToFine:
    """From spec and tensors alone, as a checkpoint would: what does not fit, does not load."""
    pruned = build_network(spec)
    pruned.load_state_dict(state)
    return pruned.to(model.top_scale.device).train(model.training)
