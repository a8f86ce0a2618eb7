"""Versions of one small bundle, and an empty store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from c3d_export.runtime.remote.fetch import Fetched
from c3d_export.runtime.store import installing
from c3d_export.runtime.store.installing import Installation
from c3d_export.runtime.store.store import Store

if TYPE_CHECKING:
    from c3d_export.deploy.bundle import Export

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


def install(
    store: Store, bundles: Iterable[bytes], names: Collection[str] = (), **options: Any
) -> list[Installation]:
    """`installing.install` of bundles that lay at 1.c3b, 2.c3b and so on."""
    found = (Fetched(f"{i}.c3b", data) for i, data in enumerate(bundles, 1))
    return installing.install(store, found, names, **options)


def files(root: Path) -> dict[str, bytes]:
    """Path in the store -> contents of every file."""
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.fixture(scope="session")
def other_bytes(tiny_export: Export) -> bytes:
    """A bundle named as `tiny_bytes` is, of a network that quantises otherwise."""
    from c3d_export.deploy.bundle import Provenance, build_bundle

    parameters = replace(tiny_export.parameters, step=-(-tiny_export.parameters.step // 2))
    return build_bundle(replace(tiny_export, parameters=parameters), Provenance("tiny"))
