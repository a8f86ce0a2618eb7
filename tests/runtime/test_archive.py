"""The container: one valid form, and one test per attack on it."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c3d_export.core.errors import BundleError, BundleFormatError, BundleMemberError
from c3d_export.core.limits import MAX_BUNDLE_BYTES, MAX_MEMBERS
from c3d_export.runtime.archive import pack_archive, unpack_archive

MEMBERS = {"a.bin": b"alpha" * 20, "b/c.json": b"{}", "manifest.json": b'{"version": 1}'}
GOOD = pack_archive(MEMBERS)

Change = Callable[[zipfile.ZipInfo], None]


def _info(name: str, change: Change | None = None) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.create_system, info.external_attr = 3, 0o644 << 16
    if change is not None:
        change(info)
    return info


def _zip(
    members: list[tuple[zipfile.ZipInfo, bytes]], comment: bytes = b"", kind: int = 0
) -> bytes:
    """What `pack_archive` writes, but for what the test changes."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # duplicate names
        with zipfile.ZipFile(buffer, "w", kind) as archive:
            archive.comment = comment
            for info, data in members:
                archive.writestr(info, data)
    return buffer.getvalue()


def _listed(change: Change | None = None) -> list[tuple[zipfile.ZipInfo, bytes]]:
    return [(_info(name, change), MEMBERS[name]) for name in sorted(MEMBERS)]


def _refused(data: bytes) -> None:
    assert data != GOOD
    with pytest.raises(BundleError) as caught:
        unpack_archive(data)
    assert caught.type in {BundleFormatError, BundleMemberError}


def test_the_attacks_below_start_from_the_valid_form() -> None:
    assert _zip(_listed()) == GOOD


@settings(max_examples=20, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["a.b", "a_1.json", "z/9.bin", "graphs/g_a.float", "card.md", "0.0"]),
        st.binary(max_size=60),
        max_size=6,
    )
)
def test_members_come_back_whatever_their_order(members: dict[str, bytes]) -> None:
    data = pack_archive(members)
    assert unpack_archive(data) == members
    assert pack_archive(dict(reversed(members.items()))) == data


def test_a_compressed_member() -> None:
    def compress(info: zipfile.ZipInfo) -> None:
        info.compress_type = zipfile.ZIP_DEFLATED

    _refused(_zip(_listed(compress)))


def test_a_comment() -> None:
    _refused(_zip(_listed(), comment=b"hello"))


def test_a_comment_on_a_member() -> None:
    _refused(_zip(_listed(lambda info: setattr(info, "comment", b"hello"))))


def test_an_extra_field() -> None:
    field = struct.pack("<HH4s", 0x7777, 4, b"data")
    _refused(_zip(_listed(lambda info: setattr(info, "extra", field))))


def test_another_date() -> None:
    _refused(_zip(_listed(lambda info: setattr(info, "date_time", (2020, 1, 1, 0, 0, 0)))))


@pytest.mark.parametrize("extra", [b"\0", b"MZ" * 50, GOOD])
def test_bytes_before_and_after(extra: bytes) -> None:
    _refused(extra + GOOD)
    _refused(GOOD + extra)


def test_a_gap_before_the_directory() -> None:
    start = GOOD.index(b"PK\x01\x02")
    data = bytearray(GOOD[:start] + b"gap!" + GOOD[start:])
    offset = len(data) - 6
    struct.pack_into("<I", data, offset, start + 4)
    assert zipfile.ZipFile(io.BytesIO(data)).read("a.bin") == MEMBERS["a.bin"]
    _refused(bytes(data))


def test_two_members_of_one_name() -> None:
    listed = _listed()
    with pytest.raises(BundleMemberError, match="two members"):
        unpack_archive(_zip([listed[0], *listed]))


@pytest.mark.parametrize(
    "name",
    [
        "../a.bin",
        "b/../../a.bin",
        "b/..",
        "/etc/passwd.txt",
        "c:/a.bin",
        "b\\a.bin",
        "b/c/d.bin",
        "b/",
        "A.bin",
        "a.BIN",
        "a",
        ".a.bin",
        "a .bin",
        "ä.bin",
        "a.bin\n",
    ],
)
def test_a_forbidden_name(name: str) -> None:
    data = _zip([*_listed(), (_info(name), b"x")])
    with pytest.raises(BundleMemberError):
        unpack_archive(data)


def test_a_symbolic_link() -> None:
    _refused(_zip(_listed(lambda info: setattr(info, "external_attr", 0o120777 << 16))))


def test_an_executable_or_a_folder() -> None:
    _refused(_zip(_listed(lambda info: setattr(info, "external_attr", 0o755 << 16))))
    _refused(_zip(_listed(lambda info: setattr(info, "external_attr", 0o644 << 16 | 0x10))))


def test_another_order() -> None:
    _refused(_zip(_listed()[::-1]))


def test_too_many_members() -> None:
    most = {f"m{i}.bin": b"" for i in range(MAX_MEMBERS)}
    assert len(unpack_archive(pack_archive(most))) == MAX_MEMBERS
    with pytest.raises(BundleMemberError, match=str(MAX_MEMBERS)):
        unpack_archive(pack_archive({**most, "one.more": b""}))


def test_too_large() -> None:
    with pytest.raises(BundleFormatError, match="larger"):
        unpack_archive(bytes(MAX_BUNDLE_BYTES + 1))


def test_members_that_overlap_are_refused_before_they_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sizes of the directory that claim more than the file has: a bomb of few bytes."""
    data = bytearray(pack_archive({"a.bin": b"x" * 1000, "b.bin": b"y" * 1000}))
    for directory in (data.index(b"PK\x01\x02"), data.rindex(b"PK\x01\x02")):
        struct.pack_into("<II", data, directory + 20, 2_000, 2_000)
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("a member was read"))
    with pytest.raises(BundleFormatError, match="larger"):
        unpack_archive(bytes(data))


@pytest.mark.parametrize("flag", [1 << bit for bit in (0, 3, 5, 6, 11, 13)])
def test_an_encrypted_or_otherwise_flagged_member(flag: int) -> None:
    data = bytearray(GOOD)
    struct.pack_into("<H", data, data.index(b"PK\x01\x02") + 8, flag)
    _refused(bytes(data))


def test_truncated_anywhere() -> None:
    large = pack_archive({**MEMBERS, "large.bin": bytes(range(256)) * 40})
    for length in range(0, len(large), 97):
        with pytest.raises(BundleFormatError):
            unpack_archive(large[:length])


def test_every_flipped_bit() -> None:
    for bit in range(8 * len(GOOD)):
        data = bytearray(GOOD)
        data[bit // 8] ^= 1 << bit % 8
        _refused(bytes(data))


@pytest.mark.parametrize("data", [b"", b"PK\x05\x06" + bytes(17), b"\x89PNG\r\n\x1a\n"])
def test_no_archive_at_all(data: bytes) -> None:
    with pytest.raises(BundleFormatError):
        unpack_archive(data)
