"""What a training of the own family is asked for, and what it tells of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class TrainConfig:
    """steps: length of the run. batch: crops a step. crop: pixels a side, a multiple of 64.

    learning_rate: relative to each layer's size (`train/optimizer.py`), after `warmup` steps,
    falling to zero by `decay` (`train/decay.py`). hyper_warmup: steps over which z's rate enters
    the loss. teacher_weight: share of the distortion, 0..1, that is measured against the picture
    of a teacher instead of the frame.
    quantize_from: first step in the integer simulation (`steps` or more: never). average: decay
    of the moving average of weights, which is what is kept. precision: "bfloat16" or "float32".
    device: where the network trains, "cpu" or "cuda".
    """

    steps: int
    batch: int = 8
    crop: int = 256
    seed: int = 0
    learning_rate: float = 0.02
    warmup: int = 100
    hyper_warmup: int = 0
    quantize_from: int = 1 << 30
    clip: float = 2.0
    average: float = 0.998
    decay: str = "cosine"
    teacher_weight: float = 0.0
    memory: float = 0.98
    save_every: int = 200
    precision: str = "bfloat16"
    device: str = "cpu"


@dataclass(frozen=True)
class Progress:
    """What a progress display needs: means over the last reporting interval."""

    step: int
    steps: int
    loss: float
    bpp: float
    psnr: float
    steps_per_second: float
    seconds_left: float


Report = Callable[[Progress], None]
