"""What this host lets in: the one place where the store asks the host's policy."""

from __future__ import annotations

from ..policy import host_policy
from ..signatures import Seal, parse_signatures


def check_policy(manifest: bytes, signatures: bytes | None) -> None:
    """Raises PolicyError or a leaf of SignatureError for a codec that the host's policy does not
    allow, LibraryMissingError where a signature cannot be verified here.

    manifest: bytes of manifest.json. signatures: of signatures.json, None where there is none.
    Called before a codec is stored, and at each open.
    """
    policy = host_policy()
    policy.check(Seal(manifest, () if signatures is None else parse_signatures(signatures)))
