"""CompressAI's checkpoints: their names for tensors, and the widths that their shapes say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from torch import Tensor, nn

from ...core.errors import CheckpointError
from .network import build_network
from .spec import QUALITIES, SPECS, MbtSpec

# Older versions of CompressAI named the lists of the factorised prior otherwise.
_PARTS: Final = {"matrix": "matrices", "bias": "biases", "factor": "factors"}
_OLD_NAME: Final = re.compile(
    r"entropy_bottleneck\._(matrix|bias|factor)(\d)"
    r"|entropy_bottleneck\._(matrices|biases|factors)\.(\d)"
)

# Which tensor's which axis says a width: convolutions have (outputs, inputs, ...), transposed ones
# (inputs, outputs, ...).
_WIDTHS: Final[dict[str, tuple[tuple[str, int], ...]]] = {
    "latents": (("g_a.6.weight", 0),),
    "hyper": (("h_a.4.weight", 0),),
    "g_a": (("g_a.0.weight", 0), ("g_a.2.weight", 0), ("g_a.4.weight", 0)),
    "g_s": (("g_s.0.weight", 1), ("g_s.2.weight", 1), ("g_s.4.weight", 1)),
    "h_a": (("h_a.0.weight", 0), ("h_a.2.weight", 0)),
    "h_s": (("h_s.0.weight", 1), ("h_s.2.weight", 1)),
}
_CONTEXT: Final = (("entropy_parameters.0.weight", 0), ("entropy_parameters.2.weight", 0))

# Marks of CompressAI's other architectures, to say what a checkpoint is instead.
_OTHERS: Final = (
    ("g_a.0.conv1.weight", "one of cheng2020's"),
    ("entropy_bottleneck.target", "bmshj2018's or another without mean-scale parameters"),
)


def rename(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors by the names that this package and newer versions of CompressAI have."""

    def new(match: re.Match[str]) -> str:
        short, digit, long, other = match.groups()
        return f"entropy_bottleneck.{_PARTS.get(short, long)}.{digit or other}"

    return {_OLD_NAME.sub(new, name): tensor for name, tensor in state.items()}


def widths_of(state: Mapping[str, Tensor]) -> MbtSpec:
    """The spec that the shapes say; `state`: renamed. Raises CheckpointError where they do not."""
    context = any(name.startswith("context_prediction.") for name in state)
    architecture = "mbt2018" if context else "mbt2018-mean"
    table = {**_WIDTHS, "entropy_parameters": _CONTEXT if context else ()}
    absent = [name for places in table.values() for name, _ in places if name not in state]
    if absent:
        raise CheckpointError(f"{_what(state)}: it has no {', '.join(absent)}")
    found = {key: tuple(_axis(state, *place) for place in places) for key, places in table.items()}
    singles = {key: found.pop(key)[0] for key in ("latents", "hyper")}
    try:
        spec = MbtSpec(name=architecture, architecture=architecture, **singles, **found)  # type: ignore[arg-type]
    except ValueError as error:
        raise CheckpointError(f"the checkpoint is no {architecture}: {error}") from error
    return _named(spec)


def _axis(state: Mapping[str, Tensor], name: str, axis: int) -> int:
    if state[name].dim() != 4:
        raise CheckpointError(
            f"{name} has shape {tuple(state[name].shape)}, not that of a 2D layer"
        )
    return int(state[name].shape[axis])


def _what(state: Mapping[str, Tensor]) -> str:
    for mark, name in _OTHERS:
        if mark in state:
            return f"the checkpoint is no mbt2018 or mbt2018-mean, but {name}"
    return "the checkpoint is no mbt2018 or mbt2018-mean of CompressAI"


def _named(spec: MbtSpec) -> MbtSpec:
    """With the name of the first published quality of these widths, else the architecture's."""
    for quality in range(1, len(QUALITIES[spec.architecture]) + 1):
        name = f"{spec.architecture}-{quality}"
        if replace(spec, name=name) == SPECS[name]:
            return replace(spec, name=spec.architecture)
    return spec


def build(spec: MbtSpec) -> nn.Module:
    return build_network(spec)
