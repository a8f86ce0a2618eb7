"""Cutting a network to a plan: Torch-Pruning removes the channels, the new spec describes it.

The kept channels keep their values bit for bit (where activations are centred, as in the middle of
a training, the centres go into the biases first). What a residual trunk computes changes as soon
as it loses a channel that was in use: fine-tuning afterwards is part of the method.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch_pruning as tp
from torch import nn

from ..core.errors import OptionError
from ..models.network import Codec, build_network
from ..models.spec import CodecSpec
from ..train.centering import fold_centers
from .graph import Graph, trace
from .groups import Part, Width, widths_of
from .importance import Importance
from .plan import Plan
from .widths import block_path

Kept = dict[str, list[int]]
"""By name of a group (`Part.name`): the channels that stay, rising, in the old numbering."""


def prune_codec(model: Codec, plan: Plan, importance: Importance) -> tuple[Codec, dict[str, Any]]:
    """A new network of `plan.after`, with the weights of the channels that matter most.

    model: left as it is, of spec `plan.before`. importance: of that model.
    Returns the network, in the model's mode (training or not, quantised or not), and the history
    as plain JSON values: what was cut, on which grounds, and Torch-Pruning's own record, which
    `replay` repeats. Raises OptionError where plan, importance and model do not belong together.
    """
    _check_spec(model, plan.before)
    graph = _traced_copy(model)
    # All groups are read before the first cut: a cut changes the numbering.
    widths = widths_of(graph)
    _check_importance(widths, importance)
    kept = _cut(graph, widths, plan, importance)
    dropped = list(plan.dropped)
    _drop_blocks(graph.model, dropped)
    history: dict[str, Any] = {
        "method": "channels by importance, groups by Torch-Pruning",
        "torch_pruning": tp.__version__,
        "importance": importance.kind,
        "ratio": plan.ratio,
        "before": plan.before.to_json(),
        "after": plan.after.to_json(),
        "kept": kept,
        "dropped_blocks": dropped,
        "milliseconds": None if plan.ms is None else plan.ms.to_json(),
        "pruning_history": graph.history(),
    }
    return _rebuilt(model, plan.after, graph.model.state_dict()), history


def replay(model: Codec, history: Mapping[str, Any]) -> Codec:
    """Repeats a pruning on the network that it was made from, or on one of the same spec.

    history: as `prune_codec` returned it, also after a round trip through JSON. Raises
    OptionError for a network of another spec, KeyError or TypeError for foreign data.
    """
    _check_spec(model, CodecSpec.from_json(history["before"]))
    graph = _traced_copy(model)
    graph.dependencies.load_pruning_history(history["pruning_history"])
    _drop_blocks(graph.model, history["dropped_blocks"])
    return _rebuilt(model, CodecSpec.from_json(history["after"]), graph.model.state_dict())


def _traced_copy(model: Codec) -> Graph:
    """With centres in the biases: a channel that goes counts as 0 then, and not as its mean."""
    duplicate = copy.deepcopy(model)
    fold_centers(duplicate)
    return trace(duplicate)


def _check_spec(model: Codec, expected: CodecSpec) -> None:
    if model.spec != expected:
        raise OptionError(
            f"the plan is for {expected.name} and its widths, the network is {model.spec.name} "
            "with others: plan again"
        )


def _check_importance(widths: list[Width], importance: Importance) -> None:
    sizes = {name: len(score) for name, score in importance.scores.items()}
    if sizes != {part.name: part.size for width in widths for part in width.parts}:
        raise OptionError("the importance is of another network: compute it for this one")


def _cut(graph: Graph, widths: list[Width], plan: Plan, importance: Importance) -> Kept:
    kept: Kept = {}
    targets = plan.widths
    for width in widths:
        if targets[width.name] == 0:
            continue
        for part in width.parts:
            kept[part.name] = importance.best(part.name, part.factor * targets[width.name])
            _remove(graph, part, kept[part.name])
    return kept


def _remove(graph: Graph, part: Part, kept: list[int]) -> None:
    removed = sorted(set(range(part.size)) - set(kept))
    if removed:
        graph.group(*part.root, removed).prune()


def _drop_blocks(model: Codec, names: list[str]) -> None:
    """Leaves residual blocks out; Torch-Pruning knows channels only, so this is done by hand.

    A block adds its branch to the trunk and clips to a range that the trunk is in already:
    without the branch nothing of it is left.
    """
    gone: dict[str, set[int]] = {}
    for name in names:
        trunk, index = block_path(name)
        gone.setdefault(trunk, set()).add(index)
    for path, indexes in gone.items():
        children = model.get_submodule(path).children()
        blocks = [block for i, block in enumerate(children) if i not in indexes]
        stage, _, attribute = path.rpartition(".")
        setattr(model.get_submodule(stage), attribute, nn.Sequential(*blocks))


def _rebuilt(model: Codec, spec: CodecSpec, state: Mapping[str, Any]) -> Codec:
    """From spec and tensors alone, as a checkpoint would: what does not fit, does not load."""
    pruned = build_network(spec)
    # Torch-Pruning cuts parameters and no buffers; the folded centres are zeros, as they are in
    # the new network. All the rest is loaded strictly.
    centers = {name: zero for name, zero in pruned.state_dict().items() if _is_center(name)}
    kept = {name: tensor for name, tensor in state.items() if not _is_center(name)}
    pruned.load_state_dict({**kept, **centers})
    pruned.to(model.planes.device)
    pruned.quantize(model.quantized)
    return pruned.train(model.training)


def _is_center(name: str) -> bool:
    return name.endswith(".center")
