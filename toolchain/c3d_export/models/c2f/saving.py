"""A network of this family in one file: safetensors with the spec in its metadata."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from ...core.errors import CheckpointError
from ...train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from .network import CoarseToFine, build_network
from .spec import C2FSpec

FAMILY: Final = "c2f"
_PREFIX: Final = "model."


def save(path: Path, network: CoarseToFine, state: dict[str, Any]) -> None:
    """state: plain JSON values on how it was made. Writes atomically; raises DiskError."""
    complete = {**state, "family": FAMILY, "spec": network.spec.to_json()}
    tensors = {_PREFIX + name: t.detach().cpu() for name, t in network.state_dict().items()}
    save_checkpoint(path, Checkpoint(complete, tensors))


def load(path: Path) -> tuple[CoarseToFine, dict[str, Any]]:
    """The network, in evaluation mode, and its state; raises MissingInputError, CheckpointError."""
    checkpoint = load_checkpoint(path)
    if checkpoint.state.get("family") != FAMILY:
        raise CheckpointError(f"{path} is no coarse-to-fine network")
    try:
        network = build_network(C2FSpec.from_json(checkpoint.state["spec"]))
        named = {name.removeprefix(_PREFIX): t for name, t in checkpoint.tensors.items()}
        network.load_state_dict(named)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        first = str(error).splitlines()[0]
        raise CheckpointError(f"{path} does not fit its own spec: {first}") from error
    state = {key: value for key, value in checkpoint.state.items() if key != "spec"}
    return network.eval(), state
