"""A network of a published family in one file: safetensors, with the family and the spec in its
metadata. Networks of the own family, which name none, are in `train/service.py`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..core.errors import CheckpointError
from ..train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from .families import FAMILIES, Family, Network, family_of

_PREFIX: Final = "model."


@dataclass(frozen=True)
class Saved:
    """network: in evaluation mode. state: plain JSON values on how it was made."""

    family: Family
    network: Network
    state: dict[str, Any]


def save(path: Path, network: Network, state: dict[str, Any]) -> None:
    """state: plain JSON values on how it was made. Writes atomically; raises DiskError."""
    named = {"family": family_of(network).name, "spec": network.spec.to_json()}
    tensors = {_PREFIX + name: t.detach().cpu() for name, t in network.state_dict().items()}
    save_checkpoint(path, Checkpoint({**state, **named}, tensors))


def is_published(path: Path) -> bool:
    """Whether a saved model is of a published family; raises as `load_checkpoint` does."""
    return "family" in load_checkpoint(path).state


def load(path: Path) -> Saved:
    """Raises MissingInputError, or CheckpointError for what is damaged or of no such family."""
    checkpoint = load_checkpoint(path)
    family = FAMILIES.get(str(checkpoint.state.get("family")))
    if family is None:
        raise CheckpointError(f"{path} is no network of a published family")
    try:
        network = family.build(family.read_spec(checkpoint.state["spec"]))
        named = {name.removeprefix(_PREFIX): t for name, t in checkpoint.tensors.items()}
        network.load_state_dict(named)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        first = str(error).splitlines()[0]
        raise CheckpointError(f"{path} does not fit its own spec: {first}") from error
    state = {key: value for key, value in checkpoint.state.items() if key != "spec"}
    return Saved(family, network.eval(), state)


def load_as(path: Path, kind: type[Any]) -> tuple[Any, dict[str, Any]]:
    """Network and state, where the network is of this class; else raises CheckpointError."""
    saved = load(path)
    if not isinstance(saved.network, kind):
        wanted = next(f.title for f in FAMILIES.values() if issubclass(kind, f.network))
        raise CheckpointError(f"{path} is not {wanted}, but {saved.family.title}")
    return saved.network, saved.state
