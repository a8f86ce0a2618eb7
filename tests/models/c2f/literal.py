"""The predictor as published: every neighbourhood is unfolded and goes through the layers alone."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from c3d_export.models.c2f.predictor import Predictor


def predict(predictor: Predictor, h: Tensor) -> tuple[Tensor, Tensor]:
    """What `predictor(h)` must give."""
    batch, channels, height, width = h.shape
    unfolded = F.unfold(h, 5, padding=2).transpose(1, 2)
    patches = unfolded.reshape(batch * height * width, channels, 5, 5)
    x = F.leaky_relu(F.conv2d(F.pad(patches, (1, 1, 1, 1)), *_of(predictor.conv1)), 0.2)
    x = F.leaky_relu(F.conv2d(F.pad(x, (1, 2, 1, 2)), *_of(predictor.conv2), stride=2), 0.2)
    x = F.leaky_relu(F.conv2d(F.pad(x, (1, 1, 1, 1)), *_of(predictor.conv3)), 0.2)
    flat = x.flatten(1)
    mean, log_scale = (F.linear(flat, *_of(h)) for h in (predictor.mean, predictor.log_scale))
    return _map(mean, batch, height, width), _map(log_scale, batch, height, width)


def _of(layer):  # type: ignore[no-untyped-def]
    return layer.weight, layer.bias


def _map(x: Tensor, batch: int, height: int, width: int) -> Tensor:
    return x.reshape(batch, height, width, -1).permute(0, 3, 1, 2)
