"""Where a bundle comes from: what its manifest says under `provenance`.

Neither times nor hosts nor paths are in it: the same network, frames and libraries give the same
bytes, wherever and whenever.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from typing import Any, Final

from .. import __version__
from ..runtime.images import Frame

_LIBRARIES: Final = ("numpy", "onnx", "onnxruntime", "onnxruntime-gpu", "torch")


@dataclass(frozen=True)
class Provenance:
    """What a bundle says of itself. game: "" for a generic codec. training: how it was made, stage
    by stage. fitted: the frames that tables and ranges were fitted to (`frames_record`)."""

    name: str
    game: str = ""
    licence: str = "unknown"
    training: dict[str, Any] = field(default_factory=dict)
    fitted: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The entry of the manifest: versions of what made it, hashes of the frames."""
        stages = self.training.get("stages", [])
        data = [stage["frames"] for stage in stages if "frames" in stage]
        distinct = [entry for index, entry in enumerate(data) if entry not in data[:index]]
        return {"versions": dict(versions()), "trained_on": distinct, "fitted_to": self.fitted}


@cache
def versions() -> tuple[tuple[str, str], ...]:
    """Name and version of this package, of Python and of the libraries that an export goes through,
    those that are installed."""
    found = {"c3d-export": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return tuple(sorted(found.items()))


def frames_record(frames: Sequence[Frame]) -> dict[str, Any]:
    """Number of the frames, uint8 (H, W, 3), and the SHA-256 over their sizes and pixels in order:
    of each its height and width as "HxW\\n" in ASCII, then its bytes."""
    digest = hashlib.sha256()
    for frame in frames:
        digest.update(f"{frame.shape[0]}x{frame.shape[1]}\n".encode())
        digest.update(frame.tobytes())
    return {"frames": len(frames), "pixels": digest.hexdigest()}
