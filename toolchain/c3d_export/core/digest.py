"""SHA-256 digests, and the identity of a codec that streams carry."""

from __future__ import annotations

import hashlib
import os
from typing import Final

from c3d_export.core.errors import MissingInputError

# 64 bits tell bundles apart in every stream at a price of 8 bytes. They identify and do not
# authenticate: whoever needs that checks the bundle's full digest.
CODEC_ID_BYTES: Final = 8


def sha256_bytes(data: bytes | bytearray | memoryview) -> str:
    """The SHA-256 of `data` as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file as 64 lower-case hexadecimal digits, read in pieces.

    Raises MissingInputError where the file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        reason = getattr(error, "strerror", None) or error
        message = f"cannot read {os.fspath(path)}: {reason}; check the path"
        raise MissingInputError(message) from error


def codec_id(manifest: bytes) -> bytes:
    """The 8 bytes by which a stream names its bundle: the start of the manifest's SHA-256."""
    return hashlib.sha256(manifest).digest()[:CODEC_ID_BYTES]
