"""Signatures of a bundle: the member `signatures.json`, and what they are over.

A signature is over the manifest, which holds the SHA-256 of every other member: who signs it signs
the whole file but the signatures, so that several parties can sign one bundle and its identity (the
hash of the manifest) stays what it is. The member is read in one valid form only, as the container
is. Ed25519 (RFC 8032) comes from `cryptography`, which is imported when a signature is looked at.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from ..core import jsonio
from ..core.errors import C3DError, LibraryMissingError, SignatureFormatError
from ..core.limits import MAX_SIGNATURES, MAX_SIGNATURES_BYTES

MEMBER: Final = "signatures.json"
FORMAT: Final = "c3d-export signatures"
VERSION: Final = 1
ALGORITHM: Final = "ed25519"
KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64

# In front of what is signed, so that a signature of something else can never be one of a bundle.
CONTEXT: Final = b"c3d-export bundle 1\n"


@dataclass(frozen=True, order=True)
class Signature:
    """key: the id of the key that it says it is of (`key_id`). value: 64 bytes, not verified."""

    key: str
    value: bytes


@dataclass(frozen=True)
class Seal:
    """What is signed of a bundle, and the signatures that it carries, none of them verified.

    manifest: the bytes of the manifest. signatures: in the order of their keys, one a key.
    """

    manifest: bytes
    signatures: tuple[Signature, ...]


UNSIGNED: Final = Seal(b"", ())
"""Of a bundle that is being made."""


def key_id(public: bytes) -> str:
    """The name of a public key (32 bytes): the first 16 hexadecimal digits of its SHA-256.

    It finds the key to verify with and proves nothing: what counts is the key itself.
    """
    return hashlib.sha256(public).hexdigest()[:16]


def signed_message(manifest: bytes) -> bytes:
    """The bytes that a signature of the bundle with this manifest is over."""
    return CONTEXT + manifest


def pack_signatures(signatures: Iterable[Signature]) -> bytes:
    """The member of these signatures, in the order of their keys.

    Raises SignatureFormatError for none, too many, or two of one key.
    """
    listed = sorted(signatures)
    if not 1 <= len(listed) <= MAX_SIGNATURES:
        raise SignatureFormatError(
            f"a bundle carries 1 to {MAX_SIGNATURES} signatures, not {len(listed)}"
        )
    if len({signature.key for signature in listed}) < len(listed):
        raise SignatureFormatError("a bundle carries one signature of each key")
    entries = [
        {"algorithm": ALGORITHM, "key": s.key, "signature": base64.b64encode(s.value).decode()}
        for s in listed
    ]
    document = {"format": FORMAT, "version": VERSION, "signatures": entries}
    return jsonio.dumps(document, max_bytes=MAX_SIGNATURES_BYTES)


def parse_signatures(data: bytes) -> tuple[Signature, ...]:
    """The signatures of a member; raises SignatureFormatError for all that is not written so."""
    document = jsonio.loads(data, SignatureFormatError, what=MEMBER, max_bytes=MAX_SIGNATURES_BYTES)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise SignatureFormatError(f"{MEMBER} of the bundle holds something else; fetch it again")
    if document.get("version") != VERSION:
        raise SignatureFormatError(
            f"{MEMBER} has version {str(document.get('version'))[:20]}, this program reads"
            f" {VERSION}; update c3d-export"
        )
    entries = document.get("signatures")
    signatures = tuple(map(_signature, entries if isinstance(entries, list) else ()))
    if _packed(signatures) != data:
        raise SignatureFormatError(f"{MEMBER} of the bundle is malformed; have it signed again")
    return signatures


def _signature(entry: Any) -> Signature:
    try:
        key, value = entry["key"], base64.b64decode(entry["signature"], validate=True)
    except (TypeError, KeyError, ValueError) as error:
        raise SignatureFormatError(f"{MEMBER} of the bundle holds what is no signature") from error
    whole = isinstance(key, str) and len(key) == 16 and set(key) <= set("0123456789abcdef")
    if not whole or len(value) != SIGNATURE_BYTES:
        raise SignatureFormatError(f"{MEMBER} of the bundle holds a key or signature cut short")
    return Signature(key, value)


def _packed(signatures: tuple[Signature, ...]) -> bytes:
    try:
        return pack_signatures(signatures)
    except C3DError as error:
        raise SignatureFormatError(f"{MEMBER} is malformed: {error}") from error


def verifies(public: bytes, signature: Signature, manifest: bytes) -> bool:
    """Whether the signature is that of this key (32 bytes) over this manifest.

    Raises LibraryMissingError where `cryptography` is not installed.
    """
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError as error:
        raise LibraryMissingError(
            "signatures are verified by cryptography, which is not installed; run pip install"
            " 'c3d-export[sign]'"
        ) from error
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature.value, signed_message(manifest))
    except (InvalidSignature, ValueError):
        return False
    return True
