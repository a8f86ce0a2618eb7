"""The container of a `.c3b`: a stored zip with exactly one valid form for its members.

A reader that accepts only what the writer would have written needs no list of zip tricks
(overlaps, gaps, comments, flags, look-alike names): it packs the members again and compares.
"""

from __future__ import annotations

import io
import os
import re
import stat
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

from ..core.errors import BundleFormatError, BundleMemberError, MissingInputError
from ..core.limits import MAX_BUNDLE_BYTES, MAX_MEMBER_BYTES, MAX_MEMBER_NAME, MAX_MEMBERS

_NAME = re.compile(r"[a-z0-9_]+(?:/[a-z0-9_]+)?\.[a-z0-9]+")
_EPOCH = (1980, 1, 1, 0, 0, 0)
_END = struct.Struct("<4s4H2IH")
"""The record at the end: its mark, disks and counts, size and place of the directory, comment."""
_MOST_DIRECTORY = MAX_MEMBERS * (46 + MAX_MEMBER_NAME)


def read_file(path: str | Path) -> bytes:
    """The bytes of a bundle's file; raises MissingInputError, or BundleFormatError if too large.

    Memory is taken for what is there, and nothing waits for a pipe that no one writes into.
    """
    try:
        with open(Path(path), "rb", opener=_open_at_once) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ValueError("it is no regular file")
            if status.st_size > MAX_BUNDLE_BYTES:
                raise BundleFormatError(f"the bundle is larger than {MAX_BUNDLE_BYTES} bytes")
            # A byte more: a file that grows meanwhile is refused by its container.
            return file.read(status.st_size + 1)
    except (OSError, ValueError, TypeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MissingInputError(f"no bundle at {path}: {reason}") from error


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def pack_archive(members: Mapping[str, bytes]) -> bytes:
    """The one archive of these members, in the order of their names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system, info.external_attr = 3, 0o644 << 16
            archive.writestr(info, members[name])
    return buffer.getvalue()


def unpack_archive(data: bytes) -> dict[str, bytes]:
    """Members by name; raises BundleFormatError or BundleMemberError."""
    if len(data) > MAX_BUNDLE_BYTES:
        raise BundleFormatError(f"the bundle is larger than {MAX_BUNDLE_BYTES} bytes")
    _check_end(data)
    try:
        members = _read_members(data)
    except (zipfile.BadZipFile, EOFError, ValueError, OSError, NotImplementedError) as error:
        raise BundleFormatError(f"the bundle is damaged or no bundle: {error}") from error
    if pack_archive(members) != data:
        raise BundleFormatError("the bundle is damaged or was repacked; fetch it again")
    return members


def _check_end(data: bytes) -> None:
    """Before zipfile looks: it would make an object for each of millions of entries."""
    if len(data) < _END.size:
        raise BundleFormatError("the bundle is damaged or no bundle: it is too short for one")
    mark, _, _, _, _, size, _, comment = _END.unpack_from(data, len(data) - _END.size)
    # In front of the record there may be another one, of 64 bits, which zipfile would go by.
    large = data[-_END.size - 20 :].startswith(b"PK\6\7")
    if mark != b"PK\5\6" or comment or large:
        raise BundleFormatError("the bundle is damaged or no bundle: it does not end as one does")
    if size > _MOST_DIRECTORY:
        raise BundleMemberError(
            f"the bundle has more than {MAX_MEMBERS} members, or names that are too long"
        )


def _read_members(data: bytes) -> dict[str, bytes]:
    members: dict[str, bytes] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = archive.infolist()
        if len(infos) > MAX_MEMBERS:
            raise BundleMemberError(f"the bundle has more than {MAX_MEMBERS} members")
        # Members that overlap would let a small file ask for gigabytes.
        if sum(info.file_size for info in infos) > len(data):
            raise BundleFormatError("the bundle's members are larger than the bundle")
        for info in infos:
            _check_info(info)
            if info.filename in members:
                raise BundleMemberError(f"the bundle has two members {info.filename}")
            members[info.filename] = archive.read(info)
    return members


def _check_info(info: zipfile.ZipInfo) -> None:
    if len(info.filename) > MAX_MEMBER_NAME or not _NAME.fullmatch(info.filename):
        raise BundleMemberError(
            f"the bundle has a member of forbidden name {info.filename[:100]!r}"
        )
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits:
        raise BundleMemberError(f"member {info.filename} is compressed or encrypted")
    if info.file_size > MAX_MEMBER_BYTES or info.file_size != info.compress_size:
        raise BundleMemberError(f"member {info.filename} has a wrong size")
