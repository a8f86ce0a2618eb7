"""From a bundle file to what is stored, and from what is stored to the same verified bundle."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.digest import codec_id
from ...core.errors import (
    BundleHashError,
    BundleManifestError,
    BundleMemberError,
    MissingInputError,
)
from ...core.limits import (
    MAX_BUNDLE_BYTES,
    MAX_JSON_BYTES,
    MAX_MEMBER_BYTES,
    MAX_MEMBERS,
    MAX_SIGNATURES_BYTES,
)
from ..archive import pack_archive, unpack_archive
from ..bundle import MANIFEST, Bundle, assemble, parse_manifest
from ..signatures import MEMBER as SIGNATURES
from . import gate
from .layout import BLOBS

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Parts:
    """A verified bundle as bytes. members: by name, without manifest and signatures."""

    bundle: Bundle
    manifest: bytes
    signatures: bytes | None
    members: Mapping[str, bytes]


@dataclass(frozen=True)
class Blob:
    """A member as its manifest describes it; sha256: 64 hexadecimal digits, size: bytes."""

    sha256: str
    size: int


def take_apart(data: bytes) -> Parts:
    """A bundle file, checked in full, and allowed by the host's policy.

    Raises a leaf of BundleError, or what the policy raises.
    """
    members = unpack_archive(data)
    manifest = members.pop(MANIFEST, None)
    if manifest is None:
        raise BundleManifestError("the bundle has no manifest.json")
    signatures = members.pop(SIGNATURES, None)
    gate.check_policy(manifest, signatures)
    bundle = assemble(manifest, parse_manifest(manifest), members, signatures)
    return Parts(bundle, manifest, signatures, members)


def read_stored(folder: Path) -> Bundle:
    """The bundle of a codec of a store, every byte compared with its hash, allowed by the policy.

    folder: `codecs/<codec id>`. Raises MissingInputError where there is no codec, a leaf of
    BundleError where something of it is damaged or missing, or what the policy raises.
    """
    manifest_bytes = read_manifest(folder)
    signatures = read_signatures(folder)
    gate.check_policy(manifest_bytes, signatures)
    manifest = parse_manifest(manifest_bytes)
    return assemble(manifest_bytes, manifest, _members(folder, manifest), signatures)


def packed(folder: Path) -> bytes:
    """The bundle file of a codec of a store, as it was installed; raises as `read_stored`, but for
    the policy."""
    manifest = read_manifest(folder)
    signatures = read_signatures(folder)
    members = _members(folder, parse_manifest(manifest)) | {MANIFEST: manifest}
    return pack_archive(members if signatures is None else members | {SIGNATURES: signatures})


def _members(folder: Path, manifest: Mapping[str, Any]) -> dict[str, bytes]:
    blobs = folder.parent.parent / BLOBS
    return {
        name: _read(blobs / blob.sha256, blob.size, f"member {name} of codec {folder.name}")
        for name, blob in blobs_of(manifest).items()
    }


def read_manifest(folder: Path) -> bytes:
    """The manifest of a codec of a store; raises MissingInputError or BundleHashError."""
    path = folder / MANIFEST
    if not path.is_file():
        raise MissingInputError(
            f"no codec in {folder}; look at `c3d-export list`, or install its bundle"
        )
    data = _read(path, MAX_JSON_BYTES, f"the manifest of codec {folder.name}")
    if codec_id(data).hex() != folder.name:
        raise BundleHashError(
            f"the manifest of codec {folder.name} is damaged; install its bundle again"
        )
    return data


def read_signatures(folder: Path) -> bytes | None:
    """signatures.json of a codec of a store, None where it has none."""
    path = folder / SIGNATURES
    if not path.is_file():
        return None
    return _read(path, MAX_SIGNATURES_BYTES, f"the signatures of codec {folder.name}")


def blobs_of(manifest: Mapping[str, Any]) -> dict[str, Blob]:
    """Member name -> blob, of a manifest; raises BundleManifestError for what is no such list.

    Hashes become file names and sizes memory, so that both are looked at first.
    """
    listed = manifest.get("members")
    if not isinstance(listed, dict) or len(listed) > MAX_MEMBERS:
        raise BundleManifestError("the manifest does not list the bundle's members")
    blobs = {name: _blob(entry) for name, entry in listed.items()}
    if sum(blob.size for blob in blobs.values()) > MAX_BUNDLE_BYTES:
        raise BundleManifestError(f"the members have more than {MAX_BUNDLE_BYTES} bytes")
    return blobs


def _blob(entry: object) -> Blob:
    match entry:
        case {"sha256": str(digest), "size": int(size), **rest} if not rest:
            if _SHA256.fullmatch(digest) and 0 <= size <= MAX_MEMBER_BYTES:
                return Blob(digest, size)
    raise BundleManifestError("the manifest describes a member wrongly")


def _read(path: Path, most: int, what: str) -> bytes:
    """At most one byte more than `most`, so that a longer file shows."""
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise BundleMemberError(
            f"the store lacks {what} ({path}: {error.strerror}); install its bundle again"
        ) from error
    if len(data) > most:
        raise BundleMemberError(f"{what} is too long ({path}); install its bundle again")
    return data
