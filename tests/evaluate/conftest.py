"""Frames that compress as pictures do: smooth shapes, an edge, and a little texture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from c3d_export.runtime.images import Frame


@pytest.fixture(scope="session")
def frame() -> Frame:
    """192 x 256 pixels, large enough for the five scales of MS-SSIM."""
    rows, columns = np.mgrid[0:192, 0:256].astype(np.float64)
    planes = [
        128 + 60 * np.sin(columns / 17) + 40 * np.cos(rows / 11),
        128 + 90 * np.sin((columns + rows) / 23),
        60 + 0.5 * columns + 60 * (rows > 90),
    ]
    noise = np.random.default_rng(3).normal(0, 4, (192, 256, 3))
    picture = np.clip(np.stack(planes, axis=2) + noise, 0, 255).astype(np.uint8)
    picture.setflags(write=False)
    return picture


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Small tensors: on a busy host threads wait for one another longer than they work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
