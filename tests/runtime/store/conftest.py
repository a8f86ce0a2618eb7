"""Versions of one small bundle, and an empty store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from c3d_export.runtime.store.store import Store

Version = Callable[..., bytes]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture(scope="session")
def version(tiny_bytes: bytes, repack: Callable[..., bytes]) -> Version:
    """version(n, name="tiny"): bundles of different ids that share all members but the card."""

    def make(number: int, name: str = "tiny") -> bytes:
        def edit(manifest: dict[str, Any]) -> None:
            manifest["name"] = name

        return repack(tiny_bytes, {"card.md": b"version %d\n" % number}, edit)

    return make


def files(root: Path) -> dict[str, bytes]:
    """Path in the store -> contents of every file."""
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
