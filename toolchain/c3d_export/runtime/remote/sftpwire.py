"""Packets of SFTP version 3 (draft-ietf-secsh-filexfer-02), the version that OpenSSH speaks."""

from __future__ import annotations

import stat
import struct
from dataclasses import dataclass
from typing import Final

from ...core.errors import RemoteAnswerError

INIT, VERSION = 1, 2
OPEN, CLOSE, READ, WRITE, LSTAT, FSTAT = 3, 4, 5, 6, 7, 8
FSETSTAT, OPENDIR, READDIR, REMOVE, STAT = 10, 11, 12, 13, 17
STATUS, HANDLE, DATA, NAME, ATTRS = 101, 102, 103, 104, 105
EXTENDED, EXTENDED_REPLY = 200, 201

OK, EOF, NO_SUCH_FILE, PERMISSION_DENIED = 0, 1, 2, 3

FLAG_READ, FLAG_WRITE, FLAG_CREATE, FLAG_EXCLUSIVE = 0x01, 0x02, 0x08, 0x20
HAS_SIZE, HAS_OWNER, HAS_MODE, HAS_TIMES, HAS_EXTENDED = 0x01, 0x02, 0x04, 0x08, 0x80000000

PROTOCOL: Final = 3


@dataclass(frozen=True)
class Attributes:
    """size: bytes. mode: type and rights, as in stat(2). modified: seconds of its own clock."""

    size: int
    mode: int
    modified: int

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.mode)

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)


def text(value: str | bytes) -> bytes:
    """A string field: its length and its bytes. Paths are bytes to the other side."""
    data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    return struct.pack(">I", len(data)) + data


def number(value: int) -> bytes:
    return struct.pack(">I", value)


def long(value: int) -> bytes:
    return struct.pack(">Q", value)


def size_attributes(size: int) -> bytes:
    return number(HAS_SIZE) + long(size)


def mode_attributes(mode: int) -> bytes:
    return number(HAS_MODE) + number(mode)


class Reader:
    """The fields of one packet, in their order; raises RemoteAnswerError where it is too short."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def at_end(self) -> bool:
        return self._at == len(self._data)

    def take(self, count: int) -> bytes:
        field = self._data[self._at : self._at + count]
        if len(field) < count:
            raise RemoteAnswerError("the SFTP server sent a packet that is too short")
        self._at += count
        return field

    def number(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def long(self) -> int:
        return int.from_bytes(self.take(8), "big")

    def text(self) -> bytes:
        return self.take(self.number())

    def attributes(self) -> Attributes:
        flags = self.number()
        size = self.long() if flags & HAS_SIZE else 0
        self.take(8 if flags & HAS_OWNER else 0)
        mode = self.number() if flags & HAS_MODE else 0
        self.take(4 if flags & HAS_TIMES else 0)  # when it was last read
        modified = self.number() if flags & HAS_TIMES else 0
        for _ in range(self.number() if flags & HAS_EXTENDED else 0):
            self.text(), self.text()
        return Attributes(size, mode, modified)


def names(reader: Reader) -> dict[str, Attributes]:
    """Of one NAME packet; raises RemoteAnswerError for names that lead out of a folder."""
    found: dict[str, Attributes] = {}
    for _ in range(reader.number()):
        name, _long = reader.text().decode("utf-8", "surrogateescape"), reader.text()
        attributes = reader.attributes()
        if name in (".", ".."):
            continue
        if not name or "/" in name or "\0" in name:
            raise RemoteAnswerError(f"the SFTP server lists a file of forbidden name {name[:80]!r}")
        found[name] = attributes
    return found
