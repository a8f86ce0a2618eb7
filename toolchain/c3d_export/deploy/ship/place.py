"""Puts a bundle into a folder, here or far: resumable, atomic, and nothing is sent twice.

A part file is named after the digest of what it becomes and after who writes it. A transfer goes on
with the largest part that it finds, which it first renames to its own: only who has it under a name
of its own publishes it. Where its writer still lives, both write the same bytes to the same places,
and the one whose part was taken over waits for the other one. What a part holds is hashed before it
is gone on with, since a crash of that machine can lose what was written.
"""

from __future__ import annotations

import contextlib
import hashlib
import posixpath
import secrets
import time
from contextlib import AbstractContextManager
from typing import Final, Protocol

from ...core.atomic import TEMP_SUFFIX
from ...core.errors import (
    C3DError,
    DiskError,
    MissingInputError,
    RemoteDiskError,
    RemoteMissingError,
    UnreachableError,
)
from ...runtime.remote.deadline import Progress, Write
from ...runtime.remote.sftpwire import Attributes
from .parcel import Parcel

# Parts of other bundles of the name that nobody wrote to for so long belong to killed processes.
_ABANDONED_SECONDS: Final = 24 * 3600
_NAME_PART: Final = 40
# A ship loses its part only to a living one, for which it then waits: as long as its own try took,
# twice over, and some seconds.
_TRIES: Final = 10
_SECONDS: Final = 3.0
_LOOK: Final = 0.1
GONE: Final = (MissingInputError, RemoteMissingError)


class Files(Protocol):
    """What a folder of bundles needs of a file system. Paths are text, with slashes.

    Every method raises leaves of C3DError: one of GONE where a file is not there. `writing` is as
    `Sftp.writing` says.
    """

    def stat(self, path: str) -> Attributes | None: ...
    def lstat(self, path: str) -> Attributes | None: ...
    def entries(self, folder: str) -> dict[str, Attributes]: ...
    def digest(self, path: str, length: int) -> str: ...
    def writing(self, path: str, *, fresh: bool) -> AbstractContextManager[Write]: ...
    def rename(self, old: str, new: str) -> None: ...
    def remove(self, path: str) -> None: ...


def part_name(parcel: Parcel) -> str:
    """A new name; hidden, and by its ending litter for everybody who looks for that."""
    return f"{_beginning(parcel)}{secrets.token_hex(6)}{TEMP_SUFFIX}"


def _beginning(parcel: Parcel) -> str:
    return f".{parcel.file[:_NAME_PART]}.{parcel.sha256[:16]}."


def place(files: Files, folder: str, parcel: Parcel, progress: Progress) -> bool:
    """False where the bundle was there already; progress hears of the bytes that are sent."""
    found = files.stat(folder)
    if found is None or not found.is_folder:
        raise MissingInputError(f"there is no folder {folder}; create it, or mount it")
    final = posixpath.join(folder, parcel.file)
    for attempt in range(_TRIES):
        if _is_there(files, final, parcel):
            _sweep(files, folder, parcel, final)
            return attempt > 0
        start, before = time.monotonic(), files.lstat(final)
        try:
            part = _filled(files, folder, parcel, progress)
            files.rename(part, final)
        except GONE:
            _await_another(files, final, before, 2 * (time.monotonic() - start) + _SECONDS)
            continue
        _sweep(files, folder, parcel, final)
        return True
    raise UnreachableError(f"others ship to {final} at the same time; ship again after them")


def _await_another(files: Files, final: str, before: Attributes | None, seconds: float) -> None:
    """Until the ship that has taken our part over has published it, or seems to have died."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if files.lstat(final) != before:
            return
        time.sleep(_LOOK)


def _is_there(files: Files, path: str, parcel: Parcel) -> bool:
    """A link of that name is replaced, whatever it leads to."""
    found = files.lstat(path)
    if found is not None and found.is_folder:
        raise DiskError(f"{path} is a folder; remove it, or rename the bundle")
    if found is None or not found.is_file or found.size != len(parcel.data):
        return False
    return files.digest(path, found.size) == parcel.sha256


def _filled(files: Files, folder: str, parcel: Parcel, progress: Progress) -> str:
    """The path of a part of our own that has all of the bundle."""
    data, part = memoryview(parcel.data), posixpath.join(folder, part_name(parcel))
    found = _taken_over(files, folder, parcel, part)
    try:
        # It is opened first: then it may lose its name, and is filled all the same.
        with files.writing(part, fresh=found is None) as write:
            write(_start(files, part, found, data) if found else 0, data, progress)
    except (DiskError, RemoteDiskError):
        _remove(files, part)  # a full disk is not left full
        raise
    return part


def _start(files: Files, part: str, found: Attributes, data: memoryview) -> int:
    """How much of a part is as it should be: all that is there, or nothing."""
    size = min(found.size, len(data))
    with contextlib.suppress(*GONE):
        if files.digest(part, size) == hashlib.sha256(data[:size]).hexdigest():
            return size
    return 0


def _taken_over(files: Files, folder: str, parcel: Parcel, part: str) -> Attributes | None:
    """Renames the largest part that is there to ours; None where there is none."""
    names = _parts(files.entries(folder), _beginning(parcel))
    for name in sorted(names, key=lambda name: -names[name].size):
        try:
            files.rename(posixpath.join(folder, name), part)
        except GONE:
            continue
        return files.lstat(part)
    return None


def _parts(entries: dict[str, Attributes], beginning: str) -> dict[str, Attributes]:
    """Regular files only: a link would be followed."""
    return {
        name: found
        for name, found in entries.items()
        if name.startswith(beginning) and name.endswith(TEMP_SUFFIX) and found.is_file
    }


def _sweep(files: Files, folder: str, parcel: Parcel, final: str) -> None:
    """Removes parts of this bundle, which is published, and old ones of others of its name.

    By the clock of that machine: ours may differ.
    """
    now = files.lstat(final)
    for name, found in _parts(files.entries(folder), f".{parcel.file[:_NAME_PART]}.").items():
        old = now is not None and found.modified < now.modified - _ABANDONED_SECONDS
        if old or name.startswith(_beginning(parcel)):
            _remove(files, posixpath.join(folder, name))


def _remove(files: Files, path: str) -> None:
    # What stays is litter at worst, and the error that matters is another one.
    with contextlib.suppress(C3DError):
        files.remove(path)
