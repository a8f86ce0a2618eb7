"""The smallest network of the family, and frames to train it on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from c3d_export.models.klt import initialize_from_frames
from c3d_export.models.network import Codec, build_network
from c3d_export.models.spec import CodecSpec, StageSpec
from c3d_export.train.config import TrainConfig
from c3d_export.train.crops import Pool
from c3d_export.train.loop import Trainer

STAGE = StageSpec(8, (8,), 16, (16,))
NANO = CodecSpec("nano", 16, 8, 8, 2, STAGE, STAGE, 8, (8, 8, 8), 8)

MakeModel = Callable[[], Codec]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """The order of a sum decides its last bit."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def pools(make_frame: Callable[..., np.ndarray]) -> list[Pool]:
    return [
        Pool("first", [make_frame(80, 96, seed) for seed in range(3)]),
        Pool("second", [make_frame(64, 64, 9)]),
    ]


@pytest.fixture
def make_nano(pools: list[Pool]) -> MakeModel:
    """A fresh network, started from the frames: the same at each call."""

    def make() -> Codec:
        model = build_network(NANO)
        frames = [torch.from_numpy(frame) for pool in pools for frame in pool.frames]
        initialize_from_frames(model, frames, [1.0] * len(frames))
        return model

    return make


@pytest.fixture
def noisy_nano(make_nano: MakeModel) -> Codec:
    """With heads that are not zero, so that every unit has a say."""
    made = make_nano().eval()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += 0.02 * torch.rand(parameter.shape, generator=generator)
    return made


@pytest.fixture
def make_trainer(make_nano: MakeModel, pools: list[Pool]) -> Callable[..., Trainer]:
    """make_trainer(path=None, **config): in float32, so that results are the same everywhere."""

    def make(path: object = None, **config: object) -> Trainer:
        chosen = {"steps": 6, "batch": 2, "crop": 64, "warmup": 3, "precision": "float32"}
        made = TrainConfig(**(chosen | config))  # type: ignore[arg-type]
        return Trainer(make_nano(), made, pools, path)  # type: ignore[arg-type]

    return make
