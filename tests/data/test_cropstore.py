"""The store of decoded frames: decoded once, whole or not at all, and never other pixels."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from c3d_export.core.errors import DecodedFrameError, MissingInputError
from c3d_export.core.limits import MIB
from c3d_export.data import cropstore, cropstore_room
from c3d_export.data.cropstore import CropStore
from c3d_export.data.cropstore_decode import decoded_path
from c3d_export.data.cropstore_file import HEADER, SUFFIX, open_decoded, write_decoded
from c3d_export.data.cropstore_frames import Resident, StoredFrames
from c3d_export.data.frames import digest_of, frames_digest

from .conftest import MakeFrame, same


def _file(store: CropStore, path: Path) -> Path:
    return decoded_path(store.root, store.fill([path]).digests[path])


def test_frames_are_decoded_once(store: CropStore, paths: list[Path]) -> None:
    told: list[tuple[int, int]] = []
    first = store.fill(paths, lambda done, all_: told.append((done, all_)))
    assert (first.decoded, told) == (4, [(n, 4) for n in range(1, 5)])
    assert same(first.frames(paths), paths)
    assert digest_of(first.digests.items()) == frames_digest(paths)
    again = store.fill(paths[::-1], lambda done, all_: pytest.fail("nothing is to be decoded"))
    assert again.decoded == 0
    assert same(again.frames(paths), paths)
    assert len(list(store.root.glob(f"*{SUFFIX}"))) == 4


def test_a_sequence_of_arrays_that_cannot_be_written_to(
    store: CropStore, paths: list[Path]
) -> None:
    frames = store.fill(paths).frames(paths)
    assert len(frames) == 4
    assert [int(frame[0, 0, 0]) for frame in frames[1::2]] == [88, 104]
    assert frames.sizes == ((6, 8),) * 4
    assert np.array_equal(frames[-1], frames[3])
    with pytest.raises(IndexError):
        frames[4]
    with pytest.raises(ValueError, match="read-only"):
        frames[0][0] = 1


def test_one_content_is_stored_once(store: CropStore, paths: list[Path], tmp_path: Path) -> None:
    copy = tmp_path / "other-6p" / "b_1.png"
    copy.parent.mkdir()
    shutil.copy(paths[0], copy)
    filled = store.fill([*paths, copy])
    assert len(filled.frames([*paths, copy])) == 5
    assert len(list(store.root.glob(f"*{SUFFIX}"))) == 4


def test_an_unreadable_frame_among_good_ones_is_skipped(
    store: CropStore, paths: list[Path]
) -> None:
    paths[1].write_bytes(paths[1].read_bytes()[:-9])
    paths[2].write_bytes(b"")
    for _ in range(2):
        filled = store.fill(paths)
        assert [path for path, _ in filled.skipped] == paths[1:3]
        assert "truncated" in filled.skipped[0][1]
        assert same(filled.frames(paths), [paths[0], paths[3]])
        assert digest_of(filled.digests.items()) == frames_digest(paths)


def test_a_file_that_is_gone(store: CropStore, paths: list[Path]) -> None:
    paths[2].unlink()
    with pytest.raises(MissingInputError, match=r"a_2\.png: No such file"):
        store.fill(paths)


def test_a_flipped_byte_is_an_error(store: CropStore, paths: list[Path]) -> None:
    file = _file(store, paths[0])
    data = bytearray(file.read_bytes())
    data[HEADER.size + 17] ^= 1
    file.write_bytes(data)
    frames = store.fill(paths).frames(paths)
    assert frames[1][0, 0, 0] == 88
    for _ in range(2):
        with pytest.raises(DecodedFrameError, match=f"{file.name} is damaged.*remove it"):
            frames[0]
    file.unlink()
    assert same(store.fill(paths).frames(paths), paths)


@pytest.mark.parametrize("byte", [0, 8, 12, 16, 20, 24, 55, 56, 60])
def test_a_damaged_header_is_made_anew(store: CropStore, paths: list[Path], byte: int) -> None:
    """So is another version, which stands in it."""
    file = _file(store, paths[0])
    data = bytearray(file.read_bytes())
    data[byte] ^= 1
    file.write_bytes(data)
    filled = store.fill(paths[:1])
    assert filled.decoded == 1
    assert same(filled.frames(paths[:1]), paths[:1])


@pytest.mark.parametrize("length", [0, 5, HEADER.size, HEADER.size + 143, HEADER.size + 145])
def test_a_file_of_another_length_is_made_anew(
    store: CropStore, paths: list[Path], length: int
) -> None:
    file = _file(store, paths[0])
    file.write_bytes(file.read_bytes().ljust(length, b"\0")[:length])
    filled = store.fill(paths[:1])
    assert filled.decoded == 1
    assert same(filled.frames(paths[:1]), paths[:1])


def test_the_frame_of_another_key_is_not_taken(store: CropStore, paths: list[Path]) -> None:
    one, other = (_file(store, path) for path in paths[:2])
    shutil.copy(one, other)
    assert same(store.fill(paths).frames(paths), paths)


def test_what_is_mapped_stays_whatever_becomes_of_the_files(
    store: CropStore, paths: list[Path], make_frame: MakeFrame
) -> None:
    frames = store.fill(paths).frames(paths)
    make_frame(paths[0], 99)
    shutil.rmtree(store.root)
    assert [int(frame[0, 0, 0]) for frame in frames] == [80, 88, 96, 104]
    assert same(store.fill(paths).frames(paths), paths)


def test_derived_frames_are_computed_once(store: CropStore, paths: list[Path]) -> None:
    frames = store.fill(paths).frames(paths)
    calls: list[int] = []

    def change(frame: np.ndarray) -> np.ndarray:
        calls.append(1)
        return 255 - frame

    for _ in range(2):
        derived = store.derive(frames, "negative 1", change)
        assert [int(frame[0, 0, 0]) for frame in derived] == [175, 167, 159, 151]
    assert len(calls) == 4
    store.derive(frames, "negative 2", change)
    assert len(calls) == 8


def test_what_was_not_used_for_longest_is_removed(
    store: CropStore, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = HEADER.size + 6 * 8 * 3
    monkeypatch.setattr(cropstore_room, "MAX_STORE_BYTES", 2 * one)
    files = [_file(store, path) for path in paths[:2]]
    for age, file in zip((200, 100), files, strict=True):
        os.utime(file, (time.time() - age,) * 2)
    mapped = store.fill(paths[:1]).frames(paths[:1])  # now the other one is older
    assert _file(store, paths[2]).exists()
    assert [file.exists() for file in files] == [True, False]
    whole = store.fill(paths)  # the frames of one run may take more than the limit
    assert same(whole.frames(paths), paths)
    assert len(list(store.root.glob(f"*{SUFFIX}"))) == 4
    assert mapped[0][0, 0, 0] == 80


def test_a_file_that_changes_while_the_store_is_filled(
    store: CropStore, paths: list[Path], make_frame: MakeFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is decoded is named by its own contents."""
    real = cropstore.decode_all

    def late(root: Path, missing: list[Path]) -> Iterator[object]:
        make_frame(paths[1], 99)
        return real(root, missing)

    monkeypatch.setattr(cropstore, "decode_all", late)
    filled = store.fill(paths)
    assert [int(frame[0, 0, 0]) for frame in filled.frames(paths)] == [80, 24, 96, 104]
    assert digest_of(filled.digests.items()) == frames_digest(paths)


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="only Linux tells")
def test_few_frames_are_in_memory_at_a_time(tmp_path: Path) -> None:
    frame = np.zeros((512, 512, 3), np.uint8)
    keys = [f"{n:064x}" for n in range(40)]
    for key in keys:
        write_decoded(tmp_path / key, key, frame)
    files = [opened for key in keys if (opened := open_decoded(tmp_path / key, key))]
    frames = StoredFrames(keys, files, Resident(4 * MIB))
    for _ in range(2):
        assert sum(int(frame.sum()) for frame in frames) == 0
    assert frame.nbytes < _resident(tmp_path) <= 5 * MIB
    without = StoredFrames(keys, files, Resident(1 << 40))
    assert sum(int(frame.sum()) for frame in without) == 0
    assert _resident(tmp_path) > 30 * MIB


def _resident(folder: Path) -> int:
    """Bytes of the files in a folder that are mapped and in memory."""
    total, ours = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if line.startswith("Rss:"):
            total += int(line.split()[1]) * 1024 * ours
        elif "-" in line.split()[0]:
            ours = str(folder) in line
    return total
