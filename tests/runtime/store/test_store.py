"""The store: adding, switching, going back, opening, and what of damage shows."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from c3d_export.core import jsonio
from c3d_export.core.atomic import TEMP_SUFFIX
from c3d_export.core.errors import (
    BundleError,
    BundleHashError,
    BundleManifestError,
    BundleMemberError,
    DiskError,
    MissingInputError,
    MissingModelError,
    OptionError,
    ValidationError,
)
from c3d_export.runtime.archive import pack_archive, unpack_archive
from c3d_export.runtime.bundle import parse_bundle, read_bundle
from c3d_export.runtime.codec import open_codec
from c3d_export.runtime.signatures import MEMBER as SIGNATURES
from c3d_export.runtime.signatures import Signature, pack_signatures, parse_signatures
from c3d_export.runtime.store import gate
from c3d_export.runtime.store.layout import store_root
from c3d_export.runtime.store.store import Store

from .conftest import Version, files


def test_a_stored_bundle_is_the_one_of_the_file(store: Store, tiny_bytes: bytes) -> None:
    stored, plain = store.bundle(store.add(tiny_bytes)), parse_bundle(tiny_bytes)
    assert (stored.id, stored.manifest, stored.graphs) == (plain.id, plain.manifest, plain.graphs)
    assert stored.arrays.keys() == plain.arrays.keys()
    assert all(np.array_equal(stored.arrays[name], plain.arrays[name]) for name in plain.arrays)


def test_adding_again_writes_nothing(store: Store, tiny_bytes: bytes) -> None:
    first = store.add(tiny_bytes)
    before = {p: p.stat().st_mtime_ns for p in store.layout.root.rglob("*") if p.name != "lock"}
    assert store.add(tiny_bytes) == first
    after = {p: p.stat().st_mtime_ns for p in store.layout.root.rglob("*") if p.name != "lock"}
    assert after == before


def test_members_of_two_codecs_are_stored_once(store: Store, version: Version) -> None:
    first = parse_bundle(version(1))
    store.add(version(1))
    count = len(store.blobs())
    assert count == len({entry["sha256"] for entry in first.manifest["members"].values()})
    store.add(version(2))
    assert len(store.blobs()) == count + 1  # the card


def test_versions_are_switched_and_gone_back_to(store: Store, version: Version) -> None:
    a, b, c = (store.add(version(n)) for n in range(3))
    assert [store.activate("tiny", codec) for codec in (a, a, b, c)] == [True, False, True, True]
    assert (store.active("tiny"), store.rollback("tiny"), store.rollback("tiny")) == (c, b, a)
    with pytest.raises(OptionError, match="no version before"):
        store.rollback("tiny")
    assert store.active("tiny") == a
    (installed,) = store.list()
    assert [v.id for v in installed.versions] == [c, b, a]


def test_what_was_rolled_back_from_is_not_gone_back_to(store: Store, version: Version) -> None:
    good, bad, new = (store.add(version(n)) for n in range(3))
    for codec in (good, bad):
        store.activate("tiny", codec)
    store.rollback("tiny")
    store.activate("tiny", new)
    assert store.rollback("tiny") == good


def test_names_and_ids_are_found(store: Store, version: Version) -> None:
    a, b = (store.add(version(n)) for n in range(2))
    store.activate("tiny", a)
    assert store.find("tiny") == store.find(a) == store.find(a.hex()) == a
    assert store.open(b.hex(), threads=1).id == b
    assert store.open("tiny", threads=1).id == a
    assert read_bundle(store.layout.codec(b)).id == open_codec(store.layout.codec(b)).id == b
    for missing in ("other", bytes(8), "0" * 16):
        with pytest.raises(MissingModelError, match="install"):
            store.find(missing)
    with pytest.raises(MissingModelError):
        store.active("other")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a", ".a", "a\0", "a b", "ä", "a" * 101])
def test_names_cannot_leave_the_folder(store: Store, tiny_bytes: bytes, name: str) -> None:
    codec = store.add(tiny_bytes)
    before = files(store.layout.root)
    for act in (lambda: store.activate(name, codec), lambda: store.open(name)):
        with pytest.raises(OptionError, match="no name of a codec"):
            act()
    assert files(store.layout.root) == before


def test_a_damaged_bundle_is_not_stored(store: Store, tiny_bytes: bytes) -> None:
    damaged = bytearray(tiny_bytes)
    damaged[len(damaged) // 2] ^= 1
    with pytest.raises(BundleError):
        store.add(bytes(damaged))
    assert not store.layout.root.exists()


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [_flip, lambda p: p.unlink(), lambda p: p.write_bytes(b"")])
def test_damage_is_found_at_each_open_and_mended_by_adding_again(
    store: Store, tiny_bytes: bytes, damage: Callable[[Path], object]
) -> None:
    codec = store.add(tiny_bytes)
    store.activate("tiny", codec)
    sound = files(store.layout.root)
    for path in (*store.blobs(), store.layout.codec(codec) / "manifest.json"):
        damage(path)
        with pytest.raises((BundleHashError, BundleMemberError, MissingInputError)):
            store.bundle(codec)
        store.add(tiny_bytes)
        assert files(store.layout.root) == sound
    store.open("tiny", threads=1)


def test_a_blob_of_terabytes_is_not_read(store: Store, tiny_bytes: bytes) -> None:
    codec = store.add(tiny_bytes)
    with store.blobs()[0].open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(BundleMemberError, match="too long"):
        store.bundle(codec)


def test_going_back_to_a_damaged_version_is_refused(store: Store, version: Version) -> None:
    a, b = (store.add(version(n)) for n in range(2))
    store.activate("tiny", a)
    store.activate("tiny", b)
    only_of_a = store.manifest(a)["members"]["card.md"]["sha256"]
    _flip(store.layout.blobs / only_of_a)
    with pytest.raises(BundleHashError):
        store.rollback("tiny")
    assert store.active("tiny") == b


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b'{"format": "c3d-export name", "version": 2, "active": "00", "history": []}',
        b'{"format": "c3d-export name", "version": 1, "active": "0011223344556677",'
        b' "history": ["1011223344556677"]}',
        b'{"format": "c3d-export name", "version": 1, "active": "../../../../../x",'
        b' "history": ["../../../../../x"]}',
        b" " * 5000,
    ],
)
def test_a_damaged_record_is_named(store: Store, tiny_bytes: bytes, text: bytes) -> None:
    store.activate("tiny", store.add(tiny_bytes))
    store.layout.record("tiny").write_bytes(text)
    for act in (
        lambda: store.open("tiny"),
        store.list,
        store.prune,
        lambda: store.rollback("tiny"),
    ):
        with pytest.raises(BundleManifestError, match=r"tiny\.json"):
            act()
    assert store.codecs()


def test_another_codec_of_the_same_id_is_refused(
    store: Store, tiny_bytes: bytes, version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 bits can be hit on purpose; here the digest is made to."""
    for module in ("bundle", "store.reading"):
        monkeypatch.setattr(f"c3d_export.runtime.{module}.codec_id", lambda _: bytes(8))
    store.add(tiny_bytes)
    before = files(store.layout.root)
    with pytest.raises(BundleHashError, match="another codec has the id"):
        store.add(version(1))
    assert files(store.layout.root) == before


