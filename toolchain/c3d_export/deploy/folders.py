"""A folder that appears whole or not at all.

It is made under a temporary name and renamed. Who makes it holds a lock on it until then, so that
the next one can tell what a killed process left, and removes that.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ..core.errors import DiskError
from ..core.folders import temporary_folder

_NO_FOLDER_SYNC: Final = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EBADF})


@contextlib.contextmanager
def new_folder(target: Path, scratch: Path | None = None) -> Iterator[Path]:
    """Yields a temporary folder beside `target`, and publishes it when the block succeeds.

    `target` must not exist, or be an empty folder; its parents are made. scratch: another place for
    the temporary folder, on the same file system. Any exception of the block removes it. Raises
    DiskError.
    """
    target = Path(os.path.abspath(target))
    with _disk_errors(target):
        if target.is_symlink() or (target.exists() and not _is_empty(target)):
            raise DiskError(f"{target} exists and is no empty folder; choose a new one")
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(target.name, scratch or target.parent) as made:
            yield made
            _sync(made)
            os.replace(made, target)
        _sync_one(target.parent)


@contextlib.contextmanager
def _disk_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        advice = "free some space" if error.errno == errno.ENOSPC else "choose another folder"
        raise DiskError(f"cannot write {target}: {reason}; {advice}") from error


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _sync(folder: Path) -> None:
    """Flushes all files and folders in it to the disk."""
    for root, _, files in os.walk(folder):
        for name in files:
            _sync_one(Path(root) / name)
        _sync_one(Path(root))


def _sync_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:  # some network file systems cannot flush a folder
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)
