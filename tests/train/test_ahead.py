"""Batches made ahead: the same ones, in any order of asking, and every error is heard of."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from c3d_export.core.errors import DecodedFrameError
from c3d_export.data.cropstore import CropStore
from c3d_export.data.cropstore_decode import decoded_path
from c3d_export.runtime.images import write_image
from c3d_export.train.ahead import THREAD, Ahead
from c3d_export.train.crops import Pool
from c3d_export.train.loop import Trainer


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == THREAD]


def _settle() -> None:
    """Waits for the threads that make something ahead."""
    for thread in _threads():
        thread.join(10)


def test_each_step_is_made_once_and_ahead() -> None:
    made: list[tuple[int, bool]] = []

    def make(step: int) -> int:
        made.append((step, threading.current_thread() is threading.main_thread()))
        return step * step

    ahead = Ahead(make)
    for step in range(4):
        assert ahead.take(step) == step * step
        _settle()
    assert made == [(0, True), (1, False), (2, False), (3, False), (4, False)]
    assert _threads() == []


def test_a_step_out_of_turn() -> None:
    ahead = Ahead(lambda step: step)
    assert [ahead.take(step) for step in (5, 6, 2, 2, 3, 0)] == [5, 6, 2, 2, 3, 0]


def test_the_next_one_is_made_while_this_one_is_used() -> None:
    begun, go = threading.Event(), threading.Event()

    def make(step: int) -> int:
        if step == 1:
            begun.set()
            assert go.wait(10)
        return step

    ahead = Ahead(make)
    assert ahead.take(0) == 0
    assert begun.wait(10)
    go.set()
    assert ahead.take(1) == 1


def test_an_error_comes_out_at_its_step() -> None:
    def make(step: int) -> int:
        if step == 1:
            raise DecodedFrameError("a.rgb is damaged; remove it")
        return step

    ahead = Ahead(make)
    assert ahead.take(0) == 0
    for _ in range(2):
        with pytest.raises(DecodedFrameError, match="remove it"):
            ahead.take(1)
    assert ahead.take(2) == 2


def test_a_thread_of_a_trainer_that_is_dropped_ends() -> None:
    ahead = Ahead(lambda step: time.sleep(0.05))
    ahead.take(0)
    del ahead
    _settle()
    assert _threads() == []


@pytest.fixture
def stored(pools: list[Pool], tmp_path: Path) -> list[Pool]:
    """The pools of the other tests, in a store."""
    store, made = CropStore(tmp_path / "decoded"), []
    for pool in pools:
        paths = [tmp_path / f"{pool.game}_{n}.png" for n in range(len(pool.frames))]
        for path, frame in zip(paths, pool.frames, strict=True):
            write_image(path, frame)
        made.append(Pool(pool.game, store.fill(paths).frames(paths)))
    return made


def test_a_training_from_the_store_is_that_from_memory(
    make_trainer: Callable[..., Trainer], stored: list[Pool], tmp_path: Path
) -> None:
    path = tmp_path / "run.safetensors"
    whole = make_trainer(steps=5).run()
    trainer = make_trainer(path, steps=5, save_every=2)
    trainer.pools = stored
    for _ in range(3):
        trainer.train_step()
    trainer.save()
    frames = stored[0].frames
    frames[0]
    shutil.rmtree(tmp_path / "decoded")  # what is mapped stays
    resumed = Trainer.resume(path, stored).run()
    wanted = whole.state_dict()
    assert all(torch.equal(value, wanted[name]) for name, value in resumed.state_dict().items())


def test_a_damaged_frame_stops_a_training(
    make_trainer: Callable[..., Trainer], make_frame: Callable[..., np.ndarray], tmp_path: Path
) -> None:
    path, store = tmp_path / "a_1.png", CropStore(tmp_path / "decoded")
    write_image(path, make_frame(80, 96, 1))
    file = decoded_path(store.root, store.fill([path]).digests[path])
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 128]))
    trainer = make_trainer(steps=3)
    trainer.pools = [Pool("game", store.fill([path]).frames([path]))]
    with pytest.raises(DecodedFrameError, match=f"{file.name} is damaged"):
        trainer.run()
