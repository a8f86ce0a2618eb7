"""Imports: layouts, skipped files, repeated imports, and nothing overwritten."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from c3d_export.core.errors import DiskError, ImageError, MissingInputError, OptionError
from c3d_export.data.frames import find_game, games
from c3d_export.data.importer import ImportOptions, import_folder

MakeFrame = Callable[..., Path]


@pytest.fixture
def source(tmp_path: Path, make_frame: MakeFrame) -> Path:
    """A flat folder with three scenes of 4, 2 and 1 frames."""
    for index, name in enumerate(["a_0", "a_1", "a_2", "a_3", "b_0", "b_1", "c_0"]):
        make_frame(tmp_path / "in" / f"{name}.png", index)
    return tmp_path / "in"


def _tree(root: Path) -> dict[str, bytes]:
    """The frames, and litter among them; not the index."""
    files = [p for p in root.rglob("*") if p.is_file() and p.parents[1].name != "index"]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def test_a_flat_folder_is_split_by_scene(tmp_path: Path, source: Path) -> None:
    result = import_folder(source, tmp_path / "data", "imhotep")
    assert (result.train, result.validation, result.test) == (4, 2, 1)
    assert result.linked == 7
    assert result.skipped == ()
    assert result.cut_scenes == ()
    names = [path.name for path in find_game(tmp_path / "data", "imhotep", "train")]
    assert names == ["a_0.png", "a_1.png", "a_2.png", "a_3.png"]
    assert _tree(tmp_path / "data")["test/imhotep-6p/c_0.png"] == (source / "c_0.png").read_bytes()


def test_a_second_import_changes_nothing(tmp_path: Path, source: Path) -> None:
    import_folder(source, tmp_path / "data", "imhotep")
    before = _tree(tmp_path / "data")
    result = import_folder(source, tmp_path / "data", "imhotep")
    assert (result.unchanged, result.train, result.linked) == (7, 0, 0)
    assert _tree(tmp_path / "data") == before


def test_a_second_import_of_a_cut_scene_changes_nothing(
    tmp_path: Path, make_frame: MakeFrame
) -> None:
    for index in range(10):
        make_frame(tmp_path / "in" / f"{index:03d}.png", index)
    first = import_folder(tmp_path / "in", tmp_path / "data", "imhotep")
    assert (first.train, first.validation, first.test) == (8, 1, 1)
    assert first.cut_scenes == ("",)
    second = import_folder(tmp_path / "in", tmp_path / "data", "imhotep")
    assert (second.unchanged, second.train, second.cut_scenes) == (10, 0, ())


def test_later_frames_join_their_scene(tmp_path: Path, source: Path, make_frame: MakeFrame) -> None:
    import_folder(source, tmp_path / "data", "imhotep")
    make_frame(tmp_path / "more" / "c_1.png", 9)
    result = import_folder(tmp_path / "more", tmp_path / "data", "imhotep")
    assert (result.train, result.validation, result.test) == (0, 0, 1)


def test_a_folder_in_the_layout_keeps_its_splits(tmp_path: Path, make_frame: MakeFrame) -> None:
    make_frame(tmp_path / "in" / "train" / "imhotep-720p" / "000.png", 1)
    make_frame(tmp_path / "in" / "test" / "imhotep-720p" / "000.png", 2)
    make_frame(tmp_path / "in" / "test" / "dota2-720p" / "000.png", 3)
    make_frame(tmp_path / "in" / "validation" / "000.png", 4)
    result = import_folder(tmp_path / "in", tmp_path / "data", "imhotep")
    assert (result.train, result.validation, result.test) == (1, 1, 1)
    assert games(tmp_path / "data") == ["imhotep"]
    assert sorted(_tree(tmp_path / "data")) == [
        "test/imhotep-720p/000.png",
        "train/imhotep-720p/000.png",
        "validation/imhotep-6p/000.png",
    ]


def test_corrupt_and_lossy_files_are_skipped_and_reported(
    tmp_path: Path, source: Path, make_frame: MakeFrame
) -> None:
    broken, lossy = source / "a_0.png", source / "d_0.jpg"
    broken.write_bytes(broken.read_bytes()[:-20])
    make_frame(lossy)
    result = import_folder(source, tmp_path / "data", "imhotep")
    reasons = dict(result.skipped)
    assert set(reasons) == {broken, lossy}
    assert "truncated" in reasons[broken]
    assert "coded with loss" in reasons[lossy]
    assert result.train + result.validation + result.test == 6


def test_a_name_that_is_taken_by_another_content_is_not_overwritten(
    tmp_path: Path, source: Path, make_frame: MakeFrame
) -> None:
    import_folder(source, tmp_path / "data", "imhotep")
    before = _tree(tmp_path / "data")
    changed = make_frame(tmp_path / "other" / "b_1.png", 20)
    result = import_folder(tmp_path / "other", tmp_path / "data", "imhotep")
    assert result.skipped == ((changed, "validation has another b_1.png; rename it"),)
    assert _tree(tmp_path / "data") == before


@pytest.mark.parametrize("code", [errno.EXDEV, errno.EPERM])
def test_files_are_copied_where_they_cannot_be_linked(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", fail)
    result = import_folder(source, tmp_path / "data", "imhotep")
    assert (result.train, result.linked) == (4, 0)
    assert import_folder(source, tmp_path / "data", "imhotep").unchanged == 7
    assert len(_tree(tmp_path / "data")) == 7


def test_a_disk_that_is_full_leaves_no_half_file(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", fail)
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DiskError, match="free some space"):
        import_folder(source, tmp_path / "data", "imhotep")
    assert _tree(tmp_path / "data") == {}


def test_a_link_in_the_source_is_followed(tmp_path: Path, source: Path) -> None:
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "a_0.png").symlink_to(source / "a_0.png")
    import_folder(tmp_path / "links", tmp_path / "data", "imhotep")
    (path,) = find_game(tmp_path / "data", "imhotep", "train")
    assert not path.is_symlink()


def test_a_source_without_images_of_the_game(tmp_path: Path, make_frame: MakeFrame) -> None:
    make_frame(tmp_path / "in" / "train" / "dota2-720p" / "000.png")
    with pytest.raises(MissingInputError, match="no images of imhotep"):
        import_folder(tmp_path / "in", tmp_path / "data", "imhotep")
    with pytest.raises(MissingInputError, match="cannot list"):
        import_folder(tmp_path / "missing", tmp_path / "data", "imhotep")


def test_a_source_in_which_nothing_can_be_used(tmp_path: Path, make_frame: MakeFrame) -> None:
    make_frame(tmp_path / "in" / "000.jpg")
    with pytest.raises(ImageError, match="none of the 1 images"):
        import_folder(tmp_path / "in", tmp_path / "data", "imhotep")


def test_wrong_arguments_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="game name"):
        import_folder(tmp_path / "missing", tmp_path, "../x")
    with pytest.raises(OptionError, match="sum to 1"):
        import_folder(tmp_path / "missing", tmp_path, "x", ImportOptions((1.0, 1.0, 1.0)))


def test_a_data_folder_that_cannot_be_made(tmp_path: Path, source: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(DiskError, match="or another --workspace"):
        import_folder(source, tmp_path / "data", "imhotep")
