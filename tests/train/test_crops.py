"""Crops: real pieces of the frames, chosen by seed and step alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from c3d_export.data.cropstore import CropStore
from c3d_export.runtime.images import write_image
from c3d_export.train.crops import Pool, cut_crops, sample_batch, sample_crops


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


def _before(pools: list[Pool], batch: int, size: int, seed: int, step: int) -> np.ndarray:
    """The crops of arrays in memory as they were drawn before there was a store."""
    rng = np.random.default_rng((seed, step))
    crops = []
    for i in range(batch):
        frames = pools[(step + i) % len(pools)].frames
        frame = frames[int(rng.integers(len(frames)))]
        rows, columns = (max(0, size - side) for side in frame.shape[:2])
        frame = np.pad(frame, ((0, rows), (0, columns), (0, 0)), mode="edge")
        top = int(rng.integers(frame.shape[0] - size + 1))
        left = int(rng.integers(frame.shape[1] - size + 1))
        crop = frame[top : top + size, left : left + size]
        crops.append(crop[:, ::-1] if rng.integers(2) else crop)
    return np.stack(crops)


@pytest.mark.parametrize("size", [32, 96])  # larger than some frames
def test_a_store_gives_the_crops_of_memory(tmp_path: Path, size: int) -> None:
    stored = []
    for pool in POOLS:
        paths = [tmp_path / f"{pool.game}-{n}.png" for n in range(len(pool.frames))]
        for path, frame in zip(paths, pool.frames, strict=True):
            write_image(path, frame)
        store = CropStore(tmp_path / "decoded")
        stored.append(Pool(pool.game, store.fill(paths).frames(paths)))
    for step in range(20):
        wanted, frames = sample_crops(POOLS, 5, size, 3, step)
        assert np.array_equal(wanted.permute(0, 2, 3, 1), _before(POOLS, 5, size, 3, step))
        got = sample_crops(stored, 5, size, 3, step)
        assert torch.equal(got.pixels, wanted)
        assert torch.equal(got.frames, frames)
        assert got.pixels.stride() == wanted.stride()


def test_rows_of_a_batch_are_those_of_the_whole_one() -> None:
    for step in range(6):
        whole = sample_crops(POOLS, 6, 32, 1, step)
        for rows in (range(2), range(2, 5), range(1, 6, 2), range(6, 6)):
            part = sample_crops(POOLS, 6, 32, 1, step, rows)
            assert torch.equal(part.pixels, whole.pixels[list(rows)])
            assert torch.equal(part.frames, whole.frames)


def test_rows_of_others_are_not_looked_at() -> None:
    class Frames(list[np.ndarray]):
        def __getitem__(self, index: object) -> np.ndarray:
            looked.append(index)
            return super().__getitem__(index)  # type: ignore[call-overload, no-any-return]

    looked: list[object] = []
    pools = [Pool("a", Frames([_marked(40, 40, 1)]))]
    sample_crops(pools, 8, 32, 0, 0, range(3, 5))
    assert len(looked) == 2


def test_bytes_go_to_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as it can be told without one: they are pinned, and become floats over there."""
    pinned: list[torch.Tensor] = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: pinned.append(self) or self)
    cut = cut_crops(POOLS, 4, 32, 0, 0)
    pixels, frames = cut.on("meta")
    assert [t.dtype for t in pinned] == [torch.uint8, torch.int64]
    assert (pixels.device.type, frames.device.type) == ("meta", "meta")
    assert (pixels.shape, pixels.dtype) == ((4, 3, 32, 32), torch.float32)
    assert pixels.is_contiguous(memory_format=torch.channels_last)


def test_each_crop_tells_its_frame() -> None:
    for step in range(6):
        pixels, frames = sample_crops(POOLS, 5, 32, 0, step)
        assert frames.tolist() == [int(crop[2, 0, 0]) - 1 for crop in pixels]
