"""Public keys in files: Ed25519 in PEM, as `c3d-export keygen` and `openssl pkey -pubout` write."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Final

from ..core.errors import KeyFileError, MissingInputError
from ..core.limits import MAX_KEY_FILE_BYTES
from .signatures import KEY_BYTES

# The SubjectPublicKeyInfo of RFC 8410 is this and the 32 bytes of the key.
_PREFIX: Final = bytes.fromhex("302a300506032b6570032100")
_PEM: Final = re.compile(
    rb"\s*-----BEGIN PUBLIC KEY-----\s+([A-Za-z0-9+/=\s]+?)\s*-----END PUBLIC KEY-----\s*"
)


def read_key_file(path: Path) -> bytes:
    """The bytes of a file that should hold a key; raises MissingInputError or KeyFileError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_KEY_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MissingInputError(f"no key at {path}: {reason}; check the path") from error
    if len(data) > MAX_KEY_FILE_BYTES:
        raise KeyFileError(f"{path} is too large to be a key; name a file of `c3d-export keygen`")
    return data


def read_public_key(path: Path) -> bytes:
    """The 32 bytes of a public key; raises MissingInputError or KeyFileError."""
    found = _PEM.fullmatch(read_key_file(path))
    if found is not None:
        der = _decoded(b"".join(found[1].split()))
        if der.startswith(_PREFIX) and len(der) == len(_PREFIX) + KEY_BYTES:
            return der[len(_PREFIX) :]
    raise KeyFileError(
        f"{path} is no public Ed25519 key in PEM; name the .pub file that `c3d-export keygen` wrote"
    )


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def public_pem(public: bytes) -> bytes:
    """The file of a public key of 32 bytes."""
    body = base64.b64encode(_PREFIX + public)
    return b"-----BEGIN PUBLIC KEY-----\n" + body + b"\n-----END PUBLIC KEY-----\n"
