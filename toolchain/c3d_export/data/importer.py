"""Brings frames into the workspace, in the layout and with splits.

Each file appears whole or not at all, and no file is ever replaced by another content. An import
that is cut short at any time is completed by the same one again, with the result of an undisturbed
one: what it read is in a journal, and the splits that it chose are written down before the first
file is placed, in the order of the source.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from c3d_export.core.atomic import disk_errors, make_folders, sync_folder
from c3d_export.core.errors import DiskError, ImageError, MissingInputError
from c3d_export.data.choose import Choice, Chooser, target_name
from c3d_export.data.frames import SPLITS, Skipped, scene
from c3d_export.data.holdings import Advance, Holdings, take_stock
from c3d_export.data.index import GameIndex, Journal, Record, read_plan, write_plan
from c3d_export.data.near import cached_luma, near_pairs
from c3d_export.data.placing import place
from c3d_export.data.scan import Found, Scan
from c3d_export.data.sources import Listing, list_source
from c3d_export.data.splits import Fractions, assign, check_fractions
from c3d_export.data.workspace import check_name

Pairs = tuple[tuple[str, Path], ...]


@dataclass(frozen=True)
class ImportOptions:
    """`fractions` of train, validation and test, for a source without splits; `keep_near`: takes
    near-duplicates too; `lossy`: takes JPEG and lossy WebP; `every`: so many-th frame of videos."""

    fractions: Fractions = (0.8, 0.1, 0.1)
    keep_near: bool = False
    lossy: bool = False
    every: int = 1


@dataclass(frozen=True)
class ImportResult:
    """What an import did.

    Laws: `train` + `validation` + `test` counts the new files, `linked` of them by hard link;
    `unchanged` were there before under the same name; `duplicates` have the pixels of another
    frame and `near` nearly so, which is named beside; `skipped` holds every other image with the
    reason; `others` are no images. `cut_scenes` names scenes that are on several splits, because
    there were fewer scenes than splits. Of the new files `lossy` counts each coding that lost
    pixels, and `traces` names those that show the grid of an earlier one, with what it looks like.
    `leaks` are near-duplicates on two sides of a split, of all frames of the game.
    """

    game: str
    train: int
    validation: int
    test: int
    linked: int
    unchanged: int
    duplicates: Pairs
    near: Pairs
    skipped: tuple[Skipped, ...]
    others: tuple[Path, ...]
    cut_scenes: tuple[str, ...]
    lossy: Mapping[str, int]
    traces: tuple[tuple[Path, str], ...]
    leaks: tuple[tuple[Path, Path], ...]


def import_folder(
    source: str | os.PathLike[str],
    data_root: str | os.PathLike[str],
    game: str,
    options: ImportOptions = ImportOptions(),
    *,
    waits: Callable[[], None] = lambda: None,
    advance: Advance = lambda done, total: None,
) -> ImportResult:
    """Takes the images and videos of `source` (sources.py says which) into `data_root`.

    Splits and `<game>-<height>p` folders that the source has are kept; else whole scenes are
    distributed, those that are known to where they are. Files are linked where the disk allows it.
    Files that cannot be used, and those whose name is taken by another content, are skipped with
    the reason. A second import of the same source changes nothing.

    waits: is called before waiting for another command that works on this game. Raises OptionError,
    MissingInputError (no images), ImageError (none can be used), DiskError, LibraryMissingError
    (a video without PyAV and ffmpeg).
    """
    check_name(game, "game")
    check_fractions(options.fractions)
    listing = list_source(Path(source), game)
    root = Path(data_root)
    index = GameIndex.of(root, game)
    with index.lock(waits):
        try:
            return _import(listing, root, game, index, options, advance)
        except DiskError:  # which was full, perhaps: what is staged is taken by the same import
            raise
        except BaseException:
            index.clear_staged()  # what took long is in the journal
            raise


def _import(
    listing: Listing,
    root: Path,
    game: str,
    index: GameIndex,
    options: ImportOptions,
    advance: Advance,
) -> ImportResult:
    held = take_stock(root, game, index, advance)
    choice = _choose(listing, held, index, game, options, advance)
    if choice.skipped and not choice.readable:
        count, first = len(choice.skipped), choice.skipped[0]
        raise ImageError(f"none of the {count} images can be used: {first[0]}: {first[1]}")
    splits, cut = _splits(choice.chosen, held, index, game, options.fractions)
    placed = _place_all(choice, splits, root, game)
    records = {**held.records, **{r.key: r for r in (*choice.confirmed, *placed.records)}}
    index.write_records(records.values())
    index.finish()
    new = Counter(record.key.split("/", 1)[0] for record in placed.records)
    leaks = _leaks(records, root) if placed.records else ()
    return ImportResult(
        game=game,
        train=new["train"],
        validation=new["validation"],
        test=new["test"],
        linked=placed.linked,
        unchanged=choice.unchanged,
        duplicates=tuple(choice.duplicates),
        near=tuple(choice.near),
        skipped=tuple(choice.skipped),
        others=tuple(listing.others),
        cut_scenes=cut,
        lossy=Counter(r.facts.lossy for r in placed.records if r.facts.lossy),
        traces=tuple((root / r.key, r.facts.trace.text) for r in placed.records if r.facts.suspect),
        leaks=leaks,
    )


def _choose(
    listing: Listing,
    held: Holdings,
    index: GameIndex,
    game: str,
    options: ImportOptions,
    advance: Advance,
) -> Choice:
    known = index.journalled()
    journal = Journal(index.journal, known.values())
    present = {record.facts.pixels for record in held.records.values()}
    for record in held.records.values():
        known |= dict.fromkeys((record.facts.digest, record.facts.pixels), record.facts)
    scan = Scan(known, present, index.staged, options.lossy, options.every)
    chooser = Chooser(held, game, options.keep_near)
    chooser.choice.skipped += listing.unreadable
    for done, found in enumerate(scan.read(listing.candidates), 1):
        advance(done, max(done, len(listing.candidates)))
        chooser.add(found)
        if isinstance(found, Found) and (found.read.digest or found.read.pixels) not in known:
            journal.add(found.read)
    return chooser.choice


def _splits(
    chosen: Sequence[Found], held: Holdings, index: GameIndex, game: str, fractions: Fractions
) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """`folder/name` -> split, for frames whose source has no splits, and the scenes that were cut.

    What an import chose that was cut short still holds.
    """
    names = [target_name(found, game) for found in chosen if not found.split]
    plan = read_plan(index.import_plan)
    counts = {split: Counter[str]() for split in SPLITS}
    for key, path in held.files.items():
        counts[key.split("/", 1)[0]][scene(path)] += 1
    for name in names:
        if name in plan:
            counts[plan[name]][scene(Path(name))] += 1
    fresh = assign([Path(name) for name in names if name not in plan], fractions, counts)
    plan |= {path.as_posix(): split for path, split in fresh.splits.items()}
    if fresh.splits:
        write_plan(index.import_plan, plan)
    return plan, fresh.cut_scenes


@dataclass
class _Placed:
    records: list[Record]
    linked: int = 0


def _place_all(choice: Choice, splits: Mapping[str, str], root: Path, game: str) -> _Placed:
    """In the order of the source, so that what a killed import placed decides as it did."""
    placed = _Placed([])
    folders: set[Path] = set()
    for found in choice.chosen:
        name = target_name(found, game)
        key = f"{found.split or splits[name]}/{name}"
        if (folder := (root / key).parent) not in folders:
            make_folders(folder)
            folders.add(folder)
        try:
            linked = place(found.path, found.stamp, found.facts.digest, root / key)
        except (ImageError, MissingInputError) as error:
            choice.skipped.append((Path(found.source), str(error)))
        else:
            placed.records.append(Record(key, found.source, found.facts))
            placed.linked += linked and found.stamp is not None
    for folder in folders:
        with disk_errors(folder):
            sync_folder(folder)
    return placed


def _leaks(records: Mapping[str, Record], root: Path) -> tuple[tuple[Path, Path], ...]:
    frames = [(key.split("/", 1)[0], root / key, r.facts) for key, r in sorted(records.items())]
    return tuple(near_pairs(frames, cached_luma()))
