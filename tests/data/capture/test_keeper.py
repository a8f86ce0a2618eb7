"""Frames into files: numbers, near-duplicates, full disks."""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export.core.errors import C3DError, DiskError, OptionError
from c3d_export.data.capture.keeper import Keeper, difference, upright
from c3d_export.data.capture.options import Target
from c3d_export.runtime.images import is_lossless, read_image, write_image

Frame = NDArray[np.uint8]


def grey(level: int, width: int = 8, height: int = 6) -> Frame:
    return np.full((height, width, 3), level, np.uint8)


def keep(target: Target, *frames: Frame) -> Keeper:
    keeper = Keeper(target)
    for frame in frames:
        keeper.offer(frame)
    keeper.finish()
    return keeper


@pytest.mark.parametrize("suffix", ["webp", "png"])
def test_files_hold_the_same_pixels(suffix: str, tmp_path: Path) -> None:
    frames = [np.random.default_rng(i).integers(0, 256, (5, 7, 3), np.uint8) for i in range(3)]
    keeper = keep(Target(tmp_path / "a" / "b", "hall-2", suffix=suffix), *frames)
    names = [f"hall-2_00{i}.{suffix}" for i in range(3)]
    assert [path.name for path in keeper.kept] == names
    for path, frame in zip(keeper.kept, frames, strict=True):
        assert is_lossless(path)
        assert np.array_equal(read_image(path), frame)
    assert keeper.bytes == sum(path.stat().st_size for path in keeper.kept)
    assert keeper.sizes == {(7, 5): 3}


def test_near_duplicates_of_the_last_kept_one_are_dropped(tmp_path: Path) -> None:
    """Not of the last one that came: slow changes add up."""
    levels = [10, 11, 12, 11, 13, 10]
    keeper = keep(Target(tmp_path, "a", min_change=2.0), *map(grey, levels))
    assert [int(read_image(path)[0, 0, 0]) for path in keeper.kept] == [10, 12, 10]
    assert keeper.duplicates == 3


def test_another_size_is_no_duplicate(tmp_path: Path) -> None:
    keeper = keep(Target(tmp_path, "a", min_change=255.0), grey(1), grey(1, 9), grey(1, 9))
    assert (len(keeper.kept), keeper.duplicates) == (2, 1)


def test_no_frame_is_dropped_at_zero(tmp_path: Path) -> None:
    assert len(keep(Target(tmp_path, "a", min_change=0.0), grey(1), grey(1)).kept) == 2


def test_numbers_go_on_behind_what_is_there(tmp_path: Path) -> None:
    target = Target(tmp_path, "a", min_change=0.0)
    for name in ("a_007.png", "a_x.png", "ab_030.png", "b_040.png"):
        (tmp_path / name).write_bytes(b"theirs")
    keeper = keep(target, grey(1))
    assert [path.name for path in keeper.kept] == ["a_008.webp"]
    assert (tmp_path / "a_007.png").read_bytes() == b"theirs"


def test_two_captures_into_one_folder_replace_nothing(tmp_path: Path) -> None:
    target = Target(tmp_path, "a", min_change=0.0)
    first, second = Keeper(target), Keeper(target)
    for level in range(16):
        for keeper in (first, second):
            keeper.offer(grey(level))
    first.finish()
    second.finish()
    assert len(first.kept) == len(second.kept) == len(set(first.kept) - set(second.kept)) == 16
    for keeper in (first, second):
        assert [int(read_image(path)[0, 0, 0]) for path in keeper.kept] == list(range(16))


def test_what_waits_is_written_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(path: Path, frame: Frame) -> None:
        time.sleep(0.1)
        write_image(path, frame)

    monkeypatch.setattr("c3d_export.data.capture.keeper.write_image", slow)
    keeper = keep(Target(tmp_path, "a", min_change=0.0), *(grey(level) for level in range(4)))
    assert len(keeper.kept) == 4


def test_nothing_is_kept_beyond_the_count(tmp_path: Path) -> None:
    keeper = Keeper(Target(tmp_path, "a", count=2, min_change=0.0))
    offered = [keeper.offer(grey(level)) for level in range(20)]
    keeper.finish()
    assert keeper.full.is_set()
    assert len(list(tmp_path.iterdir())) == 2
    assert not offered[-1]


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file may grow beyond 2000 bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_ends_it_and_what_was_kept_stays(full_disk: None, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    keeper = keep(Target(tmp_path, "a", suffix="png"), grey(1), grey(9), noise, grey(40))
    assert isinstance(keeper.error, DiskError)
    assert keeper.full.is_set()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a_000.png", "a_001.png"]
    assert not keeper.offer(grey(3))


def test_any_other_fault_ends_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path, frame: Frame) -> None:
        raise MemoryError("none left")

    monkeypatch.setattr("c3d_export.data.capture.keeper.write_image", fail)
    keeper = keep(Target(tmp_path, "a"), grey(1))
    assert type(keeper.error) is C3DError
    assert "MemoryError: none left" in str(keeper.error)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskError, match="file"):
        Keeper(Target(tmp_path / "file" / "out", "a"))


@pytest.mark.parametrize("scene", ["", ".hidden", "a/b", "../a", "a" * 101])
def test_names_of_scenes_stay_in_the_folder(scene: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="scene name"):
        Target(tmp_path, scene)


def test_difference_is_in_mean_grey_levels() -> None:
    assert difference(grey(250), grey(5)) == 245
    assert difference(grey(5), grey(250)) == 245
    assert difference(grey(1), grey(1, 9)) == float("inf")


def test_pixels_of_a_message_are_turned_upright() -> None:
    pixels = bytearray(range(2 * 3 * 4))
    frame = upright(pixels, 2, 3)
    assert frame.shape == (3, 2, 3)
    assert frame[0].tolist() == [[16, 17, 18], [20, 21, 22]]
    assert frame[2, 0].tolist() == [0, 1, 2]
