"""What of a store is of no use to anybody any more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.atomic import disk_errors, remove_file, remove_litter
from ..bundle import MANIFEST
from ..signatures import MEMBER as SIGNATURES
from .layout import parse_id
from .reading import blobs_of
from .records import read_record

if TYPE_CHECKING:
    from .store import Store


@dataclass
class Pruned:
    """What was removed. codecs: ids. blobs: their number. litter: files of killed processes.
    size: bytes of all of it."""

    codecs: list[bytes] = field(default_factory=list)
    blobs: int = 0
    litter: int = 0
    size: int = 0


def prune(store: Store) -> Pruned:
    """Removes codecs that no name keeps, then blobs that no codec uses, and temporary files.

    A codec goes before its blobs, so that a process that dies in between leaves none that lacks
    one. Streams of removed codecs do not decode here any more. Raises a leaf of BundleError, before
    anything is removed, where a record or the manifest of a kept codec is damaged: what it refers
    to is unknown then. Raises DiskError.
    """
    if not store.layout.root.is_dir():
        return Pruned()  # taking the lock would make it
    with store.changing():
        kept = {c for name in store.names() for c in read_record(store.layout.record(name)).history}
        used = {
            blob.sha256
            for codec in kept
            if store.has(codec)
            for blob in blobs_of(store.manifest(codec)).values()
        }
        done = Pruned()
        _remove_codecs(store, kept, done)
        _remove_blobs(store, used, done)
        _sweep(store, done)
    return done


def _remove_codecs(store: Store, kept: set[bytes], done: Pruned) -> None:
    for folder in _inside(store.layout.codecs):
        codec = parse_id(folder.name)
        if codec is None or (codec in kept and store.has(codec)):
            continue
        if store.has(codec):
            done.codecs.append(codec)
        _remove_folder(folder, done)


def _remove_folder(folder: Path, done: Pruned) -> None:
    """The manifest goes first, and for good: without it nothing else is a codec."""
    with disk_errors(folder):
        for name in (MANIFEST, SIGNATURES):
            if (folder / name).exists():
                _remove(folder / name, done)
        done.litter += len(remove_litter(folder))
        if not any(folder.iterdir()):
            folder.rmdir()


def _remove_blobs(store: Store, used: set[str], done: Pruned) -> None:
    for path in store.blobs():
        if path.is_file() and path.name not in used:
            _remove(path, done)
            done.blobs += 1


def _sweep(store: Store, done: Pruned) -> None:
    layout = store.layout
    for folder in (layout.root, layout.blobs, layout.names, *_inside(layout.codecs)):
        done.litter += len(remove_litter(folder))


def _remove(path: Path, done: Pruned) -> None:
    done.size += path.stat().st_size
    remove_file(path)


def _inside(folder: Path) -> Iterator[Path]:
    return iter(sorted(folder.iterdir())) if folder.is_dir() else iter(())
