"""Attacks through the manifest: huge, deep and ambiguous JSON, and claims that do not hold."""

from __future__ import annotations

import pytest

from c3d_export.core.errors import (
    BundleHashError,
    BundleManifestError,
    BundleMemberError,
    BundleVersionError,
)
from c3d_export.runtime.archive import pack_archive

from .conftest import Host, Refuse
from .forging import Manifest, forged, manifest, with_text, with_value
from .zips import GOOD, MEMBERS


def test_the_attacks_start_from_a_bundle_that_is_accepted(host: Host) -> None:
    path = host.folder / "good.c3b"
    for data in (forged(), with_value(b"[1, 2]")):
        path.write_bytes(data)
        assert host.ask("read", path)["error"] is None
    assert forged() == GOOD


def test_a_wrong_hash(refuse: Refuse) -> None:
    data = forged(edit=lambda m: m["members"]["card.md"].update(sha256="0" * 64))
    refuse(data, BundleHashError, "card.md differs from its hash")


def test_a_hash_that_is_cut_or_spelt_otherwise(refuse: Refuse) -> None:
    right = manifest()["members"]["card.md"]["sha256"]
    for text in (right[:-1], right.upper(), "sha256:" + right, "", None, [right]):
        data = forged(edit=lambda m, t=text: m["members"]["card.md"].update(sha256=t))
        refuse(data, BundleHashError, "card.md")


def test_a_wrong_size(refuse: Refuse) -> None:
    for size in (0, -1, 1 << 40, 278.5, "277", None):
        data = forged(edit=lambda m, s=size: m["members"]["card.md"].update(size=s))
        refuse(data, BundleHashError, "card.md")


def test_another_kind_of_hash_beside(refuse: Refuse) -> None:
    data = forged(edit=lambda m: m["members"]["card.md"].update(md5="0" * 32))
    refuse(data, BundleHashError, "card.md")


def test_another_member_under_a_good_hash(refuse: Refuse) -> None:
    swapped = {**MEMBERS, "graphs/g_cp.float": MEMBERS["graphs/g_ep.float"]}
    refuse(pack_archive(swapped), BundleHashError, "graphs/g_cp.float differs")


def test_a_member_that_is_not_listed(refuse: Refuse) -> None:
    refuse(pack_archive({**MEMBERS, "evil.sh": b"x"}), BundleMemberError, "not those that its")


def test_a_member_that_is_missing(refuse: Refuse) -> None:
    for name in ("card.md", "graphs/g_s.weights", "arrays/step.npy"):
        rest = {key: data for key, data in MEMBERS.items() if key != name}
        refuse(pack_archive(rest), BundleMemberError, "not those that its manifest lists")


def test_a_member_that_the_manifest_forgets_too(refuse: Refuse) -> None:
    refuse(forged({"arrays/step.npy": None}), BundleMemberError, "array step is missing")
    refuse(forged({"graphs/h_a.float": None}), BundleMemberError, "graphs/h_a.float")


def test_a_manifest_that_lists_itself(refuse: Refuse) -> None:
    entry = {"sha256": "0" * 64, "size": 1}
    data = forged(edit=lambda m: m["members"].update({"manifest.json": entry}))
    refuse(data, BundleMemberError, "not those that its manifest lists")


def test_members_that_are_no_list_of_members(refuse: Refuse) -> None:
    for members in (None, [], 5, "all", sorted(MEMBERS)):
        data = forged(edit=lambda m, v=members: m.update(members=v))
        refuse(data, BundleMemberError, "not those that its manifest lists")


def test_no_manifest(refuse: Refuse) -> None:
    rest = {name: data for name, data in MEMBERS.items() if name != "manifest.json"}
    refuse(pack_archive(rest), BundleManifestError, "has no manifest.json")


def test_a_huge_manifest(refuse: Refuse) -> None:
    answer = refuse(with_value(b'"' + b"x" * (5 << 20) + b'"'), BundleManifestError, "more than")
    assert answer["memory"] < 64 << 20


def test_a_manifest_of_many_small_values(refuse: Refuse) -> None:
    """Within the limit of bytes; what is read of it stays within that of memory."""
    many = b"[" + b"{}," * 1_300_000 + b"{}]"
    refuse(with_text(b'{"a": ' + many + b"}"), BundleManifestError, "not that of a c3d-export")


@pytest.mark.parametrize("brackets", [b"[]", b"{}"])
def test_a_deep_manifest(refuse: Refuse, brackets: bytes) -> None:
    opened = b"[" if brackets == b"[]" else b'{"a": '
    for depth in (33, 900, 200_000):
        value = opened * depth + b"1" + brackets[1:] * depth
        refuse(with_value(value), BundleManifestError, "nested deeper than 32")


