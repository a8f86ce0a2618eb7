"""Files that appear whole or not at all.

A file is written under a temporary name in its own folder, flushed to the disk, renamed over the
old one, and the folder is flushed too. Until the rename the old file is untouched, whatever
happens: an exception removes the temporary file, a killed process leaves one behind that ends in
`TEMP_SUFFIX`, that nothing here ever reads and that `remove_litter` removes.

A writer holds a lock (flock) on its temporary file, which the kernel takes away when it dies. So
what a dead process left can be told from what a living one is writing, whatever its age.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn

from c3d_export.core.errors import DiskError

try:
    import fcntl
except ImportError:  # Windows; litter stays there
    fcntl = None  # type: ignore[assignment]

TEMP_SUFFIX: Final = ".c3d-tmp"

# Temporary names keep this much of the file's name, so that they stay below the 255 bytes that
# file systems allow even where every character takes four bytes.
_NAME_PART = 40

# Some network file systems cannot flush a folder and answer with one of these.
_NO_FOLDER_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EBADF})


def write_bytes_atomic(
    path: str | os.PathLike[str], data: bytes | bytearray | memoryview, *, mode: int = 0o644
) -> None:
    """Writes `data` to `path` in one step; `mode` is narrowed by the umask, as in os.open.

    The folder must exist. An existing regular file is replaced; a symbolic link is replaced, not
    followed. Raises DiskError, which names the path, where anything fails; the old file is then
    still there (after the rename only the flushing of the folder can fail: the new one is there).
    """
    target = Path(path)
    with disk_errors(target):
        temporary = _temporary_name(target)
        with contextlib.ExitStack() as stack:  # the file stays locked until it has its name
            try:
                stack.callback(os.close, _write_new(temporary, data, mode))
                os.replace(temporary, target)
            except BaseException:
                _discard(temporary)
                raise
        sync_folder(target.parent)


def make_folders(path: str | os.PathLike[str]) -> None:
    """Creates a folder and those above it where they lack, each flushed into the one above.

    Raises DiskError, also where something else than a folder has the name.
    """
    folder = Path(path)
    with disk_errors(folder):
        lacking = [p for p in (folder, *folder.parents) if not p.is_dir()]
        for missing in reversed(lacking):
            missing.mkdir(exist_ok=True)
            sync_folder(missing.parent)


def remove_file(path: str | os.PathLike[str]) -> None:
    """Removes a file, if it is there, for good: its folder is flushed. Raises DiskError."""
    target = Path(path)
    with disk_errors(target):
        target.unlink(missing_ok=True)
        sync_folder(target.parent)


def remove_litter(folder: str | os.PathLike[str], name: str = "") -> list[Path]:
    """Removes what killed writers left in a folder, and returns it; none where there is no folder.

    name: only what was to become this file. What a living process is writing is not touched.
    """
    start = f".{name[:_NAME_PART]}." if name else "."
    try:
        found = sorted(Path(folder).iterdir())
    except OSError:
        return []
    names = (p for p in found if p.name.startswith(start) and p.name.endswith(TEMP_SUFFIX))
    return [path for path in names if _remove_dead(path)]


def _remove_dead(path: Path) -> bool:
    """Whether the writer of a temporary file was dead and the file is removed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return False
    try:
        if fcntl is None:
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)  # while it is locked, so that its writer can tell
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary path in the folder of `path` and publishes it when the block succeeds.

    For writers that want a path. The block must create the file under exactly this name (writers
    that append an extension of their own, as numpy.savez, take an open file instead). Any
    exception of the block removes the temporary file, keeps the old one and goes on; an OSError
    becomes a DiskError.
    """
    target = Path(path)
    with disk_errors(target):
        temporary = _temporary_name(target)
        try:
            yield temporary
            _sync_file(temporary)
            os.replace(temporary, target)
        except BaseException:
            _discard(temporary)
            raise
        sync_folder(target.parent)


@contextlib.contextmanager
def disk_errors(target: Path) -> Iterator[None]:
    """Makes a DiskError of every OSError of the block; target: what the message names."""
    try:
        yield
    except OSError as error:
        _raise_disk_error(target, error)


def _raise_disk_error(target: Path, error: OSError) -> NoReturn:
    advice = {
        errno.ENOSPC: "free some space",
        errno.EDQUOT: "free some of your quota",
        errno.EROFS: "choose a folder on a writable disk",
        errno.ENOENT: "create the folder first",
    }.get(error.errno or 0, "choose a path that you may write")
    reason = error.strerror or str(error)
    raise DiskError(f"cannot write {target}: {reason}; {advice}") from error


def _temporary_name(target: Path) -> Path:
    if "\0" in str(target):  # the system would raise a ValueError
        raise DiskError(f"cannot write {str(target)!r}: a file name holds no zero byte; rename it")
    # Renaming over /dev/null or a pipe would replace the device itself by a file.
    if target.exists() and not target.is_file():
        raise DiskError(f"cannot write {target}: it is no regular file; choose another path")
    name = f".{target.name[:_NAME_PART]}.{secrets.token_hex(6)}{TEMP_SUFFIX}"
    return target.parent / name


def _write_new(temporary: Path, data: bytes | bytearray | memoryview, mode: int) -> int:
    """A descriptor of the new file, which is locked as long as it is open."""
    descriptor = _open_locked(temporary, mode)
    try:
        rest = memoryview(data).cast("B")
        while rest:  # one call writes 2 GiB at most, and less on a signal
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _open_locked(temporary: Path, mode: int) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    while True:
        descriptor = os.open(temporary, flags, mode)
        if fcntl is None:
            return descriptor
        with contextlib.suppress(OSError):  # file systems without locks keep their litter
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # `remove_litter` came between the two calls


def _sync_file(temporary: Path) -> None:
    descriptor = os.open(temporary, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Flushes what names a folder has. Raises OSError."""
    if os.name == "nt":  # Windows cannot open a folder, and orders the rename itself
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


def _discard(temporary: Path) -> None:
    # The first error matters; a failing clean-up must not hide it.
    with contextlib.suppress(OSError):
        os.unlink(temporary)
