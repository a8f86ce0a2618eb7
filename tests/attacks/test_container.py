"""Attacks on the container: what zip readers have been caught with."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import pytest

from c3d_export.core.errors import (
    BundleFormatError,
    BundleManifestError,
    BundleMemberError,
    MissingInputError,
)
from c3d_export.runtime.archive import pack_archive, unpack_archive

from .conftest import Host, Refuse
from .zips import GOOD, MEMBERS, Entry, Tail, archive, entries, good, with_member


def test_the_attacks_start_from_a_bundle_that_is_accepted(host: Host) -> None:
    """And the host can tell: this control is read, in the same process under the same limits."""
    path = host.folder / "good.c3b"
    path.write_bytes(archive(entries()))
    assert path.read_bytes() == GOOD
    answer = host.ask("read", path)
    assert (answer["error"], answer["deeds"]) == (None, [])


def test_traversal(refuse: Refuse) -> None:
    refuse(with_member(b"../../evil.bin"), BundleMemberError, "forbidden name '../../evil.bin'")


def test_traversal_behind_a_folder(refuse: Refuse) -> None:
    refuse(with_member(b"arrays/../../evil.bin"), BundleMemberError, "forbidden name")


def test_an_absolute_path(refuse: Refuse, host: Host) -> None:
    target = host.folder.parent / "evil.bin"
    refuse(with_member(str(target).encode()), BundleMemberError, "forbidden name")
    assert not target.exists()


def test_a_path_of_windows(refuse: Refuse) -> None:
    refuse(with_member(b"c:\\windows\\evil.dll"), BundleMemberError, "forbidden name")
    refuse(with_member(b"\\\\host\\share.bin"), BundleMemberError, "forbidden name")


def test_a_zero_byte_in_a_name(refuse: Refuse) -> None:
    """zipfile ends a name there, a C program does too, and others do not."""
    refuse(with_member(b"card.md\0.sh"), BundleMemberError, "two members card.md")
    refuse(with_member(b"more.md\0.sh"), BundleFormatError, "repacked")


def test_a_name_with_letters_that_look_alike(refuse: Refuse) -> None:
    name = "\N{CYRILLIC SMALL LETTER ES}ard.md".encode()
    refuse(with_member(name, flags=1 << 11), BundleMemberError, "forbidden name")
    refuse(with_member(name), BundleMemberError, "forbidden name")


def test_a_name_that_ends_as_none_is_seen_to(refuse: Refuse) -> None:
    for name in (b"card.md ", b"card.md.", b"card.md\r", b"card\xc2\xa0.md"):
        refuse(with_member(name), BundleMemberError, "forbidden name")


def test_a_name_that_writes_on_the_terminal(refuse: Refuse) -> None:
    answer = refuse(with_member(b"\x1b[2Jevil.md"), BundleMemberError, "forbidden name")
    assert "\x1b" not in answer["message"]


def test_a_clash_of_case(refuse: Refuse) -> None:
    """One file where names have no case, two where they have."""
    refuse(with_member(b"CARD.md"), BundleMemberError, "forbidden name 'CARD.md'")


def test_a_folder_and_deeper_folders(refuse: Refuse) -> None:
    refuse(with_member(b"arrays/", b""), BundleMemberError, "forbidden name")
    refuse(with_member(b"a/b/c.bin"), BundleMemberError, "forbidden name")


def test_long_names(refuse: Refuse) -> None:
    assert len(unpack_archive(pack_archive({"a" * 97 + ".md": b""}))) == 1
    refuse(with_member(b"a" * 98 + b".md"), BundleMemberError, "forbidden name")
    refuse(with_member(b"a" * 60_000 + b".md"), BundleMemberError, "names that are too long")


def test_a_member_twice(refuse: Refuse) -> None:
    """A checker may look at the first and a loader at the last."""
    refuse(with_member(b"card.md", b"other"), BundleMemberError, "two members card.md")


def test_two_names_for_one_place(refuse: Refuse) -> None:
    refuse(
        with_member(b"evil.md", MEMBERS["card.md"], shares=b"card.md"), BundleFormatError, "damaged"
    )


def test_a_symbolic_link(refuse: Refuse) -> None:
    linked = good("card.md", attributes=0o120777 << 16)
    refuse(archive(entries({"card.md": linked})), BundleFormatError, "repacked")
    data = with_member(b"link.md", b"/etc/passwd", attributes=0o120777 << 16)
    refuse(data, BundleFormatError, "repacked")


def test_a_device_or_a_program_with_the_rights_of_root(refuse: Refuse) -> None:
    for mode in (0o020666, 0o104755, 0o755):
        changed = entries({"card.md": good("card.md", attributes=mode << 16)})
        refuse(archive(changed), BundleFormatError, "repacked")


def test_a_bomb_of_compressed_zeros(refuse: Refuse) -> None:
    """200 MB in 200 KB."""
    zeros = bytes(200 << 20)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(zeros) + packer.flush()
    data = with_member(b"zeros.bin", zeros, stored=packed, method=8)
    assert len(data) < len(GOOD) + 300_000
    refuse(data, BundleFormatError, "members are larger than the bundle")


@pytest.mark.parametrize("method", [8, 9, 12, 14, 93, 99])
def test_every_way_to_compress(refuse: Refuse, method: int) -> None:
    card = MEMBERS["card.md"]
    packed = zlib.compress(card)[2:-4]
    changed = entries({"card.md": good("card.md", stored=packed, method=method)})
    refuse(archive(changed), BundleMemberError, "card.md is compressed or encrypted")


def test_a_bomb_of_members_that_overlap(refuse: Refuse) -> None:
    """Fifield's: one kernel of data that every entry of the directory points at."""
    kernel = Entry(b"kernel.bin", bytes(100_000))
    many = [Entry(f"m{n}.bin".encode(), bytes(100_000), shares=b"kernel.bin") for n in range(250)]
    refuse(archive([kernel, *many]), BundleFormatError, "members are larger than the bundle")


