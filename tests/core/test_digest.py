"""Digests against published values."""

from __future__ import annotations

from pathlib import Path

import pytest

from c3d_export.core.digest import codec_id, sha256_bytes, sha256_file
from c3d_export.core.errors import MissingInputError

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_published_value_of_abc(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_bytes(b"abc") == ABC
    assert sha256_file(tmp_path / "abc") == ABC


def test_the_codec_id_is_the_start_of_the_manifests_digest() -> None:
    assert codec_id(b"abc") == bytes.fromhex(ABC[:16])


@pytest.mark.parametrize("name", ["missing", "", "zero\0byte"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(MissingInputError, match="cannot read"):
        sha256_file(tmp_path / name)
