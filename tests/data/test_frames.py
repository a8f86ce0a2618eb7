"""Frames of a data folder: the layout, missing games, skipped files, digests."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from c3d_export.core.errors import MissingDataError, MissingInputError, OptionError
from c3d_export.data.frames import find_game, frames_digest, games, load_frames, scene

MakeFrame = Callable[..., Path]


def test_the_frames_of_a_game_at_every_height(tmp_path: Path, make_frame: MakeFrame) -> None:
    wanted = [
        make_frame(tmp_path / "train" / "imhotep-1080p" / "000.png"),
        make_frame(tmp_path / "train" / "imhotep-720p" / "000.webp"),
        make_frame(tmp_path / "train" / "imhotep-720p" / "001.jpg"),
    ]
    make_frame(tmp_path / "train" / "imhotep-2-720p" / "000.png")
    make_frame(tmp_path / "train" / "imhotep" / "000.png")
    make_frame(tmp_path / "test" / "imhotep-720p" / "000.png")
    assert find_game(tmp_path, "imhotep", "train") == wanted


def test_the_games_of_all_splits(tmp_path: Path, make_frame: MakeFrame) -> None:
    make_frame(tmp_path / "train" / "b-720p" / "000.png")
    make_frame(tmp_path / "test" / "a-b-1080p" / "000.png")
    make_frame(tmp_path / "train" / "other" / "000.png")
    assert games(tmp_path) == ["a-b", "b"]
    assert games(tmp_path / "missing") == []


@pytest.mark.parametrize("root", ["data", "missing"])
def test_a_missing_game_is_one_line_with_the_command_that_makes_it(
    tmp_path: Path, root: str
) -> None:
    (tmp_path / "data" / "train" / "imhotep-720p").mkdir(parents=True)
    with pytest.raises(MissingDataError) as caught:
        find_game(tmp_path / root, "imhotep", "train")
    message = str(caught.value)
    assert str(tmp_path / root / "train") in message
    assert "imhotep-<height>p/NNN.png" in message
    assert "`c3d-export data import FOLDER --game imhotep`" in message
    assert "\n" not in message


def test_an_unknown_split(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="train, validation, test"):
        find_game(tmp_path, "imhotep", "valid")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("golden_oasis_2p_000.webp", "golden_oasis_2p"),
        ("track2-17.png", "track2"),
        ("frame0001.png", "frame"),
        ("000.png", ""),
        ("menu.png", "menu"),
    ],
)
def test_the_scene_of_a_file(name: str, wanted: str) -> None:
    assert scene(Path(name)) == wanted


def test_bad_files_are_skipped_with_the_reason(tmp_path: Path, make_frame: MakeFrame) -> None:
    good = make_frame(tmp_path / "a.png", 7)
    bad = tmp_path / "b.png"
    bad.write_bytes(good.read_bytes()[:60])
    gone = tmp_path / "c.png"
    frames, skipped = load_frames([bad, good, gone])
    assert [frame.shape for frame in frames] == [(6, 8, 3)]
    assert [path for path, _ in skipped] == [bad, gone]
    assert "truncated" in skipped[0][1]


def test_the_digest_is_over_names_and_contents(tmp_path: Path, make_frame: MakeFrame) -> None:
    folder = tmp_path / "train" / "a-6p"
    paths = [make_frame(folder / f"{index}.png", index) for index in range(3)]
    digest = frames_digest(paths)
    assert frames_digest(paths[::-1]) == digest
    assert frames_digest(paths[1:]) != digest
    shutil.copytree(folder, tmp_path / "copy" / "a-6p")
    assert frames_digest((tmp_path / "copy" / "a-6p").iterdir()) == digest
    paths[0].rename(folder / "9.png")
    assert frames_digest(folder.iterdir()) != digest
    (folder / "9.png").rename(paths[0])
    make_frame(paths[0], 9)
    assert frames_digest(paths) != digest


def test_the_digest_counts_equal_names_of_two_splits(tmp_path: Path, make_frame: MakeFrame) -> None:
    train = make_frame(tmp_path / "train" / "a-6p" / "0.png", 1)
    test = make_frame(tmp_path / "test" / "a-6p" / "0.png", 2)
    assert len({frames_digest([train]), frames_digest([test]), frames_digest([train, test])}) == 3
    with pytest.raises(MissingInputError):
        frames_digest([tmp_path / "gone.png"])
