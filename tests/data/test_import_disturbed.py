"""Imports beside other processes, on a full disk, and after they were cut short."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from c3d_export.core.errors import C3DError, DiskError, ImageError
from c3d_export.data.frames import SPLITS
from c3d_export.data.importer import import_folder
from c3d_export.data.index import GameIndex
from c3d_export.data.placing import place
from c3d_export.data.reading import Stamp, read_steady
from c3d_export.runtime.images import write_image

from .pictures import drawn


def _source(folder: Path, scenes: str = "abcde", seed: int = 0) -> Path:
    """Scenes of four frames each."""
    folder.mkdir()
    for number, scene in enumerate(scenes):
        for index in range(4):
            frame = drawn(seed + 10 * number + index, 48, 64)
            write_image(folder / f"{scene}_{index}.png", frame)
    return folder


def _files(root: Path) -> dict[str, bytes]:
    found = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


def test_two_processes_at_once(tmp_path: Path) -> None:
    _source(tmp_path / "one", "abc")
    _source(tmp_path / "two", "cdef", 100)
    command = [sys.executable, "-m", "c3d_export", "data", "import", "--game", "g"]
    space = ["--workspace", str(tmp_path / "ws")]
    started = [
        subprocess.Popen(
            [*command, str(tmp_path / name), *space], stderr=subprocess.PIPE, text=True
        )
        for name in ("one", "two")
    ]
    said = [process.communicate(timeout=120)[1] for process in started]
    # The c of one is of other pixels than that of two: whoever comes second cannot have the name.
    assert sorted(process.returncode for process in started) == [0, 3], said
    data = tmp_path / "ws" / "data"
    keys = [p.relative_to(data).as_posix() for s in SPLITS for p in (data / s).rglob("*.png")]
    assert len({key.split("/")[-1] for key in keys}) == len(keys) == 24
    assert sorted(GameIndex.of(data, "g").records()) == sorted(keys)


def test_the_second_waits_and_says_so(tmp_path: Path) -> None:
    _source(tmp_path / "in", "a")
    index = GameIndex.of(tmp_path / "data", "g")
    waiting, results = threading.Event(), []

    def second() -> None:
        results.append(import_folder(tmp_path / "in", tmp_path / "data", "g", waits=waiting.set))

    thread = threading.Thread(target=second)
    with index.lock(lambda: None):
        thread.start()
        assert waiting.wait(60)
        assert not results
    thread.join(60)
    assert results[0].train > 0


def test_a_file_that_changes_before_it_is_placed_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write_image(path, drawn(1, 48, 64))
    data, stamp = read_steady(path)
    path.write_bytes(data + b"more")
    with pytest.raises(ImageError, match="changed"):
        place(path, stamp, "0" * 64, tmp_path / "target.png")
    path.unlink()
    with pytest.raises(ImageError, match="gone"):
        place(path, stamp, "0" * 64, tmp_path / "target.png")
    assert list(tmp_path.iterdir()) == []


def test_a_copy_of_another_content_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(1, "no links here")

    monkeypatch.setattr(os, "link", fail)
    path = tmp_path / "a.png"
    write_image(path, drawn(1, 48, 64))
    with pytest.raises(ImageError, match="changed"):
        place(path, Stamp.of(path.stat()), "0" * 64, tmp_path / "target.png")
    assert not (tmp_path / "target.png").exists()


def test_a_file_that_grows_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"begun")
    real = os.fstat

    def growing(descriptor: int) -> os.stat_result:
        status = real(descriptor)
        with open(path, "ab") as file:
            file.write(b"more")
        return status

    monkeypatch.setattr(os, "fstat", growing)
    with pytest.raises(ImageError, match="changed while it was read"):
        read_steady(path)


def test_a_folder_that_is_still_written(tmp_path: Path) -> None:
    """Half files are never taken, whole ones are, and the last import has them all."""
    whole = _source(tmp_path / "whole", "abcd")
    (tmp_path / "in").mkdir()
    writing, seen = threading.Event(), threading.Event()

    def write() -> None:
        for index, path in enumerate(sorted(whole.iterdir())):
            data = path.read_bytes()
            with open(tmp_path / "in" / path.name, "wb", 0) as file:
                file.write(data[: len(data) // 2])
                writing.set()
                time.sleep(0.02)
                if index == 15:  # until an import came by
                    seen.wait(60)
                file.write(data[len(data) // 2 :])

    writer = threading.Thread(target=write)
    writer.start()
    assert writing.wait(60)
    taken = 0
    while taken < 16:
        alive = writer.is_alive()
        try:
            result = import_folder(tmp_path / "in", tmp_path / "data", "g")
        except ImageError:  # nothing is whole yet
            seen.set()
            continue
        if result.skipped:
            seen.set()
        taken += result.train + result.validation + result.test
        assert alive or taken == 16
    writer.join()
    assert seen.is_set()
    frames = {k.split("/")[-1]: v for k, v in _files(tmp_path / "data").items() if "index" not in k}
    assert frames == _files(whole)


@pytest.mark.parametrize(("scenes", "points"), [("abcde", (0, 1, 5, 17)), ("a", (1, 2, 3))])
def test_the_splits_of_an_import_that_was_cut_short_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenes: str, points: tuple[int, ...]
) -> None:
    """After some frames; a new choice would leave a scene that was to be cut in one split."""
    _source(tmp_path / "in", scenes)
    import_folder(tmp_path / "in", tmp_path / "whole", "g")
    for after in points:
        root = tmp_path / f"cut{after}"
        left = iter(range(after))

        def failing(*args: object, left: Iterator[int] = left) -> bool:
            if next(left, None) is None:
                raise DiskError("cut short")
            return place(*args)  # type: ignore[arg-type]

        with monkeypatch.context() as patched:
            patched.setattr("c3d_export.data.importer.place", failing)
            with pytest.raises(DiskError, match="cut short"):
                import_folder(tmp_path / "in", root, "g")
        result = import_folder(tmp_path / "in", root, "g")
        assert result.unchanged == after
        assert _files(root) == _files(tmp_path / "whole")


def test_a_torn_journal_is_read_up_to_where_it_is_whole(tmp_path: Path) -> None:
    _source(tmp_path / "in")
    import_folder(tmp_path / "in", tmp_path / "whole", "g")
    index = GameIndex.of(tmp_path / "data", "g")
    index.root.mkdir(parents=True)
    lines = GameIndex.of(tmp_path / "whole", "g").frames.read_bytes()
    index.journal.write_bytes(lines[: len(lines) // 2])
    assert 5 < len(index.journalled()) < 15
    import_folder(tmp_path / "in", tmp_path / "data", "g")
    assert _files(tmp_path / "data") == _files(tmp_path / "whole")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a tmpfs needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_keeps_what_was_taken(tmp_path: Path, small_disk: Path) -> None:
    _source(tmp_path / "in")
    import_folder(tmp_path / "in", tmp_path / "whole", "g")
    whole = _files(tmp_path / "whole")
    with pytest.raises(DiskError, match="No space left on device; free some space"):
        import_folder(tmp_path / "in", small_disk / "data", "g")
    taken = {k: v for k, v in _files(small_disk / "data").items() if "index/" not in k}
    assert 0 < len(taken) < 20
    assert all(whole[key] == data for key, data in taken.items())
    assert not list(small_disk.rglob("*.c3d-tmp"))
    subprocess.run(["mount", "-o", "remount,size=9m", str(small_disk)], check=True)
    import_folder(tmp_path / "in", small_disk / "data", "g")
    assert _files(small_disk / "data") == whole


def test_a_full_disk_keeps_what_was_made_of_other_files(tmp_path: Path, small_disk: Path) -> None:
    """BMP becomes PNG before it has its place, as frames of videos do."""
    (tmp_path / "in").mkdir()
    for n in range(20):
        Image.fromarray(drawn(n, 48, 64)).save(tmp_path / "in" / f"a{n}_0.bmp")
    with pytest.raises(DiskError, match="free some space"):
        import_folder(tmp_path / "in", small_disk / "data", "g")
    folder = GameIndex.of(small_disk / "data", "g").staged
    staged = [path.stat().st_ino for path in folder.iterdir()]
    assert staged
    subprocess.run(["mount", "-o", "remount,size=9m", str(small_disk)], check=True)
    import_folder(tmp_path / "in", small_disk / "data", "g")
    places = {path.stat().st_ino for path in (small_disk / "data").rglob("a*.png")}
    assert len(places) == 20
    assert places >= set(staged)
    assert not folder.exists()


def test_a_lock_that_cannot_be_had_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(C3DError, match="use a local disk"):
        import_folder(_source(tmp_path / "in", "a"), tmp_path / "data", "g")
