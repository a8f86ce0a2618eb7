"""Zip archives, every field of which can be another one than `pack_archive` writes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from c3d_export.runtime.archive import unpack_archive

GOOD = (Path(__file__).parents[1] / "golden" / "v4" / "tiny.c3b").read_bytes()
MEMBERS = unpack_archive(GOOD)
MODE = 0o644 << 16


@dataclass(frozen=True)
class Entry:
    """name, data: as the archive says. stored: what lies there, where that is something else.
    local: the name in front of the data. place: where the directory says that it begins, where
    that is a lie; at: the entry whose data this one shares. size, packed: other lies."""

    name: bytes
    data: bytes
    stored: bytes | None = None
    method: int = 0
    flags: int = 0
    attributes: int = MODE
    system: int = 3
    local: bytes | None = None
    place: int | None = None
    shares: bytes | None = None
    size: int | None = None
    packed: int | None = None
    extra: bytes = b""
    comment: bytes = b""
    disk: int = 0
    padding: bytes = b""

    def head(self) -> bytes:
        """What both places have of it, from the flags to the sizes."""
        held = self.data if self.stored is None else self.stored
        sizes = (
            len(held) if self.packed is None else self.packed,
            len(self.data) if self.size is None else self.size,
        )
        return struct.pack(
            "<HHHHIII", self.flags, self.method, 0, 33, zlib.crc32(self.data), *sizes
        )

    def local_part(self) -> bytes:
        name = self.name if self.local is None else self.local
        held = self.data if self.stored is None else self.stored
        lengths = struct.pack("<HH", len(name), len(self.extra))
        return b"PK\3\4\x14\0" + self.head() + lengths + name + self.extra + held + self.padding

    def central_part(self, place: int) -> bytes:
        lengths = struct.pack(
            "<HHHH", len(self.name), len(self.extra), len(self.comment), self.disk
        )
        rest = struct.pack("<HII", 0, self.attributes, place)
        made = struct.pack("<BBH", 20, self.system, 20)
        start = b"PK\1\2" + made + self.head() + lengths + rest
        return start + self.name + self.extra + self.comment


@dataclass(frozen=True)
class Tail:
    """The record at the end; None for what is so."""

    disk: int = 0
    count: int | None = None
    begin: int | None = None
    comment: bytes = b""


def archive(entries: Sequence[Entry], tail: Tail | None = None, gap: bytes = b"") -> bytes:
    """gap: bytes before the directory."""
    tail = tail or Tail()
    body, directory, places = bytearray(), bytearray(), dict[bytes, int]()
    for entry in entries:
        place = len(body)
        if entry.shares is None:
            body += entry.local_part()
            places[entry.name] = place
        else:
            place = places[entry.shares]
        directory += entry.central_part(place if entry.place is None else entry.place)
    body += gap
    begin = len(body) if tail.begin is None else tail.begin
    count = len(entries) if tail.count is None else tail.count
    end = struct.pack(
        "<HHHHIIH", tail.disk, tail.disk, count, count, len(directory), begin, len(tail.comment)
    )
    return bytes(body + directory) + b"PK\5\6" + end + tail.comment


def entries(changes: dict[str, Entry | None] | None = None) -> list[Entry]:
    """Those of the good bundle, some of them replaced or left out, others added in their place."""
    found = {name: Entry(name.encode(), data) for name, data in MEMBERS.items()}
    changed = {**found, **(changes or {})}
    return [entry for _, entry in sorted(changed.items()) if entry is not None]


def good(name: str, **fields: object) -> Entry:
    """The entry of a member, with other fields."""
    return replace(Entry(name.encode(), MEMBERS[name]), **fields)  # type: ignore[arg-type]


def with_member(name: bytes, data: bytes = b"x", **fields: object) -> bytes:
    """The good bundle and one member more."""
    extra = replace(Entry(name, data), **fields)  # type: ignore[arg-type]
    return archive([*entries(), extra])
