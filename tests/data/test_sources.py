"""Layouts of sources, and what their frames are called in the workspace."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from c3d_export.core.errors import MissingInputError
from c3d_export.data.frames import scene
from c3d_export.data.sources import Candidate, list_source


def _files(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def _places(root: Path) -> list[tuple[str, str, str]]:
    return [(c.name, c.split, c.folder) for c in list_source(root, "g").candidates]


def test_a_flat_folder(tmp_path: Path) -> None:
    _files(tmp_path, "b_1.png", "b_0.BMP", ".hidden.png", "notes.txt")
    assert _places(tmp_path) == [("b_0.BMP", "", ""), ("b_1.png", "", "")]
    assert list_source(tmp_path, "g").others == [tmp_path / "notes.txt"]


def test_the_layout_of_eccv(tmp_path: Path) -> None:
    _files(tmp_path, "train/g-720p/000.png", "train/g-1080p/000.png", "test/h-720p/000.png")
    assert _places(tmp_path) == [
        ("000.png", "train", "g-1080p"),
        ("000.png", "train", "g-720p"),
    ]


def test_one_split_of_that_layout(tmp_path: Path) -> None:
    _files(tmp_path, "g-720p/000.png", "h-720p/000.png")
    assert _places(tmp_path) == [("000.png", "", "g-720p")]


def test_a_folder_of_clips(tmp_path: Path) -> None:
    _files(tmp_path, "run1/0001.png", "run1/0002.png", "run2/a.png", "run2/b7.png", "x/y/f_3.png")
    listed = list_source(tmp_path, "g").candidates
    assert [c.name for c in listed] == [
        "run1_0001.png",
        "run1_0002.png",
        "run2_000000.png",
        "run2_000001.png",
        "x-y_3.png",
    ]
    assert [scene(Path(c.name)) for c in listed] == ["run1", "run1", "run2", "run2", "x-y"]


def test_the_layout_of_clic_has_a_scene_for_each_picture(tmp_path: Path) -> None:
    _files(tmp_path, "train/IMG_20160816.png", "train/lake.png", "valid/IMG_20160817.png")
    listed = list_source(tmp_path, "g").candidates
    assert [(c.name, c.split) for c in listed] == [
        ("IMG_20160816_0.png", "train"),
        ("lake.png", "train"),
        ("IMG_20160817_0.png", "validation"),
    ]
    assert len({scene(Path(c.name)) for c in listed}) == 3


def test_videos(tmp_path: Path) -> None:
    _files(tmp_path, "race.mkv", "level2/a.mp4")
    (first, second) = list_source(tmp_path, "g").candidates
    assert (first.name, first.is_video) == ("race", True)
    assert second == Candidate(tmp_path / "level2" / "a.mp4", "level2-a")
    assert _places(tmp_path / "race.mkv") == [("race", "", "")]


def test_sources_without_images(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no images of g in"):
        list_source(_files(tmp_path, "notes.txt"), "g")
    with pytest.raises(MissingInputError, match="cannot list"):
        list_source(tmp_path / "missing", "g")


def test_a_folder_that_cannot_be_listed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _files(tmp_path, "a/0.png", "b/0.png")
    real = os.scandir

    def closed(path: str) -> object:
        if Path(path).name == "b":  # root may list everything, so that modes do not help
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", closed)
    listing = list_source(tmp_path, "g")
    assert [candidate.name for candidate in listing.candidates] == ["a_0.png"]
    ((path, reason),) = listing.unreadable
    assert path == tmp_path / "b"
    assert "Permission denied" in reason
