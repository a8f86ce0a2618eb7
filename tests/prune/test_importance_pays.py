"""Does importance pay? The same plan, by four opinions of which channels matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from c3d_export.models.network import Codec, quality_lambdas
from c3d_export.models.spec import SIZES, StageSpec
from c3d_export.prune.apply import prune_codec
from c3d_export.prune.importance import (
    Importance,
    Sampling,
    importance_of,
    magnitude_importance,
)
from c3d_export.prune.planner import Planner
from c3d_export.train.config import TrainConfig
from c3d_export.train.crops import Pool, sample_batch
from c3d_export.train.loop import Trainer
from c3d_export.train.service import new_network

WIDE = StageSpec(48, (48,), 64, (64,))
SPEC = replace(SIZES["xsmall"], qualities=2, g_a=WIDE, g_s=WIDE)


def _picture(seed: int) -> NDArray[np.uint8]:
    """Stripes of random directions in overlapping rectangles: edges and textures."""
    rng = np.random.default_rng(seed)
    frame = np.zeros((128, 128, 3))
    y, x = np.mgrid[:128, :128]
    for _ in range(24):
        top, left = rng.integers(0, 112, 2)
        angle, period = rng.uniform(0, np.pi), rng.uniform(3, 12)
        stripes = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period)
        color = rng.uniform(0, 255, 3) + stripes[..., None] * rng.uniform(0, 60)
        inside = slice(top, top + 48), slice(left, left + 48)
        frame[inside] = color[inside]
    return frame.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def trained() -> tuple[Codec, list[Pool]]:
    """A network whose trunks do something: 120 steps on generated pictures."""
    pools = [Pool("generated", [_picture(seed) for seed in range(8)])]
    config = TrainConfig(
        steps=120, batch=3, crop=64, learning_rate=0.03, warmup=20, precision="float32", average=0.9
    )
    network = Trainer(new_network(SPEC, pools, 0), config, pools, None).run(None, 1 << 30)
    return network, pools


@torch.no_grad()
def _loss(model: Codec) -> float:
    """Rate and distortion of pictures that neither training nor importance saw."""
    pools = [Pool("generated", [_picture(seed) for seed in range(100, 104)])]
    lambdas, total = quality_lambdas(SPEC.qualities), 0.0
    for step in range(8):
        frame = sample_batch(pools, 4, 64, 0, step)
        for quality, lam in enumerate(lambdas):
            output = model.eval()(frame, torch.full((4,), quality))
            mse = (output.x_hat + 128.0 - frame).square().mean()
            total += float(lam * mse + (output.bits_y + output.bits_z).mean() / 64**2)
    return total


def _random(like: Importance, seed: int) -> Importance:
    generator = torch.Generator().manual_seed(seed)
    scores: dict[str, Tensor] = {
        name: torch.rand(len(score), generator=generator, dtype=torch.float64)
        for name, score in like.scores.items()
    }
    return replace(like, kind="random", scores=scores)


def test_taylor_loses_less_than_magnitude_and_chance(trained: tuple[Codec, list[Pool]]) -> None:
    network, pools = trained
    taylor = importance_of(network, pools, Sampling(batches=32, batch=2, crop=64))
    thin = StageSpec(32, (32,), 48, (48,))
    made = Planner(network, taylor).by_target(replace(SPEC, g_a=thin, g_s=thin))

    def lost(importance: Importance) -> float:
        return _loss(prune_codec(network, made, importance)[0]) / _loss(network) - 1.0

    chance = np.mean([lost(_random(taylor, seed)) for seed in range(3)])
    assert lost(taylor) < 0.8 * lost(magnitude_importance(network))
    assert lost(taylor) < 0.8 * chance
