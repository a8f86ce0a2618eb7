"""One writer at a time."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from c3d_export.core.errors import DiskError
from c3d_export.runtime.store.locking import locked
from c3d_export.runtime.store.store import Store

from .conftest import Version


def test_a_second_writer_waits_and_then_says_who_is_in_the_way(tmp_path: Path) -> None:
    path = tmp_path / "store" / "lock"
    with locked(path), pytest.raises(DiskError, match="another process"), locked(path, 0.05):
        pass
    with locked(path, 0.05):
        pass


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DiskError, match="file"), locked(tmp_path / "file" / "lock"):
        pass
    (tmp_path / "lock").mkdir()
    with pytest.raises(DiskError, match="C3D_STORE"), locked(tmp_path / "lock"):
        pass


def test_writers_at_once_lose_nothing(store: Store, version: Version) -> None:
    """Eight threads with a store object each, as processes have."""
    bundles = {f"n{n}": version(n, f"n{n}") for n in range(8)}
    faults: list[BaseException] = []

    def work(name: str, data: bytes) -> None:
        own = Store(store.layout.root)
        try:
            own.activate(name, own.add(data))
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=pair) for pair in bundles.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert store.names() == sorted(bundles)
    done = store.prune()
    assert (done.codecs, done.blobs, done.litter) == ([], 0, 0)
    assert [store.bundle(store.active(name)).name for name in store.names()] == store.names()
