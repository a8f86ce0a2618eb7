"""What the store knows of files that it has read before."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from c3d_export.data import cropstore_sources
from c3d_export.data.cropstore import CropStore

from .conftest import MakeFrame


def test_a_file_that_changed_is_seen_although_it_looks_the_same(
    store: CropStore, paths: list[Path], make_frame: MakeFrame
) -> None:
    """Of the same size, and with its time set back."""
    old = paths[0].stat()
    _age(paths)
    store.fill(paths)
    data = paths[1].read_bytes()
    assert len(data) == old.st_size
    with open(paths[0], "r+b") as file:
        file.write(data)
    os.utime(paths[0], ns=(old.st_atime_ns, old.st_mtime_ns))
    filled = store.fill(paths)
    assert filled.digests[paths[0]] == filled.digests[paths[1]]


def test_files_that_are_known_are_not_read_again(
    store: CropStore, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    store.fill(paths[:2])  # just written: could change again within a tick of the clock
    assert not (store.root / "sources").exists()
    _age(paths)
    wanted = store.fill(paths).digests
    monkeypatch.setattr("builtins.open", _no_images(open))
    assert store.fill(paths).digests == wanted
    sources = store.root / "sources"
    sources.write_bytes(sources.read_bytes().replace(b'": "', b'": "0', 1))
    with pytest.raises(AssertionError, match="is read"):
        store.fill(paths)


def _age(paths: list[Path]) -> None:
    """Waits until a change of these files would be seen by their times."""
    newest = max(path.stat().st_ctime_ns for path in paths)
    time.sleep(max(0, newest + cropstore_sources.RACY - time.time_ns()) / 1e9 + 0.01)


def _no_images(real: Callable[..., object]) -> Callable[..., object]:
    def guarded(path: object, *rest: object, **named: object) -> object:
        assert not str(path).endswith(".png"), f"{path} is read"
        return real(path, *rest, **named)

    return guarded
