"""Keys in files, and signing what hosts open."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from c3d_export.core.errors import (
    BundleError,
    DiskError,
    KeyFileError,
    LibraryMissingError,
    MissingInputError,
    OptionError,
)
from c3d_export.deploy.signing import (
    SigningKey,
    new_key,
    read_signing_key,
    sign_bundle,
    sign_file,
    write_key,
)
from c3d_export.runtime.archive import unpack_archive
from c3d_export.runtime.bundle import parse_bundle
from c3d_export.runtime.keyfiles import public_pem, read_public_key
from c3d_export.runtime.policy import Policy, TrustedKey
from c3d_export.runtime.signatures import MEMBER

pytest.importorskip("cryptography")
GOOD = (Path(__file__).parents[1] / "golden" / "v4" / "tiny.c3b").read_bytes()


def _never() -> str:
    raise AssertionError("asked for a passphrase")


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return new_key()


def test_a_signed_bundle_is_the_same_codec(key: SigningKey) -> None:
    signed = sign_bundle(GOOD, key)
    plain, bundle = parse_bundle(GOOD), parse_bundle(signed)
    assert bundle.id == plain.id
    assert bundle.seal.manifest == unpack_archive(GOOD)["manifest.json"]
    assert [signature.key for signature in bundle.seal.signatures] == [key.id]
    assert unpack_archive(signed).keys() - unpack_archive(GOOD).keys() == {MEMBER}
    policy = Policy(True, (TrustedKey("me", key.public),))
    assert [signer.name for signer in policy.check(bundle.seal)] == ["me"]


def test_signing_is_deterministic_and_signing_again_changes_nothing(key: SigningKey) -> None:
    signed = sign_bundle(GOOD, key)
    assert sign_bundle(GOOD, key) == sign_bundle(signed, key) == signed


def test_several_keys_in_any_order(key: SigningKey) -> None:
    other = new_key()
    both = sign_bundle(sign_bundle(GOOD, key), other)
    assert both == sign_bundle(sign_bundle(GOOD, other), key)
    data = both
    for _ in range(6):
        data = sign_bundle(data, new_key())
    assert sign_bundle(data, key) == data
    with pytest.raises(OptionError, match="8 signatures, which is the most"):
        sign_bundle(data, new_key())


def test_what_is_damaged_is_not_signed(key: SigningKey) -> None:
    with pytest.raises(BundleError):
        sign_bundle(GOOD[:-1], key)


def test_a_file_is_replaced_in_one_step_and_a_link_stays_one(
    key: SigningKey, tmp_path: Path
) -> None:
    path, link = tmp_path / "a.c3b", tmp_path / "link.c3b"
    path.write_bytes(GOOD)
    link.symlink_to(path)
    assert sign_file(link, key) == path.read_bytes() == sign_bundle(GOOD, key)
    assert link.is_symlink()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.c3b", "link.c3b"]
    with pytest.raises(MissingInputError):
        sign_file(tmp_path / "none.c3b", key)


@pytest.mark.parametrize("passphrase", ["", "läng und gut"])
def test_a_key_comes_back_from_its_files(passphrase: str, tmp_path: Path, key: SigningKey) -> None:
    private, public = write_key(key, tmp_path / "me", passphrase)
    assert (private.name, public.name) == ("me.key", "me.pub")
    assert stat.S_IMODE(os.stat(private).st_mode) == 0o600
    assert read_public_key(public) == key.public
    again = read_signing_key(private, (lambda: passphrase) if passphrase else _never)
    assert (again.id, again.public) == (key.id, key.public)
    assert (passphrase != "") == (b"ENCRYPTED" in private.read_bytes())


def test_a_key_is_never_replaced(tmp_path: Path, key: SigningKey) -> None:
    for name in ("me.key", "me.pub"):
        (tmp_path / name).symlink_to(tmp_path / "nowhere")
        with pytest.raises(OptionError, match=f"{name} exists"):
            write_key(key, tmp_path / "me")
        (tmp_path / name).unlink()
    assert not list(tmp_path.iterdir())
    with pytest.raises(DiskError):
        write_key(key, tmp_path / "nowhere" / "me")


def test_another_passphrase(tmp_path: Path, key: SigningKey) -> None:
    private, _ = write_key(key, tmp_path / "me", "right")
    with pytest.raises(KeyFileError, match="its passphrase is another"):
        read_signing_key(private, lambda: "wrong")
    with pytest.raises(KeyFileError):
        read_signing_key(private, lambda: "")


def test_files_that_hold_no_private_key(tmp_path: Path, key: SigningKey) -> None:
    private, public = write_key(key, tmp_path / "me")
    text = private.read_bytes()
    for data in (b"", b"hello", public.read_bytes(), bytes(5000), text.replace(b"MC4", b"MC5")):
        private.write_bytes(data)
        with pytest.raises(KeyFileError) as caught:
            read_signing_key(private, _never)
        assert caught.value.exit_code == 2
    with pytest.raises(MissingInputError):
        read_signing_key(tmp_path / "none.key", _never)
    with pytest.raises(MissingInputError):
        read_signing_key(tmp_path, _never)


def test_keys_of_another_kind(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

    curve = generate_private_key(SECP256R1())
    pem, pkcs8, info = form.Encoding.PEM, form.PrivateFormat.PKCS8, form.PublicFormat
    path = tmp_path / "p256"
    path.write_bytes(curve.private_bytes(pem, pkcs8, form.NoEncryption()))
    with pytest.raises(KeyFileError, match="another kind"):
        read_signing_key(path, _never)
    path.write_bytes(curve.public_key().public_bytes(pem, info.SubjectPublicKeyInfo))
    with pytest.raises(KeyFileError, match="no public Ed25519 key"):
        read_public_key(path)


def test_public_keys_are_written_as_the_library_does(tmp_path: Path, key: SigningKey) -> None:
    from cryptography.hazmat.primitives import serialization as form

    pem, kind = form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo
    text = key.private.public_key().public_bytes(pem, kind)
    assert public_pem(key.public) == text
    path = tmp_path / "me.pub"
    for good in (text.replace(b"\n", b"\r\n"), b"\n" + text + b"\n"):
        path.write_bytes(good)
        assert read_public_key(path) == key.public
    for bad in (
        text[:-20],
        text + text,
        text.replace(b"MCo", b"MCp"),
        text.replace(b"MCo", b"*Co"),
    ):
        path.write_bytes(bad)
        with pytest.raises(KeyFileError):
            read_public_key(path)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "cryptography.hazmat.primitives.asymmetric.ed25519"
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(LibraryMissingError, match=r"c3d-export\[sign\]"):
        new_key()


def test_signing_needs_neither_torch_nor_onnx() -> None:
    code = "import c3d_export.deploy.signing, sys; print({'torch', 'onnx'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
