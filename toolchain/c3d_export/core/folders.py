"""Folders of files that appear whole or not at all, as `atomic.py` has it for one file.

A folder is written beside its place under a temporary name and then exchanged for the old one in
one step. The writer holds a lock on it, so that `remove_litter` can tell what a dead one left.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from c3d_export.core.atomic import (
    TEMP_SUFFIX,
    disk_errors,
    make_folders,
    remove_litter,
    write_bytes_atomic,
)
from c3d_export.core.errors import DiskError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2
_NAME_PART: Final = 40


def write_folder_atomic(folder: str | os.PathLike[str], files: Mapping[str, bytes]) -> None:
    """Makes `folder` hold these files, and what else was in it, in one step.

    files: plain file names -> contents. Folders above are made. What killed writers of the same
    folder left is removed. Raises DiskError; the old folder is then as it was. Where the system
    cannot exchange two folders (Linux can), there is no folder for a moment between two renamings.
    The current folder stays where it is: its files are replaced one by one.
    """
    target = Path(os.path.realpath(folder))
    if target.exists() and not target.is_dir():
        raise DiskError(f"cannot write {target}: it is no folder; choose another path")
    make_folders(target.parent)
    remove_dead_folders(target)
    if Path.cwd().is_relative_to(target):
        for name, data in files.items():
            write_bytes_atomic(target / name, data)
        return
    with disk_errors(target), temporary_folder(target.name, target.parent) as temporary:
        for name, data in files.items():
            write_bytes_atomic(temporary / name, data)
        if target.is_dir():
            _keep_others(target, temporary, files)
            _exchange(temporary, target)
        else:
            os.rename(temporary, target)
        _sync(target.parent)


def remove_dead_folders(target: Path) -> list[Path]:
    """Removes what killed writers of a folder left beside it, and in it; returns what it was."""
    return _remove_dead(target.name, target.parent) + remove_litter(target)


def _remove_dead(name: str, place: Path) -> list[Path]:
    beside = sorted(place.iterdir()) if place.is_dir() else []
    ours = (p for p in beside if p.name.startswith(_start(name)) and p.name.endswith(TEMP_SUFFIX))
    dead = [path for path in ours if _is_dead(path)]
    for path in dead:
        shutil.rmtree(path, ignore_errors=True)
    return dead


def _start(name: str) -> str:
    return f".{name[:_NAME_PART]}."


@contextlib.contextmanager
def temporary_folder(name: str, place: Path) -> Iterator[Path]:
    """A new folder in `place`, locked, for what will have this name; what killed makers of it left
    there is removed first. Whatever still has the temporary name in the end is removed too."""
    _remove_dead(name, place)
    path = place / f"{_start(name)}{secrets.token_hex(6)}{TEMP_SUFFIX}"
    path.mkdir()
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError, AttributeError):  # without locks litter stays
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield path
    finally:
        os.close(descriptor)
        shutil.rmtree(path, ignore_errors=True)


def _is_dead(folder: Path) -> bool:
    """Whether nobody makes this folder any more."""
    if fcntl is None or folder.is_symlink() or not folder.is_dir():
        return False
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _keep_others(old: Path, new: Path, files: Mapping[str, bytes]) -> None:
    """Links what else the old folder holds into the new one; a file system needs hard links."""
    for path in old.iterdir():
        if path.name in files:
            continue
        if path.is_dir():
            raise DiskError(f"{old} holds a folder, {path.name}; choose another -o")
        os.link(path, new / path.name, follow_symlinks=False)


def _exchange(new: Path, old: Path) -> None:
    try:
        swap = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):  # not Linux
        swap = None
    names = os.fsencode(new), os.fsencode(old)
    if swap is None or swap(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE):
        aside = new.with_name(new.name.removesuffix(TEMP_SUFFIX) + f".old{TEMP_SUFFIX}")
        os.rename(old, aside)
        os.rename(new, old)
        os.rename(aside, new)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
