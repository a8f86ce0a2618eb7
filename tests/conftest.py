"""Fixtures that more than one folder of tests needs."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray


@pytest.fixture(scope="session")
def frame() -> NDArray[np.uint8]:
    """A read-only frame, 64 wide and 48 high: gradients, a flat panel, sharp edges, some noise.

    It is made of integers and a fixed congruential generator, so it is the same on every host.
    """
    rows, columns = np.mgrid[0:48, 0:64]
    pixels = np.stack([columns * 4, rows * 5, (rows + columns) * 2], axis=2)
    pixels[8:24, 8:32] = (200, 40, 90)
    pixels[28:44, 36:60] = np.where((rows + columns) % 8 < 4, 255, 0)[28:44, 36:60, None]
    noise = (rows * 64 + columns) * 1103515245 + 12345
    pixels[28:44, 4:28] += (noise[28:44, 4:28, None] >> 16) % 32
    image = pixels.astype(np.uint8)
    image.flags.writeable = False
    return image
