"""Room on the disk for decoded frames: what is free, and frames that may go."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final

from ..core.atomic import remove_litter
from ..core.errors import DiskError
from ..core.limits import MIB
from .cropstore_file import SUFFIX

# 24,000 frames of 720p: the sets of some games. The frames of one run may take more.
MAX_STORE_BYTES: Final = 65_536 * MIB

# What must be left on the disk for checkpoints and logs of the run.
RESERVE: Final = 256 * MIB


@contextlib.contextmanager
def room(root: Path, left: Callable[[], int], used: Collection[str]) -> Iterator[None]:
    """A block that writes `left()` bytes more of frames into a store.

    Frames that are not in `used` go if there is no room else; what killed processes left goes in
    any case. Raises a DiskError that says how much is needed, before the block or when it fails.
    """
    remove_litter(root)
    _remove_oldest(root, left() - _free(root), used)
    _check(root, left())
    try:
        yield
    except DiskError:
        _check(root, left())
        raise


def keep_limit(root: Path, used: Collection[str]) -> None:
    """Removes frames that are not in `used` until all take MAX_STORE_BYTES at most."""
    total = sum(size for _, size, _ in _entries(root))
    _remove_oldest(root, total - MAX_STORE_BYTES, used)


def _free(root: Path) -> int:
    """Bytes; below 0 where the reserve is touched."""
    return shutil.disk_usage(root).free - RESERVE


def _check(root: Path, needed: int) -> None:
    free = _free(root)
    if needed > max(0, free):
        raise DiskError(
            f"the decoded frames take {needed / 1e9:.1f} GB more in {root}, and there is room for"
            f" {max(0, free) / 1e9:.1f} GB; free some space, train on fewer --games, or make that"
            " folder a link to one on a larger disk"
        )


def _remove_oldest(root: Path, surplus: int, used: Collection[str]) -> None:
    """Removes frames of so many bytes, as far as there are, those of the longest ago first."""
    if surplus <= 0:
        return
    for _, size, path in sorted(_entries(root)):
        if path.name.removesuffix(SUFFIX) not in used:
            path.unlink(missing_ok=True)
            surplus -= size
            if surplus <= 0:
                return


def _entries(root: Path) -> list[tuple[int, int, Path]]:
    """Time of the last use, size and path of each frame."""
    with os.scandir(root) as found:
        frames = [(entry.stat(), Path(entry)) for entry in found if entry.name.endswith(SUFFIX)]
    return [(status.st_mtime_ns, status.st_size, path) for status, path in frames]
