"""Keys that sign bundles, and signing: Ed25519 in PKCS#8, through `cryptography`.

Neither torch nor onnx is needed: who signs need not be who exports.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..core.atomic import write_bytes_atomic
from ..core.errors import KeyFileError, LibraryMissingError, OptionError
from ..core.limits import MAX_SIGNATURES
from ..runtime.archive import pack_archive, read_file, unpack_archive
from ..runtime.bundle import parse_bundle
from ..runtime.keyfiles import public_pem, read_key_file
from ..runtime.signatures import MEMBER, Signature, key_id, pack_signatures, signed_message

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PASSPHRASE_VARIABLE: Final = "C3D_KEY_PASSPHRASE"
PRIVATE_SUFFIX: Final = ".key"
PUBLIC_SUFFIX: Final = ".pub"
PRIVATE_MODE: Final = 0o600

Ask = Callable[[], str]
"""Asks for a passphrase; raises KeyFileError where nobody can be asked."""


@dataclass(frozen=True)
class SigningKey:
    """private: never shown. public: 32 bytes."""

    private: Ed25519PrivateKey
    public: bytes

    @property
    def id(self) -> str:
        return key_id(self.public)

    def sign(self, manifest: bytes) -> Signature:
        """The same for the same manifest, always (RFC 8032)."""
        return Signature(self.id, self.private.sign(signed_message(manifest)))


def new_key() -> SigningKey:
    """From the system's source of random numbers; raises LibraryMissingError."""
    return _key(_ed25519().generate())


def _ed25519() -> type[Ed25519PrivateKey]:
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError as error:
        raise LibraryMissingError(
            "keys and signatures are made by cryptography, which is not installed; run pip install"
            " 'c3d-export[sign]'"
        ) from error
    return Ed25519PrivateKey


def _key(private: Ed25519PrivateKey) -> SigningKey:
    return SigningKey(private, private.public_key().public_bytes_raw())


def write_key(key: SigningKey, base: Path, passphrase: str = "") -> tuple[Path, Path]:
    """Writes base.key (mode 0600, encrypted where there is a passphrase) and base.pub.

    Returns both paths. Raises OptionError where one of them is there, DiskError.
    """
    if not base.name:
        raise OptionError("a key needs a name; give one to -o")
    private = base.with_name(base.name + PRIVATE_SUFFIX)
    public = base.with_name(base.name + PUBLIC_SUFFIX)
    for path in (private, public):
        if os.path.lexists(path):
            raise OptionError(f"{path} exists, and a key is never replaced; choose another -o")
    # A public key without its private one does no harm; a private one alone could not be used.
    write_bytes_atomic(public, public_pem(key.public))
    write_bytes_atomic(private, _private_pem(key, passphrase), mode=PRIVATE_MODE)
    return private, public


def _private_pem(key: SigningKey, passphrase: str) -> bytes:
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        KeySerializationEncryption,
        NoEncryption,
        PrivateFormat,
    )

    encryption: KeySerializationEncryption = NoEncryption()
    if passphrase:
        encryption = BestAvailableEncryption(passphrase.encode())
    return key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def read_signing_key(path: Path, ask: Ask) -> SigningKey:
    """A private key; `ask` is called where it has a passphrase.

    Raises MissingInputError, KeyFileError or LibraryMissingError.
    """
    kind = _ed25519()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = read_key_file(path)
    if b"PRIVATE KEY-----" not in data:
        raise KeyFileError(
            f"{path} is no private key in PEM; name the {PRIVATE_SUFFIX} file that `c3d-export"
            " keygen` wrote"
        )
    locked = b"BEGIN ENCRYPTED PRIVATE KEY" in data
    try:
        private = load_pem_private_key(data, ask().encode() if locked else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        fault = "its passphrase is another, or it is damaged" if locked else "it is damaged"
        raise KeyFileError(f"the key {path} cannot be read: {fault}") from error
    if not isinstance(private, kind):
        raise KeyFileError(f"{path} is a key of another kind than Ed25519; make one with keygen")
    return _key(private)


def sign_bundle(data: bytes, key: SigningKey) -> bytes:
    """The bundle with a signature of this key more, in place of an older one of the same key.

    Everything of the bundle is checked first: what is damaged is not signed. Raises a leaf of
    BundleError, and OptionError where it has no room for another signature.
    """
    seal = parse_bundle(data).seal
    others = [signature for signature in seal.signatures if signature.key != key.id]
    if len(others) == MAX_SIGNATURES:
        raise OptionError(f"the bundle has {MAX_SIGNATURES} signatures, which is the most")
    member = pack_signatures([*others, key.sign(seal.manifest)])
    return pack_archive({**unpack_archive(data), MEMBER: member})


def sign_file(path: Path, key: SigningKey) -> bytes:
    """Signs a bundle's file in place, atomically; returns what is in it now.

    Raises as `sign_bundle`, MissingInputError and DiskError. A link is followed.
    """
    target = path.resolve()
    signed = sign_bundle(read_file(target), key)
    write_bytes_atomic(target, signed)
    return signed
