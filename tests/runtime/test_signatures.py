"""Signatures: what they are over, the one form of their member, and that they verify."""

from __future__ import annotations

import hashlib
import sys

import pytest

from c3d_export.core.errors import LibraryMissingError, SignatureFormatError
from c3d_export.core.limits import MAX_SIGNATURES, MAX_SIGNATURES_BYTES
from c3d_export.runtime.signatures import (
    Signature,
    key_id,
    pack_signatures,
    parse_signatures,
    signed_message,
    verifies,
)

# RFC 8032, section 7.1, test 1: the secret key, and the public key that comes of it.
SECRET = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
MANIFEST = b'{"format": "c3d-export bundle"}\n'


def _signature(message: bytes) -> Signature:
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    key = ed25519.Ed25519PrivateKey.from_private_bytes(SECRET)
    return Signature(key_id(PUBLIC), key.sign(message))


def test_the_id_of_a_key_is_the_start_of_its_hash() -> None:
    assert key_id(PUBLIC) == hashlib.sha256(PUBLIC).hexdigest()[:16] == "21fe31dfa154a261"


def test_what_is_signed_cannot_be_another_kind_of_text() -> None:
    assert signed_message(MANIFEST) == b"c3d-export bundle 1\n" + MANIFEST
    assert verifies(PUBLIC, _signature(signed_message(MANIFEST)), MANIFEST)
    assert not verifies(PUBLIC, _signature(MANIFEST), MANIFEST)


def test_one_changed_bit_anywhere_and_it_does_not_verify() -> None:
    good = _signature(signed_message(MANIFEST))
    for bit in range(0, 512, 5):
        value = bytearray(good.value)
        value[bit // 8] ^= 1 << bit % 8
        assert not verifies(PUBLIC, Signature(good.key, bytes(value)), MANIFEST)
    for bit in range(0, 256, 5):
        public = bytearray(PUBLIC)
        public[bit // 8] ^= 1 << bit % 8
        assert not verifies(bytes(public), good, MANIFEST)
    assert not verifies(PUBLIC, good, MANIFEST + b"\n")


def test_a_signature_has_one_spelling() -> None:
    """S + L verifies too where a verifier does not look: RFC 8032, section 5.1.7."""
    good = _signature(signed_message(MANIFEST)).value
    order = 2**252 + 27742317777372353535851937790883648493
    other = int.from_bytes(good[32:], "little") + order
    malleable = good[:32] + other.to_bytes(32, "little")
    assert not verifies(PUBLIC, Signature(key_id(PUBLIC), malleable), MANIFEST)


def test_members_come_back_in_the_order_of_their_keys() -> None:
    listed = [Signature(f"{n:016x}", bytes([n]) * 64) for n in range(MAX_SIGNATURES)]
    data = pack_signatures(reversed(listed))
    assert parse_signatures(data) == tuple(listed)
    assert len(data) <= MAX_SIGNATURES_BYTES


def test_what_is_not_packed() -> None:
    one = Signature("0" * 16, bytes(64))
    with pytest.raises(SignatureFormatError, match="1 to 8 signatures, not 0"):
        pack_signatures([])
    with pytest.raises(SignatureFormatError, match="not 9"):
        pack_signatures([one] * 9)
    with pytest.raises(SignatureFormatError, match="one signature of each key"):
        pack_signatures([one, Signature("0" * 16, bytes([1]) * 64)])


def test_a_later_version_asks_for_a_newer_program() -> None:
    data = pack_signatures([Signature("0" * 16, bytes(64))])
    with pytest.raises(SignatureFormatError, match="version 2, this program reads 1; update"):
        parse_signatures(data.replace(b'"version": 1', b'"version": 2'))


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(LibraryMissingError, match=r"pip install 'c3d-export\[sign\]'"):
        verifies(PUBLIC, Signature("0" * 16, bytes(64)), MANIFEST)