def test_members_that_overlap_a_little(refuse: Refuse) -> None:
    """The second begins inside the first, whose data hold a whole head."""
    inner = Entry(b"b.bin", b"inner").local_part()
    outer = Entry(b"a.bin", inner)
    place = len(outer.local_part()) - len(inner)
    data = archive([outer, Entry(b"b.bin", b"inner", shares=b"a.bin", place=place)])
    refuse(data, BundleFormatError, "")


def test_sizes_that_claim_four_gigabytes(refuse: Refuse) -> None:
    most = 0xFFFFFFFE
    for fields in ({"size": most, "packed": most}, {"size": most}):
        data = archive(entries({"card.md": good("card.md", **fields)}))
        refuse(data, BundleFormatError, "members are larger")
    refuse(archive(entries({"card.md": good("card.md", packed=most)})), BundleMemberError, "size")


def test_sizes_of_64_bits(refuse: Refuse) -> None:
    field = struct.pack("<HHQQ", 1, 16, 1 << 62, 1 << 62)
    changed = good("card.md", size=0xFFFFFFFF, packed=0xFFFFFFFF, extra=field)
    refuse(archive(entries({"card.md": changed})), BundleFormatError, "")


def test_other_names_in_front_of_the_data_than_in_the_directory(refuse: Refuse) -> None:
    """What streams it writes the one, what lists it shows the other."""
    data = archive(entries({"card.md": good("card.md", local=b"evil.sh")}))
    refuse(data, BundleFormatError, "")


def test_a_script_in_front(refuse: Refuse) -> None:
    """zipfile opens such files: self-extracting archives are made so."""
    refuse(b"#!/bin/sh\nrm -rf ~\nexit\n" + GOOD, BundleFormatError, "repacked")


def test_a_file_of_two_kinds(refuse: Refuse) -> None:
    for magic in (b"MZ", b"\x7fELF", b"%PDF-1.7\n", b"GIF89a", b"\x89PNG\r\n\x1a\n"):
        refuse(magic + bytes(64) + GOOD, BundleFormatError, "repacked")


def test_a_second_bundle_behind_or_in_front(refuse: Refuse) -> None:
    refuse(GOOD + GOOD, BundleFormatError, "repacked")
    refuse(archive([Entry(b"manifest.json", b"{}")]) + GOOD, BundleFormatError, "repacked")


def test_a_payload_in_the_comment(refuse: Refuse) -> None:
    refuse(archive(entries(), Tail(comment=b"#!/bin/sh")), BundleFormatError, "does not end")
    inside = archive(entries(), Tail(comment=archive(entries())[:60_000]))
    refuse(inside, BundleFormatError, "")


def test_a_payload_between_members(refuse: Refuse) -> None:
    padded = entries({"card.md": good("card.md", padding=b"hidden")})
    refuse(archive(padded), BundleFormatError, "repacked")
    refuse(archive(entries(), gap=b"hidden"), BundleFormatError, "repacked")


def test_a_payload_in_extra_fields_and_comments_of_members(refuse: Refuse) -> None:
    extra = struct.pack("<HH4s", 0x7777, 4, b"evil")
    refuse(archive(entries({"card.md": good("card.md", extra=extra)})), BundleFormatError, "")
    commented = good("card.md", comment=b"evil")
    refuse(archive(entries({"card.md": commented})), BundleFormatError, "repacked")


