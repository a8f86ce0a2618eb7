"""What a folder of frames holds: counts, sizes, how much there is to code, and what is wrong."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from c3d_export.core.digest import sha256_bytes
from c3d_export.core.errors import C3DError, ImageError, MissingInputError
from c3d_export.data.complexity import residual_bits
from c3d_export.data.facts import Facts
from c3d_export.data.frames import SPLITS, Skipped, game_folders, scene
from c3d_export.data.holdings import Advance
from c3d_export.data.index import GameIndex
from c3d_export.data.near import Kept, cached_luma, near_pairs
from c3d_export.data.parallel import in_order
from c3d_export.data.reading import decode, lossy_coding, read_steady
from c3d_export.runtime.images import list_images

Pairs = tuple[tuple[Path, Path], ...]


@dataclass(frozen=True)
class FolderSummary:
    """One folder of frames.

    Laws: `split` and `game` are empty for a folder outside the layout; `resolutions` holds
    ((width, height), count), the most frequent first, and counts every readable frame;
    `total_bytes` counts all files, also the unreadable ones. `scenes`: name -> frames. `bits`: mean
    of what a simple lossless predictor needs for a pixel (complexity.py), NaN where there is none.
    `duplicates` have the pixels of another frame of the folder, `near` nearly those of one of
    their scene; `lossy` counts codings that lost pixels, and `suspects` were coded so before.
    """

    path: Path
    split: str
    game: str
    frames: int
    resolutions: tuple[tuple[tuple[int, int], int], ...]
    total_bytes: int
    scenes: Mapping[str, int]
    bits: float
    duplicates: Pairs
    near: Pairs
    lossy: Mapping[str, int]
    suspects: tuple[tuple[Path, str], ...]
    unreadable: tuple[Skipped, ...]


@dataclass(frozen=True)
class Inspection:
    """`leaks`: equal frames and near-duplicates in two splits of a game, both paths."""

    folders: tuple[FolderSummary, ...]
    leaks: Pairs


@dataclass(frozen=True)
class _Seen:
    """A frame that was decoded."""

    path: Path
    facts: Facts
    bits: float


@dataclass(frozen=True)
class _Place:
    """A folder of frames, what its splits are called, and what is known to come from a video."""

    path: Path
    split: str
    game: str
    images: Sequence[Path]
    lossy: Mapping[str, str]


def inspect_folder(
    root: str | os.PathLike[str], advance: Advance = lambda done, total: None
) -> Inspection:
    """A summary per game and split of a data folder, or one of a flat folder of images.

    Every file is decoded, so that "readable" means what it says; what is kept of a frame takes a
    kilobyte. Raises MissingInputError where `root` is no folder, or holds neither the layout nor
    images.
    """
    places = list(_places(Path(root)))
    if not places:
        message = f"no images in {root}; give a folder of frames or one with {'/, '.join(SPLITS)}/"
        raise MissingInputError(message)
    total, done = sum(len(place.images) for place in places), 0
    folders: list[FolderSummary] = []
    frames: defaultdict[str, list[tuple[str, Path, Facts]]] = defaultdict(list)
    for place in places:
        seen: list[_Seen] = []
        unreadable: list[Skipped] = []
        for found in in_order(_look(place), place.images):
            if isinstance(found, _Seen):
                seen.append(found)
            else:
                unreadable.append(found)
            advance(done := done + 1, total)
        folders.append(_summary(place, seen, unreadable))
        frames[place.game] += [(place.split, item.path, item.facts) for item in seen]
    luma = cached_luma()
    leaks = tuple(pair for group in frames.values() for pair in near_pairs(group, luma))
    return Inspection(tuple(folders), leaks)


def _places(root: Path) -> Iterator[_Place]:
    if images := list_images(root):
        yield _Place(root, "", "", images, {})
    known: dict[str, dict[str, str]] = {}
    for split in SPLITS:
        for game, _, folder in game_folders(root / split):
            if game not in known:
                known[game] = _from_video(root, game)
            yield _Place(folder, split, game, list_images(folder), known[game])


def _from_video(root: Path, game: str) -> dict[str, str]:
    """Digest -> coding, for frames of which only the index knows that pixels were lost."""
    try:
        records = GameIndex.of(root, game).records()
    except C3DError:  # such as a folder that is called as no game can be
        return {}
    return {r.facts.digest: r.facts.lossy for r in records.values() if r.facts.lossy}


def _look(place: _Place) -> Callable[[Path], _Seen | Skipped]:
    def look(path: Path) -> _Seen | Skipped:
        try:
            data, _ = read_steady(path)
            frame = decode(data)
        except (ImageError, MissingInputError) as error:
            return path, str(error)
        digest = sha256_bytes(data)
        coding = lossy_coding(data) or place.lossy.get(digest, "")
        facts = replace(Facts.of_frame(frame, coding), digest=digest, size=len(data))
        return _Seen(path, facts, residual_bits(frame))

    return look


def _summary(place: _Place, seen: Sequence[_Seen], unreadable: Sequence[Skipped]) -> FolderSummary:
    sizes = Counter((item.facts.width, item.facts.height) for item in seen)
    bits = [item.bits for item in seen if item.bits == item.bits]
    duplicates, near = _twins(seen)
    return FolderSummary(
        path=place.path,
        split=place.split,
        game=place.game,
        frames=len(seen),
        # Ties in order of size, so that two runs print the same.
        resolutions=tuple(sorted(sizes.items(), key=lambda item: (-item[1], item[0]))),
        total_bytes=sum(i.facts.size for i in seen) + sum(_size(path) for path, _ in unreadable),
        scenes=Counter(scene(item.path) for item in seen),
        bits=sum(bits) / len(bits) if bits else float("nan"),
        duplicates=duplicates,
        near=near,
        lossy=Counter(item.facts.lossy for item in seen if item.facts.lossy),
        suspects=tuple((i.path, i.facts.trace.text) for i in seen if i.facts.suspect),
        unreadable=tuple(unreadable),
    )


def _size(path: Path) -> int:
    """In bytes; 0 for a file that is gone."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _twins(seen: Sequence[_Seen]) -> tuple[Pairs, Pairs]:
    """Frames with the pixels of an earlier one, and near-duplicates of one in their scene."""
    pixels: dict[str, Path] = {}
    kept, luma = Kept(), cached_luma()
    equal, near = [], []
    for item in seen:
        if twin := pixels.get(item.facts.pixels):
            equal.append((item.path, twin))
        elif twin := kept.near(scene(item.path), item.facts, item.path, luma):
            near.append((item.path, twin))
        else:
            pixels[item.facts.pixels] = item.path
            kept.add(scene(item.path), item.facts, item.path)
    return tuple(equal), tuple(near)
