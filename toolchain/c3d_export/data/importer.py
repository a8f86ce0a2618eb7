"""Brings a folder of lossless frames into the workspace, in the layout and with splits.

Each file appears whole or not at all, and no file is ever replaced by another content.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from c3d_export.core.atomic import write_bytes_atomic
from c3d_export.core.digest import sha256_bytes, sha256_file
from c3d_export.core.errors import DiskError, ImageError, MissingInputError
from c3d_export.data.frames import SPLITS, Skipped, game_folders, scene
from c3d_export.data.splits import Fractions, assign, check_fractions
from c3d_export.data.workspace import check_name
from c3d_export.runtime.images import is_lossless, list_images, read_image


@dataclass(frozen=True)
class ImportResult:
    """What an import did.

    Laws: `train` + `validation` + `test` counts the new files, `linked` of them by hard link;
    `unchanged` were there before; `skipped` holds every other file with the reason; `cut_scenes`
    names scenes that are on several splits, because there were fewer scenes than splits.
    """

    game: str
    train: int
    validation: int
    test: int
    linked: int
    unchanged: int
    skipped: tuple[Skipped, ...]
    cut_scenes: tuple[str, ...]


@dataclass(frozen=True)
class _Item:
    """A readable, lossless frame, and its split and folder where the source names them."""

    path: Path
    split: str
    folder: str


def import_folder(
    source: str | os.PathLike[str],
    data_root: str | os.PathLike[str],
    game: str,
    fractions: Fractions = (0.8, 0.1, 0.1),
) -> ImportResult:
    """Copies the lossless images of `source` (PNG, lossless WebP) under `data_root`.

    `source` is a flat folder, which is split by scene (file name without frame number) as
    `fractions` of train, validation and test say; or it has train/, validation/ or test/, whose
    splits and `<game>-<height>p` folders are kept. Files are linked where the disk allows it.
    Unreadable and lossy files, and those whose name is taken by another content, are skipped
    with the reason. A second import of the same folder changes nothing.

    Raises OptionError, MissingInputError (no images), ImageError (none can be used), DiskError.
    """
    check_name(game, "game")
    check_fractions(fractions)
    root = Path(data_root)
    skipped: list[Skipped] = []
    items = list(_usable(_candidates(Path(source), game), game, skipped))
    if not items:
        raise ImageError(f"none of the {len(skipped)} images can be used: {skipped[0][1]}")
    splits, cut = _splits(items, root, game, fractions)
    outcomes: Counter[str] = Counter()
    new: Counter[str] = Counter()
    for item in items:
        split = splits[item.path]
        outcome = _place(item.path, root / split / item.folder / item.path.name)
        outcomes[outcome] += 1
        if outcome == "taken":
            skipped.append((item.path, f"{split} has another {item.path.name}; rename it"))
        elif outcome != "unchanged":
            new[split] += 1
    return ImportResult(
        game=game,
        train=new["train"],
        validation=new["validation"],
        test=new["test"],
        linked=outcomes["linked"],
        unchanged=outcomes["unchanged"],
        skipped=tuple(skipped),
        cut_scenes=cut,
    )


def _candidates(source: Path, game: str) -> list[tuple[Path, str, str]]:
    """Path, split and folder name of each image; the latter two empty for a flat folder."""
    found = [(path, "", "") for path in list_images(source)]
    for split in SPLITS:
        if (source / split).is_dir():
            found += [(path, split, "") for path in list_images(source / split)]
        for name, _, folder in game_folders(source / split):
            if name == game:
                found += [(path, split, folder.name) for path in list_images(folder)]
    if not found:
        message = f"no images of {game} in {source}; give a folder of frames, or one with"
        raise MissingInputError(f"{message} {{{','.join(SPLITS)}}}/{game}-<height>p/")
    return found


def _usable(
    candidates: Sequence[tuple[Path, str, str]], game: str, skipped: list[Skipped]
) -> Iterator[_Item]:
    for path, split, folder in candidates:
        try:
            height = read_image(path).shape[0]
            if not is_lossless(path):
                raise ImageError(f"{path} was coded with loss; give PNG or lossless WebP")
        except (ImageError, MissingInputError) as error:
            skipped.append((path, str(error)))
        else:
            yield _Item(path, split, folder or f"{game}-{height}p")


def _splits(
    items: Sequence[_Item], root: Path, game: str, fractions: Fractions
) -> tuple[Mapping[Path, str], tuple[str, ...]]:
    """The split of each file: the source's, else the one that it has already, else a new one."""
    existing = {split: _existing(root / split, game) for split in SPLITS}
    home = {(path.parent.name, path.name): split for split in SPLITS for path in existing[split]}
    splits = {
        item.path: item.split or home.get((item.folder, item.path.name), "") for item in items
    }
    scenes = {split: Counter(map(scene, existing[split])) for split in SPLITS}
    fresh = assign([path for path, split in splits.items() if not split], fractions, scenes)
    return splits | dict(fresh.splits), fresh.cut_scenes


def _existing(folder: Path, game: str) -> list[Path]:
    places = [place for name, _, place in game_folders(folder) if name == game]
    return [path for place in places for path in list_images(place)]


def _place(source: Path, target: Path) -> str:
    """Puts one file in place: "linked", "copied", "unchanged" or "taken"."""
    _make_folder(target.parent)
    try:
        os.link(source.resolve(), target)
        return "linked"
    except FileExistsError:
        return "unchanged" if sha256_file(source) == sha256_file(target) else "taken"
    except OSError:  # another disk, or one without links
        return _copy(source, target)


def _copy(source: Path, target: Path) -> str:
    try:
        data = source.read_bytes()
    except OSError as error:
        raise MissingInputError(f"cannot open {source}: {error.strerror}") from error
    if target.exists():  # some file systems refuse a link before they look at the target
        return "unchanged" if sha256_bytes(data) == sha256_file(target) else "taken"
    write_bytes_atomic(target, data)
    return "copied"


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"cannot create {folder}: {error.strerror}; choose another --workspace"
        raise DiskError(message) from error
