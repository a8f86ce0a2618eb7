"""Credentials of registries, where `docker login` and its like put them: docker's config.json."""

from __future__ import annotations

import base64
import binascii
import json
import os
import subprocess
from pathlib import Path
from typing import Any, Final

from ...core import jsonio
from ...core.errors import AccessError
from ...core.limits import MAX_ANSWER_BYTES

_HELPER_SECONDS: Final = 20.0


def config_path() -> Path:
    """`$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`."""
    folder = os.environ.get("DOCKER_CONFIG")
    return (Path(folder) if folder else Path.home() / ".docker") / "config.json"


def credentials_of(registry: str) -> tuple[str, str] | None:
    """User and secret for a registry (host[:port]); None where there are none.

    Looks at the registry's own helper, the store of all, and `auths`. Raises AccessError where
    the file or a helper does not work: going on without would only be refused later.
    """
    config = _config(config_path())
    helper = _section(config, "credHelpers").get(registry) or config.get("credsStore")
    if isinstance(helper, str) and helper:
        return _from_helper(helper, registry)
    for key in (registry, f"https://{registry}", f"https://{registry}/v2/"):
        entry = _section(config, "auths").get(key)
        if isinstance(entry, dict) and entry.get("auth"):
            return _decoded(str(entry["auth"]), registry)
    return None


def _config(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_ANSWER_BYTES + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise AccessError(f"cannot read {path}: {error.strerror}; let us read it") from error
    config = jsonio.loads(data, AccessError, what=str(path), max_bytes=MAX_ANSWER_BYTES)
    if not isinstance(config, dict):
        raise AccessError(f"{path} holds no object; repair it, or log in again")
    return config


def _section(config: dict[str, Any], name: str) -> dict[str, Any]:
    section = config.get(name)
    return section if isinstance(section, dict) else {}


def _decoded(text: str, registry: str) -> tuple[str, str]:
    try:
        user, colon, secret = base64.b64decode(text, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError) as error:
        raise AccessError(f"the credentials of {registry} are damaged; log in again") from error
    if not colon:
        raise AccessError(f"the credentials of {registry} lack a secret; log in again")
    return user, secret


def _from_helper(helper: str, registry: str) -> tuple[str, str] | None:
    """docker-credential-helpers' protocol: the registry on stdin, JSON on stdout."""
    if not helper.replace("-", "").replace("_", "").isalnum():
        raise AccessError(f"docker's config.json names a helper {helper[:40]!r}; correct it")
    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run(
            [program, "get"],
            input=registry.encode(),
            capture_output=True,
            timeout=_HELPER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AccessError(f"{program} does not answer ({error}); log in again") from error
    if done.returncode:
        return None  # it has none for this registry
    try:
        answer = json.loads(done.stdout)
        return str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError) as error:
        raise AccessError(f"{program} answers no credentials; log in again") from error