def test_the_policy_is_asked_before_storing_and_at_each_open(
    store: Store, tiny_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[bytes, bytes | None]] = []

    def refuse(manifest: bytes, signatures: bytes | None) -> None:
        asked.append((manifest, signatures))
        raise ValidationError("not allowed here")

    codec = store.add(tiny_bytes)
    store.activate("tiny", codec)
    (store.layout.codec(codec) / SIGNATURES).write_bytes(b"{}")
    monkeypatch.setattr(gate, "check_policy", refuse)
    for act in (
        lambda: store.add(tiny_bytes),
        lambda: store.open("tiny"),
        lambda: store.bundle(codec),
        lambda: store.activate("other", codec),
        lambda: read_bundle(store.layout.codec(codec)),
    ):
        with pytest.raises(ValidationError, match="not allowed"):
            act()
    manifest = (store.layout.codec(codec) / "manifest.json").read_bytes()
    assert asked == [(manifest, None)] + [(manifest, b"{}")] * 4
    assert store.names() == ["tiny"]


def test_signatures_are_stored_beside_the_manifest_and_replaced(
    store: Store, tiny_bytes: bytes
) -> None:
    """Who signs a codec later does not change its id; an unsigned copy takes nothing away."""
    members = unpack_archive(tiny_bytes)
    plain = store.add(tiny_bytes)
    assert store.signatures(plain) is None
    for number in (1, 2):
        text = base64.b64encode(bytes([number]) * 64).decode()
        one = {"algorithm": "ed25519", "key": "00" * 8, "signature": text}
        form = {"format": "c3d-export signatures", "version": 1, "signatures": [one]}
        signed = jsonio.dumps(form)
        bundle = pack_archive({**members, SIGNATURES: signed})
        assert store.add(bundle) == plain
        assert store.signatures(plain) == signed
        assert store.add(tiny_bytes) == plain
        assert store.signatures(plain) == signed
    assert store.bundle(plain).id == parse_bundle(tiny_bytes).id
    store.prune()
    assert files(store.layout.root) == {"lock": b""}


