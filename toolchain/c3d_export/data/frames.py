"""The frames of a data folder, in the layout of the ECCV data set.

    {train,validation,test}/<game>-<height>p/<scene>_NNN.{png,webp,jpg}

A game may have several heights; a scene is what the frame names share before their number.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from c3d_export.core.digest import sha256_file
from c3d_export.core.errors import ImageError, MissingDataError, MissingInputError, OptionError
from c3d_export.runtime.images import Frame, list_images, read_image

SPLITS: Final = ("train", "validation", "test")

# Beside the splits: what index.py keeps of each game, and the plan of a split under way.
INDEX: Final = "index"
SPLIT_PLAN: Final = "split.json"

_FOLDER = re.compile(r"(?P<game>.+)-(?P<height>[1-9][0-9]{0,4})p")
_FRAME_NUMBER = re.compile(r"[-_. ]?[0-9]+$")

Skipped = tuple[Path, str]


def find_game(data_root: str | os.PathLike[str], game: str, split: str) -> list[Path]:
    """The frames of one game and split, of every height, sorted by folder and name.

    Raises OptionError for an unknown split, and MissingDataError, in one line with the command
    that mends it, where there are none, or where some are not in the split yet that they go to.
    """
    root = Path(data_root)
    if split not in SPLITS:
        raise OptionError(f"unknown split {split!r}; choose one of {', '.join(SPLITS)}")
    if (root / INDEX / game / SPLIT_PLAN).exists():
        raise MissingDataError(
            f"the frames of {game} are being split, or that was cut short;"
            f" run `c3d-export data split --game {game}` again, as it was"
        )
    folders = [folder for name, _, folder in game_folders(root / split) if name == game]
    paths = [path for folder in folders for path in list_images(folder)]
    if not paths:
        raise MissingDataError(
            f"no {split} frames of {game}: looked in {root / split} for"
            f" {game}-<height>p/NNN.png (or .webp, .jpg); make them with"
            f" `c3d-export data import FOLDER --game {game}`"
        )
    return paths


def games(data_root: str | os.PathLike[str]) -> list[str]:
    """The games of a data folder, whatever their splits, sorted; empty where there are none."""
    found = {name for split in SPLITS for name, _, _ in game_folders(Path(data_root) / split)}
    return sorted(found)


def game_folders(folder: Path) -> Iterator[tuple[str, int, Path]]:
    """Game, height and path of each `<game>-<height>p` in one folder, sorted; none if missing."""
    if not folder.is_dir():
        return
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        message = f"cannot list {folder}: {error.strerror}; check its permissions"
        raise MissingInputError(message) from error
    for path in paths:
        match = _FOLDER.fullmatch(path.name)
        if match and path.is_dir():
            yield match["game"], int(match["height"]), path


def scene(path: Path) -> str:
    """What all frames of one scene have in common: the file name without its frame number."""
    return _FRAME_NUMBER.sub("", path.stem)


def load_frames(paths: Iterable[Path]) -> tuple[list[Frame], list[Skipped]]:
    """The frames, uint8 (height, width, 3) RGB, and the files that could not be read, with why.

    Nothing is raised for a bad file: the caller counts the skipped ones and says so.
    """
    frames: list[Frame] = []
    skipped: list[Skipped] = []
    for path in paths:
        try:
            frames.append(read_image(path))
        except (ImageError, MissingInputError) as error:
            skipped.append((path, str(error)))
    return frames, skipped


def frames_digest(paths: Iterable[Path]) -> str:
    """The SHA-256, in hexadecimal, over the names and contents of a set of files.

    A name is that of the file and its folder, so that the digest survives a move of the root;
    the order of `paths` does not matter. Raises MissingInputError for a file that is not there.
    """
    return digest_of((path, sha256_file(path)) for path in paths)


def digest_of(files: Iterable[tuple[Path, str]]) -> str:
    """`frames_digest` of files whose own SHA-256, in hexadecimal, are known."""
    digest = hashlib.sha256()
    # Quoting keeps a line feed inside a name apart from the one that ends an entry.
    entries = [(f"{path.parent.name}/{path.name}", contents) for path, contents in files]
    for name, contents in sorted(entries):
        digest.update(f"{contents} {name!a}\n".encode())
    return digest.hexdigest()
