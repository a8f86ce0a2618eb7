"""Small frames for the tests of the data layer, and a store of decoded ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from c3d_export.data.cropstore import CropStore
from c3d_export.data.cropstore_frames import StoredFrames
from c3d_export.runtime.images import read_image, write_image

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


@pytest.fixture
def paths(make_frame: MakeFrame, tmp_path: Path) -> list[Path]:
    return [make_frame(tmp_path / "toy-6p" / f"a_{n}.png", 10 + n) for n in range(4)]


@pytest.fixture
def store(tmp_path: Path) -> CropStore:
    return CropStore(tmp_path / "work" / "decoded")


def noise(folder: Path, count: int, side: int = 192) -> list[Path]:
    """Frames that take some milliseconds each."""
    folder.mkdir()
    rng = np.random.default_rng(3)
    made = [folder / f"n_{index:03}.png" for index in range(count)]
    for path in made:
        write_image(path, rng.integers(0, 256, (side, side, 3), dtype=np.uint8))
    return made


def same(frames: StoredFrames, paths: list[Path]) -> bool:
    pairs = zip(frames, paths, strict=True)
    return all(np.array_equal(frame, read_image(path)) for frame, path in pairs)
