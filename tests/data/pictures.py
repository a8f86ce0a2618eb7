"""Pictures for tests that look at more than one value."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def drawn(seed: int = 0, height: int = 240, width: int = 320) -> NDArray[np.uint8]:
    """Shaded shapes with sharp edges and a little grain, as a game draws them: uint8 RGB."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    picture = 90 + 40 * np.sin(x / 37 + seed) + 30 * np.cos(y / 23)
    for _ in range(60):
        a, b, c = draw.normal(size=3)
        picture += draw.uniform(-12, 12) * (a * x + b * y + 90 * c > 60)
    picture = (
        picture[..., None] + draw.uniform(-20, 20, 3) + draw.normal(0, 2.5, (height, width, 3))
    )
    return np.clip(picture, 1, 254).round().astype(np.uint8)


def through(frame: NDArray[np.uint8], kind: str, **options: object) -> NDArray[np.uint8]:
    """The frame after a codec of Pillow."""
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, kind, **options)
    return np.asarray(Image.open(buffer).convert("RGB"))
