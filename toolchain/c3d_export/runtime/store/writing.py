"""Writing a codec into a store: members first, the manifest last. The caller holds the lock."""

from __future__ import annotations

from pathlib import Path

from ...core.atomic import make_folders, write_bytes_atomic
from ...core.digest import sha256_file
from ...core.errors import BundleHashError, C3DError
from ...core.limits import MAX_SIGNATURES
from ..bundle import MANIFEST
from ..signatures import MEMBER as SIGNATURES
from ..signatures import pack_signatures, parse_signatures
from .layout import Layout
from .reading import Parts, blobs_of, read_manifest


def write_codec(layout: Layout, parts: Parts) -> None:
    """What is there already is left, what is damaged is replaced.

    Raises BundleHashError where another codec has the id, and DiskError; then no reader finds a
    change, and a full disk has the room again that was taken.
    """
    folder, fresh = layout.codec(parts.bundle.id), list[Path]()
    if (folder / MANIFEST).is_file():
        _require_same(folder, parts.manifest)
    try:
        _write_blobs(layout, parts, fresh)
        make_folders(folder)
        if parts.signatures is not None:
            _write_changed(folder / SIGNATURES, _with_stored(folder, parts.signatures))
        _write_changed(folder / MANIFEST, parts.manifest)
    except BaseException:
        if not (folder / MANIFEST).is_file():
            for path in fresh:
                path.unlink(missing_ok=True)
        raise


def _with_stored(folder: Path, member: bytes) -> bytes:
    """With the signatures of other keys that the codec has here: a host may trust one of those.

    Where all have no room, those that come now give way.
    """
    try:
        stored = parse_signatures((folder / SIGNATURES).read_bytes())
    except (OSError, C3DError):  # none, or damaged
        return member
    coming = parse_signatures(member)
    keys = {signature.key for signature in coming}
    others = [signature for signature in stored if signature.key not in keys]
    return pack_signatures([*others, *coming][:MAX_SIGNATURES])


def _write_blobs(layout: Layout, parts: Parts, fresh: list[Path]) -> None:
    """fresh: takes those that were not there before."""
    make_folders(layout.blobs)
    for name, blob in blobs_of(parts.bundle.manifest).items():
        path = layout.blobs / blob.sha256
        if not _holds(path, blob.sha256, blob.size):
            if not path.exists():
                fresh.append(path)
            write_bytes_atomic(path, parts.members[name])


def _require_same(folder: Path, manifest: bytes) -> None:
    """64 bits of a digest name a codec: another manifest with the same ones was made on purpose."""
    try:
        stored = read_manifest(folder)
    except C3DError:  # damaged: it is replaced
        return
    if stored != manifest:
        raise BundleHashError(
            f"another codec has the id {folder.name} in this store; do not trust this bundle"
        )


def _holds(path: Path, digest: str, size: int) -> bool:
    """Whether a blob is there and sound."""
    return path.is_file() and path.stat().st_size == size and sha256_file(path) == digest


def _write_changed(path: Path, data: bytes) -> None:
    """Leaves a file alone that has these bytes: readers and `stat` see no change."""
    same = path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data
    if not same:
        write_bytes_atomic(path, data)