def test_a_unicode_path_that_hides_the_name(refuse: Refuse) -> None:
    """Info-ZIP's field 0x7075 gives a member another name, for programs that know it: Python's
    own from 3.14 on."""
    body = struct.pack("<BI", 1, zlib.crc32(b"card.md")) + b"../evil.sh"
    extra = struct.pack("<HH", 0x7075, len(body)) + body
    data = archive(entries({"card.md": good("card.md", extra=extra)}))
    refuse(data, (BundleFormatError, BundleMemberError), "")


def test_an_encrypted_member(refuse: Refuse) -> None:
    for flags in (1, 1 | 1 << 6, 1 << 13):
        data = archive(entries({"card.md": good("card.md", flags=flags)}))
        refuse(data, BundleMemberError, "card.md is compressed or encrypted")


def test_sizes_behind_the_data(refuse: Refuse) -> None:
    """Bit 3: what streams it believes the descriptor, what lists it the directory."""
    data = archive(entries({"card.md": good("card.md", flags=1 << 3)}))
    refuse(data, BundleMemberError, "card.md is compressed or encrypted")


def test_a_directory_that_is_elsewhere(refuse: Refuse) -> None:
    for begin in (0, 1, 0x7FFFFFFF, 0xFFFFFFFF):
        refuse(archive(entries(), Tail(begin=begin)), BundleFormatError, "")


def test_more_members_than_are_said_and_fewer(refuse: Refuse) -> None:
    for count in (0, 1, len(MEMBERS) + 1, 0xFFFF):
        refuse(archive(entries(), Tail(count=count)), BundleFormatError, "repacked")


def test_a_part_of_several_disks(refuse: Refuse) -> None:
    for tail in (Tail(disk=1), Tail(disk=0xFFFF)):
        refuse(archive(entries(), tail), BundleFormatError, "")
    refuse(archive(entries({"card.md": good("card.md", disk=7)})), BundleFormatError, "")


def test_a_few_members_too_many(refuse: Refuse) -> None:
    many = [Entry(f"m{n}.bin".encode(), b"") for n in range(257)]
    refuse(archive(many), BundleMemberError, "more than 256 members")


def test_a_million_members_of_nothing(refuse: Refuse) -> None:
    """A directory of 50 MB, which zipfile would make a gigabyte of objects of."""
    part = Entry(b"m.bin", b"").central_part(0)
    data = part * 1_000_000
    end = struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, len(data), 0, 0)
    refuse(data + b"PK\5\6" + end, BundleMemberError, "more than 256 members")


def test_a_directory_of_64_bits(refuse: Refuse) -> None:
    """The record that zipfile would believe, in front of one with harmless numbers."""
    part = Entry(b"m.bin", b"").central_part(0)
    data = part * 1_000_000
    large = struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 10**6, 10**6, len(data), 0)
    locator = b"PK\6\7" + struct.pack("<IQI", 0, len(data), 1)
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, 51, 0, 0)
    refuse(data + b"PK\6\6" + large + locator + end, BundleFormatError, "does not end")


def test_truncated_at_the_ends_of_members(refuse: Refuse) -> None:
    ends = [GOOD.index(name.encode()) for name in MEMBERS]
    for end in [*ends[::6], GOOD.index(b"PK\1\2"), len(GOOD) - 22, len(GOOD) - 1]:
        refuse(GOOD[:end], BundleFormatError, "damaged or no bundle")


def test_no_members_at_all(refuse: Refuse) -> None:
    refuse(archive([]), BundleManifestError, "has no manifest.json")


@pytest.mark.parametrize("data", [b"", b"PK\5\6", b"PK\5\6" + b"\xff" * 18, b"PK\3\4"])
def test_next_to_nothing(refuse: Refuse, data: bytes) -> None:
    answer = refuse(data, BundleFormatError, "damaged or no bundle")
    assert answer["memory"] < 1 << 22


def test_a_sparse_file_of_a_terabyte(refuse: Refuse, host: Host) -> None:
    path = host.folder / "sparse.c3b"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    answer = refuse(path, BundleFormatError, "larger than")
    assert answer["memory"] < 1 << 22


@pytest.mark.parametrize("path", ["/dev/zero", "/proc/self/mem"])
def test_a_file_that_never_ends(refuse: Refuse, path: str) -> None:
    refuse(Path(path), MissingInputError, f"no bundle at {path}", exit_code=2)


def test_a_pipe_that_no_one_writes_into(refuse: Refuse, host: Host) -> None:
    os.mkfifo(host.folder / "pipe.c3b")
    refuse(host.folder / "pipe.c3b", MissingInputError, "no regular file", exit_code=2)
