"""The host's policy and the store: who is not trusted is neither stored nor opened."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from c3d_export.core.errors import C3DWarning, SignatureMismatchError, UntrustedBundleError
from c3d_export.runtime.signatures import MEMBER
from c3d_export.runtime.store.store import Store

from .conftest import Version, files, install

Sign = Callable[[bytes], bytes]


@pytest.fixture
def sign() -> tuple[Sign, str]:
    """A way to sign bundles with a new key, and its public key in base64."""
    pytest.importorskip("cryptography")
    from c3d_export.deploy.signing import new_key, sign_bundle

    key = new_key()
    return lambda data: sign_bundle(data, key), base64.b64encode(key.public).decode()


@pytest.fixture
def require(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sign: tuple[Sign, str]) -> None:
    """From here on the host wants a signature of the key."""
    policy = tmp_path / "policy.toml"
    policy.write_text(
        f'require_signature = true\n[[trusted]]\nname = "studio"\nkey = "{sign[1]}"\n'
    )
    monkeypatch.setenv("C3D_POLICY", str(policy))


@pytest.mark.usefixtures("require")
def test_signed_bundles_are_installed_and_others_are_not(
    store: Store, version: Version, sign: tuple[Sign, str]
) -> None:
    with pytest.raises(UntrustedBundleError, match="studio"):
        install(store, [version(1)])
    assert not store.layout.root.exists()
    (done,) = install(store, [sign[0](version(1))])
    assert store.open("tiny", threads=1).id == done.id
    before = files(store.layout.root)
    with pytest.raises(UntrustedBundleError):  # all or nothing
        install(store, [sign[0](version(2, "a")), version(2, "b")])
    assert store.names() == ["tiny"]
    store.prune()
    assert files(store.layout.root) == before


def test_what_was_stored_before_the_policy_is_not_opened_any_more(
    store: Store, version: Version, sign: tuple[Sign, str], request: pytest.FixtureRequest
) -> None:
    install(store, [sign[0](version(1))])
    encoder = store.encoder("tiny", threads=1)
    signed = encoder.codec.id
    (done,) = install(store, [version(2)])
    request.getfixturevalue("require")
    with pytest.raises(UntrustedBundleError):
        store.open("tiny")
    with pytest.raises(UntrustedBundleError):
        store.activate("other", done.id)
    encoder.settle()
    with pytest.warns(C3DWarning, match="not signed"):
        assert encoder.codec.id == signed
    assert store.rollback("tiny") == signed


@pytest.mark.usefixtures("require")
def test_a_signature_that_is_changed_in_the_store_is_found(
    store: Store, version: Version, sign: tuple[Sign, str]
) -> None:
    (done,) = install(store, [sign[0](version(1))])
    path = store.layout.codec(done.id) / MEMBER
    other = store.add(sign[0](version(2)))
    path.write_bytes((store.layout.codec(other) / MEMBER).read_bytes())
    with pytest.raises(SignatureMismatchError):
        store.open("tiny")
    path.unlink()
    with pytest.raises(UntrustedBundleError):
        store.open("tiny")
    install(store, [sign[0](version(1))])
    store.open("tiny", threads=1)