def test_a_key_twice(refuse: Refuse) -> None:
    """One reader takes the first, another one the last."""
    card = b'"card.md": {"sha256": "' + b"0" * 64 + b'", "size": 1}, '
    text = MEMBERS["manifest.json"].replace(b'"card.md"', card + b'"card.md"', 1)
    refuse(with_text(text), BundleManifestError, "'card.md' stands twice")


def test_a_key_twice_that_is_spelt_otherwise(refuse: Refuse) -> None:
    refuse(with_value(b'{"name": 1, "\\u006eame": 2}'), BundleManifestError, "'name' stands twice")


@pytest.mark.parametrize("value", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999"])
def test_what_is_no_number(refuse: Refuse, value: bytes) -> None:
    refuse(with_value(value), BundleManifestError, "manifest.json cannot be read")


def test_a_number_of_a_million_digits(refuse: Refuse) -> None:
    """Which take a reader the square of that."""
    refuse(with_value(b"9" * 1_000_000), BundleManifestError, "cannot be read")


def test_text_that_is_none(refuse: Refuse) -> None:
    for value in (b'"\xff\xfe"', b'"\xed\xa0\x80"', b'"\\ud800"', b'"\x01"', b'"\xc0\xaf"'):
        refuse(with_value(value), BundleManifestError, "cannot be read")


def test_a_manifest_in_another_encoding(refuse: Refuse) -> None:
    text = MEMBERS["manifest.json"].decode()
    for data in (text.encode("utf-16"), text.encode("utf-32-le"), b"\xef\xbb\xbf" + text.encode()):
        refuse(with_text(data), BundleManifestError, "cannot be read")


def test_two_documents(refuse: Refuse) -> None:
    text = MEMBERS["manifest.json"]
    for data in (text + text, text + b"\0", text + b"// comment", b"/**/" + text, b""):
        refuse(with_text(data), BundleManifestError, "cannot be read")


def test_something_else_than_a_manifest(refuse: Refuse) -> None:
    for data in (b"[]", b"5", b"null", b'"x"', b"true", b"{}"):
        refuse(with_text(data), BundleManifestError, "not that of a c3d-export bundle")
    data = forged(edit=lambda m: m.update(format="c3d-export upscaler"))
    refuse(data, BundleManifestError, "not that of a c3d-export bundle")


@pytest.mark.parametrize("version", [6, 99, 1 << 64, 4, 1, 0, -5, "5", "6.0", None, True, [5]])
def test_another_version(refuse: Refuse, version: object) -> None:
    data = forged(edit=lambda m: m.update(version=version))
    refuse(data, BundleVersionError, "update c3d-export")


def test_a_later_version_that_has_nothing_of_ours(refuse: Refuse) -> None:
    def later(document: Manifest) -> None:
        document.clear()
        document.update(format="c3d-export bundle", version=6, content={"graphs": []})

    refuse(forged(edit=later), BundleVersionError, "version 6")


def test_a_message_that_would_fill_the_screen(refuse: Refuse) -> None:
    long, key = "9" * 10**6, b'"' + b"k" * 10**6 + b'"'
    refuse(forged(edit=lambda m: m.update(version=long)), BundleVersionError, "update")
    refuse(forged(edit=lambda m: m.update(family=long)), BundleManifestError, "update")
    twice = b"{" + key + b": 1, " + key + b": 2}"
    refuse(with_value(twice), BundleManifestError, "stands twice")


def test_a_family_that_is_not_known(refuse: Refuse) -> None:
    for family in ("elic", "", "../mbt", 5, None, ["mbt"]):
        data = forged(edit=lambda m, v=family: m.update(family=v))
        refuse(data, BundleManifestError, "which this program does not know; update")


def test_a_family_that_it_is_not(refuse: Refuse) -> None:
    """The readers of other families look at the same members with other eyes."""
    for family in ("mbt", "c2f"):
        data = forged(edit=lambda m, v=family: m.update(family=v))
        refuse(data, (BundleManifestError, BundleMemberError), "")


@pytest.mark.parametrize("value", [0, -1, 1 << 31, 1 << 63, 10**400])
def test_giant_and_negative_widths(refuse: Refuse, value: int) -> None:
    for field in ("qualities", "latents", "hyper", "base", "planes"):
        data = forged(edit=lambda m, f=field: m["spec"].update({f: value}))
        refuse(data, (BundleMemberError, BundleManifestError), "")
