"""Locks of files that the kernel takes away from a process that dies, so that none is ever stale.

They also hold between hosts where the file system passes flock on (NFS 4 does).
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from c3d_export.core.atomic import disk_errors
from c3d_export.core.errors import BusyError

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


def _lock(descriptor: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while fcntl is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
        except OSError:
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
