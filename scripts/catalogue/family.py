"""Which networks can go on from, or learn from, one another: those with the same latents.

When the latents of all sizes change, bundles of before are of another family. They can still be
compared with, and they stay until something better comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from c3d_export.core.errors import BundleError
from c3d_export.models.spec import SIZES
from c3d_export.runtime.bundle import read_bundle

_COMMON: Final = ("latents", "base", "hyper", "qualities")

Family = tuple[Any, ...]


def _family(spec: Mapping[str, Any]) -> Family:
    return tuple(spec.get(name) for name in _COMMON)


def family_of_size(size: str) -> Family:
    """Of a network of this size that begins now."""
    return _family(SIZES[size].to_json())


def family_of_bundle(path: Path) -> Family | None:
    """None for what this package can no longer open."""
    try:
        return _family(read_bundle(path).manifest["spec"])
    except BundleError:
        return None
