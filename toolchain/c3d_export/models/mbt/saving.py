"""A network of this family in a folder of the workspace: safetensors, with the spec beside."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from ...core.errors import CheckpointError
from ...train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from .network import MeanScaleHyperprior, build_network
from .spec import MbtSpec

FAMILY: Final = "mbt"
_PREFIX: Final = "model."


def save(path: Path, network: MeanScaleHyperprior, state: dict[str, Any]) -> None:
    """state: plain JSON values on how it was made. Writes atomically; raises DiskError."""
    complete = {**state, "family": FAMILY, "spec": network.spec.to_json()}
    tensors = {_PREFIX + name: t.detach() for name, t in network.state_dict().items()}
    save_checkpoint(path, Checkpoint(complete, tensors))


def is_mbt(checkpoint: Checkpoint) -> bool:
    return checkpoint.state.get("family") == FAMILY


def load(path: Path) -> tuple[MeanScaleHyperprior, dict[str, Any]]:
    """The network and its state; raises MissingInputError or CheckpointError."""
    checkpoint = load_checkpoint(path)
    if not is_mbt(checkpoint):
        raise CheckpointError(f"{path} is no network of mbt2018 or mbt2018-mean")
    try:
        network = build_network(MbtSpec.from_json(checkpoint.state["spec"]))
        named = {n.removeprefix(_PREFIX): t for n, t in checkpoint.tensors.items()}
        network.load_state_dict(named)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        first = str(error).splitlines()[0]
        raise CheckpointError(f"{path} does not fit its own spec: {first}") from error
    state = {key: value for key, value in checkpoint.state.items() if key != "spec"}
    return network.eval(), state
