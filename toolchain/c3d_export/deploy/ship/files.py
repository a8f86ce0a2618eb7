"""The two file systems that `place` puts bundles into: this machine's, and one behind ssh."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import re
import shlex
from collections.abc import Iterator
from functools import partial
from typing import Final

from ...core.errors import DiskError, MissingInputError
from ...runtime.remote.deadline import Deadline, Progress, Write
from ...runtime.remote.sftp import Sftp
from ...runtime.remote.sftpwire import Attributes
from ...runtime.remote.ssh import run
from ...runtime.remote.target import SshTarget

_PIECE: Final = 1 << 20


class LocalFiles:
    """Folders of this machine, mounted ones too; see `place.Files`."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline

    def stat(self, path: str) -> Attributes | None:
        return self._attributes(path, follow=True)

    def lstat(self, path: str) -> Attributes | None:
        return self._attributes(path, follow=False)

    def entries(self, folder: str) -> dict[str, Attributes]:
        with _errors(folder):
            names = os.listdir(folder)
        found = {name: self.lstat(os.path.join(folder, name)) for name in names}
        return {name: entry for name, entry in found.items() if entry is not None}

    def digest(self, path: str, length: int) -> str:
        result = hashlib.sha256()
        with _errors(path), open(path, "rb") as file:
            while length and (piece := file.read(min(length, _PIECE))):
                self._deadline.left()
                result.update(piece)
                length -= len(piece)
        return result.hexdigest()

    @contextlib.contextmanager
    def writing(self, path: str, *, fresh: bool) -> Iterator[Write]:
        flags = os.O_WRONLY | os.O_NOFOLLOW | (os.O_CREAT | os.O_EXCL if fresh else 0)
        with _errors(path), open(os.open(path, flags, 0o644), "wb", buffering=0) as file:
            yield partial(self._write, file)

    def _write(self, file: io.FileIO, offset: int, data: memoryview, progress: Progress) -> None:
        file.seek(offset)
        while offset < len(data):
            self._deadline.left()
            written = file.write(data[offset : offset + _PIECE])
            offset += written
            progress(written)
        file.truncate(len(data))
        os.fsync(file.fileno())

    def rename(self, old: str, new: str) -> None:
        with _errors(new):
            os.replace(old, new)
        _flush(os.path.dirname(new) or ".")

    def remove(self, path: str) -> None:
        with _errors(path):
            os.unlink(path)

    def _attributes(self, path: str, *, follow: bool) -> Attributes | None:
        try:
            with _errors(path):
                found = os.stat(path, follow_symlinks=follow)
        except MissingInputError:
            return None
        return Attributes(found.st_size, found.st_mode, int(found.st_mtime))


@contextlib.contextmanager
def _errors(path: str) -> Iterator[None]:
    """MissingInputError where something is not there, DiskError for the rest."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingInputError(f"{path} is not there; check the folder") from error
    except (OSError, ValueError) as error:
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        advice = "free some space" if full else "look at its rights and its disk"
        raise DiskError(f"{path}: {getattr(error, 'strerror', None) or error}; {advice}") from error


def _flush(folder: str) -> None:
    """Makes a rename last. Some network file systems cannot; the rename is done all the same."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


class RemoteFiles(Sftp):
    """Folders behind ssh; what is there is hashed there, where that host has a command for it."""

    def __init__(self, target: SshTarget, deadline: Deadline) -> None:
        super().__init__(target, deadline)
        self._limit = deadline

    def digest(self, path: str, length: int) -> str:
        # Login scripts may print something too.
        found = re.search(r"^([0-9a-f]{64})\s", self._printed(path, length), re.MULTILINE)
        # An account for SFTP alone has no commands: then we fetch what is to be hashed.
        return found[1] if found else super().digest(path, length)

    def _printed(self, path: str, length: int) -> str:
        # Commands start in the home folder as SFTP does; "./" keeps a dash from being an option.
        quoted = shlex.quote(path if path.startswith("/") else f"./{path}")
        command = f"head -c {length} {quoted} | {{ sha256sum 2>/dev/null || shasum -a 256; }}"
        return run(self.target, f"exec sh -c {shlex.quote(command)}", self._limit).out
