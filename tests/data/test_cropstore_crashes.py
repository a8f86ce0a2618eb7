"""The store on a full disk, with processes that are killed, and with several at once."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from c3d_export.core.atomic import TEMP_SUFFIX
from c3d_export.core.errors import DiskError
from c3d_export.data import cropstore_room
from c3d_export.data.cropstore import CropStore
from c3d_export.data.cropstore_decode import decoded_path
from c3d_export.data.cropstore_file import SUFFIX
from c3d_export.runtime.images import write_image

from .conftest import noise, same

FILL = """
import sys
from pathlib import Path
from c3d_export.data.cropstore import CropStore

if __name__ == "__main__":
    paths = sorted(Path(sys.argv[2]).iterdir())
    waited = []
    filled = CropStore(Path(sys.argv[1]), lambda: waited.append(1)).fill(paths)
    print(len(filled.frames(paths)), filled.decoded, len(waited))
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a tmpfs needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)  # some frames are mapped still


def test_no_room_is_said_before_anything_is_decoded(
    store: CropStore, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(paths[0])._replace(free=cropstore_room.RESERVE + 4 * 144 - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DiskError, match=r"take 0\.0 GB more in .*, and there is room for 0\.0 GB"):
        store.fill(paths)
    assert not list(store.root.glob(f"*{SUFFIX}"))
    usage = usage._replace(free=cropstore_room.RESERVE + 4 * 144)
    assert store.fill(paths).decoded == 4


def test_unused_frames_make_room(
    store: CropStore, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = []
    for age, path in zip((100, 300, 200), paths, strict=False):
        files.append(decoded_path(store.root, store.fill([path]).digests[path]))
        os.utime(files[-1], (time.time() - age,) * 2)
    real = shutil.disk_usage(store.root)

    def usage(path: Path) -> object:
        kept = len(list(store.root.glob(f"*{SUFFIX}")))
        return real._replace(free=cropstore_room.RESERVE + (3 - kept) * 208)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    with pytest.raises(DiskError, match="free some space"):
        store.fill([*paths[:3], paths[3]])  # all that is there is in use
    assert store.fill([paths[0], paths[3]]).decoded == 1
    assert [file.exists() for file in files] == [True, False, True]


@pytest.mark.parametrize("count", [8, 20])  # here, and in processes of their own
def test_a_disk_that_fills_up_on_the_way(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(cropstore_room, "RESERVE", 0)
    paths = noise(tmp_path / "noise", count, 256)
    write_image(paths[0], np.zeros((8, 8, 3), np.uint8))  # the others are larger than it foretells
    store = CropStore(small_disk / "decoded")
    with pytest.raises(DiskError, match="No space left on device"):
        store.fill(paths)
    kept = len(list(store.root.glob(f"*{SUFFIX}")))
    assert 4 <= kept < count
    grow = ["mount", "-o", "remount,size=64m", str(small_disk)]
    subprocess.run(grow, check=True, capture_output=True)
    filled = store.fill(paths)
    assert filled.decoded == count - kept
    assert same(filled.frames(paths), paths)


def test_two_processes_at_once(tmp_path: Path) -> None:
    """One decodes, by processes of its own; the other waits, and finds everything."""
    paths = noise(tmp_path / "noise", 24)
    command = [sys.executable, "-c", FILL, str(tmp_path / "decoded"), str(paths[0].parent)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted(child.communicate(timeout=60)[0].split() for child in both)
    assert [child.returncode for child in both] == [0, 0]
    assert said[0][:2] == ["24", "0"]
    assert said[1] == ["24", "24", "0"]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_killed_in_the_middle(tmp_path: Path) -> None:
    paths = noise(tmp_path / "noise", 24)
    store = CropStore(tmp_path / "decoded")
    command = [sys.executable, "-c", FILL, str(store.root), str(paths[0].parent)]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while len(list(store.root.glob(f"*{SUFFIX}"))) < 5:
        assert child.poll() is None
        time.sleep(0.001)
    child.send_signal(signal.SIGKILL)
    child.wait(timeout=60)
    (store.root / f".dead.0{TEMP_SUFFIX}").touch()
    filled = store.fill(paths)
    assert 0 < filled.decoded <= 19
    assert same(filled.frames(paths), paths)
    assert len(list(store.root.glob(f"*{SUFFIX}"))) == 24
    assert not (store.root / f".dead.0{TEMP_SUFFIX}").exists()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux lists children")
def test_a_process_that_decodes_is_killed(tmp_path: Path) -> None:
    paths = noise(tmp_path / "noise", 60)
    store = CropStore(tmp_path / "decoded")
    command = [sys.executable, "-c", FILL, str(store.root), str(paths[0].parent)]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not list(store.root.glob(f"*{SUFFIX}")):
        assert child.poll() is None
        time.sleep(0.001)
    for pid in Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split():
        if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text():
            os.kill(int(pid), signal.SIGKILL)
    assert "WorkerError: a process that decodes frames died" in child.communicate(timeout=60)[1]
    filled = store.fill(paths)
    assert 0 < filled.decoded < 60
    assert same(filled.frames(paths), paths)
