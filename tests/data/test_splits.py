"""Splits: whole scenes, stable under later imports, cut only where it cannot be helped."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c3d_export.core.errors import OptionError
from c3d_export.data.frames import SPLITS, scene
from c3d_export.data.splits import Fractions, assign

USUAL: Fractions = (0.8, 0.1, 0.1)


def _frames(sizes: dict[str, int]) -> list[Path]:
    return [Path(f"{name}_{i:03d}.png") for name, size in sizes.items() for i in range(size)]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=3, max_size=12))
def test_no_scene_is_on_two_splits_and_no_split_is_empty(sizes: list[int]) -> None:
    frames = _frames({chr(97 + i): size for i, size in enumerate(sizes)})
    result = assign(frames, USUAL, {})
    assert result.cut_scenes == ()
    assert set(result.splits) == set(frames)
    assert set(result.splits.values()) == set(SPLITS)
    places: defaultdict[str, set[str]] = defaultdict(set)
    for path, split in result.splits.items():
        places[scene(path)].add(split)
    assert all(len(splits) == 1 for splits in places.values())


def test_scenes_of_one_size_are_shared_out_as_asked() -> None:
    result = assign(_frames({chr(97 + i): 5 for i in range(20)}), USUAL, {})
    assert Counter(result.splits.values()) == {"train": 80, "validation": 10, "test": 10}


def test_the_order_of_the_files_does_not_matter() -> None:
    frames = _frames({"a": 4, "b": 3, "c": 3, "d": 1})
    assert assign(frames[::-1], USUAL, {}) == assign(frames, USUAL, {})


def test_a_single_scene_is_cut_in_contiguous_runs() -> None:
    frames = [Path(f"{i}.png") for i in range(20)]  # 9.png comes before 10.png
    result = assign(frames, USUAL, {})
    assert result.cut_scenes == ("",)
    order = [result.splits[path] for path in frames]
    assert order == ["train"] * 16 + ["validation"] * 2 + ["test"] * 2


def test_of_two_scenes_the_smaller_is_the_test() -> None:
    result = assign(_frames({"a": 9, "b": 3}), USUAL, {})
    assert result.cut_scenes == ("a",)
    assert Counter(result.splits.values()) == {"train": 8, "validation": 1, "test": 3}
    assert all(result.splits[path] == "test" for path in _frames({"b": 3}))


def test_a_fraction_of_zero_asks_for_nothing() -> None:
    result = assign(_frames({"a": 3, "b": 1}), (0.5, 0.0, 0.5), {})
    assert set(result.splits.values()) == {"train", "test"}
    assert result.cut_scenes == ()
    result = assign(_frames({"a": 3}), (0.0, 0.0, 1.0), {})
    assert set(result.splits.values()) == {"test"}
    assert result.cut_scenes == ()


def test_a_scene_that_the_workspace_knows_stays_in_its_split() -> None:
    existing = {"train": {"a": 50, "c": 50}, "validation": {}, "test": {"b": 1}}
    result = assign(_frames({"b": 100, "a": 1}), USUAL, existing)
    assert {scene(path): split for path, split in result.splits.items()} == {
        "a": "train",
        "b": "test",
    }


def test_no_frames_no_splits() -> None:
    assert assign([], USUAL, {}).splits == {}


@pytest.mark.parametrize(
    "fractions", [(0.8, 0.1), (0.8, 0.1, 0.2), (1.2, -0.1, -0.1), (float("nan"), 0.5, 0.5)]
)
def test_fractions_that_are_none(fractions: Fractions) -> None:
    with pytest.raises(OptionError, match="sum to 1"):
        assign([], fractions, {})
