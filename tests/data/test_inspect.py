"""Summaries of folders of frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export.core.errors import MissingInputError
from c3d_export.data import inspect
from c3d_export.data.complexity import residual_bits
from c3d_export.data.importer import ImportOptions, import_folder
from c3d_export.data.index import GameIndex
from c3d_export.data.inspect import inspect_folder
from c3d_export.data.sheet import contact_sheet
from c3d_export.runtime.images import write_image

from .pictures import drawn, through

MakeFrame = Callable[..., Path]


def test_a_data_folder(tmp_path: Path, make_frame: MakeFrame) -> None:
    train = tmp_path / "train" / "a-6p"
    sizes = [make_frame(train / f"{index}.png").stat().st_size for index in range(2)]
    sizes.append(make_frame(train / "2.png", height=5).stat().st_size)
    (train / "3.png").write_bytes(b"broken")
    make_frame(tmp_path / "test" / "a-6p" / "0.png")
    first, second = inspect_folder(tmp_path).folders
    assert (first.path, first.split, first.game, first.frames) == (train, "train", "a", 3)
    assert first.resolutions == (((8, 6), 2), ((8, 5), 1))
    assert first.total_bytes == sum(sizes) + 6
    assert [path.name for path, _ in first.unreadable] == ["3.png"]
    assert (second.split, second.frames, second.unreadable) == ("test", 1, ())


def test_a_flat_folder(tmp_path: Path, make_frame: MakeFrame) -> None:
    make_frame(tmp_path / "0.png")
    (summary,) = inspect_folder(tmp_path).folders
    assert (summary.split, summary.game, summary.frames) == ("", "", 1)


def test_folders_without_images(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no images"):
        inspect_folder(tmp_path)
    with pytest.raises(MissingInputError, match="cannot list"):
        inspect_folder(tmp_path / "missing")


def test_what_is_wrong_with_frames_is_told(tmp_path: Path) -> None:
    train, test = tmp_path / "train" / "a-240p", tmp_path / "test" / "a-240p"
    frames = {
        train / "s_0.png": drawn(1),
        train / "s_1.png": drawn(1) + np.uint8(1),
        train / "s_2.webp": drawn(1),
        train / "t_0.png": through(drawn(2), "JPEG", quality=80),
        train / "t_1.jpg": drawn(3),
        test / "u_0.png": drawn(3) + np.uint8(1),
        test / "u_1.png": drawn(1),
    }
    for path, frame in frames.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, frame, jpeg_quality=95)
    result = inspect_folder(tmp_path)
    first, second = result.folders
    assert [path.name for path, _ in first.near] == ["s_1.png"]
    assert [path.name for path, _ in first.duplicates] == ["s_2.webp"]
    assert [path.name for path, _ in first.suspects] == ["t_0.png"]
    assert (first.lossy, first.scenes) == ({"JPEG": 1}, {"s": 3, "t": 2})
    assert (second.near, second.duplicates, second.suspects) == ((), (), ())
    assert {path.name for _, path in result.leaks} >= {"u_1.png"}


def test_frames_of_a_video_are_known_by_the_index(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_image(tmp_path / "in" / "a_0.png", drawn(1, 48, 64))
    import_folder(tmp_path / "in", tmp_path / "data", "g", ImportOptions((1.0, 0.0, 0.0)))
    index = GameIndex.of(tmp_path / "data", "g")
    (record,) = index.records().values()
    index.write_records([replace(record, facts=replace(record.facts, lossy="h264 yuv420p"))])
    (summary,) = inspect_folder(tmp_path / "data").folders
    assert summary.lossy == {"h264 yuv420p": 1}


@pytest.mark.parametrize(
    ("frame", "least", "most"),
    [
        (np.full((40, 50, 3), 90, np.uint8), 0, 0),
        (np.tile(np.arange(250, dtype=np.uint8)[:, None], (3, 1, 3)), 0, 0.1),
        (np.random.default_rng(0).integers(0, 256, (700, 600, 3), dtype=np.uint8), 23.9, 24),
        (drawn(1), 6, 16),
    ],
)
def test_bits_of_a_pixel(frame: NDArray[np.uint8], least: float, most: float) -> None:
    assert least <= residual_bits(frame) <= most


def test_bits_do_not_depend_on_the_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = residual_bits(drawn(1))
    monkeypatch.setattr("c3d_export.data.complexity._BAND", 1000)
    assert residual_bits(drawn(1)) == whole
    assert np.isnan(residual_bits(drawn(1)[:1]))


def test_a_contact_sheet_shows_every_scene(tmp_path: Path) -> None:
    folder = tmp_path / "train" / "a-48p"
    folder.mkdir(parents=True)
    colours = {"red": (200, 9, 9), "green": (9, 200, 9), "blue": (9, 9, 200)}
    for name, colour in colours.items():
        for index in range(8):
            frame = np.full((48, 64, 3), colour, np.uint8) + np.uint8(5 * index)
            write_image(folder / f"{name}_{index}.png", frame)
    (folder / "bad_0.png").write_bytes(b"no")
    sheet = contact_sheet(inspect_folder(tmp_path))
    for red, green, blue in colours.values():
        for index in (0, 7):  # the first and the last of each scene
            wanted = np.array([red, green, blue], np.uint8) + np.uint8(5 * index)
            assert (sheet == wanted).all(2).sum() >= 48 * 64
    assert sheet.shape[0] < 600


def test_a_contact_sheet_of_many_scenes_stays_an_image(tmp_path: Path) -> None:
    folder = tmp_path / "train" / "a-8p"
    folder.mkdir(parents=True)
    for index in range(200):
        write_image(folder / f"scene{index}x_0.png", np.full((8, 8, 3), index, np.uint8))
    height, width, _ = contact_sheet(inspect_folder(tmp_path)).shape
    assert max(height, width) <= 16_384


def test_a_frame_that_goes_while_it_is_looked_for(
    tmp_path: Path, make_frame: MakeFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those that `data split` moves."""
    paths = [make_frame(tmp_path / f"{index}.png", index) for index in range(3)]
    size = sum(path.stat().st_size for path in paths[1:])
    real = inspect.list_images

    def listed(folder: Path) -> list[Path]:
        found = real(folder)
        paths[0].unlink(missing_ok=True)
        return found

    monkeypatch.setattr(inspect, "list_images", listed)
    (summary,) = inspect_folder(tmp_path).folders
    assert (summary.frames, summary.total_bytes) == (2, size)
    assert [path.name for path, _ in summary.unreadable] == ["0.png"]
