"""The frames that every host codes, as arrays in the work folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from c3d_export.core.errors import MissingInputError
from c3d_export.runtime.images import Frame, list_images, read_image


@dataclass(frozen=True)
class Work:
    """A frame to be coded. large: too slow for an emulator to encode; it decodes one quality."""

    name: str
    array: Path
    large: bool


def _crop(frame: Frame, width: int, height: int) -> Frame:
    top = max(0, (frame.shape[0] - height) // 2)
    left = max(0, (frame.shape[1] - width) // 2)
    return np.ascontiguousarray(frame[top : top + height, left : left + width])


def _noise(width: int, height: int) -> Frame:
    """uint8 noise over the whole range: no frame of a game drives activations further."""
    state = np.arange(height * width * 3, dtype=np.uint32) * np.uint32(2654435761)
    state ^= state >> np.uint32(15)
    state *= np.uint32(2246822519)
    return (state >> np.uint32(24)).astype(np.uint8).reshape(height, width, 3)


def make_frames(folder: Path, out: Path) -> list[Work]:
    """The first and the last image of a folder: the first whole and as a crop, an odd crop and a
    single pixel of the last, and noise. Raises MissingInputError where there is no image."""
    paths = list_images(folder)
    if not paths:
        raise MissingInputError(f"no images in {folder}; choose another folder with --frames")
    first, last = read_image(paths[0]), read_image(paths[-1])
    frames = {
        "whole": first,
        "crop": _crop(first, 320, 180),
        "odd": _crop(last, 161, 119),
        "pixel": _crop(last, 1, 1),
        "noise": _noise(112, 80),
    }
    out.mkdir(parents=True, exist_ok=True)
    works = []
    for name, frame in frames.items():
        path = out / f"{name}.npy"
        np.save(path, frame)
        works.append(Work(f"{name} {frame.shape[1]}x{frame.shape[0]}", path, name == "whole"))
    return works
