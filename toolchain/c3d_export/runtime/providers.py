"""ONNX Runtime itself: which one is installed, and a session on the provider that was asked for.

Its ways to go on with another provider are many and quiet; each is closed or looked at here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import metadata
from types import ModuleType
from typing import Any, Final

from ..core.errors import (
    BundleFormatError,
    C3DError,
    LibraryMissingError,
    ProviderMissingError,
    RuntimeConflictError,
    RuntimeOptionError,
)
from . import cuda

LEVELS: Final = {
    "none": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}
PROVIDERS: Final = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
INSTALL_GPU: Final = "pip install 'c3d-export[gpu]'"

# Session keys of ONNX Runtime (onnxruntime_session_options_config_keys.h) that we may set: an
# unknown key is ignored without a word, so that a misspelt one would switch its promise off.
SESSION_KEYS: Final = frozenset(
    {
        "session.disable_cpu_ep_fallback",
        "session.intra_op.allow_spinning",
        "session.load_model_format",
        "session.use_env_allocators",
    }
)

# Each is pinned, the defaults among them, since a later default must not change what is computed.
CUDA_OPTIONS: Final = {
    # EXHAUSTIVE, the default, times algorithms and may pick another one in every process.
    "cudnn_conv_algo_search": "HEURISTIC",
    # Limited to 32 MiB (0), what algorithm fits depends on the size of a frame, and the known
    # answers, whose frame is small, would try another one than the frames to come.
    "cudnn_conv_use_max_workspace": "1",
    # TF32 keeps 11 bits of an operand, and ours have 8, but how it accumulates differs by kernel.
    "use_tf32": "0",
    # The float flavour is channels first; the other layout adds transposes and other kernels.
    "prefer_nhwc": "0",
    # Fused with bias and activation, cuDNN chooses among other engines.
    "fuse_conv_bias": "0",
    # With copies in a stream of their own (0) ONNX Runtime warns of races.
    "do_copy_in_default_stream": "1",
}


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


@cache
def share_memory(ort: Any) -> None:
    """Makes one arena that all our sessions of this process use on the CPU.

    Else each would keep one of its own for the largest frame that it saw, and the six networks of
    a codec run one after the other (docs/performance.md).
    """
    kind = ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR
    info = ort.OrtMemoryInfo("Cpu", kind, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(info, ort.OrtArenaCfg(0, -1, -1, -1))


def open_session(
    ort: Any,
    model: bytes,
    device: str,
    *,
    threads: int = 0,
    level: str = "all",
    cuda_options: Mapping[str, str] = CUDA_OPTIONS,
) -> Any:
    """An InferenceSession on the provider of a device and on no other one; level: of LEVELS.

    cuda_options: other ones than the codec's are for finding out what they compute. Raises
    ProviderMissingError, RuntimeOptionError, or BundleFormatError for the model.
    """
    provider = _require_provider(ort, device)
    providers: list[Any] = [provider]
    if device == "cuda":
        cuda.preload(ort)
        providers = [(provider, dict(cuda_options))]
    # Without enable_fallback=0 the Python class makes a session on the CPU when creating one
    # fails, and again when running one fails, and says so on stdout only. A model could carry
    # options of its own: read_config_from_model=0.
    switches = {"enable_fallback": 0, "read_config_from_model": 0}
    prepared = _prepare(ort, device, threads, level)
    try:
        session = ort.InferenceSession(model, prepared, providers=providers, **switches)
    except Exception as error:  # onnxruntime raises a class per status, all direct subclasses
        raise _open_error(ort, error, device) from error
    _check_session(ort, session, device, cuda_options)
    return session


def _require_provider(ort: Any, device: str) -> str:
    provider = PROVIDERS[device]
    available = ort.get_available_providers()
    if provider not in available:
        raise ProviderMissingError(
            f"device {device} needs ONNX Runtime's {provider}, and this installation has only"
            f" {', '.join(available)}; on a host with a GPU run pip uninstall -y onnxruntime, then"
            f" {INSTALL_GPU}, or choose device cpu"
        )
    return provider


def session_entries(device: str) -> dict[str, str]:
    """Session keys and values; keys are of SESSION_KEYS, which a test holds."""
    entries = {
        # Spinning workers of six sessions would starve the passes and the coder between them.
        "session.intra_op.allow_spinning": "0",
        # Bytes can be read as ONNX or as ONNX Runtime's own format, and the first was checked.
        "session.load_model_format": "ONNX",
    }
    if device == "cuda":
        entries["session.disable_cpu_ep_fallback"] = "1"
    else:
        entries["session.use_env_allocators"] = "1"
    return entries


def _prepare(ort: Any, device: str, threads: int, level: str) -> Any:
    session = ort.SessionOptions()
    levels = ort.GraphOptimizationLevel
    session.graph_optimization_level = getattr(levels, LEVELS[level])
    session.intra_op_num_threads = threads
    session.use_deterministic_compute = True
    session.log_severity_level = 3
    for key, value in session_entries(device).items():
        session.add_session_config_entry(key, value)
    if device == "cpu":
        share_memory(ort)
    return session


def _check_session(ort: Any, session: Any, device: str, options: Mapping[str, str]) -> None:
    """ONNX Runtime leaves out a provider that it cannot load, and goes on with the next."""
    provider, got = PROVIDERS[device], list(session.get_providers())
    if got[:1] != [provider]:
        text = f"the session runs on {', '.join(got) or 'no provider'} instead"
        if device == "cuda":
            raise cuda_fault(ort, text)
        raise ProviderMissingError(f"ONNX Runtime's {provider} does not load: {text}")
    # Unknown names raise when a session is made; this is for values that are taken otherwise.
    # What a version does not report cannot be compared.
    taken = session.get_provider_options().get(provider, {}) if device == "cuda" else {}
    for name, value in options.items():
        if str(taken.get(name, value)) != value:
            raise _option_fault(ort, f"takes {name}={taken[name]} instead of {value}")


def _open_error(ort: Any, error: Exception, device: str) -> C3DError:
    text = str(error)
    if "provider option" in text:
        return _option_fault(ort, f"says {_first_line(text)}")
    if device == "cuda":
        return cuda_fault(ort, text)
    return BundleFormatError(f"ONNX Runtime refuses a graph of the bundle: {_first_line(text)}")


def _option_fault(ort: Any, fault: str) -> RuntimeOptionError:
    version = getattr(ort, "__version__", "")
    return RuntimeOptionError(
        f"ONNX Runtime {version} does not take an option that exactness rests on: it {fault};"
        f" run {INSTALL_GPU} for a version that does"
    )


def cuda_fault(ort: Any, text: str) -> ProviderMissingError:
    """What to say where CUDA is there in name only; text: ONNX Runtime's own words."""
    absent = cuda.missing(cuda.built_with(ort))
    fault = cuda.describe_missing(absent) if absent else _first_line(text)
    return ProviderMissingError(f"ONNX Runtime's {PROVIDERS['cuda']} does not load: {fault}")


def _first_line(text: str) -> str:
    return next(iter(text.splitlines()), "no reason")
