"""Small frames for the tests of the data layer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from c3d_export.runtime.images import write_image

MakeFrame = Callable[..., Path]


@pytest.fixture
def make_frame() -> MakeFrame:
    """Writes a frame of 8 columns whose pixels all have one value, and makes its folder.

    It is 8 times `value`: near-duplicates differ by less than 2.
    """

    def make(path: Path, value: int = 0, height: int = 6) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        frame = np.full((height, 8, 3), value * 8 % 256, np.uint8)
        write_image(path, frame, jpeg_quality=90)
        return path

    return make
