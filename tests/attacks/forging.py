"""Bundles whose container and hashes agree, whatever is in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from c3d_export.core import jsonio
from c3d_export.core.digest import sha256_bytes
from c3d_export.core.errors import C3DError
from c3d_export.runtime.archive import pack_archive
from c3d_export.runtime.bundle import MANIFEST

from .zips import MEMBERS

Manifest = dict[str, Any]
TEXT = MEMBERS[MANIFEST]


def manifest() -> Manifest:
    """Of the good bundle, anew each time."""
    found: Manifest = jsonio.loads(TEXT, C3DError)
    return found


def forged(
    changes: dict[str, bytes | None] | None = None,
    edit: Callable[[Manifest], object] = lambda _: None,
) -> bytes:
    """The good bundle with other members (None: without them), all hashes and sizes made to agree,
    and then the manifest edited in place."""
    members = {**MEMBERS, **(changes or {})}
    kept = {name: data for name, data in members.items() if data is not None and name != MANIFEST}
    document = manifest()
    document["members"] = {
        name: {"sha256": sha256_bytes(data), "size": len(data)} for name, data in kept.items()
    }
    edit(document)
    return pack_archive({**kept, MANIFEST: jsonio.dumps(document)})


def with_text(text: bytes) -> bytes:
    """The good bundle with this manifest."""
    return pack_archive({**MEMBERS, MANIFEST: text})


def with_value(value: bytes) -> bytes:
    """The good bundle with an entry of this text more in its manifest."""
    changed = TEXT.replace(b'"game"', b'"more": ' + value + b', "game"', 1)
    assert changed != TEXT
    return with_text(changed)
