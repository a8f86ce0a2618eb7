"""Twenty golden streams over the released formats, the families and the kinds of overlay."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from c3d_export.runtime.codec import Codec, open_codec

from .subjects import ROOT

FOLDER: Final = ROOT / "tests" / "golden"
NAMES: Final = (
    # Version 4, one of two slices.
    "v4/1x1-q1",
    "v4/16x16-q2",
    "v4/31x17-q3",
    "v4/104x72-q2",
    "v4/1280x720-q1",
    # Of a bundle that has an overlay: version 4, which shows none of it.
    "v5/1x1-q3",
    "v5/31x17-q1",
    "v5/104x72-q3",
    # Version 5: whole groups of tiles, and groups of which tiles are missing. Tiles are opaque and
    # tinted.
    "v5/104x72-all-q1",
    "v5/104x72-all-q3",
    "v5/104x72-group-q1",
    "v5/104x72-group-q3",
    "v5/104x72-part-q2",
    "v5/104x72-part-q3",
    # Families with float transforms, without a context model, with one, coarse to fine.
    "families/mbt2018-mean/31x17",
    "families/mbt2018-mean/104x72",
    "families/mbt2018/1x1",
    "families/mbt2018/104x72",
    "families/c2f/31x17",
    "families/c2f/104x72",
)


@dataclass(frozen=True)
class Golden:
    """A stream, and its bundle's file."""

    name: str
    bundle: Path
    stream: bytes

    @property
    def codec(self) -> Codec:
        """On one thread, so that a thread's processor time is all that a decode takes; shared."""
        return _codec(self.bundle)


@cache
def _codec(bundle: Path) -> Codec:
    return open_codec(bundle, threads=1)


def golden(name: str) -> Golden:
    path = FOLDER / f"{name}.c3s"
    return Golden(name, path.parent / "tiny.c3b", path.read_bytes())


def all_golden() -> list[Golden]:
    return [golden(name) for name in NAMES]