def test_a_copy_that_another_key_has_signed_takes_no_signature_away(
    store: Store, tiny_bytes: bytes
) -> None:
    """A host trusts one of the keys; whose copy comes last must not matter."""
    members = unpack_archive(tiny_bytes)
    for number in range(10):
        member = pack_signatures([Signature(f"{number:016x}", bytes([number]) * 64)])
        codec = store.add(pack_archive({**members, SIGNATURES: member}))
    stored = store.signatures(codec)
    assert stored is not None
    assert [s.key for s in parse_signatures(stored)] == [f"{n:016x}" for n in range(8)]


def test_a_full_disk_leaves_the_store_as_it_was(
    store: Store, version: Version, monkeypatch: pytest.MonkeyPatch, tiny_bytes: bytes
) -> None:
    store.activate("tiny", store.add(version(1)))
    before = files(store.layout.root)
    write, left = os.write, [0]

    def fill(descriptor: int, data: memoryview) -> int:
        if not left[0]:
            raise OSError(28, "No space left on device")
        left[0] -= 1
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", fill)
    for room in (0, 1):  # the card; the manifest
        left[0] = room
        with pytest.raises(DiskError, match="free some space"):
            store.add(version(2))
        assert files(store.layout.root) == before
    left[0] = 2
    assert store.has(store.add(version(2)))


def test_pruning_keeps_three_versions_of_each_name(store: Store, version: Version) -> None:
    ids = [store.add(version(n)) for n in range(5)]
    for codec in ids:
        store.activate("tiny", codec)
    store.activate("other", store.add(version(9, "other")))
    done = store.prune()
    assert sorted(done.codecs) == sorted(ids[:2])
    assert (done.blobs, done.litter) == (2, 0)  # their cards
    assert done.size > 0
    assert store.codecs() == sorted([*ids[2:], store.active("other")])
    assert [store.bundle(codec).id for codec in ids[2:]] == ids[2:]
    assert store.prune().codecs == []
    with pytest.raises(MissingModelError):
        store.open(ids[0])


def test_pruning_removes_the_litter_of_the_dead_only(store: Store, version: Version) -> None:
    store.activate("tiny", store.add(version(1)))
    sound = files(store.layout.root)
    dead = [
        folder / f".x.{n}{TEMP_SUFFIX}"
        for n, folder in enumerate(
            (store.layout.blobs, store.layout.names, store.layout.codec(store.active("tiny")))
        )
    ]
    for path in dead:
        path.write_bytes(b"half")
    (store.layout.codecs / "0123456789abcdef").mkdir()
    (store.layout.blobs / ("0" * 64)).write_bytes(b"of a codec that did not come")
    done = store.prune()
    assert (done.codecs, done.blobs, done.litter) == ([], 1, 3)
    assert files(store.layout.root) == sound
    assert [p.name for p in store.layout.codecs.iterdir()] == [store.active("tiny").hex()]


def test_pruning_stops_where_a_kept_codec_is_damaged(store: Store, version: Version) -> None:
    codec = store.add(version(1))
    store.activate("tiny", codec)
    _flip(store.layout.codec(codec) / "manifest.json")
    before = files(store.layout.root)
    with pytest.raises(BundleHashError, match="install"):
        store.prune()
    assert files(store.layout.root) == before


def test_forgotten_names_leave_their_codecs_to_pruning(store: Store, version: Version) -> None:
    codec = store.add(version(1))
    store.activate("tiny", codec)
    store.forget("tiny")
    assert (store.names(), store.has(codec)) == ([], True)
    assert store.prune().codecs == [codec]
    assert store.blobs() == []


def test_opening_survives_a_version_that_is_pruned_meanwhile(
    store: Store, version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = (store.add(version(n)) for n in range(2))
    store.activate("tiny", old)
    find = store.find

    def find_and_lose(name: str | bytes) -> bytes:
        codec = find(name)
        if codec == old and isinstance(name, str):
            store.forget("tiny")
            store.activate("tiny", new)
            store.prune()
        return codec

    monkeypatch.setattr(store, "find", find_and_lose)
    assert store.open("tiny", threads=1).id == new


@pytest.mark.parametrize(
    ("variables", "root"),
    [
        ({"C3D_STORE": "/s", "HOME": "/h", "XDG_DATA_HOME": "/x"}, "/s"),
        ({"HOME": "/h", "XDG_DATA_HOME": "/x"}, "/x/c3d-export/store"),
        ({"HOME": "/h", "XDG_DATA_HOME": "x"}, "/h/.local/share/c3d-export/store"),
        ({"HOME": "/h", "C3D_STORE": ""}, "/h/.local/share/c3d-export/store"),
    ],
)
def test_the_place_is_that_of_the_environment(variables: dict[str, str], root: str) -> None:
    assert store_root(variables) == Path(root)
