"""Every rate point and every frame improves by the same ratio, instead of the costliest ruling all.

A codec is judged by the mean of its frames' decibels, not by the logarithm of a mean; the sum of
plain losses would be that of the highest rate point on the frames with most texture.
"""

from __future__ import annotations

import torch
from torch import Tensor

FRAME_MEMORY = 0.95
"""Of a frame's running mean: crops of one frame differ much, so that some dozens count."""
LEAST_FRAME = 0.1
"""A frame of next to nothing must not outweigh all others."""


class Balance:
    """Running means of the loss: loss_mean (Q,) of each rate point, zero before its first crop;
    frame_mean (frames,) of each frame, relative to that of its rate points.

    memory: share of a rate point's mean that one crop leaves.
    """

    def __init__(self, qualities: int, frames: int, memory: float, device: str) -> None:
        self.memory = memory
        self.loss_mean = torch.zeros(qualities, device=device)
        self.frame_mean = torch.ones(frames, device=device)

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint keeps."""
        return {"loss_mean": self.loss_mean, "frame_mean": self.frame_mean}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Raises KeyError where `tensors` lacks one."""
        device = self.loss_mean.device
        self.loss_mean = tensors["loss_mean"].clone().to(device)
        self.frame_mean = tensors["frame_mean"].clone().to(device)

    def divisors(self, loss: Tensor, quality: Tensor, frames: Tensor) -> Tensor:
        """(B,) products of both means, by which to divide the (B,) losses of crops, which have no
        gradient here; the means then remember them."""
        self._remember(quality, loss)
        usual = self.loss_mean[quality]
        divisors = usual * self.frame_mean[frames].clamp_min(LEAST_FRAME)
        for frame, value in zip(frames, loss / usual, strict=True):
            self.frame_mean[frame] += (1 - FRAME_MEMORY) * (value - self.frame_mean[frame])
        return divisors

    def _remember(self, quality: Tensor, loss: Tensor) -> None:
        """Crops of one rate point count in their order, without leaving the GPU."""
        for i in range(len(loss)):
            q = quality[i]
            old = self.loss_mean[q]
            keep = torch.where(old > 0, self.memory, 0.0)
            self.loss_mean[q] = keep * old + (1 - keep) * loss[i]
