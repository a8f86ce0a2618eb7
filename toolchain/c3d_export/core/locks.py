"""Locks of files that the kernel takes away from a process that dies, so that none is ever stale.

They also hold between hosts where the file system passes flock on (NFS 4 does).
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from c3d_export.core.atomic import disk_errors
from c3d_export.core.errors import BusyError, DiskError

try:
    import fcntl
except ImportError:  # Windows; nothing is locked there
    fcntl = None  # type: ignore[assignment]

# `is_locked` holds a lock for some microseconds, which must not look like a process at work.
_PATIENCE: Final = 0.5
_PAUSE: Final = 0.02
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)


def open_locked(path: Path, busy: str) -> int:
    """A descriptor of the file, which is made where it lacks; it is locked until that is closed.

    Raises BusyError with the message `busy` where another process holds the lock, DiskError where
    the file cannot be made. File systems without locks grant it to everybody.
    """
    with disk_errors(path):
        descriptor = os.open(path, _FLAGS, 0o644)
    try:
        _lock(descriptor)
    except BlockingIOError as error:
        os.close(descriptor)
        raise BusyError(busy) from error
    return descriptor


@contextlib.contextmanager
def locked(
    path: Path, waits: Callable[[], None] = lambda: None, *, needed: bool = False
) -> Iterator[None]:
    """Holds the lock of a folder, or of a file, which is made where it lacks; waits for another one
    as long as it takes, and calls `waits` once before that.

    Raises DiskError where the file cannot be made, and, if the lock is `needed`, where the file
    system has none; otherwise that grants it to everybody.
    """
    with disk_errors(path):
        descriptor = os.open(path, os.O_RDONLY if path.is_dir() else _FLAGS, 0o644)
    try:
        try:
            _lock(descriptor, needed)
        except BlockingIOError:
            waits()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            message = f"cannot lock {path}: {error.strerror}; use a local disk"
            raise DiskError(message) from error
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, needed: bool = False) -> None:
    deadline = time.monotonic() + _PATIENCE
    while fcntl is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
        except OSError:
            if needed:
                raise
            break
        time.sleep(_PAUSE)


def is_locked(path: Path) -> bool:
    """Whether a process that lives has the file locked; not where there is no such file."""
    if fcntl is None:
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        # Shared, so that two that look at the same moment do not see one another.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False
