"""docs/bundle-format.md: its examples, and a reader that was written from its tables alone."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from pathlib import Path

import pytest

from c3d_export.core import limits
from c3d_export.runtime.archive import pack_archive
from c3d_export.runtime.signatures import parse_signatures, signed_message, verifies

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "bundle-format.md").read_text()
BLOCKS = re.findall(r"```\n(.*?)```", PAGE, re.S)


def _bytes(value: int, size: int) -> bytes:
    return value.to_bytes(size, "little")


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")


def read_as_the_page_says(data: bytes) -> dict[str, bytes]:
    """The members, every byte of the container compared with what the page says."""
    last = len(data) - 22
    count, length, place = (_number(data, last + at, n) for at, n in ((8, 2), (12, 4), (16, 4)))
    counts, where = 2 * _bytes(count, 2), _bytes(length, 4) + _bytes(place, 4)
    assert data[last:] == b"PK\5\6" + bytes(4) + counts + where + bytes(2)
    found: dict[str, bytes] = {}
    at, entry = 0, place
    for _ in range(count):
        size, named = _number(data, at + 22, 4), _number(data, at + 26, 2)
        begin = at + 30 + named
        name, content = data[at + 30 : begin], data[begin : begin + size]
        shared = _bytes(20, 2) + bytes(6) + _bytes(33, 2) + _bytes(zlib.crc32(content), 4)
        shared += 2 * _bytes(size, 4) + _bytes(named, 2)
        assert data[at : at + 30] == b"PK\3\4" + shared + bytes(2)
        central = b"PK\1\2\x14\3" + shared + bytes(8) + b"\0\0\xa4\1" + _bytes(at, 4) + name
        assert data[entry : entry + len(central)] == central
        found[name.decode()] = content
        at, entry = begin + size, entry + len(central)
    assert (at, entry) == (place, last) == (place, place + length)
    assert list(found) == sorted(found)
    return found


@pytest.mark.parametrize(
    "path", ["tests/golden/v4/tiny.c3b", "tests/golden/v5/tiny.c3b", "exported/generic-xsmall.c3b"]
)
def test_a_reader_written_from_the_page_reads_what_is_shipped(path: str) -> None:
    members = read_as_the_page_says((ROOT / path).read_bytes())
    manifest = json.loads(members.pop("manifest.json"))
    assert (manifest["format"], manifest["version"]) == ("c3d-export bundle", 5)
    listed = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        for name, data in members.items()
    }
    assert manifest["members"] == listed
    for name in members:
        folder, _, rest = name.partition("/")
        array = rest.removesuffix(".npy")
        assert name == "card.md" or folder == "graphs" or f"`{array}`" in PAGE or "overlay_" in name


def test_the_example_of_an_archive() -> None:
    data = bytes.fromhex(BLOCKS[0])
    assert data == pack_archive({"a.md": b"hi\n"})
    assert read_as_the_page_says(data) == {"a.md": b"hi\n"}


def test_the_example_of_a_signature() -> None:
    pytest.importorskip("cryptography")
    (signature,) = parse_signatures(BLOCKS[1].encode())
    public = base64.b64decode("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
    assert base64.b64encode(public).decode() in PAGE
    assert verifies(public, signature, b"{}\n")
    assert len(signed_message(b"")) == 20


def test_the_limits_are_those_of_the_code() -> None:
    lines = PAGE[PAGE.index("## Limits") : PAGE.index("## The manifest")].splitlines()
    row = {line.split("|")[1].strip(): line for line in lines if line.startswith("| ")}
    assert f"{limits.MAX_BUNDLE_BYTES // limits.MIB} MiB" in row["bundle"]
    assert f"{limits.MAX_MEMBER_BYTES // limits.MIB} MiB" in row["member"]
    assert f"| {limits.MAX_MEMBERS} |" in row["members"]
    assert f"{limits.MAX_JSON_BYTES // limits.MIB} MiB" in row["`manifest.json`"]
    assert f"{limits.MAX_SIGNATURES_BYTES // limits.KIB} KiB" in row["`signatures.json`"]
    assert f"{limits.MAX_TENSOR_BYTES // limits.MIB} MiB" in row["initialiser"]
    assert f"at most {limits.MAX_MEMBER_NAME} bytes" in PAGE
