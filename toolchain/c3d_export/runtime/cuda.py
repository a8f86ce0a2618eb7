"""What CUDA needs of a host: which libraries there are, and how to get those that are missing.

Nothing here needs ONNX Runtime or a GPU to run: libraries are looked up as the loader does it.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

# The toolkit that onnxruntime-gpu is built with since 1.27; older ones say theirs themselves.
CUDA_MAJOR: Final = 13
_CUFFT_MAJORS: Final = {12: 11, 13: 12}

INSTALL_LIBRARIES: Final = "pip install 'onnxruntime-gpu[cuda,cudnn]>=1.28'"
"""Brings the libraries of CUDA and cuDNN as wheels, cuBLAS among them; not the driver."""
INSTALL_DRIVER: Final = (
    "install NVIDIA's driver, 580 or newer (on Ubuntu: sudo apt install nvidia-driver-580)"
)

Load = Callable[[str], Any]


@dataclass(frozen=True)
class Library:
    """what: its name for people. file: its name for the loader. version: function that tells it.

    returns: the function returns the number (cuDNN) instead of storing it (CUDA).
    """

    what: str
    file: str
    install: str = INSTALL_LIBRARIES
    version: str = ""
    returns: bool = False

    def read_version(self, load: Load = ctypes.CDLL) -> str | None:
        """As 13.0 for driver and CUDA, 9.8.0 for cuDNN, "" if it tells none; None: missing."""
        try:
            library = load(self.file)
        except OSError:
            return None
        function = getattr(library, self.version, None) if self.version else None
        if function is None:
            return ""
        if self.returns:
            function.restype = ctypes.c_size_t
            told = int(function())
            return f"{told // 10_000}.{told // 100 % 100}.{told % 100}"
        number = ctypes.c_int(0)
        if function(ctypes.byref(number)):
            return ""
        return f"{number.value // 1000}.{number.value % 1000 // 10}"


def libraries(major: int = CUDA_MAJOR) -> tuple[Library, ...]:
    """What the CUDA provider is linked to, and cuDNN, which it loads at the first convolution."""
    cufft = _CUFFT_MAJORS.get(major, major - 1)
    return (
        Library("NVIDIA driver", "libcuda.so.1", INSTALL_DRIVER, "cuDriverGetVersion"),
        Library("CUDA runtime", f"libcudart.so.{major}", version="cudaRuntimeGetVersion"),
        # cuBLAS needs cuBLASLt, which is loaded first so that it is found.
        Library("cuBLASLt", f"libcublasLt.so.{major}"),
        Library("cuBLAS", f"libcublas.so.{major}"),
        Library("cuRAND", "libcurand.so.10"),
        Library("cuFFT", f"libcufft.so.{cufft}"),
        Library("cuDNN", "libcudnn.so.9", version="cudnnGetVersion", returns=True),
    )


def built_with(ort: Any) -> int:
    """CUDA's major version that this onnxruntime is built with."""
    text = str(getattr(ort, "cuda_version", "") or "").split(".")[0]
    return int(text) if text.isdigit() else CUDA_MAJOR


@functools.cache
def preload(ort: Any) -> None:
    """Loads, once, what comes as wheels, which the system's loader does not find by itself."""
    load = getattr(ort, "preload_dlls", None)
    if load is None:
        return
    # It prints what it misses, and stdout belongs to results; the session tells of it later.
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
        load()


def missing(major: int = CUDA_MAJOR, load: Load = ctypes.CDLL) -> list[Library]:
    """Those that cannot be loaded, in the order in which they are needed."""
    return [library for library in libraries(major) if library.read_version(load) is None]


def describe_missing(absent: list[Library]) -> str:
    """One line: what is missing and what brings it."""
    names = ", ".join(f"{library.file} ({library.what})" for library in absent)
    lines = dict.fromkeys(library.install for library in absent)
    return f"missing: {names}; {' and '.join(_as_advice(line) for line in lines)}"


def _as_advice(line: str) -> str:
    return f"run {line}" if line.startswith("pip ") else line
