"""Folders that appear whole or not at all, and what killed writers leave."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from c3d_export.core import folders
from c3d_export.core.atomic import (
    TEMP_SUFFIX,
    make_folders,
    remove_file,
    remove_litter,
    write_bytes_atomic,
)
from c3d_export.core.errors import DiskError
from c3d_export.core.folders import write_folder_atomic

OLD, NEW = {"a": b"old", "b": b"old"}, {"a": b"new", "c": b"new"}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _no_exchange(*_: object) -> int:
    return -1


@pytest.mark.parametrize("exchange", [True, False])
def test_a_folder_is_made_and_exchanged(
    tmp_path: Path, exchange: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchange:  # as on a network file system

        class Library:
            renameat2 = staticmethod(_no_exchange)

        monkeypatch.setattr(folders.ctypes, "CDLL", lambda *_, **__: Library)
    target = tmp_path / "deep" / "x[1]"
    write_folder_atomic(target, OLD)
    assert contents(target) == OLD
    (target / "mine").write_bytes(b"kept")
    write_folder_atomic(target, NEW)
    assert contents(target) == {**OLD, **NEW, "mine": b"kept"}
    assert [path.name for path in target.parent.iterdir()] == ["x[1]"]


def test_no_reader_sees_a_mixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each system call that changes something the folder is the old or the new one."""
    target, seen = tmp_path / "x", []
    write_folder_atomic(target, {"a": b"old", "b": b"old"})

    def watched(call: Callable[..., object]) -> Callable[..., object]:
        def between(*args: object) -> object:
            seen.append(contents(target))
            result = call(*args)
            seen.append(contents(target))
            return result

        return between

    for name in ("replace", "rename", "fsync", "link", "close"):
        monkeypatch.setattr(os, name, watched(getattr(os, name)))
    write_folder_atomic(target, {"a": b"new", "b": b"new"})
    assert len(seen) > 10
    assert {frozenset(state.values()) for state in seen} == {
        frozenset([b"old"]),
        frozenset([b"new"]),
    }


def test_a_failure_leaves_the_old_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "x"
    write_folder_atomic(target, OLD)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DiskError, match="free some space"):
        write_folder_atomic(target, NEW)
    assert contents(target) == OLD
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_what_cannot_be_taken_along_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x" / "inner").mkdir(parents=True)
    with pytest.raises(DiskError, match="inner"):
        write_folder_atomic(tmp_path / "x", NEW)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DiskError, match="no folder"):
        write_folder_atomic(tmp_path / "file", NEW)
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["inner"]


def test_the_current_folder_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = tmp_path.stat().st_ino
    write_folder_atomic(".", NEW)
    assert contents(tmp_path) == NEW
    assert tmp_path.stat().st_ino == before


def test_the_dead_are_cleared_away_and_the_living_are_not(tmp_path: Path) -> None:
    dead = tmp_path / f".x.0123{TEMP_SUFFIX}"
    dead.mkdir()
    (dead / "a").write_bytes(b"half")
    with folders.temporary_folder("x", tmp_path) as living:
        (living / "a").write_bytes(b"half")
        write_folder_atomic(tmp_path / "x", NEW)
        assert sorted(tmp_path.iterdir()) == sorted([living, tmp_path / "x"])
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_files_of_the_living_are_not_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f".a.0123{TEMP_SUFFIX}").write_bytes(b"dead")
    (tmp_path / f".b.0123{TEMP_SUFFIX}").write_bytes(b"dead, of another")
    fsync, removed = os.fsync, []

    def look(descriptor: int) -> None:
        removed.append([path.name for path in remove_litter(tmp_path, "a")])
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    write_bytes_atomic(tmp_path / "a", b"new")
    assert removed == [[f".a.0123{TEMP_SUFFIX}"], []]
    assert sorted(p.name for p in tmp_path.iterdir()) == [f".b.0123{TEMP_SUFFIX}", "a"]
    assert [p.name for p in remove_litter(tmp_path)] == [f".b.0123{TEMP_SUFFIX}"]
    assert remove_litter(tmp_path / "none") == []


def test_a_file_that_is_swept_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, swept = os.open, []

    def sweep(path: str | Path, flags: int, *rest: int) -> int:
        descriptor = real(path, flags, *rest)
        if flags & os.O_CREAT and not swept:
            os.unlink(path)
            swept.append(path)
        return descriptor

    monkeypatch.setattr(os, "open", sweep)
    write_bytes_atomic(tmp_path / "a", b"new")
    assert swept
    assert contents(tmp_path) == {"a": b"new"}


def test_folders_are_made_and_files_removed_once(tmp_path: Path) -> None:
    for _ in range(2):
        make_folders(tmp_path / "a" / "b")
        remove_file(tmp_path / "a" / "b" / "none")
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file", tmp_path / "file" / "b"):
        with pytest.raises(DiskError):
            make_folders(path)
    remove_file(tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
