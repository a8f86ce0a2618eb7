"""Puts source files in their place: linked where the disk allows it, else copied."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path
from typing import Final

from c3d_export.core.atomic import TEMP_SUFFIX, disk_errors, write_bytes_atomic
from c3d_export.core.digest import sha256_bytes
from c3d_export.core.errors import ImageError
from c3d_export.data.reading import Stamp, read_steady

_CHANGED: Final = "it changed while it was imported; import it again when it is finished"


def place(source: Path, stamp: Stamp | None, digest: str, target: Path) -> bool:
    """Whether the file was linked; else it was copied. The folder and no `target` must be there.

    stamp, digest: of the file that was read; no stamp for one that nobody else writes. What comes
    to lie at `target` is that file: one that changed since raises ImageError or MissingInputError,
    as a name does that is too long for the disk. Raises DiskError.
    """
    if len(os.fsencode(target.name)) > 255:
        raise ImageError("its name would have more than 255 bytes; rename it")
    if _link(source, stamp, target):
        return True
    data, _ = read_steady(source)
    if sha256_bytes(data) != digest:
        raise ImageError(_CHANGED)
    write_bytes_atomic(target, data)
    return False


def _link(source: Path, stamp: Stamp | None, target: Path) -> bool:
    """By way of a temporary name, so that only what was looked at gets the real one."""
    temporary = target.parent / f".{secrets.token_hex(6)}{TEMP_SUFFIX}"
    try:
        os.link(source.resolve(), temporary)
    except FileNotFoundError as error:
        raise ImageError("it is gone; import it again when it is finished") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            with disk_errors(target):
                raise
        return False  # another disk, or one without links, or too many of them
    try:
        if stamp and Stamp.of(os.stat(temporary)) != stamp:
            raise ImageError(_CHANGED)
        with disk_errors(target):
            os.rename(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    return True
