"""A small up-scaler and pictures with edges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest

from c3d_export.runtime.images import Frame

if TYPE_CHECKING:
    from c3d_export.superres.network import Rcan


@pytest.fixture(scope="session")
def discs() -> list[Frame]:
    """Four frames, 72 x 96, of hard-edged discs: what a bicubic enlargement blurs."""
    rng = np.random.default_rng(4)
    rows, columns = np.mgrid[0:72, 0:96]
    frames = []
    for _ in range(4):
        frame = np.full((72, 96, 3), rng.integers(60, 200, 3), np.uint8)
        for _ in range(12):
            y, x, radius = rng.integers(0, 72), rng.integers(0, 96), rng.integers(4, 16)
            frame[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = rng.integers(0, 256, 3)
        frames.append(frame)
    return frames


@pytest.fixture(scope="session")
def tiny_rcan() -> Rcan:
    """8 features, one group of one block, every layer of use; read only."""
    torch = pytest.importorskip("torch")
    from c3d_export.superres.network import build_rcan
    from c3d_export.superres.spec import RcanSpec

    network = build_rcan(RcanSpec(features=8, groups=1, blocks=1), seed=3)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        network.tail.weight += 0.02 * torch.randn(network.tail.weight.shape, generator=generator)
    return network.eval()


@pytest.fixture(scope="session")
def tiny_upscaler(tiny_rcan: Rcan, discs: list[Frame]) -> bytes:
    """Its bundle."""
    pytest.importorskip("onnx")
    from c3d_export.superres.export import export_rcan

    return export_rcan("tiny-x2", tiny_rcan, licence="CC0-1.0", training={}, low=discs[0])


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Small tensors: on a busy host threads wait for one another longer than they work."""
    try:
        import torch
    except ImportError:  # the host's part is tested without it
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
