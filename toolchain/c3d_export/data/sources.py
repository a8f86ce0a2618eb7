"""Which files an import takes from where, and what they are called in the workspace.

    FOLDER/<scene>_NNN.png                                 flat; one game, many scenes
    FOLDER/<clip>/NNN.png                                  a folder per clip: each a scene
    FOLDER/{train,validation,test}/<game>-<height>p/*      the ECCV layout; keeps its splits
    FOLDER/<game>-<height>p/*                              one split of it
    FOLDER/{train,valid,test}/*                            CLIC: pictures, each a scene
    FILE.mkv, FOLDER/FILE.mkv                              a video: a scene

The name of a frame in the workspace always tells its scene (`frames.scene`), so that nothing else
has to be known to keep a scene together.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from c3d_export.core.errors import MissingInputError
from c3d_export.data.frames import SPLITS, Skipped, game_folders, scene
from c3d_export.data.reading import SOURCE_SUFFIXES

VIDEO_SUFFIXES: Final = frozenset({".mkv", ".mp4", ".m4v", ".mov", ".webm", ".avi", ".ivf"})

_SPLIT_FOLDERS: Final = {**{split: split for split in SPLITS}, "valid": SPLITS[1], "val": SPLITS[1]}
_NUMBERED: Final = re.compile(r"(.*?)([0-9]+)")


@dataclass(frozen=True)
class Candidate:
    """A source file. `name`: of its frame, or of a video's scene; `split` and `folder` (a
    `<game>-<height>p`) are empty where the source does not say them."""

    path: Path
    name: str
    split: str = ""
    folder: str = ""

    @property
    def is_video(self) -> bool:
        return self.path.suffix.lower() in VIDEO_SUFFIXES


@dataclass
class Listing:
    """`candidates` in the order in which they are taken; `others`: files that are no images;
    `unreadable`: folders, and what is called like a frame and is no file, with the reason."""

    candidates: list[Candidate] = field(default_factory=list)
    unreadable: list[Skipped] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)


def list_source(source: Path, game: str) -> Listing:
    """All images and videos of a source. Raises MissingInputError where there are none."""
    listing = Listing()
    if source.is_file():
        _add(listing, [source])
    elif any((source / name).is_dir() for name in _SPLIT_FOLDERS):
        _with_splits(listing, source, game)
    elif folders := list(game_folders(source)):
        _add(listing, _files(listing, source))
        for folder in (folder for name, _, folder in folders if name == game):
            _add(listing, _files(listing, folder), folder=folder.name)
    else:
        _clips(listing, source)
    if not listing.candidates:
        message = f"no images of {game} in {source}; give a video, a folder of frames, or one with"
        raise MissingInputError(f"{message} {{{','.join(SPLITS)}}}/{game}-<height>p/")
    return listing


def _with_splits(listing: Listing, source: Path, game: str) -> None:
    _add(listing, _files(listing, source))
    places = [(source / name, split) for name, split in _SPLIT_FOLDERS.items()]
    places = [(place, split) for place, split in places if place.is_dir()]
    folders = [(split, entry) for place, split in places for entry in game_folders(place)]
    for place, split in places:
        _add(listing, _files(listing, place), split=split, apart=not folders)
    for split, (name, _, folder) in folders:
        if name == game:
            _add(listing, _files(listing, folder), split=split, folder=folder.name)


def _clips(listing: Listing, source: Path) -> None:
    """Flat frames, and below the folder a clip in each folder that has frames."""
    _add(listing, _files(listing, source))

    def skip(error: OSError) -> None:
        reason = f"cannot list it: {error.strerror}; check its permissions"
        listing.unreadable.append((Path(error.filename), reason))

    seen = {os.path.realpath(source)}
    for folder, below, _ in os.walk(source, onerror=skip, followlinks=True):
        places = {name: os.path.realpath(Path(folder, name)) for name in sorted(below)}
        below[:] = [n for n, p in places.items() if not n.startswith(".") and p not in seen]
        seen.update(places.values())  # a link may lead back
        if Path(folder) != source:
            clip = "-".join(Path(folder).relative_to(source).parts)
            _add(listing, _files(listing, Path(folder)), clip=clip)


def _add(
    listing: Listing,
    files: Sequence[Path],
    *,
    split: str = "",
    folder: str = "",
    clip: str = "",
    apart: bool = False,
) -> None:
    """clip: the scene of all these frames. apart: each picture is a scene of its own."""
    images = [path for path in files if path.suffix.lower() in SOURCE_SUFFIXES]
    names = _clip_names(images, clip) if clip else [_own_name(p, apart) for p in images]
    for path, name in zip(images, names, strict=True):
        listing.candidates.append(Candidate(path, name, split, folder))
    for path in files:
        if path.suffix.lower() in VIDEO_SUFFIXES:
            name = f"{clip}-{path.stem}" if clip else path.stem
            listing.candidates.append(Candidate(path, name, split, folder))
        elif path.suffix.lower() not in SOURCE_SUFFIXES:
            listing.others.append(path)


def _own_name(path: Path, apart: bool) -> str:
    cut = apart and scene(path) != path.stem
    return f"{path.stem}_0{path.suffix}" if cut else path.name


def _clip_names(images: Sequence[Path], clip: str) -> Iterator[str]:
    """Names whose scene is the clip: with the numbers of the files, else counted."""
    parts = [_NUMBERED.fullmatch(path.stem) for path in images]
    numbered = all(parts) and len({part[1] for part in parts if part}) <= 1
    for index, (path, part) in enumerate(zip(images, parts, strict=True)):
        number = part[2] if numbered and part else f"{index:06d}"
        yield f"{clip}_{number}{path.suffix}"


def _files(listing: Listing, folder: Path) -> list[Path]:
    """The files directly in a folder, sorted; hidden ones are left out.

    What is called like a frame and is none goes to `unreadable`: links to nothing, pipes.
    """
    try:
        entries = sorted(p for p in folder.iterdir() if p.name[0] != "." and not p.is_dir())
        files = {path for path in entries if path.is_file()}
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MissingInputError(f"cannot list {folder}: {reason}; check the path") from error
    for path in entries:
        if path not in files and path.suffix.lower() in SOURCE_SUFFIXES | VIDEO_SUFFIXES:
            what = "a link to nothing" if path.is_symlink() else "no regular file"
            listing.unreadable.append((path, f"it is {what}; check the path"))
    return [path for path in entries if path in files]
