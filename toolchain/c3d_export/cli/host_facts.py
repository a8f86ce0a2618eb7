"""What `doctor` reads from the host itself: processor, coder kernel, GPU driver, CUDA's libraries.

Everything here tells what is there and judges nothing; a host without a GPU is a healthy host.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..runtime.cuda import Library

# What int8 kernels and the coder use, from the slowest to the fastest.
_CPU_FLAGS = (
    "sse4_1",
    "avx2",
    "avx_vnni",
    "avx512bw",
    "avx512_vnni",
    "amx_int8",
    "asimddp",
    "i8mm",
)

# nvidia-smi waits for a driver that hangs.
_SMI_SECONDS = 10


def cpu_features(cpuinfo: Path) -> str:
    """The processor's name and what of the features for int8 it has."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    table = {key.strip(): value.strip() for key, value in fields.items()}
    flags = set((table.get("flags") or table.get("Features") or "").split())
    found = [flag for flag in _CPU_FLAGS if flag in flags]
    return f"{table.get('model name', platform.machine())}: {' '.join(found) or 'no int8 features'}"


def coder_kernel() -> str:
    """Which code of the entropy coder this processor runs; all read and write the same streams."""
    from .. import _arith

    kernels = {
        "AVX-512": _arith.KERNEL_AVX512,
        "AVX2": _arith.KERNEL_AVX2,
        "portable": _arith.KERNEL_PORTABLE,
    }
    return next(name for name, kernel in kernels.items() if _arith.kernel_available(kernel))


def convolution_kernel() -> str:
    """The same for convolutions of integers; all kernels give the same numbers."""
    from .. import _native
    from ..runtime.hyperprior.packing import FASTEST

    names = ("portable", "AVX2", "AVX-512", "AVX-512 VNNI")
    return names[_native.convolution_kernel(FASTEST)]


def gpu_driver() -> str | None:
    """GPUs and driver as nvidia-smi tells them; None where it is absent or has nothing to tell."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    query = [program, "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(
            query, capture_output=True, text=True, timeout=_SMI_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    gpus = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    return "; ".join(gpus) if gpus and done.returncode == 0 else None


def cuda_libraries(major: int) -> tuple[str, list[Library]]:
    """What was found, with versions, and what was not."""
    from ..runtime.cuda import libraries

    versions = {library: library.read_version() for library in libraries(major)}
    found = [f"{lib.what} {version}".strip() for lib, version in versions.items() if version]
    found += [library.what for library, version in versions.items() if version == ""]
    return ", ".join(found), [library for library, version in versions.items() if version is None]
