"""Learnt overlays in a workspace: one file for each game, learnt again when its frames change."""

from __future__ import annotations

import io
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from ..core.atomic import remove_litter, write_bytes_atomic
from ..core.errors import ImageError
from ..data.frames import frames_digest, load_frames, scene
from ..data.locate import data_roots, locate_game
from ..data.workspace import Workspace, check_name
from .learn import Told, learn_overlay
from .pack import LearntOverlay

MOST_FRAMES: Final = 96
"""Clusters take time with the square of the frames, and are settled by some dozens."""
LEARNER: Final = 1
"""To be raised when the same frames give another overlay."""
_FIELDS: Final = ("size", "place", "group", "pixels", "shares", "saved")
# What numpy and zipfile raise for a damaged archive, or for another file of this name.
_DAMAGED: Final = (
    *(OSError, ValueError, KeyError, EOFError, TypeError, RuntimeError, MemoryError, SyntaxError),
    *(tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)


def load_or_learn(
    workspace: Workspace, game: str, told: Told | None = None
) -> LearntOverlay | None:
    """The overlay of a game's training frames; None where they show none.

    Raises MissingDataError where the game has no frames, ImageError where none can be read.
    """
    paths = _evenly(locate_game(data_roots(workspace), game, "train"), MOST_FRAMES)
    digest = f"{frames_digest(paths)} {LEARNER}"
    file = workspace.overlays / f"{check_name(game, 'game')}.npz"
    kept = _load(file, digest)
    if kept is None:
        kept = _learn(paths, told)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_bytes_atomic(file, _packed(kept, digest))
        remove_litter(file.parent, file.name)  # of one that was killed here
    return kept[0] if kept else None


def _evenly(paths: Sequence[Path], count: int) -> list[Path]:
    return [paths[i] for i in np.unique(np.linspace(0, len(paths) - 1, count).round().astype(int))]


def _learn(paths: Sequence[Path], told: Told | None) -> tuple[LearntOverlay, ...]:
    """One overlay or none, from the frames of the most frequent size."""
    frames, skipped = load_frames(paths)
    if not frames:
        raise ImageError(f"no frame can be read: {skipped[0][1]}")
    bad = {path for path, _ in skipped}
    names = [scene(path) for path in paths if path not in bad]
    sizes, counts = np.unique([frame.shape[:2] for frame in frames], axis=0, return_counts=True)
    size = tuple(sizes[counts.argmax()])
    chosen = [n for n, frame in enumerate(frames) if frame.shape[:2] == size]
    stacked = np.stack([frames[n] for n in chosen])
    learnt = learn_overlay(stacked, [names[n] for n in chosen], told)
    return () if learnt is None else (learnt,)


def _packed(kept: tuple[LearntOverlay, ...], digest: str) -> bytes:
    buffer = io.BytesIO()
    arrays = {name: np.asarray(getattr(learnt, name)) for learnt in kept for name in _FIELDS}
    about = {"digest": np.array(digest), "found": np.array(len(kept))}
    np.savez_compressed(buffer, allow_pickle=False, **about, **arrays)
    return buffer.getvalue()


def _load(file: Path, digest: str) -> tuple[LearntOverlay, ...] | None:
    """What was learnt of these frames; None where nothing was, or what is there is damaged."""
    try:
        with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as arrays:
            if str(arrays["digest"]) != digest:
                return None
            if not arrays["found"]:
                return ()
            size = (int(arrays["size"][0]), int(arrays["size"][1]))
            rest = [arrays[name] for name in _FIELDS[1:]]
    except _DAMAGED:
        return None
    return (LearntOverlay(size, *rest),)
