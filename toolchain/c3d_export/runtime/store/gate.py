"""What this host lets in: the one place where the store asks the host's policy."""

from __future__ import annotations


def check_policy(manifest: bytes, signatures: bytes | None) -> None:
    """Raises a leaf of C3DError for a codec that the host's policy does not allow.

    manifest: bytes of manifest.json. signatures: of signatures.json, None where there is none.
    Called before a codec is stored, and at each open.
    """
