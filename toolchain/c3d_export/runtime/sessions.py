"""ONNX Runtime sessions: which provider, which flavour, and never a silent fallback."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..core.errors import (
    BundleFormatError,
    LibraryMissingError,
    OptionError,
    ProviderMissingError,
    RuntimeConflictError,
)
from .bundle import GRAPHS, Bundle

Feed = Mapping[str, NDArray[Any]]

# Flavours by device, the first being the default.
DEVICE_FLAVOURS: Final = {"cpu": ("qlinear", "float"), "cuda": ("float",)}
MAX_THREADS: Final = 1024
LEVELS: Final = {
    "none": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}
_PROVIDERS: Final = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}

# EXHAUSTIVE, the default, times algorithms and may pick another one in every process; TF32 keeps
# 11 bits of an operand, and activations and weights have 8, but the accumulation differs by
# kernel: both are pinned until a measurement says otherwise, and the known answers decide.
_CUDA_OPTIONS: Final = {
    "cudnn_conv_algo_search": "HEURISTIC",
    "use_tf32": "0",
    "prefer_nhwc": "0",
    "fuse_conv_bias": "0",
}


@dataclass(frozen=True)
class SessionOptions:
    """device: "cpu" or "cuda". flavour: None for the device's default. threads: 0 for all cores.

    level: ONNX Runtime's graph optimisation, one of LEVELS (`validate` compares them).
    """

    device: str = "cpu"
    flavour: str | None = None
    threads: int = 0
    level: str = "all"

    def resolved_flavour(self) -> str:
        if not isinstance(self.threads, int) or not 0 <= self.threads <= MAX_THREADS:
            raise OptionError(f"threads is {self.threads!r}; choose 0 (all cores) to {MAX_THREADS}")
        if self.level not in LEVELS:
            raise OptionError(f"unknown level {self.level!r}; known are {', '.join(LEVELS)}")
        if not isinstance(self.device, str) or self.device not in DEVICE_FLAVOURS:
            raise OptionError(f"unknown device {self.device!r}; known are cpu and cuda")
        allowed = DEVICE_FLAVOURS[self.device]
        flavour = self.flavour or allowed[0]
        if flavour not in allowed:
            raise OptionError(f"device {self.device} has no flavour {flavour!r}, only {allowed}")
        return flavour


def installed_runtimes() -> dict[str, str]:
    """Distribution -> version of every ONNX Runtime that pip believes to be installed."""
    found = {}
    for name in ("onnxruntime", "onnxruntime-gpu"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def import_runtime() -> ModuleType:
    """The onnxruntime module; raises RuntimeConflictError or LibraryMissingError."""
    if len(installed_runtimes()) > 1:
        raise RuntimeConflictError(
            "onnxruntime and onnxruntime-gpu are both installed and overwrite one another; run"
            " pip uninstall -y onnxruntime onnxruntime-gpu, then install the one you want"
        )
    try:
        import onnxruntime
    except ImportError as error:
        raise LibraryMissingError(
            "onnxruntime is not installed; run pip install 'c3d-export[cpu]' or [gpu]"
        ) from error
    module: ModuleType = onnxruntime
    return module


def _require_provider(ort: Any, device: str) -> str:
    provider = _PROVIDERS[device]
    if provider not in ort.get_available_providers():
        raise ProviderMissingError(
            f"device {device} needs ONNX Runtime's {provider}, and this installation has only"
            f" {', '.join(ort.get_available_providers())}; pip install 'c3d-export[gpu]' on a"
            " host with a GPU, or choose --device cpu"
        )
    return provider


class Sessions:
    """The five networks of a bundle in one flavour on one device. Safe to share by threads."""

    def __init__(self, bundle: Bundle, options: SessionOptions) -> None:
        self.flavour = options.resolved_flavour()
        self.options = options
        ort = import_runtime()
        provider = _require_provider(ort, options.device)
        self._sessions = {
            graph: _open(ort, bundle.graphs[graph, self.flavour], provider, options)
            for graph in GRAPHS
        }

    def run(self, graph: str, feed: Feed) -> dict[str, NDArray[Any]]:
        """Outputs by name, without the batch axis of 1; inputs (1, h, w, C)."""
        session = self._sessions[graph]
        names = [output.name for output in session.get_outputs()]
        values = session.run(names, {name: x[np.newaxis] for name, x in feed.items()})
        return {name: value[0] for name, value in zip(names, values, strict=True)}


def _open(ort: Any, model: bytes, provider: str, options: SessionOptions) -> Any:
    session = ort.SessionOptions()
    levels = ort.GraphOptimizationLevel
    session.graph_optimization_level = getattr(levels, LEVELS[options.level])
    session.intra_op_num_threads = options.threads
    session.use_deterministic_compute = True
    session.log_severity_level = 3
    # Spinning workers of five sessions would starve the passes and the coder between them.
    session.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers: list[Any] = [provider]
    if options.device == "cuda":
        session.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        providers = [(provider, dict(_CUDA_OPTIONS))]
    try:
        return ort.InferenceSession(model, session, providers=providers)
    except Exception as error:  # onnxruntime raises a class per status, all direct subclasses
        raise _open_error(error, options.device) from error


def _open_error(error: Exception, device: str) -> Exception:
    first = str(error).splitlines()[0]
    if device == "cuda":
        return ProviderMissingError(f"ONNX Runtime cannot run this codec on CUDA: {first}")
    return BundleFormatError(f"ONNX Runtime refuses a graph of the bundle: {first}")
