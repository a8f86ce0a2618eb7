"""An SFTP client over the system's ssh: exact errors, resumable writes, atomic renames.

The command `sftp` is made for people: its batch mode tells neither why a write failed nor can it
rename over a file. The protocol itself is small, and OpenSSH's extensions have the rest:
posix-rename, fsync and statvfs (openssh's PROTOCOL, section 4).
"""

from __future__ import annotations

import hashlib
import posixpath
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Final

from ...core.errors import (
    AccessError,
    RemoteAnswerError,
    RemoteDiskError,
    RemoteError,
    UnreachableError,
)
from ...core.limits import MAX_REMOTE_ENTRIES
from . import sftpwire as wire
from .deadline import Deadline, Progress, Write, silent
from .sftpchannel import ON_THE_WAY, Channel
from .sftpwire import Attributes, Reader
from .target import SshTarget

# What every server takes in one packet; 32 of them on their way fill 100 Mbit/s at 80 ms.
_PIECE: Final = 32 << 10


class Sftp:
    """One connection; use it as a context. Not for several threads at once.

    Every method raises a leaf of RemoteError or RemoteAnswerError.
    """

    def __init__(self, target: SshTarget, deadline: Deadline) -> None:
        self.target, self._channel = target, Channel(target, deadline)

    def __enter__(self) -> Sftp:
        self._channel.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._channel.__exit__(kind, error, trace)

    def lstat(self, path: str) -> Attributes | None:
        """A link is not followed; None where there is nothing."""
        return self._attributes(wire.LSTAT, path)

    def stat(self, path: str) -> Attributes | None:
        """A link is followed; None where there is nothing."""
        return self._attributes(wire.STAT, path)

    def entries(self, folder: str) -> dict[str, Attributes]:
        """What is in a folder, by name; names that would lead out of it are an error."""
        handle = self._handle(wire.OPENDIR, folder, wire.text(folder))
        found: dict[str, Attributes] = {}
        while True:
            kind, reader = self._channel.ask(wire.READDIR, wire.text(handle))
            if kind == wire.STATUS:
                self._end_of_list(folder, reader)
                break
            self._channel.expect(kind, wire.NAME)
            found |= wire.names(reader)
            if len(found) > MAX_REMOTE_ENTRIES:
                raise RemoteAnswerError(f"{folder} has more than {MAX_REMOTE_ENTRIES} entries")
        self._close(folder, handle)
        return found

    @contextmanager
    def writing(self, path: str, *, fresh: bool) -> Iterator[Write]:
        """Opens a file; yields write(offset, data, progress), which writes data[offset:] to its
        place, makes the file as long as data and flushes it. What is in front of offset stays.

        fresh: the file is made, and must not be there; else it must be.
        """
        made = wire.FLAG_CREATE | wire.FLAG_EXCLUSIVE if fresh else 0
        flags = wire.number(wire.FLAG_WRITE | made) + wire.mode_attributes(0o644)
        with self._open(path, flags) as handle:
            yield partial(self._write, path, handle)

    def _write(
        self, path: str, handle: bytes, offset: int, data: memoryview, progress: Progress
    ) -> None:
        self._write_pieces(path, handle, offset, data, progress)
        cut = wire.text(handle) + wire.size_attributes(len(data))
        self._channel.done(path, *self._channel.ask(wire.FSETSTAT, cut))
        if b"fsync@openssh.com" in self._channel.extensions:
            self._extended(path, "fsync@openssh.com", wire.text(handle))

    def read(self, path: str, limit: int, progress: Progress = silent) -> Iterator[bytes]:
        """The pieces of a file; raises RemoteAnswerError where it has more than limit bytes."""
        with self._open(path, wire.number(wire.FLAG_READ) + wire.number(0)) as handle:
            kind, reader = self._channel.ask(wire.FSTAT, wire.text(handle))
            self._channel.expect(kind, wire.ATTRS)
            size = reader.attributes().size
            if size > limit:
                raise RemoteAnswerError(f"{path} has {size} bytes, more than the {limit} allowed")
            for piece in self._read_pieces(path, handle, size):
                progress(len(piece))
                yield piece

    def digest(self, path: str, length: int) -> str:
        """The SHA-256 of the first bytes of a file, which are fetched for it."""
        result = hashlib.sha256()
        with self._open(path, wire.number(wire.FLAG_READ) + wire.number(0)) as handle:
            for piece in self._read_pieces(path, handle, length):
                result.update(piece)
        return result.hexdigest()

    def rename(self, old: str, new: str) -> None:
        """Atomically, over a file that is there."""
        if b"posix-rename@openssh.com" not in self._channel.extensions:
            raise RemoteError(
                f"the SFTP server of {self.target.host} cannot replace a file in one step"
                " (posix-rename@openssh.com); use OpenSSH's there"
            )
        self._extended(new, "posix-rename@openssh.com", wire.text(old) + wire.text(new))

    def remove(self, path: str) -> None:
        """A file, or a link itself."""
        self._channel.done(path, *self._channel.ask(wire.REMOVE, wire.text(path)))

    def free_bytes(self, path: str) -> int | None:
        """What we may still write on that disk; None where the server does not tell."""
        name = "statvfs@openssh.com"
        if name.encode() not in self._channel.extensions:
            return None
        kind, reader = self._channel.ask(wire.EXTENDED, wire.text(name) + wire.text(path))
        if kind != wire.EXTENDED_REPLY:
            return None
        _, fragment, _, _, available = (reader.long() for _ in range(5))
        return fragment * available

    def _attributes(self, kind: int, path: str) -> Attributes | None:
        answer, reader = self._channel.ask(kind, wire.text(path))
        if answer == wire.STATUS:
            code = reader.number()
            if code == wire.NO_SUCH_FILE:
                return None
            raise self._channel.error(path, code, reader)
        self._channel.expect(answer, wire.ATTRS)
        return reader.attributes()

    @contextmanager
    def _open(self, path: str, flags: bytes) -> Iterator[bytes]:
        handle = self._handle(wire.OPEN, path, wire.text(path) + flags)
        yield handle
        self._close(path, handle)  # not after an error: the connection may be gone

    def _handle(self, kind: int, path: str, payload: bytes) -> bytes:
        answer, reader = self._channel.ask(kind, payload)
        if answer == wire.STATUS:
            raise self._channel.error(path, reader.number(), reader)
        self._channel.expect(answer, wire.HANDLE)
        return reader.text()

    def _close(self, path: str, handle: bytes) -> None:
        self._channel.done(path, *self._channel.ask(wire.CLOSE, wire.text(handle)))

    def _extended(self, path: str, name: str, payload: bytes) -> None:
        self._channel.done(path, *self._channel.ask(wire.EXTENDED, wire.text(name) + payload))

    def _write_pieces(
        self, path: str, handle: bytes, offset: int, data: memoryview, progress: Progress
    ) -> None:
        waiting: deque[tuple[int, int]] = deque()
        for start in range(offset, len(data), _PIECE):
            piece = data[start : start + _PIECE]
            payload = wire.text(handle) + wire.long(start) + wire.text(bytes(piece))
            waiting.append((self._channel.send(wire.WRITE, payload), len(piece)))
            if len(waiting) == ON_THE_WAY:
                self._written(path, *waiting.popleft(), len(data), progress)
        while waiting:
            self._written(path, *waiting.popleft(), len(data), progress)

    def _written(self, path: str, number: int, count: int, total: int, progress: Progress) -> None:
        kind, reader = self._channel.answer(number)
        self._channel.expect(kind, wire.STATUS)
        code = reader.number()
        if code != wire.OK:
            raise self._write_error(path, code, reader, total)
        progress(count)

    def _write_error(self, path: str, code: int, reader: Reader, total: int) -> RemoteError:
        """SFTP has no code for a full disk: a failure where there is no room is one."""
        error = self._channel.error(path, code, reader)
        free = self.free_bytes(posixpath.dirname(path) or ".")
        if isinstance(error, AccessError) or (free is not None and free >= total):
            return error
        room = "" if free is None else f": {free} bytes are free, {total} are needed"
        return RemoteDiskError(f"the disk or quota of {path} is full{room}; free some space there")

    def _read_pieces(self, path: str, handle: bytes, size: int) -> Iterator[bytes]:
        """Exactly size bytes, in order, several requests on their way."""
        starts, waiting = iter(range(0, size, _PIECE)), deque[tuple[int, int, int]]()
        while True:
            while len(waiting) < ON_THE_WAY and (start := next(starts, None)) is not None:
                count = min(_PIECE, size - start)
                waiting.append((self._ask_read(handle, start, count), start, count))
            if not waiting:
                return
            number, start, count = waiting.popleft()
            while count:
                piece = self._piece(path, number, count)
                yield piece
                start, count = start + len(piece), count - len(piece)
                if count:  # a server may send less than it was asked for
                    number = self._ask_read(handle, start, count)

    def _ask_read(self, handle: bytes, start: int, count: int) -> int:
        payload = wire.text(handle) + wire.long(start) + wire.number(count)
        return self._channel.send(wire.READ, payload)

    def _piece(self, path: str, number: int, count: int) -> bytes:
        kind, reader = self._channel.answer(number)
        if kind == wire.STATUS:
            code = reader.number()
            if code == wire.EOF:
                raise UnreachableError(f"{path} became shorter while it was read; try again")
            raise self._channel.error(path, code, reader)
        self._channel.expect(kind, wire.DATA)
        piece = reader.text()
        if not 1 <= len(piece) <= count:
            raise RemoteAnswerError(f"{self.target.host} answered a read with a wrong length")
        return piece

    def _end_of_list(self, folder: str, reader: Reader) -> None:
        code = reader.number()
        if code != wire.EOF:
            raise self._channel.error(folder, code, reader)
