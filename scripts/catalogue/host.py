"""What the figures were measured on: processor, memory, GPU, versions."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from c3d_export.cli.host_facts import cpu_features, gpu_driver


def cores() -> int:
    """Those that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # only Linux has it
        return os.cpu_count() or 1


def hardware() -> dict[str, Any]:
    """Without the machine's name, and with nothing of its owner."""
    found: dict[str, Any] = {
        "cpu": cpu_features(Path("/proc/cpuinfo")),
        "cores": cores(),
        "system": f"{platform.system()} on {platform.machine()}",
        "python": platform.python_version(),
    }
    if memory := _memory_gb():
        found["memory_gb"] = memory
    if gpu := gpu_driver():
        found["gpu"] = gpu
    for name in ("c3d-export", "torch", "onnxruntime", "onnxruntime-gpu", "numpy"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _memory_gb() -> int:
    """0 where the system does not tell."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9)
    except (AttributeError, ValueError, OSError):
        return 0
