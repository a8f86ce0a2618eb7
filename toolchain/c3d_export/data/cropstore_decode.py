"""Files to decoded frames, by as many processes as there are cores.

Not by threads: Pillow decodes WebP without releasing Python's lock.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from ..core.digest import sha256_bytes
from ..core.errors import ImageError, MissingInputError, WorkerError
from ..core.limits import MAX_IMAGE_BYTES
from ..core.processes import cores, end_with_parent
from ..runtime.images import read_image
from .cropstore_file import SUFFIX, write_decoded

_EACH: Final = 8
"""Frames from which on a process of its own is worth its start of a quarter of a second."""


@dataclass(frozen=True)
class Decoded:
    """What became of a file. key: SHA-256 of its contents. fault: why there is no frame, or ''."""

    path: Path
    key: str
    fault: str


def decoded_path(root: Path, key: str) -> Path:
    """Where the frame of this key lies."""
    return root / f"{key}{SUFFIX}"


def decode_all(root: Path, paths: Sequence[Path]) -> Iterator[Decoded]:
    """Decodes files into the folder `root`, which exists; in the order of `paths`.

    Raises DiskError, MissingInputError, and WorkerError where a process dies.
    """
    workers = min(cores(), len(paths) // _EACH)
    if workers < 2:
        yield from (decode(root, path) for path in paths)
        return
    # Not forked: the threads of torch would be missing in the child.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=end_with_parent)
    try:
        yield from pool.map(partial(decode, root), paths)
    except BrokenProcessPool as error:
        raise WorkerError(
            "a process that decodes frames died, perhaps for want of memory; run it again: it goes"
            " on where it was"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def decode(root: Path, path: Path) -> Decoded:
    """Decodes one file. Its key is of the very bytes that are decoded."""
    data = _read(path)
    key = sha256_bytes(data)
    try:
        frame = read_image(data)
    except ImageError as error:
        return Decoded(path, key, str(error))
    write_decoded(decoded_path(root, key), key, frame)
    return Decoded(path, key, "")


def _read(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(MAX_IMAGE_BYTES + 1)
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}; check the path"
        raise MissingInputError(message) from error
