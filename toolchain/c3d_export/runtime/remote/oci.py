"""A bundle as an artifact of an OCI registry (OCI distribution 1.1, image manifest 1.1).

Its one layer is the bundle, under a media type of its own; `oras pull` writes it as a file. The
manifest depends on the bundle alone, so that pushing it again changes nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from ...core import jsonio
from ...core.digest import sha256_bytes
from ...core.errors import RemoteAnswerError, RemoteMissingError
from ...core.limits import MAX_BUNDLE_BYTES, MAX_OCI_MANIFEST_BYTES
from .deadline import Deadline, Progress, silent
from .registry import Registry
from .target import OciTarget

MEDIA_TYPE: Final = "application/vnd.c3d-export.bundle.v1"
MANIFEST_TYPE: Final = "application/vnd.oci.image.manifest.v1+json"
# What artifacts without a configuration have (image-spec, "Guidance for an Empty Descriptor").
EMPTY_TYPE: Final = "application/vnd.oci.empty.v1+json"
EMPTY: Final = b"{}"
NAME: Final = "io.c3d-export.name"
CODEC_ID: Final = "io.c3d-export.codec-id"
TITLE: Final = "org.opencontainers.image.title"
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


def digest_of(data: bytes) -> str:
    return f"sha256:{sha256_bytes(data)}"


def manifest_of(data: bytes, file: str, name: str, codec_id: str) -> bytes:
    """The manifest of a bundle. file: its name where it is pulled to; codec_id: hexadecimal."""
    layer = {"mediaType": MEDIA_TYPE, "digest": digest_of(data), "size": len(data)}
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": MEDIA_TYPE,
            "config": {"mediaType": EMPTY_TYPE, "digest": digest_of(EMPTY), "size": len(EMPTY)},
            "layers": [{**layer, "annotations": {TITLE: file}}],
            "annotations": {NAME: name, CODEC_ID: codec_id},
        },
        sort_keys=True,
        separators=(",", ":"),
    ).encode()


def push(
    target: OciTarget,
    data: bytes,
    manifest: bytes,
    tags: tuple[str, ...],
    deadline: Deadline,
    *,
    plain_http: bool = False,
    progress: Progress = silent,
) -> bool:
    """Puts a bundle under these tags; False where the registry had all of it.

    The tags are set last, and each in one request: who pulls sees the old bundle or the new one.
    Raises leaves of RemoteError, or RemoteAnswerError.
    """
    registry = Registry(target, deadline, plain_http=plain_http)
    sent = False
    for blob, told in ((EMPTY, silent), (data, progress)):
        if not registry.has_blob(digest_of(blob)):
            registry.put_blob(digest_of(blob), blob, told)
            sent = True
    for tag in tags:
        if registry.manifest_digest(tag, MANIFEST_TYPE) != digest_of(manifest):
            registry.put_manifest(tag, manifest, MANIFEST_TYPE)
            sent = True
    return sent


def pull(
    target: OciTarget,
    deadline: Deadline,
    *,
    plain_http: bool = False,
    progress: Progress = silent,
) -> bytes:
    """The bundle of an artifact, its size and digest as the manifest says.

    Raises leaves of RemoteError, or RemoteAnswerError.
    """
    registry = Registry(target, deadline, plain_http=plain_http)
    data = registry.get_manifest(target.reference, MANIFEST_TYPE, MAX_OCI_MANIFEST_BYTES)
    if ":" in target.reference and digest_of(data) != target.reference:
        raise RemoteAnswerError(f"{target} is not what its digest says; ask who runs the registry")
    digest, size = _layer(target, data)
    bundle = registry.get_blob(digest, size, progress)
    if len(bundle) != size or digest_of(bundle) != digest:
        raise RemoteAnswerError(f"the bundle of {target} is not what its digest says; try again")
    return bundle


def _layer(target: OciTarget, data: bytes) -> tuple[str, int]:
    """Digest and size of the one bundle of a manifest."""
    manifest = jsonio.loads(data, RemoteAnswerError, what=f"the manifest of {target}")
    layers = manifest.get("layers") if isinstance(manifest, dict) else None
    bundles = [layer for layer in layers or [] if _is_bundle(layer)]
    if len(bundles) != 1:
        raise RemoteMissingError(f"{target} is no bundle of c3d-export; check the repository")
    digest, size = bundles[0].get("digest"), bundles[0].get("size")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise RemoteAnswerError(f"{target} names its bundle by no SHA-256; push it again")
    if type(size) is not int or not 0 < size <= MAX_BUNDLE_BYTES:
        raise RemoteAnswerError(f"the bundle of {target} is larger than {MAX_BUNDLE_BYTES} bytes")
    return digest, size


def _is_bundle(layer: Any) -> bool:
    return isinstance(layer, Mapping) and layer.get("mediaType") == MEDIA_TYPE
