"""The frames that a game has in the workspace: what lies in its splits, and what is known of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from c3d_export.core.atomic import disk_errors, make_folders, remove_litter, sync_folder
from c3d_export.core.digest import sha256_bytes
from c3d_export.core.errors import ImageError, MissingInputError
from c3d_export.data.facts import Facts
from c3d_export.data.frames import SPLITS, game_folders
from c3d_export.data.index import GameIndex, Record, read_plan
from c3d_export.data.parallel import in_order
from c3d_export.data.reading import read_steady
from c3d_export.runtime.images import list_images

Advance = Callable[[int, int], None]
"""Is told how many of how many files are done."""


@dataclass(frozen=True)
class Holdings:
    """`files`: key (`split/folder/name`) -> path, of every image of the game. `records`: key ->
    what is known of it; those that cannot be read, or whose name is no UTF-8, have none."""

    files: Mapping[str, Path]
    records: dict[str, Record]


def take_stock(data_root: Path, game: str, index: GameIndex, advance: Advance) -> Holdings:
    """Reads what the index does not know, and removes what killed commands left.

    To be called with the index locked. Raises DiskError, MissingInputError.
    """
    finish_split(data_root, game, index)
    for folder in game_places(data_root, game):
        remove_litter(folder)
    files = game_files(data_root, game)
    known = index.records()
    records = {key: known[key] for key, path in files.items() if _is_known(known.get(key), path)}
    fresh = [key for key in files if key not in records and is_plain(key)]
    journal = index.journalled() if fresh else {}

    def read(key: str) -> Record | None:
        try:
            data, _ = read_steady(files[key])
            return Record(key, "", journal.get(sha256_bytes(data)) or Facts.of_file(data))
        except (ImageError, MissingInputError):
            return None  # `inspect` tells of it

    for done, record in enumerate(in_order(read, fresh), 1):
        advance(done, len(fresh))
        if record:
            records[record.key] = record
    return Holdings(files, records)


def game_places(data_root: Path, game: str) -> Iterator[Path]:
    """The folders of a game in all splits."""
    for split in SPLITS:
        yield from (path for name, _, path in game_folders(data_root / split) if name == game)


def game_files(data_root: Path, game: str) -> dict[str, Path]:
    """The images of a game by key, sorted by split, folder and name."""
    paths = (path for place in game_places(data_root, game) for path in list_images(place))
    return {path.relative_to(data_root).as_posix(): path for path in paths}


def is_plain(name: str) -> bool:
    """Whether a name is UTF-8, as the index is."""
    try:
        return bool(name.encode("utf-8"))
    except UnicodeEncodeError:
        return False


def finish_split(data_root: Path, game: str, index: GameIndex) -> int:
    """Moves what a plan of `data split` says and is not moved yet; the number of those files.

    A plan stays until every file is where it belongs, so that whoever comes next finishes what
    was cut short. Raises DiskError, ImageError where two files would have one name.
    """
    plan = read_plan(index.split_plan)
    if not plan:
        return 0
    moved = 0
    for key, path in game_files(data_root, game).items():
        split, rest = key.split("/", 1)
        if plan.get(rest, split) != split:
            _move(path, data_root / plan[rest] / rest)
            moved += 1
    _tidy(data_root, game)
    renamed = (_renamed(record, plan) for record in index.records().values())
    index.write_records(renamed)
    with disk_errors(index.split_plan):
        index.split_plan.unlink()
        sync_folder(index.root)
    return moved


def _move(path: Path, target: Path) -> None:
    make_folders(target.parent)
    if target.exists():
        raise ImageError(f"{path} cannot be moved, {target} is another frame; rename one of them")
    with disk_errors(target):
        os.rename(path, target)


def _tidy(data_root: Path, game: str) -> None:
    """Flushes the folders of a game, and removes those that became empty."""
    for folder in game_places(data_root, game):
        with disk_errors(folder):
            sync_folder(folder)
            if not any(folder.iterdir()):
                folder.rmdir()


def _renamed(record: Record, plan: Mapping[str, str]) -> Record:
    split, rest = record.key.split("/", 1)
    return Record(f"{plan.get(rest, split)}/{rest}", record.source, record.facts)


def _is_known(record: Record | None, path: Path) -> bool:
    try:
        return record is not None and record.facts.size == path.stat().st_size
    except OSError:  # gone meanwhile; reading it says so
        return False
