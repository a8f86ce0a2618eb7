"""Near-duplicates: the search by signatures misses none, and all pixels decide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export.data.facts import Facts
from c3d_export.data.near import LIMIT, Kept, cached_luma, near_pairs
from c3d_export.runtime.images import write_image

from .pictures import drawn


def _written(folder: Path, name: str, frame: NDArray[np.uint8]) -> tuple[Path, Facts]:
    path = folder / name
    write_image(path, frame)
    return path, Facts.of_frame(frame, "")


@pytest.mark.parametrize(("step", "near"), [(0, True), (1, True), (2, False), (9, False)])
def test_the_mean_difference_decides(tmp_path: Path, step: int, near: bool) -> None:
    first = drawn(1)
    kept = Kept()
    path, facts = _written(tmp_path, "a.png", first)
    kept.add("scene", facts, path)
    other, found = _written(
        tmp_path, "b.png", np.clip(first.astype(int) + step, 0, 255).astype("u1")
    )
    assert (kept.near("scene", found, other, cached_luma()) == path) is near
    assert kept.near("other scene", found, other, cached_luma()) is None


def test_fine_differences_are_seen_although_the_signatures_agree(tmp_path: Path) -> None:
    first = drawn(2)
    checks = 8 * (np.indices(first.shape[:2]).sum(0) % 2) - 4
    second = np.clip(first.astype(int) + checks[..., None], 0, 255).astype(np.uint8)
    path, facts = _written(tmp_path, "a.png", first)
    other, found = _written(tmp_path, "b.png", second)
    assert (
        np.abs(
            np.subtract(*(np.frombuffer(f.signature, "u1").astype(int) for f in (facts, found)))
        ).mean()
        < LIMIT
    )
    kept = Kept()
    kept.add("", facts, path)
    assert kept.near("", found, other, cached_luma()) is None


def test_frames_of_another_size_are_never_near(tmp_path: Path) -> None:
    path, facts = _written(tmp_path, "a.png", drawn(1))
    other, found = _written(tmp_path, "b.png", drawn(1)[:-1])
    kept = Kept()
    kept.add("", facts, path)
    assert kept.near("", found, other, cached_luma()) is None


def test_many_frames_are_searched(tmp_path: Path) -> None:
    """More than the table begins with; each is found again, and no other is."""
    kept, frames = Kept(), [drawn(seed, 48, 64) for seed in range(40)]
    places = [_written(tmp_path, f"{i}.png", frame) for i, frame in enumerate(frames)]
    for path, facts in places:
        assert kept.near("", facts, path, cached_luma()) is None
        kept.add("", facts, path)
    assert [kept.near("", f, p, cached_luma()) for p, f in places] == [p for p, _ in places]


def test_pairs_across_splits_only(tmp_path: Path) -> None:
    a, b = drawn(1), drawn(2)
    frames = [
        ("train", *_written(tmp_path, "a.png", a)),
        ("train", *_written(tmp_path, "a2.png", a)),
        ("test", *_written(tmp_path, "b.png", b)),
        ("test", *_written(tmp_path, "a3.png", a + np.uint8(1))),
    ]
    pairs = list(near_pairs(frames, cached_luma()))
    assert pairs == [(tmp_path / "a.png", tmp_path / "a3.png")]


def test_a_file_that_is_gone_is_near_nothing(tmp_path: Path) -> None:
    path, facts = _written(tmp_path, "a.png", drawn(1))
    kept = Kept()
    kept.add("", facts, path)
    path.unlink()
    assert kept.near("", facts, tmp_path / "b.png", cached_luma()) is None
