"""Whose bundles a host opens: its policy, and what that says to the signatures of a bundle.

A policy is a file of TOML:

    require_signature = true

    [[trusted]]
    name = "studio"
    key = "<the public key, 32 bytes in base64>"

It is looked for at C3D_POLICY, in the user's configuration (`$XDG_CONFIG_HOME`, else `~/.config`,
then `c3d-export/policy.toml`) and at /etc/c3d-export/policy.toml; the first one that is there
counts, alone. Where there is none, every bundle is opened, as it always was. One that cannot be
read is an error and never no policy.
"""

from __future__ import annotations

import base64
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..core.errors import PolicyError, SignatureMismatchError, UntrustedBundleError
from ..core.limits import MAX_POLICY_BYTES, MAX_TRUSTED_KEYS
from .bundle import Bundle, read_bundle
from .signatures import KEY_BYTES, Seal, Signature, key_id, verifies

VARIABLE: Final = "C3D_POLICY"
SYSTEM_POLICY: Final = Path("/etc/c3d-export/policy.toml")
MAX_NAME: Final = 100
"""Characters of the name of a trusted key."""


@dataclass(frozen=True)
class TrustedKey:
    """name: what people call it, unique in a policy. public: 32 bytes."""

    name: str
    public: bytes

    @property
    def id(self) -> str:
        return key_id(self.public)


@dataclass(frozen=True)
class Signer:
    """One signature of a bundle. name: of the trusted key, None for a key that is not trusted (it
    cannot be verified then: a bundle holds no keys)."""

    key: str
    name: str | None


@dataclass(frozen=True)
class Policy:
    """Laws: no two trusted keys have one name or one id; whoever requires a signature trusts a
    key. source: the file, None where the host has none."""

    require_signature: bool = False
    trusted: tuple[TrustedKey, ...] = ()
    source: Path | None = None

    def check(self, seal: Seal) -> tuple[Signer, ...]:
        """Who signed a bundle, as far as this policy knows them.

        Raises SignatureMismatchError where a signature says it is of a trusted key and is not,
        UntrustedBundleError where one is required and none is there, LibraryMissingError where one
        has to be verified and `cryptography` is not installed.
        """
        signers = tuple(self._signer(signature, seal) for signature in seal.signatures)
        if self.require_signature and not any(signer.name for signer in signers):
            found = ", ".join(signer.key for signer in signers)
            signed = f"has signatures of unknown keys only ({found})" if found else "is not signed"
            names = ", ".join(key.name for key in self.trusted)
            wanted = f"the policy {self.source} wants" if self.source else "wanted is"
            raise UntrustedBundleError(
                f"the bundle {signed}, and {wanted} a signature of {names}; have it signed with"
                " `c3d-export sign`, or do not use it"
            )
        return signers

    def _signer(self, signature: Signature, seal: Seal) -> Signer:
        trusted = next((key for key in self.trusted if key.id == signature.key), None)
        if trusted is None:
            return Signer(signature.key, None)
        if not verifies(trusted.public, signature, seal.manifest):
            raise SignatureMismatchError(
                f"the bundle's signature of key {signature.key} ({trusted.name}) is not one of that"
                " key over this bundle; do not use it, and fetch it again from its maker"
            )
        return Signer(signature.key, trusted.name)


def host_policy(environment: Mapping[str, str] = os.environ) -> Policy:
    """The policy of this host for this user; raises PolicyError."""
    path = policy_path(environment)
    return Policy() if path is None else load_policy(path)


def policy_path(environment: Mapping[str, str]) -> Path | None:
    """The file that counts, None where there is none; raises PolicyError where none can be said."""
    if named := environment.get(VARIABLE):
        return Path(named)
    return next((path for path in (*_user_policy(environment), SYSTEM_POLICY) if _is(path)), None)


def _user_policy(environment: Mapping[str, str]) -> list[Path]:
    base = environment.get("XDG_CONFIG_HOME", "")
    # A relative one is invalid by the specification of these variables, and a trap here.
    if not os.path.isabs(base):
        home = environment.get("HOME", "")
        base = os.path.join(home, ".config") if os.path.isabs(home) else ""
    return [Path(base) / "c3d-export" / "policy.toml"] if base else []


def _is(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        raise _unreadable(path, getattr(error, "strerror", None) or str(error)) from error
    return True


def load_policy(path: Path) -> Policy:
    """Raises PolicyError for a file that is missing, unreadable or says anything unknown."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_POLICY_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _unreadable(path, getattr(error, "strerror", None) or str(error)) from error
    if len(data) > MAX_POLICY_BYTES:
        raise _unreadable(path, f"it has more than {MAX_POLICY_BYTES} bytes")
    try:
        return _policy(tomllib.loads(data.decode()), path)
    except RecursionError as error:
        raise _unreadable(path, "it is nested too deep") from error
    except ValueError as error:  # of tomllib, of the text's encoding, and our own below
        raise _unreadable(path, str(error)) from error


def _unreadable(path: Path, reason: str) -> PolicyError:
    return PolicyError(
        f"the policy {path} cannot be used: {reason}; no bundle is opened until it is mended"
    )


def _policy(document: dict[str, Any], path: Path) -> Policy:
    # A word that is spelt wrong must not leave a host open.
    if unknown := sorted(document.keys() - {"require_signature", "trusted"}):
        raise ValueError(f"{unknown[0]!r} is no setting of a policy")
    required, entries = document.get("require_signature", False), document.get("trusted", [])
    if not isinstance(required, bool):
        raise ValueError("require_signature is neither true nor false")
    if not isinstance(entries, list) or len(entries) > MAX_TRUSTED_KEYS:
        raise ValueError(f"trusted is no list of at most {MAX_TRUSTED_KEYS} keys")
    trusted = tuple(_trusted(entry) for entry in entries)
    for names in ([key.name for key in trusted], [key.id for key in trusted]):
        if len(set(names)) < len(names):
            raise ValueError("two of the trusted keys are one key, or have one name")
    if required and not trusted:
        raise ValueError("it requires signatures and trusts no key")
    return Policy(required, trusted, path)


def _trusted(entry: Any) -> TrustedKey:
    if not isinstance(entry, dict) or entry.keys() != {"name", "key"}:
        raise ValueError("a trusted key has a name and a key, and nothing else")
    name, text = entry["name"], entry["key"]
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise ValueError("a trusted key has no name, or one that cannot be printed")
    try:
        public = base64.b64decode(text, validate=True)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the key of {name} is not written in base64") from error
    if len(public) != KEY_BYTES:
        raise ValueError(f"the key of {name} has {len(public)} bytes, not {KEY_BYTES}")
    return TrustedKey(name, public)


def read_admitted(path: str | Path) -> Bundle:
    """A bundle that the policy of this host allows to be opened: where it wants signatures, arrays
    and graphs of strangers are not even parsed. Raises as `read_bundle`, and PolicyError, a leaf of
    SignatureError or LibraryMissingError."""
    return read_bundle(path, host_policy().check)
