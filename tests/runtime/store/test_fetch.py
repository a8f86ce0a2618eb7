"""Bundles from files, folders and other hosts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from c3d_export.core.errors import MissingInputError, OptionError
from c3d_export.runtime.remote.fetch import Fetched
from c3d_export.runtime.store import fetch as module
from c3d_export.runtime.store.fetch import fetch


def test_a_file_and_a_folder(tmp_path: Path) -> None:
    for name, data in (("b.c3b", b"2"), ("a.c3b", b"1"), ("a.txt", b"no")):
        (tmp_path / name).write_bytes(data)
    assert [f.data for f in fetch(str(tmp_path))] == [b"1", b"2"]
    assert [f.data for f in fetch(str(tmp_path / "a.txt"))] == [b"no"]  # `install` looks at it


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    for target in (tmp_path, tmp_path / "none"):
        with pytest.raises(MissingInputError, match="no bundle"):
            list(fetch(str(target)))
    with pytest.raises(OptionError, match="no target"):
        fetch(f"{tmp_path}/a\0b")


def test_no_more_is_read_than_a_bundle_may_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BUNDLE_BYTES", 3)
    (tmp_path / "a.c3b").write_bytes(b"12345")
    assert [f.data for f in fetch(str(tmp_path / "a.c3b"))] == [b"1234"]


def test_unknown_schemes_are_named() -> None:
    with pytest.raises(OptionError, match=r"ftp://.*ssh://"):
        fetch("ftp://host/a.c3b")


def test_other_machines_are_left_to_their_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []

    def remote(target: object, **options: object) -> Iterator[Fetched]:
        seen.append((str(target), options))
        return iter([Fetched(str(target), b"1")])

    monkeypatch.setattr(module, "fetch_remote", remote)
    options = {"plain_http": True, "timeout": 9.0}
    for target in ("ssh://host/srv/codecs", "oci://registry/codecs:latest"):
        assert [f.data for f in fetch(target, plain_http=True, timeout=9.0)] == [b"1"]
        assert seen.pop() == (target, options)
