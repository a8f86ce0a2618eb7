"""Installing: checked, tried out, stored, then active; all or nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from c3d_export.core.errors import (
    BundleError,
    BundleManifestError,
    KnownAnswerError,
    MissingModelError,
    OptionError,
    ProviderMissingError,
)
from c3d_export.runtime.store.installing import Installation
from c3d_export.runtime.store.store import Store

from .conftest import Version, files, install


def test_installing_makes_active_and_again_changes_nothing(store: Store, version: Version) -> None:
    bundles = [version(1, "b"), version(2, "a")]
    first = install(store, bundles)
    assert [entry.name for entry in first] == ["a", "b"]
    assert all(entry.changed for entry in first)
    before = files(store.layout.root)
    assert install(store, reversed(bundles)) == [Installation(e.name, e.id, False) for e in first]
    assert files(store.layout.root) == before
    assert [store.open(e.id, threads=1).bundle.name for e in first] == ["a", "b"]


def test_some_names_only(store: Store, version: Version) -> None:
    bundles = [version(1, "a"), version(1, "b")]
    assert [e.name for e in install(store, bundles, ["b"])] == ["b"]
    assert (store.names(), len(store.codecs())) == (["b"], 1)
    with pytest.raises(MissingModelError, match=r"no bundle of c, d there, only of a, b"):
        install(store, bundles, ["d", "c"])


def test_two_codecs_of_one_name_are_refused(store: Store, version: Version) -> None:
    with pytest.raises(OptionError, match="two codecs tiny"):
        install(store, [version(1), version(2)])
    assert store.names() == []
    assert [e.name for e in install(store, [version(1), version(1)])] == ["tiny"]


def test_one_bad_bundle_and_nothing_is_switched(store: Store, version: Version) -> None:
    install(store, [version(1, "a")])
    with pytest.raises(BundleError, match=r"^2\.c3b: "):
        install(store, [version(2, "a"), version(2, "b")[:-1]])
    assert store.names() == ["a"]
    assert store.manifest(store.active("a"))["members"]["card.md"]["size"] == len(b"version 1\n")
    store.prune()
    assert len(store.codecs()) == 1


def test_other_numbers_are_not_installed(
    store: Store, tiny_bytes: bytes, repack: Callable[..., bytes]
) -> None:
    def edit(manifest: dict[str, Any]) -> None:
        manifest["known_answers"][-1]["frame"] ^= 1

    with pytest.raises(KnownAnswerError, match="tiny: this host computes other numbers"):
        install(store, [repack(tiny_bytes, edit=edit)])
    assert (store.names(), store.codecs()) == ([], [])


def test_a_device_that_is_not_there(store: Store, version: Version) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this host has CUDA")
    with pytest.raises(ProviderMissingError):
        install(store, [version(1)], device="cuda")
    assert store.codecs() == []


@pytest.mark.parametrize("name", ["../x", "", None, 3])
def test_names_of_bundles_cannot_leave_the_store(
    store: Store, tiny_bytes: bytes, repack: Callable[..., bytes], name: object
) -> None:
    data = repack(tiny_bytes, edit=lambda manifest: manifest.update(name=name))
    with pytest.raises(BundleManifestError, match=r"^1\.c3b: .*no usable name"):
        install(store, [data])
    assert not store.layout.root.exists()
