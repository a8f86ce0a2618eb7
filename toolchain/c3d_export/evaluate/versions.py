"""The libraries that numbers depend on, by name, and the host that times depend on."""

from __future__ import annotations

import importlib
import platform
from functools import cache
from importlib import metadata
from typing import Final

from PIL import features

from c3d_export import __version__
from c3d_export.core.processes import cores
from c3d_export.evaluate import vmaf

_DISTRIBUTIONS: Final = ("numpy", "pillow", "imagecodecs", "av", "bjontegaard")
_PILLOW: Final = {"libjpeg-turbo": "libjpeg_turbo", "libwebp": "webp", "libavif": "avif"}


def library_versions() -> dict[str, str]:
    """Name to version; a library that this host lacks is left out."""
    return dict(_versions())


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    found = {"c3d-export": __version__, "python": platform.python_version()}
    found |= {name: _distribution(name) for name in _DISTRIBUTIONS}
    found["onnxruntime"] = _distribution("onnxruntime") or _distribution("onnxruntime-gpu")
    found |= {name: features.version(key) or "" for name, key in _PILLOW.items()}
    found["libjxl"] = _libjxl()
    found |= _ffmpeg()
    found["ffmpeg of vmaf"] = vmaf.version()
    return tuple(sorted((name, version) for name, version in found.items() if version))


def environment() -> dict[str, str | int]:
    """The host: what it is, and how many cores this process may use."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": cores(),
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model n")]
    except OSError:  # not Linux
        names = []
    return names[-1] if names else platform.processor()


def _distribution(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _libjxl() -> str:
    try:
        codecs = importlib.import_module("imagecodecs")
        return str(codecs.jpegxl_version()).removeprefix("libjxl ")
    except (ImportError, AttributeError):
        return ""


def _ffmpeg() -> dict[str, str]:
    """Of PyAV's libraries the one that has the codecs; x264, x265 and SVT-AV1 come with PyAV."""
    try:
        av = importlib.import_module("av")
    except ImportError:
        return {}
    numbers = av.library_versions.get("libavcodec", ())
    return {"libavcodec": ".".join(map(str, numbers))}
