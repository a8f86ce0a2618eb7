"""Checkpoints: one safetensors file whose metadata holds the JSON state.

One file, replaced atomically, cannot be half old and half new after a kill. No pickle.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..core.atomic import write_bytes_atomic
from ..core.errors import CheckpointError, MissingInputError
from ..core.limits import MAX_JSON_BYTES
from ..models.network import Codec, build_network
from ..models.spec import CodecSpec
from .centering import fold_centers

FORMAT = "c3d-export checkpoint 2"


@dataclass(frozen=True)
class Checkpoint:
    """state: plain JSON values ("spec" among them); tensors: by name, on the CPU."""

    state: dict[str, Any]
    tensors: dict[str, Tensor]


def _digest(state: str, tensors: dict[str, Tensor]) -> str:
    """SHA-256 of all that a checkpoint holds; the file format has no checksum of its own."""
    sha = hashlib.sha256(state.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        sha.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        sha.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Writes atomically; raises DiskError."""
    write_bytes_atomic(path, checkpoint_bytes(checkpoint))


def checkpoint_bytes(checkpoint: Checkpoint) -> bytes:
    state = json.dumps(checkpoint.state, sort_keys=True)
    tensors = {name: tensor.contiguous() for name, tensor in checkpoint.tensors.items()}
    metadata = {"format": FORMAT, "state": state, "sha256": _digest(state, tensors)}
    return _in_order(save(tensors, metadata))


def _in_order(data: bytes) -> bytes:
    """The same file with its metadata sorted: safetensors writes them in a random order, and equal
    trainings shall leave equal files."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, data[end:]])


def load_checkpoint(path: Path) -> Checkpoint:
    """Raises MissingInputError, or CheckpointError for a file that is not ours or is damaged."""
    if not path.is_file():
        raise MissingInputError(f"no checkpoint at {path}")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT or len(metadata["state"]) > MAX_JSON_BYTES:
                raise CheckpointError(f"{path} is no checkpoint of c3d-export")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if metadata.get("sha256") != _digest(metadata["state"], tensors):
            raise CheckpointError(f"{path} is damaged: its checksum does not hold")
        return Checkpoint(json.loads(metadata["state"]), tensors)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} is damaged or no safetensors file: {error}") from error


def model_tensors(model: Codec, prefix: str = "model.") -> dict[str, Tensor]:
    return {prefix + name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def save_model(path: Path, model: Codec, state: dict[str, Any]) -> None:
    """Writes `model_bytes` atomically; raises DiskError."""
    write_bytes_atomic(path, model_bytes(model, state))


def model_bytes(model: Codec, state: dict[str, Any]) -> bytes:
    """A network alone (no optimiser), with its spec and whatever `state` tells of its making."""
    complete = {**state, "spec": model.spec.to_json()}
    return checkpoint_bytes(Checkpoint(complete, model_tensors(model)))


def restore_model(checkpoint: Checkpoint, prefix: str = "model.") -> Codec:
    """The network in a checkpoint; raises CheckpointError where widths and tensors disagree."""
    try:
        model = build_network(CodecSpec.from_json(checkpoint.state["spec"]))
        cut = len(prefix)
        state = {k[cut:]: v for k, v in checkpoint.tensors.items() if k.startswith(prefix)}
        model.load_state_dict(state)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        first = str(error).splitlines()[0]
        raise CheckpointError(f"the checkpoint does not fit its own spec: {first}") from error
    return model


def load_model(path: Path) -> Codec:
    """The network saved by `save_model` or the averaged one of a training checkpoint."""
    checkpoint = load_checkpoint(path)
    averaged = any(name.startswith("average.") for name in checkpoint.tensors)
    model = restore_model(checkpoint, "average." if averaged else "model.")
    if averaged:  # of a run; in its integer simulation or before it
        begun = checkpoint.state.get("config", {}).get("quantize_from", 0)
        model.quantize(begun < checkpoint.state.get("step", 0))
    fold_centers(model)
    return model


def to_half(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """float16 copies, for weights that are shipped to be trained further."""
    return {name: t.to(torch.float16) for name, t in tensors.items()}
