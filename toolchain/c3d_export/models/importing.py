"""Checkpoints of other programs: their tensors, and whether they are those of a known network.

Pickles are read with weights only: of torch before 2.10 that mode could be bypassed
(CVE-2025-32434, CVE-2026-24747). A checkpoint is taken whole or not at all; each fault is named.
"""

from __future__ import annotations

import importlib
import pickle
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, cast

import torch
from torch import Tensor, nn

from ..core.errors import CheckpointError, LibraryMissingError, MissingInputError, OptionError

SAFE_TORCH: Final = (2, 10)
MAX_CHECKPOINT_BYTES: Final = 4 << 30
"""The widest published network with two optimisers' states takes 0.9 GB."""

# What a training script calls the state dict that it saves beside its optimisers.
STATE_KEYS: Final = ("state_dict", "model_state_dict", "model", "net")
PREFIX: Final = "module."
"""What DataParallel puts before every name."""

# --family -> the package under models/ that knows its checkpoints.
FAMILIES: Final = {"compressai": "mbt", "c2f": "c2f"}


class Family(Protocol):
    """`models/<family>/importing.py`. rename: their names to ours. widths_of: the spec that the
    renamed tensors' shapes say, raising CheckpointError. build: the network of a spec."""

    def rename(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]: ...
    def widths_of(self, state: Mapping[str, Tensor]) -> Any: ...
    def build(self, spec: Any) -> nn.Module: ...


@dataclass(frozen=True)
class Imported:
    """family: a package under models/. spec: of it. network: with the weights. ignored: entries of
    the file besides the weights (epoch, optimisers)."""

    family: str
    spec: Any
    network: nn.Module
    ignored: tuple[str, ...]


class CheckpointFaultsError(CheckpointError):
    """A checkpoint that does not fit the network that its shapes say; faults: one line each."""

    def __init__(self, message: str, faults: list[str]) -> None:
        super().__init__(message)
        self.faults = faults


def family_of(name: str) -> Family:
    """The functions of a family; raises OptionError for an unknown one."""
    if name not in FAMILIES:
        raise OptionError(f"unknown family {name!r}; choose one of {', '.join(FAMILIES)}")
    return cast(Family, importlib.import_module(f"{__package__}.{FAMILIES[name]}.importing"))


def read_pickle(path: Path) -> Any:
    """What a checkpoint holds, no code of it run.

    Raises MissingInputError, LibraryMissingError (too old a torch) or CheckpointError.
    """
    _require_safe_torch()
    try:
        if path.stat().st_size > MAX_CHECKPOINT_BYTES:
            raise CheckpointError(f"{path} is larger than {MAX_CHECKPOINT_BYTES >> 30} GiB")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of another protocol than torch writes
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise MissingInputError(f"no checkpoint at {path}: {error.strerror or error}") from error
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} is no checkpoint of weights alone: it is damaged, or holds Python objects,"
            " which are not run; save its state_dict() with torch.save and import that"
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} is damaged or no checkpoint: {error}") from error


def _require_safe_torch() -> None:
    version = tuple(int(part) for part in torch.__version__.split(".")[:2])
    if version < SAFE_TORCH:
        raise LibraryMissingError(
            f"torch {torch.__version__} reads checkpoints unsafely; install torch >= 2.10"
        )


def state_of(content: Any, path: Path) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The state dict in what `read_pickle` gave, without `module.`; the names of what is beside it.

    Raises CheckpointError where there is none, or where values are no tensors.
    """
    if not isinstance(content, dict) or not content:
        raise CheckpointError(f"{path} holds no state dict but a {type(content).__name__}")
    key = next((k for k in STATE_KEYS if isinstance(content.get(k), dict)), None)
    state = content if key is None else content[key]
    ignored = () if key is None else tuple(sorted(str(k) for k in content if k != key))
    odd = [str(name) for name, value in state.items() if not isinstance(value, Tensor)]
    if odd or not state:
        shown = ", ".join(odd[:8])
        raise CheckpointError(f"{path} holds no state dict: no tensors under {shown or 'any name'}")
    return _without_prefix({str(k): v for k, v in state.items()}, path), ignored


def _without_prefix(state: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    prefixed = [name for name in state if name.startswith(PREFIX)]
    if not prefixed:
        return state
    if len(prefixed) != len(state):
        others = sorted(set(state) - set(prefixed))
        raise CheckpointError(
            f"{path} has names with and without {PREFIX!r}, among them {', '.join(others[:8])}"
        )
    return {name.removeprefix(PREFIX): tensor for name, tensor in state.items()}


def faults_of(state: Mapping[str, Tensor], network: nn.Module) -> list[str]:
    """What keeps these tensors from being the network's, one line each, sorted by name.

    Tensors that are empty in a fresh network (tables of a coder) may have any size.
    """
    wanted = network.state_dict()
    faults = [f"missing {name}" for name in wanted.keys() - state.keys()]
    faults += [f"unexpected {name}" for name in state.keys() - wanted.keys()]
    for name in wanted.keys() & state.keys():
        if fault := _tensor_fault(state[name], wanted[name]):
            faults.append(f"{name} {fault}")
    return sorted(faults)


def _tensor_fault(given: Tensor, wanted: Tensor) -> str:
    if wanted.numel() and given.shape != wanted.shape:
        return f"has shape {tuple(given.shape)}, not {tuple(wanted.shape)}"
    if given.is_floating_point() != wanted.is_floating_point():
        return f"is {given.dtype}, not {wanted.dtype}"
    if given.is_floating_point() and not bool(given.isfinite().all()):
        return "holds what is no number"
    return ""


def import_checkpoint(path: Path, family: str) -> Imported:
    """Reads, renames, finds the widths, checks every tensor; nothing is written.

    Raises OptionError, MissingInputError, LibraryMissingError, CheckpointError, and
    CheckpointFaultsError, which names every fault.
    """
    package = family_of(family)
    found, ignored = state_of(read_pickle(path), path)
    state = package.rename(found)
    try:
        spec = package.widths_of(state)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    network = package.build(spec)
    if faults := faults_of(state, network):
        raise CheckpointFaultsError(
            f"{path} is no {spec.name}: {len(faults)} tensors do not fit; nothing was written",
            faults,
        )
    like = network.state_dict()
    network.load_state_dict({name: t.to(like[name].dtype) for name, t in state.items()})
    return Imported(FAMILIES[family], spec, network.eval(), ignored)
