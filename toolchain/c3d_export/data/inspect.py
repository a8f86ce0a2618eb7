"""What a folder of frames holds: counts, sizes, and files that cannot be read."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from c3d_export.core.errors import ImageError, MissingInputError
from c3d_export.data.frames import SPLITS, Skipped, game_folders
from c3d_export.runtime.images import list_images, read_image


@dataclass(frozen=True)
class FolderSummary:
    """One folder of frames.

    Laws: `split` and `game` are empty for a folder outside the layout; `resolutions` holds
    ((width, height), count), the most frequent first, and counts every readable frame;
    `total_bytes` counts all files, also the unreadable ones.
    """

    path: Path
    split: str
    game: str
    frames: int
    resolutions: tuple[tuple[tuple[int, int], int], ...]
    total_bytes: int
    unreadable: tuple[Skipped, ...]


def inspect_folder(root: str | os.PathLike[str]) -> list[FolderSummary]:
    """A summary per game and split of a data folder, or one of a flat folder of images.

    Every file is decoded, so that "readable" means what it says. Raises MissingInputError where
    `root` is no folder, or holds neither the layout nor images.
    """
    summaries = [_summary(*place) for place in _places(Path(root))]
    if not summaries:
        message = f"no images in {root}; give a folder of frames or one with {'/, '.join(SPLITS)}/"
        raise MissingInputError(message)
    return summaries


def _places(root: Path) -> Iterator[tuple[Path, str, str]]:
    if list_images(root):
        yield root, "", ""
    for split in SPLITS:
        for game, _, folder in game_folders(root / split):
            yield folder, split, game


def _summary(folder: Path, split: str, game: str) -> FolderSummary:
    sizes: Counter[tuple[int, int]] = Counter()
    unreadable: list[Skipped] = []
    total = 0
    for path in list_images(folder):
        total += path.stat().st_size
        try:
            height, width, _ = read_image(path).shape
        except (ImageError, MissingInputError) as error:
            unreadable.append((path, str(error)))
        else:
            sizes[width, height] += 1
    # Ties in order of size, so that two runs print the same.
    resolutions = tuple(sorted(sizes.items(), key=lambda item: (-item[1], item[0])))
    return FolderSummary(folder, split, game, sizes.total(), resolutions, total, tuple(unreadable))
