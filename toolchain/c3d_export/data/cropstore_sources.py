"""The SHA-256 of files that were read before, so that a start need not read a whole set again.

A file is the one of before where device, inode, size and both times are: nobody can set the time
of the last change of an inode. A file that changed a moment before it was read is not noted, since
it could change again within one tick of the clock.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from ..core import jsonio
from ..core.atomic import write_bytes_atomic
from ..core.digest import sha256_bytes, sha256_file
from ..core.errors import C3DError, CorruptError
from ..core.limits import MIB

RACY: Final = 2_000_000_000
"""Nanoseconds: clocks of file systems tick in milliseconds, of FAT in two seconds."""

# 100,000 files, those of some sets; one takes 150 bytes.
MAX_BYTES: Final = 16 * MIB
MAX_SOURCES: Final = 100_000


class Sources:
    """Identity -> SHA-256 in hexadecimal; kept in a file, which may be lost or damaged."""

    def __init__(self, path: Path) -> None:
        self._path, self._changed = path, False
        self._known = _read(path)

    def digest(self, path: Path) -> str:
        """The SHA-256 of a file, which is read where it is not known; raises MissingInputError."""
        name = _identity(path)
        if name in self._known:
            return self._known[name]
        digest = sha256_file(path)
        if name:
            self._known[name], self._changed = digest, True
        return digest

    def save(self) -> None:
        """Writes what is new; raises DiskError."""
        if not self._changed:
            return
        while len(self._known) > MAX_SOURCES:
            del self._known[next(iter(self._known))]
        body = jsonio.dumps(self._known, max_bytes=MAX_BYTES)
        write_bytes_atomic(self._path, sha256_bytes(body).encode() + b"\n" + body)
        self._changed = False


def _identity(path: Path) -> str:
    """What changes whenever the contents of a file do, and '' where that is not certain yet."""
    try:
        status = path.stat()
    except OSError:  # reading it says what is wrong
        return ""
    changed = max(status.st_mtime_ns, status.st_ctime_ns)
    if time.time_ns() - changed < RACY:
        return ""
    fields = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return ".".join(map(str, fields))


def _read(path: Path) -> dict[str, str]:
    try:
        digest, _, body = path.read_bytes().partition(b"\n")
        if digest != sha256_bytes(body).encode():
            return {}
        known = jsonio.loads(body, CorruptError, max_bytes=MAX_BYTES)
    except (OSError, C3DError):
        return {}
    return known if isinstance(known, dict) else {}
