"""Attacks on signatures, and on the policy that asks for them."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from c3d_export.core.errors import (
    BundleHashError,
    BundleMemberError,
    PolicyError,
    SignatureFormatError,
    SignatureMismatchError,
    UntrustedBundleError,
)
from c3d_export.deploy.signing import SigningKey, sign_bundle
from c3d_export.runtime.archive import pack_archive, unpack_archive
from c3d_export.runtime.bundle import parse_bundle
from c3d_export.runtime.signatures import MEMBER, Signature, key_id, pack_signatures

from .conftest import Host, Refuse
from .forging import forged
from .zips import GOOD, MEMBERS

ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")


def _key(seed: int) -> SigningKey:
    private = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return SigningKey(private, private.public_key().public_bytes_raw())


MAKER, FORGER = _key(1), _key(2)
SIGNED = sign_bundle(GOOD, MAKER)
(SIGNATURE,) = parse_bundle(SIGNED).seal.signatures
SEAL = unpack_archive(SIGNED)[MEMBER]


def sealed(member: bytes, data: bytes = GOOD) -> bytes:
    return pack_archive({**unpack_archive(data), MEMBER: member})


@pytest.fixture(autouse=True)
def wanted(host: Host) -> None:
    """The host trusts the maker, and wants his signature."""
    host.policy.write_text(_policy(MAKER.public))


def _policy(public: bytes, required: str = "true") -> str:
    key = base64.b64encode(public).decode()
    return f'require_signature = {required}\n[[trusted]]\nname = "maker"\nkey = "{key}"\n'


def test_the_attacks_start_from_a_bundle_that_is_accepted(host: Host) -> None:
    path = host.folder / "good.c3b"
    both = sign_bundle(SIGNED, FORGER)
    for data in (SIGNED, both):
        path.write_bytes(data)
        assert host.ask("read", path)["error"] is None


def test_the_signatures_taken_off(refuse: Refuse) -> None:
    refuse(GOOD, UntrustedBundleError, "is not signed, and the policy")


def test_signed_by_somebody_else(refuse: Refuse) -> None:
    refuse(sign_bundle(GOOD, FORGER), UntrustedBundleError, "unknown keys only")


def test_a_foreign_signature_under_the_makers_name(refuse: Refuse) -> None:
    value = FORGER.sign(MEMBERS["manifest.json"]).value
    data = sealed(pack_signatures([Signature(MAKER.id, value)]))
    refuse(data, SignatureMismatchError, f"{MAKER.id} (maker) is not one of that key")


def test_the_signature_of_another_bundle(refuse: Refuse) -> None:
    other = forged(edit=lambda m: m.update(name="other"))
    refuse(sealed(SEAL, other), SignatureMismatchError, "maker")


def test_a_changed_manifest_under_the_old_signature(refuse: Refuse) -> None:
    """Licence, name, game: every word of it is signed."""
    for key in ("licence", "name", "game"):
        changed = forged(edit=lambda m, k=key: m.update({k: "evil"}))
        refuse(sealed(SEAL, changed), SignatureMismatchError, "maker")


def test_changed_weights_with_new_hashes_under_the_old_signature(refuse: Refuse) -> None:
    weights = bytearray(MEMBERS["graphs/g_s.weights"])
    weights[-1] ^= 1
    changed = forged({"graphs/g_s.weights": bytes(weights)})
    refuse(sealed(SEAL, changed), SignatureMismatchError, "maker")


def test_changed_weights_under_the_old_manifest_and_signature(refuse: Refuse) -> None:
    weights = bytearray(MEMBERS["graphs/g_s.weights"])
    weights[-1] ^= 1
    data = pack_archive({**unpack_archive(SIGNED), "graphs/g_s.weights": bytes(weights)})
    refuse(data, BundleHashError, "graphs/g_s.weights")


def test_a_strangers_graphs_are_not_parsed(refuse: Refuse) -> None:
    """Nor arrays: the fault that is found is that nobody trusted signed them."""
    graph: dict[str, bytes | None] = {"graphs/g_s.float": b"\x80" * 64}
    array: dict[str, bytes | None] = {"arrays/step.npy": b"\x93NUMPY"}
    for changes in (graph, array):
        refuse(forged(changes), UntrustedBundleError, "is not signed")


def test_a_broken_signature_beside_a_good_one(refuse: Refuse, host: Host) -> None:
    """Of two trusted keys; who tampers with one is not let in by the other."""
    entry = f'[[trusted]]\nname = "b"\nkey = "{base64.b64encode(FORGER.public).decode()}"\n'
    host.policy.write_text(_policy(MAKER.public) + entry)
    broken = Signature(FORGER.id, SIGNATURE.value)
    refuse(sealed(pack_signatures([SIGNATURE, broken])), SignatureMismatchError, "(b)")


def test_a_broken_signature_where_none_is_wanted(refuse: Refuse, host: Host) -> None:
    host.policy.write_text(_policy(MAKER.public, required="false"))
    data = sealed(pack_signatures([Signature(MAKER.id, bytes(64))]))
    refuse(data, SignatureMismatchError, "maker")


def test_a_signature_without_what_stands_in_front(refuse: Refuse) -> None:
    """Of the manifest alone, as a key that signs other things too might have made one."""
    value = MAKER.private.sign(MEMBERS["manifest.json"])
    refuse(sealed(pack_signatures([Signature(MAKER.id, value)])), SignatureMismatchError, "maker")


def test_the_same_signature_spelt_otherwise(refuse: Refuse) -> None:
    """S + L in place of S, which a lax verifier takes."""
    order = 2**252 + 27742317777372353535851937790883648493
    larger = int.from_bytes(SIGNATURE.value[32:], "little") + order
    value = SIGNATURE.value[:32] + larger.to_bytes(32, "little")
    refuse(sealed(pack_signatures([Signature(MAKER.id, value)])), SignatureMismatchError, "maker")


@pytest.mark.parametrize("value", [bytes(64), b"\x01" + bytes(63), b"\xff" * 64])
def test_signatures_of_degenerate_points(refuse: Refuse, value: bytes) -> None:
    refuse(sealed(pack_signatures([Signature(MAKER.id, value)])), SignatureMismatchError, "maker")


Change = Callable[[bytes], bytes]
TEXT = base64.b64encode(SIGNATURE.value)
FORMS: dict[str, Change] = {
    "truncated": lambda s: s.replace(TEXT, TEXT[:40]),
    "empty": lambda s: s.replace(TEXT, b""),
    "of another length": lambda s: s.replace(TEXT, base64.b64encode(bytes(65))),
    "with spaces": lambda s: s.replace(TEXT, TEXT[:8] + b" " + TEXT[8:]),
    "of another algorithm": lambda s: s.replace(b"ed25519", b"none"),
    "with an entry more": lambda s: s.replace(b'"key"', b'"alg": "none",\n      "key"'),
    "of a key in capitals": lambda s: s.replace(MAKER.id.encode(), MAKER.id.upper().encode()),
    "of a later version": lambda s: s.replace(b'"version": 1', b'"version": 2'),
    "of another kind": lambda s: s.replace(b"c3d-export signatures", b"jwt"),
    "with a key twice": lambda s: s.replace(b'"version": 1', b'"version": 1, "version": 1'),
    "that is no JSON": lambda s: s[:-3],
    "that is nothing": lambda _: b"",
    "that is huge": lambda s: s[:-2] + b" " * (1 << 20) + s[-2:],
    "that is deep": lambda _: b"[" * 4000 + b"]" * 4000,
    "that is a list": lambda _: b"[]",
    "with none in it": lambda _: b'{"format": "c3d-export signatures", "signatures": []}',
    "with a number in it": lambda _: (
        b'{"format": "c3d-export signatures", "signatures": [5], "version": 1}'
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_member_of_signatures(refuse: Refuse, form: str) -> None:
    changed = FORMS[form](SEAL)
    assert changed != SEAL
    refuse(sealed(changed), SignatureFormatError, MEMBER)


def test_two_signatures_of_one_key(refuse: Refuse) -> None:
    start, end = SEAL.index(b"    {"), SEAL.index(b"\n  ],")
    entry = SEAL[start:end]
    data = sealed(SEAL.replace(entry, entry + b",\n" + entry))
    refuse(data, SignatureFormatError, "one signature of each key")


def test_nine_signatures(refuse: Refuse) -> None:
    start, end = SEAL.index(b"    {"), SEAL.index(b"\n  ],")
    entry, own = SEAL[start:end], MAKER.id.encode()
    many = b",\n".join(entry.replace(own, f"{n:016x}".encode()) for n in range(9))
    refuse(sealed(SEAL.replace(entry, many)), SignatureFormatError, "1 to 8 signatures, not 9")


def test_signatures_that_the_manifest_lists(refuse: Refuse) -> None:
    refuse(forged({MEMBER: SEAL}), BundleMemberError, "not those that its manifest lists")


def test_signatures_under_another_name(refuse: Refuse) -> None:
    data = pack_archive({**MEMBERS, "signature.json": SEAL})
    refuse(data, BundleMemberError, "not those that its manifest lists")


def test_a_key_of_the_same_name_as_a_trusted_one(refuse: Refuse, host: Host) -> None:
    """Whoever finds a key of the same 64 bits of hash still has another key."""
    host.policy.write_text(_policy(MAKER.public))
    value = FORGER.sign(MEMBERS["manifest.json"]).value
    data = sealed(pack_signatures([Signature(key_id(MAKER.public), value)]))
    refuse(data, SignatureMismatchError, "maker")


@pytest.mark.parametrize(
    "text",
    [
        "require_signature = maybe",
        "require_signatures = true",
        "\xff\xfe",
        "trusted = [",
        "require_signature = true",
        _policy(bytes(31)),
    ],
)
def test_a_policy_that_cannot_be_read_opens_nothing(refuse: Refuse, host: Host, text: str) -> None:
    host.policy.write_bytes(text.encode("latin-1"))
    refuse(SIGNED, PolicyError, "no bundle is opened until it is mended", exit_code=4)


def test_a_policy_that_was_removed_where_it_is_named(refuse: Refuse, host: Host) -> None:
    host.policy.unlink()
    refuse(SIGNED, PolicyError, "No such file", exit_code=4)
