"""Cutting a published network to narrower widths: Torch-Pruning removes the channels, the new
spec describes what is left. Kept channels keep their values bit for bit.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch_pruning as tp

from ...core.errors import OptionError
from ...models.families import Network, Spec, family_of
from ..importance import Importance
from .families import topology_of
from .graph import Graph
from .groups import groups_in


def prune_network(
    model: Network, widths: Mapping[str, int], importance: Importance
) -> tuple[Network, dict[str, Any]]:
    """A new network of these widths (`Topology.widths_of`), with the channels that matter most.

    model: left as it is. importance: of that model. Returns the network, in the model's mode, and
    the history as plain JSON values, which `replay` repeats. Raises OptionError where widths or
    importance do not belong to the model.
    """
    topology = topology_of(model)
    after = topology.with_widths(model.spec, widths)
    graph = topology.trace(copy.deepcopy(model))
    groups_in(graph)
    sizes = {name: len(score) for name, score in importance.scores.items()}
    if sizes != topology.sizes_of(topology.widths_of(model.spec)):
        raise OptionError("the importance is of another network: compute it for this one")
    kept = {name: importance.best(name, n) for name, n in topology.sizes_of(widths).items()}
    for name in sorted(kept, key=lambda name: name not in topology.first):
        entry = topology.entry(model.spec, name)
        _remove(graph, entry, sorted(set(range(sizes[name])) - set(kept[name])))
    history: dict[str, Any] = {
        "method": "channels by importance, groups by Torch-Pruning",
        "torch_pruning": tp.__version__,
        "importance": importance.kind,
        "before": model.spec.to_json(),
        "after": after.to_json(),
        "kept": kept,
        "pruning_history": graph.history(),
    }
    return _rebuilt(model, after, graph.model), history


def replay(model: Network, history: Mapping[str, Any]) -> Network:
    """Repeats a pruning on the network that it was made from, or on one of the same spec.

    history: as `prune_network` returned it, also after a round trip through JSON. Raises
    OptionError for a network of another spec, KeyError or TypeError for foreign data.
    """
    family = family_of(model)
    if model.spec != family.read_spec(history["before"]):
        raise OptionError(f"the history is of other widths than {model.spec.name}: prune it anew")
    graph = topology_of(model).trace(copy.deepcopy(model))
    graph.dependencies.load_pruning_history(history["pruning_history"])
    return _rebuilt(model, family.read_spec(history["after"]), graph.model)


def _remove(graph: Graph, entry: tuple[str, str, int], removed: list[int]) -> None:
    layer, side, first = entry
    if removed:
        graph.group(layer, side, [first + index for index in removed]).prune()


def _rebuilt(model: Network, spec: Spec, cut: Network) -> Network:
    """From spec and parameters alone, as a checkpoint would: what does not fit, does not load.

    Buffers are constants, masks, and tables of a coder, which hold for the old widths: new ones.
    """
    pruned = family_of(model).build(spec)
    parameters = {name: parameter.detach() for name, parameter in cut.named_parameters()}
    pruned.load_state_dict({**pruned.state_dict(), **parameters})
    device = next(model.parameters()).device
    return pruned.to(device).train(model.training)
