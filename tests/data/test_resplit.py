"""Splits anew: whole scenes, always the same, moved and not copied, also when cut short."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from c3d_export.core.errors import ImageError, MissingDataError, OptionError
from c3d_export.data.frames import SPLITS, find_game, scene
from c3d_export.data.importer import ImportOptions, import_folder
from c3d_export.data.index import GameIndex
from c3d_export.data.resplit import SplitOptions, SplitResult, split_game
from c3d_export.runtime.images import write_image

from .pictures import drawn

SCENES = {"a": 6, "b": 4, "c": 3, "d": 2, "e": 1}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace's data with all frames in train."""
    (tmp_path / "in").mkdir()
    for number, (name, count) in enumerate(SCENES.items()):
        for index in range(count):
            frame = drawn(10 * number + index, 24, 32)
            write_image(tmp_path / "in" / f"{name}_{index}.png", frame)
    import_folder(tmp_path / "in", tmp_path / "data", "g", ImportOptions((1.0, 0.0, 0.0)))
    return tmp_path / "data"


def _split(root: Path, **options: Any) -> SplitResult:
    return split_game(root, "g", SplitOptions(**options))


def _places(root: Path) -> dict[str, set[str]]:
    """Scene -> splits."""
    places: defaultdict[str, set[str]] = defaultdict(set)
    for split in SPLITS:
        for path in (root / split).rglob("*.png"):
            places[scene(path)].add(split)
    return dict(places)


def _files(root: Path) -> dict[str, bytes]:
    found = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


def test_whole_scenes_are_moved_and_the_index_follows(root: Path) -> None:
    inodes = {path.name: path.stat().st_ino for path in root.rglob("*.png")}
    result = _split(root)
    assert result.moved > 0
    assert {name: split for name, split, _ in result.scenes} == {
        name: split for name, (split,) in _places(root).items()
    }
    assert {path.name: path.stat().st_ino for path in root.rglob("*.png")} == inodes
    keys = {path.relative_to(root).as_posix() for path in root.rglob("*.png")}
    assert set(GameIndex.of(root, "g").records()) == keys
    assert all(record.source for record in GameIndex.of(root, "g").records().values())


def test_the_same_split_whatever_was_before(root: Path) -> None:
    _split(root)
    first = _files(root)
    assert _split(root).moved == 0
    _split(root, given={"a": "test"})
    assert _files(root) != first
    _split(root)
    assert _files(root) == first


def test_scenes_that_are_named(root: Path) -> None:
    result = _split(root, given={"a": "test", "c": "test", "b": "validation"})
    assert _places(root) == {
        "a": {"test"},
        "b": {"validation"},
        "c": {"test"},
        "d": {"train"},
        "e": {"train"},
    }
    assert sum(count for _, _, count in result.scenes) == sum(SCENES.values())
    _split(root, given={"a": "test"})
    assert [name for name, splits in _places(root).items() if "test" in splits] == ["a"]


def test_scenes_by_a_pattern(root: Path) -> None:
    result = _split(root, by="[a-z]_.", fractions=(0.5, 0.25, 0.25))
    assert len(result.scenes) == sum(SCENES.values())
    assert len(find_game(root, "g", "train")) == 8
    result = _split(root, by="^([a-c])?", given={"a": "test"})
    assert {name for name, _, _ in result.scenes} == {"a", "b", "c", ""}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"given": {"z": "test"}}, "no scene 'z'; the game has a, b, c, d, e"),
        ({"by": "("}, "no regular expression"),
        ({"by": "[0-9]{7}"}, "does not match"),
        ({"by": "_"}, "g: scenes for 3 splits are wanted"),
        (
            {"given": dict.fromkeys("abcd", "test")},
            "g: scenes for 2 splits are wanted",
        ),
        ({"given": {"a": "test"}, "fractions": (0.0, 0.0, 1.0)}, "no split for the other scenes"),
        ({"fractions": (1.0, 1.0, 1.0)}, "sum to 1"),
    ],
)
def test_what_cannot_be_asked_moves_nothing(root: Path, options: Any, said: str) -> None:
    before = _files(root)
    with pytest.raises(OptionError, match=said):
        _split(root, **options)
    assert _files(root) == before


def test_too_few_scenes_are_cut_on_request_and_leaks_are_told(root: Path) -> None:
    for index in range(4):  # a scene that stands still
        frame = np.clip(drawn(99, 24, 32).astype(int) + index, 0, 255).astype(np.uint8)
        write_image(root / "train" / "g-24p" / f"still_{index}.png", frame)
    result = _split(root, by="_", cut=True)
    assert result.cut_scenes == ("_",)
    names = [path.name for split in SPLITS for path in find_game(root, "g", split)]
    assert len(names) == len(set(names)) == sum(SCENES.values()) + 4
    _split(root, by="^.*$", given={"still_0": "train", "still_1": "test"})
    leaks = _split(root, by="^.*$", given={"still_0": "train", "still_1": "test"}).leaks
    assert {path.name for pair in leaks for path in pair} >= {"still_0.png", "still_1.png"}


def test_a_split_that_was_cut_short_is_completed(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before, real = _files(root), os.rename
    given = {"a": "test", "b": "validation"}
    _split(root, given=given)
    whole = _files(root)
    _split(root, fractions=(1.0, 0.0, 0.0))
    assert _files(root) == before
    for after in (0, 1, 7):
        left = iter(range(after))

        def failing(*args: Any, left: Any = left) -> None:
            if next(left, None) is None:
                raise KeyboardInterrupt
            real(*args)

        with monkeypatch.context() as patched:
            patched.setattr(os, "rename", failing)
            with pytest.raises(KeyboardInterrupt):
                _split(root, given=given)
        with pytest.raises(MissingDataError, match="was cut short"):
            find_game(root, "g", "train")
        assert len(list(root.rglob("*.png"))) == sum(SCENES.values())
        if after == 7:
            import_folder(tmp_path / "in", root, "g")  # completes it as well
        else:
            _split(root, given=given)
        assert _files(root) == whole
        _split(root, fractions=(1.0, 0.0, 0.0))


def test_names_in_two_splits_are_refused(root: Path) -> None:
    other = root / "test" / "g-24p" / "a_0.png"
    other.parent.mkdir(parents=True, exist_ok=True)
    write_image(other, drawn(77, 24, 32))
    before = _files(root)
    with pytest.raises(ImageError, match=r"g-24p/a_0\.png"):
        _split(root)
    assert {k: v for k, v in _files(root).items() if "index" not in k} == {
        k: v for k, v in before.items() if "index" not in k
    }


def test_a_game_without_frames(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="data import FOLDER --game g"):
        split_game(tmp_path, "g", SplitOptions())
    assert list(tmp_path.iterdir()) == []
