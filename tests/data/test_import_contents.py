"""Imports look at contents: equal and nearly equal frames, lossy files, odd names, formats."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from c3d_export.core.errors import ImageError
from c3d_export.data.frames import SPLITS, find_game
from c3d_export.data.importer import ImportOptions, ImportResult, import_folder
from c3d_export.data.index import GameIndex
from c3d_export.runtime.images import list_images, read_image, write_image

from .pictures import drawn, through

ALL_TRAIN = (1.0, 0.0, 0.0)


def _write(path: Path, seed: int, plus: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = np.clip(drawn(seed, 48, 64).astype(int) + plus, 0, 255).astype(np.uint8)
    if path.suffix == ".bmp":
        Image.fromarray(frame).save(path)
    else:
        write_image(path, frame, jpeg_quality=90)
    return path


def _take(tmp_path: Path, name: str = "in", **options: object) -> ImportResult:
    chosen = ImportOptions(ALL_TRAIN, **options)  # type: ignore[arg-type]
    return import_folder(tmp_path / name, tmp_path / "data", "g", chosen)


def _names(tmp_path: Path) -> list[str]:
    return [path.name for path in find_game(tmp_path / "data", "g", "train")]


def test_equal_pixels_are_taken_once_whatever_the_name_and_format(tmp_path: Path) -> None:
    for name in ("a_0.png", "a_1.webp", "b_0.bmp"):
        _write(tmp_path / "in" / name, 1)
    result = _take(tmp_path)
    assert (result.train, len(result.duplicates)) == (1, 2)
    assert _names(tmp_path) == ["a_0.png"]
    _write(tmp_path / "again" / "other.webp", 1)
    again = _take(tmp_path, "again")
    assert (again.train, again.unchanged) == (0, 0)
    assert [path for _, path in again.duplicates] == find_game(tmp_path / "data", "g", "train")


def test_near_duplicates_of_a_scene_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    for name, plus in (("a_0.png", 0), ("a_1.png", 1), ("a_2.png", 9), ("b_0.png", -1)):
        _write(tmp_path / "in" / name, 1, plus)
    result = _take(tmp_path)
    assert [source.rsplit("/", 1)[1] for source, _ in result.near] == ["a_1.png"]
    assert _names(tmp_path) == ["a_0.png", "a_2.png", "b_0.png"]
    again = _take(tmp_path)
    assert (again.unchanged, again.near[0][0]) == (3, result.near[0][0])
    kept = _take(tmp_path, keep_near=True)
    assert (kept.train, kept.unchanged, kept.near) == (1, 3, ())


def test_near_duplicates_on_two_sides_are_told_and_kept(tmp_path: Path) -> None:
    _write(tmp_path / "in" / "train" / "a_0.png", 1)
    _write(tmp_path / "in" / "test" / "a_1.png", 1, 1)
    _write(tmp_path / "in" / "test" / "b.png", 2)
    result = _take(tmp_path)
    assert (result.train, result.test, result.near) == (1, 2, ())
    ((one, other),) = result.leaks
    assert {one.parts[-3], other.parts[-3]} == {"train", "test"}


def test_a_bmp_becomes_a_png_with_its_pixels(tmp_path: Path) -> None:
    _write(tmp_path / "in" / "a_0.bmp", 1)
    _take(tmp_path)
    (path,) = find_game(tmp_path / "data", "g", "train")
    assert path.name == "a_0.png"
    assert np.array_equal(read_image(path), drawn(1, 48, 64))
    assert _take(tmp_path).unchanged == 1
    left = {path.name for path in (tmp_path / "data" / "index" / "g").iterdir()}
    assert left == {"frames.jsonl", "lock"}


def test_lossy_files_are_taken_on_request_and_marked(tmp_path: Path) -> None:
    _write(tmp_path / "in" / "a_0.png", 1)
    _write(tmp_path / "in" / "a_1.jpg", 2)
    buffer = tmp_path / "in" / "a_2.webp"
    Image.fromarray(drawn(3, 48, 64)).save(buffer, quality=80)
    result = _take(tmp_path)
    assert [path.name for path, _ in result.skipped] == ["a_1.jpg", "a_2.webp"]
    assert all("--lossy" in reason for _, reason in result.skipped)
    assert _take(tmp_path, lossy=True).lossy == {"JPEG": 1, "WebP": 1}
    records = GameIndex.of(tmp_path / "data", "g").records()
    assert sorted(record.facts.lossy for record in records.values()) == ["", "JPEG", "WebP"]


def test_a_png_that_was_a_jpeg_is_told(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_image(tmp_path / "in" / "a_0.png", through(drawn(1), "JPEG", quality=85))
    write_image(tmp_path / "in" / "a_1.png", drawn(2))
    ((path, text),) = _take(tmp_path).traces
    assert path.name == "a_0.png"
    assert "was coded with loss before" in text


def test_a_video_is_taken_frame_by_frame_and_marked(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    (tmp_path / "in").mkdir()
    with av.open(str(tmp_path / "in" / "race.mkv"), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for seed in range(6):
            frame = av.VideoFrame.from_ndarray(drawn(seed, 48, 64), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    result = _take(tmp_path, every=2)
    assert _names(tmp_path) == ["race_000000.png", "race_000002.png", "race_000004.png"]
    assert result.lossy == {"mpeg4 yuv420p": 3}
    again = _take(tmp_path, every=2)
    assert (again.train, again.unchanged) == (0, 3)
    index = GameIndex.of(tmp_path / "data", "g")
    index.frames.unlink()
    assert _take(tmp_path).train == 3
    assert {r.facts.lossy for r in index.records().values()} == {"mpeg4 yuv420p"}


def test_a_frame_that_lay_there_before_is_known(tmp_path: Path) -> None:
    _write(tmp_path / "data" / "test" / "g-48p" / "old_0.png", 1)
    _write(tmp_path / "in" / "new_0.png", 1)
    _write(tmp_path / "in" / "new_1.png", 2)
    result = _take(tmp_path)
    assert (result.train, len(result.duplicates)) == (1, 1)
    records = GameIndex.of(tmp_path / "data", "g").records()
    assert records["test/g-48p/old_0.png"].source.endswith("new_0.png")


def test_a_lost_or_damaged_index_is_made_again(tmp_path: Path) -> None:
    for seed in range(3):
        _write(tmp_path / "in" / f"a_{seed}.png", seed)
    _take(tmp_path)
    frames = GameIndex.of(tmp_path / "data", "g").frames
    before = frames.read_bytes()
    frames.write_bytes(before[:-40] + b"\n{}\nno json\n")
    assert _take(tmp_path).unchanged == 3
    assert frames.read_bytes() == before
    frames.unlink()
    assert _take(tmp_path).unchanged == 3
    assert frames.read_bytes() == before


def test_two_files_of_one_name_are_not_both_taken(tmp_path: Path) -> None:
    _write(tmp_path / "in" / "a_0.bmp", 1)
    _write(tmp_path / "in" / "a_0.png", 2)
    ((path, reason),) = _take(tmp_path).skipped
    assert path.name == "a_0.png"
    assert "another file of the source becomes g-48p/a_0.png" in reason


def _bmp_header(width: int, height: int) -> bytes:
    return struct.pack("<2sIIIIiiHHIIiiII", b"BM", 54, 0, 54, 40, width, height, 1, 24, *6 * [0])


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("empty.png", b"", "empty"),
        ("text.png", b"no image", "no PNG, WebP or JPEG"),
        ("cut.bmp", _bmp_header(64, 48) + b"1234", "truncated"),
        ("huge.bmp", _bmp_header(30_000, 30_000), "30000x30000 pixels"),
        ("head.bmp", b"BM", "cannot read"),
    ],
)
def test_bad_files_are_a_line_each_and_the_others_are_taken(
    tmp_path: Path, name: str, data: bytes, said: str
) -> None:
    _write(tmp_path / "in" / "a_0.png", 1)
    (tmp_path / "in" / name).write_bytes(data)
    result = _take(tmp_path)
    ((path, reason),) = result.skipped
    assert (path.name, result.train) == (name, 1)
    assert said in reason
    _write(tmp_path / "in" / name, 5)
    assert _take(tmp_path).train == 1  # when its writer has finished


def test_odd_names(tmp_path: Path) -> None:
    _write(tmp_path / "in" / "grün\u3000🎮's_0.png", 1)
    odd = [os.fsdecode(b"caf\xe9_0.png"), "line\nfeed_0.png"]
    for name in odd:
        _write(tmp_path / "in" / "x.png", 2).rename(tmp_path / "in" / name)
    _write(tmp_path / "in" / ("d" * 200) / ("n" * 100 + ".png"), 3)
    _write(tmp_path / "in" / ("d" * 200) / ("m" * 100 + ".png"), 4)
    _write(tmp_path / "in" / ("d" * 252) / "0.png", 6)
    result = _take(tmp_path)
    assert len(_names(tmp_path)) == 3
    assert "grün\u3000🎮's_0.png" in _names(tmp_path)
    reasons = " ".join(reason for _, reason in result.skipped)
    assert len(result.skipped) == 3
    assert "no UTF-8" in reasons
    assert "control characters" in reasons
    assert "more than 255 bytes" in reasons


def test_a_source_of_only_bad_files_names_the_first(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"x")
    with pytest.raises(ImageError, match=r"none of the 1 images can be used: .*a\.png"):
        _take(tmp_path)
    assert not any((tmp_path / "data" / split).exists() for split in SPLITS)
    assert list_images(tmp_path / "in")
