"""Training frames for the commands that need them: decoded once, with a bar while that lasts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .data_notes import bar
from .output import note

if TYPE_CHECKING:
    from ..data.cropstore import CropStore
    from ..data.workspace import Workspace
    from ..train.service import TrainingFrames

_MUCH = 1_000_000_000
"""Bytes on the disk that a user wants to hear of."""


def gather_frames(
    workspace: Workspace, games: Sequence[str], *, most: int | None = None
) -> TrainingFrames:
    """The training frames of these games, those that cannot be read named on stderr.

    most: how many at most, evenly spread; None for all that can be mapped. Raises as
    `train.service.gather`.
    """
    from ..data.cropstore_room import MAX_STORE_BYTES
    from ..data.locate import data_roots
    from ..train.service import MAX_FRAMES, gather

    roots, store = data_roots(workspace), frame_store(workspace)
    with bar("frames") as told:
        frames = gather(store, roots, games, most=most or MAX_FRAMES, told=told)
    for path, reason in frames.skipped:
        note(f"skipped {path}: {reason}")
    if frames.written >= _MUCH:
        gigabytes = f"{frames.written / 1e9:.1f} GB"
        most_kept = f"{MAX_STORE_BYTES / 1e9:.0f} GB"
        note(f"decoded frames: {gigabytes} more in {store.root}; {most_kept} stay, those used last")
    return frames


def frame_store(workspace: Workspace) -> CropStore:
    """The store of the workspace, which says so when it waits for another process."""
    from ..data.cropstore import CropStore

    return CropStore(
        workspace.decoded, lambda: note("another process decodes frames; waiting for it")
    )
