"""The policy of a host: where it is, what it may say, and whom it lets pass."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

import c3d_export
from c3d_export.core.errors import (
    HostError,
    LibraryMissingError,
    PolicyError,
    SignatureMismatchError,
    UntrustedBundleError,
)
from c3d_export.core.limits import MAX_POLICY_BYTES
from c3d_export.runtime import policy as module
from c3d_export.runtime.policy import (
    Policy,
    Signer,
    TrustedKey,
    host_policy,
    load_policy,
    policy_path,
)
from c3d_export.runtime.signatures import Seal, Signature, key_id, signed_message

GOLDEN = Path(__file__).parents[1] / "golden" / "v4" / "tiny.c3b"
MANIFEST = b'{"format": "c3d-export bundle"}\n'
TEXT = base64.b64encode(bytes(32)).decode()


def _pair(seed: int) -> tuple[TrustedKey, Signature]:
    """A key and its signature of MANIFEST."""
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    private = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    public = private.public_key().public_bytes_raw()
    signature = Signature(key_id(public), private.sign(signed_message(MANIFEST)))
    return TrustedKey(f"key {seed}", public), signature


def test_without_a_policy_every_bundle_passes() -> None:
    _, signature = _pair(1)
    assert Policy().check(Seal(MANIFEST, ())) == ()
    assert Policy().check(Seal(MANIFEST, (signature,))) == (Signer(signature.key, None),)


def test_a_trusted_signature_among_others() -> None:
    (trusted, good), (_, foreign) = _pair(1), _pair(2)
    signers = Policy(True, (trusted,)).check(Seal(MANIFEST, (foreign, good)))
    assert signers == (Signer(foreign.key, None), Signer(good.key, "key 1"))


def test_a_bundle_that_is_not_signed_or_by_others_only() -> None:
    (trusted, _), (_, foreign) = _pair(1), _pair(2)
    with pytest.raises(UntrustedBundleError, match=r"is not signed, and .* of key 1"):
        Policy(True, (trusted,)).check(Seal(MANIFEST, ()))
    with pytest.raises(UntrustedBundleError, match=f"unknown keys only .{foreign.key}") as caught:
        Policy(True, (trusted,)).check(Seal(MANIFEST, (foreign,)))
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("required", [False, True])
def test_a_signature_of_a_trusted_key_that_does_not_verify_is_refused_always(
    required: bool,
) -> None:
    """Even beside a good one: somebody has changed something."""
    (trusted, good), (other, second) = _pair(1), _pair(2)
    broken = Signature(second.key, good.value)
    policy = Policy(required, (trusted, other))
    assert policy.check(Seal(MANIFEST, (good, second)))
    with pytest.raises(SignatureMismatchError, match=f"{second.key} .key 2. is not one of that"):
        policy.check(Seal(MANIFEST, (good, broken)))


def test_a_host_without_the_library_opens_nothing_that_it_should_verify(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trusted, good = _pair(1)
    monkeypatch.setitem(__import__("sys").modules, "cryptography.exceptions", None)
    for required in (False, True):
        with pytest.raises(LibraryMissingError):
            Policy(required, (trusted,)).check(Seal(MANIFEST, (good,)))
    assert Policy(False, (trusted,)).check(Seal(MANIFEST, ())) == ()


def test_where_it_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system, home, xdg = (tmp_path / name for name in ("etc.toml", "home", "xdg"))
    monkeypatch.setattr(module, "SYSTEM_POLICY", system)
    own, configured = home / ".config/c3d-export/policy.toml", xdg / "c3d-export/policy.toml"
    environment = {"HOME": str(home)}
    assert policy_path(environment) is None
    assert host_policy(environment) == Policy()
    for path in (system, own, configured):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    assert policy_path({}) == policy_path({"HOME": "relative"}) == system
    assert policy_path(environment) == own
    assert policy_path({**environment, "XDG_CONFIG_HOME": str(xdg)}) == configured
    assert policy_path({**environment, "XDG_CONFIG_HOME": "relative"}) == own
    # Named, it counts even where it is not there: nothing is opened then.
    missing = tmp_path / "missing.toml"
    assert policy_path({**environment, "C3D_POLICY": str(missing)}) == missing
    with pytest.raises(PolicyError, match=r"missing\.toml cannot be used: No such file"):
        host_policy({"C3D_POLICY": str(missing)})


def test_one_that_is_there_and_cannot_be_read_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SYSTEM_POLICY", tmp_path / "none.toml")
    folder = tmp_path / "c3d-export"
    folder.mkdir()
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    (folder / "policy.toml").symlink_to(tmp_path / "nowhere")
    with pytest.raises(PolicyError):
        host_policy(environment)
    (folder / "policy.toml").unlink()
    (folder / "policy.toml").mkdir()
    with pytest.raises(PolicyError, match="no bundle is opened") as caught:
        host_policy(environment)
    assert isinstance(caught.value, HostError)


def test_what_a_policy_says(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(f'require_signature = true\n[[trusted]]\nname = "a b"\nkey = "{TEXT}"\n')
    policy = load_policy(path)
    assert policy == Policy(True, (TrustedKey("a b", bytes(32)),), path)
    path.write_text("# nothing")
    assert load_policy(path) == Policy(source=path)


@pytest.mark.parametrize(
    "text",
    [
        "require_signatures = true",
        "required = true",
        'require_signature = "true"',
        "require_signature = 1",
        "require_signature = true",
        "require_signature = true\ntrusted = []",
        "trusted = 1",
        "trusted = [1]",
        "trusted = {}",
        f'[trusted]\nname = "a"\nkey = "{TEXT}"',
        '[[trusted]]\nname = "a"',
        f'[[trusted]]\nkey = "{TEXT}"',
        f'[[trusted]]\nname = ""\nkey = "{TEXT}"',
        f'[[trusted]]\nname = "a\\nb"\nkey = "{TEXT}"',
        f'[[trusted]]\nname = 1\nkey = "{TEXT}"',
        f'[[trusted]]\nname = "a"\nkey = "{TEXT}"\nrevoked = true',
        '[[trusted]]\nname = "a"\nkey = 5',
        '[[trusted]]\nname = "a"\nkey = "AAAA"',
        f'[[trusted]]\nname = "a"\nkey = "{TEXT[:-4]}*AA="',
        f'[[trusted]]\nname = "a"\nkey = "{TEXT}"\n[[trusted]]\nname = "b"\nkey = "{TEXT}"',
        f'[[trusted]]\nname = "a"\nkey = "{TEXT}"\n' * 65,
        "require_signature = true\nrequire_signature = false",
        "require_signature",
        "a = " + "[" * 5000,
        "\0",
        "#" * (MAX_POLICY_BYTES + 1),
    ],
)
def test_a_policy_that_cannot_be_meant_opens_nothing(text: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    with pytest.raises(PolicyError, match="cannot be used") as caught:
        load_policy(path)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 500


def test_open_codec_asks_the_policy_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(f'require_signature = true\n[[trusted]]\nname = "a"\nkey = "{TEXT}"\n')
    monkeypatch.setenv("C3D_POLICY", str(path))
    monkeypatch.setattr("c3d_export.runtime.codec.open_first", None, raising=False)
    with pytest.raises(UntrustedBundleError, match="is not signed"):
        c3d_export.open_codec(GOLDEN)
    path.write_text("require_signature = yes")
    with pytest.raises(PolicyError):
        c3d_export.open_codec(GOLDEN)
