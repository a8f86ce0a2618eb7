"""Frames as the coarse-to-fine networks want them: -1..1, centred in black, whole 64s a side."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from .spec import MULTIPLE


def padding_of(height: int, width: int) -> tuple[int, int, int, int]:
    """Pixels to add at the left, right, top and bottom; of an odd sum the last is larger."""
    rows, columns = -height % MULTIPLE, -width % MULTIPLE
    return columns // 2, columns - columns // 2, rows // 2, rows - rows // 2


def to_network(frame: Tensor) -> Tensor:
    """(B, 3, H, W), 0..255 -> -1..1, sides whole multiples of 64."""
    padded = F.pad(frame, padding_of(*frame.shape[2:]))
    return padded / 127.5 - 1.0


def from_network(x_hat: Tensor, height: int, width: int) -> Tensor:
    """x_hat of a padded frame -> (B, 3, height, width), whole numbers in 0..255."""
    left, _, top, _ = padding_of(height, width)
    shown = x_hat[:, :, top : top + height, left : left + width]
    return ((shown + 1.0) * 127.5).clamp(0.0, 255.0).round()
