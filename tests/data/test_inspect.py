"""Summaries of folders of frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from c3d_export.core.errors import MissingInputError
from c3d_export.data.inspect import inspect_folder

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
