"""Grids of earlier codings: found where they are, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from c3d_export.data.history import Trace, grid_trace

from .pictures import drawn, through


@pytest.mark.parametrize("seed", range(6))
def test_what_was_drawn_has_no_history(seed: int) -> None:
    trace = grid_trace(drawn(seed))
    assert (trace.step, trace.text) == (0, "")
    assert trace.votes > 100
    assert trace.share < 0.1


@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize("quality", [50, 75, 90, 95])
@pytest.mark.parametrize("cut", [(0, 0), (3, 5)])
def test_jpeg_is_found_with_the_corner_of_its_grid(
    quality: int, subsampling: int, cut: tuple[int, int]
) -> None:
    coded = through(drawn(quality), "JPEG", quality=quality, subsampling=subsampling)
    trace = grid_trace(coded[cut[0] :, cut[1] :])
    assert (trace.step, trace.row, trace.column) == (8, -cut[0] % 8, -cut[1] % 8)
    assert trace.share > 0.5
    assert "JPEG" in trace.text


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_repeated_pixels_are_no_history(factor: int) -> None:
    small = drawn(1, 480 // factor, 640 // factor)
    assert grid_trace(small.repeat(factor, 0).repeat(factor, 1)).step == 0


def test_scaling_hides_the_grid() -> None:
    image = Image.fromarray(through(drawn(2), "JPEG", quality=75))
    assert grid_trace(np.asarray(image.resize((250, 190), Image.Resampling.BICUBIC))).step == 0


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((1, 1, 3), np.uint8),
        np.full((14, 400, 3), 7, np.uint8),
        np.full((90, 120, 3), 255, np.uint8),
    ],
)
def test_small_flat_and_clipped_frames_say_nothing(frame: NDArray[np.uint8]) -> None:
    assert grid_trace(frame) == Trace()
