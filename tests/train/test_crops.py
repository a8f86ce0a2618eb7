"""Crops: real pieces of the frames, chosen by seed and step alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from c3d_export.train.crops import Pool, sample_batch, sample_crops


def _marked(height: int, width: int, blue: int) -> np.ndarray:
    """Each pixel says where it is and of which frame."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows, columns, np.full_like(rows, blue)], axis=2).astype(np.uint8)


POOLS = [Pool("a", [_marked(90, 120, 1), _marked(70, 80, 2)]), Pool("b", [_marked(64, 100, 3)])]


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    wanted = sample_batch(POOLS, 4, 32, seed=1, step=7)
    np.random.default_rng(3).random(5)
    torch.manual_seed(9)
    sample_batch(POOLS, 4, 32, seed=1, step=6)
    assert torch.equal(sample_batch(POOLS, 4, 32, seed=1, step=7), wanted)
    assert not torch.equal(sample_batch(POOLS, 4, 32, seed=1, step=8), wanted)
    assert not torch.equal(sample_batch(POOLS, 4, 32, seed=2, step=7), wanted)


def test_crops_are_pieces_of_frames_some_of_them_mirrored() -> None:
    mirrored = set()
    for step in range(12):
        for crop in sample_batch(POOLS, 2, 32, seed=0, step=step):
            rows, columns, _ = crop
            assert (rows.diff(dim=0) == 1).all()
            assert (rows.diff(dim=1) == 0).all()
            direction = columns.diff(dim=1)
            assert (direction == direction[0, 0]).all()
            mirrored.add(float(direction[0, 0]))
    assert mirrored == {-1.0, 1.0}


def test_crops_reach_every_border() -> None:
    pools = [Pool("a", [_marked(34, 34, 1)])]
    starts = {tuple(c[:2].amin((1, 2)).tolist()) for c in sample_batch(pools, 120, 32, 0, 0)}
    assert starts == {(y, x) for y in range(3) for x in range(3)}


@pytest.mark.parametrize("batch", [1, 3, 4])
def test_games_take_turns_however_many_frames_they_have(batch: int) -> None:
    """And the turn moves with the step, so that each rate point meets each game."""
    for step in range(4):
        crops = sample_batch(POOLS, batch, 32, 0, step)
        second = [float(crop[2, 0, 0]) == 3.0 for crop in crops]
        assert second == [(step + i) % 2 == 1 for i in range(batch)]


def test_the_tensor_is_float_and_channels_last() -> None:
    x = sample_batch(POOLS, 2, 48, 0, 0)
    assert x.shape == (2, 3, 48, 48)
    assert x.dtype == torch.float32
    assert x.is_contiguous(memory_format=torch.channels_last)


def test_a_frame_that_is_too_small_is_continued_at_its_edges() -> None:
    (crop,) = sample_batch([Pool("a", [_marked(20, 64, 1)])], 1, 64, 0, 0)
    assert torch.equal(crop[0, :20, 0], torch.arange(20.0))
    assert (crop[0, 20:] == 19).all()


def test_each_crop_tells_its_frame() -> None:
    for step in range(6):
        pixels, frames = sample_crops(POOLS, 5, 32, 0, step)
        assert frames.tolist() == [int(crop[2, 0, 0]) - 1 for crop in pixels]
