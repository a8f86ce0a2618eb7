"""A folder that appears whole or not at all.

It is made under a temporary name and renamed. Who makes it holds a lock on it until then, so that
the next one can tell what a killed process left, and removes that.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ..core.atomic import TEMP_SUFFIX
from ..core.errors import DiskError

try:
    import fcntl
except ImportError:  # Windows: without locks litter stays
    fcntl = None  # type: ignore[assignment]

_NAME_PART: Final = 40
"""Of a temporary name, as in `core/atomic.py`."""
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
        with _temporary(target.name, scratch or target.parent) as made:
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


@contextlib.contextmanager
def _temporary(name: str, place: Path) -> Iterator[Path]:
    """A new folder, locked, after what killed makers of this name left was removed; whatever still
    has its name in the end is removed too."""
    start = f".{name[:_NAME_PART]}."
    for path in place.iterdir():
        if path.name.startswith(start) and path.name.endswith(TEMP_SUFFIX) and _is_dead(path):
            shutil.rmtree(path, ignore_errors=True)
    made = place / f"{start}{secrets.token_hex(6)}{TEMP_SUFFIX}"
    made.mkdir()
    descriptor = os.open(made, os.O_RDONLY)
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield made
    finally:
        os.close(descriptor)
        shutil.rmtree(made, ignore_errors=True)


def _is_dead(folder: Path) -> bool:
    """Whether nobody makes this folder any more."""
    if fcntl is None or folder.is_symlink() or not folder.is_dir():
        return False
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


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
