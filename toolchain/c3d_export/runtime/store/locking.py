"""One writer at a time, whichever processes and threads there are."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ...core.atomic import make_folders
from ...core.errors import DiskError

PATIENCE: Final = 60.0
"""Seconds until a writer gives up. Writing takes a second, so that the other one hangs."""
_PAUSE: Final = 0.01


@contextlib.contextmanager
def locked(path: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Holds the lock of a file, which is made where it lacks and stays.

    The kernel takes the lock away from a process that dies. Raises DiskError where the file cannot
    be made, or another process holds it for longer than `patience` seconds.
    """
    make_folders(path.parent)
    descriptor = _open(path)
    try:
        _acquire(descriptor, path, time.monotonic() + patience)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise DiskError(
            f"cannot write {path}: {error.strerror}; choose a store that you may write (C3D_STORE)"
        ) from error


def _acquire(descriptor: int, path: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise DiskError(
                    f"another process is changing the store and does not end: it holds {path}; stop"
                    " it (`fuser` tells which) and run this again"
                ) from error
        except OSError as error:
            raise DiskError(f"cannot lock {path}: {error.strerror}; use a local disk") from error
        time.sleep(_PAUSE)
