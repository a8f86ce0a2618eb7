"""`keygen`, `sign` and `verify`: who made a bundle, and what a host would say to it."""

from __future__ import annotations

import base64
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.errors import KeyFileError, OptionError
from .output import note, print_json
from .settings import PATH, shared

if TYPE_CHECKING:
    from ..deploy.signing import SigningKey
    from ..runtime.bundle import Bundle
    from ..runtime.policy import Policy, Signer


@click.command()
@click.option("-o", "--out", type=PATH, required=True, metavar="NAME", help="NAME.key, NAME.pub.")
@click.option("--passphrase", is_flag=True, help="Ask for a passphrase [or C3D_KEY_PASSPHRASE].")
@shared(workspace=False)
def keygen(out: Path, passphrase: bool, as_json: bool) -> None:
    """Make a key that signs bundles: NAME.key to keep, NAME.pub for the hosts.

    The lines for a host's policy are printed. A key that is there is never replaced.

    \b
    Example: c3d-export keygen -o studio
    """
    from ..deploy.signing import new_key, write_key

    key, secret = new_key(), _new_passphrase(passphrase)
    private, public = write_key(key, out, secret)
    text = base64.b64encode(key.public).decode()
    if as_json:
        files = {"private": str(private), "public": str(public)}
        print_json({"key": key.id, "public_key": text, "files": files})
        return
    kept = "keep it and its passphrase" if secret else "keep it, it has no passphrase"
    note(f"{private} ({kept}), {public}; key {key.id}; in the policy of a host:")
    click.echo(f'[[trusted]]\nname = "{_toml_name(out.name)}"\nkey = "{text}"')


def _toml_name(name: str) -> str:
    return "".join(c for c in name if c.isprintable() and c not in '"\\') or "key"


def _new_passphrase(asked: bool) -> str:
    from ..deploy.signing import PASSPHRASE_VARIABLE

    given = os.environ.get(PASSPHRASE_VARIABLE, "")
    if given or not asked:
        return given
    try:
        return str(click.prompt("passphrase", hide_input=True, confirmation_prompt=True, err=True))
    except click.Abort as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise
        message = f"nobody can be asked for a passphrase; set {PASSPHRASE_VARIABLE}"
        raise OptionError(message) from error


def signing_key(path: Path) -> SigningKey:
    """The private key of a file; raises as `read_signing_key`."""
    from ..deploy.signing import read_signing_key

    return read_signing_key(path, lambda: _passphrase(path))


def signed_with(key: SigningKey | None, data: bytes) -> bytes:
    """The bundle with a signature of this key; as it is without a key."""
    if key is None:
        return data
    from ..deploy.signing import sign_bundle

    return sign_bundle(data, key)


def _passphrase(path: Path) -> str:
    from ..deploy.signing import PASSPHRASE_VARIABLE

    known = os.environ.get(PASSPHRASE_VARIABLE)
    if known is not None:
        return known
    if not sys.stdin.isatty():
        raise KeyFileError(f"the key {path} has a passphrase; set {PASSPHRASE_VARIABLE}")
    return str(click.prompt(f"passphrase of {path}", hide_input=True, err=True))


@click.command()
@click.argument("bundle", type=PATH)
@click.option("--key", type=PATH, required=True, metavar="KEY", help="A .key file of keygen.")
@shared(workspace=False)
def sign(bundle: Path, key: Path, as_json: bool) -> None:
    """Add a signature to a bundle that exists; its codec id stays what it is.

    The bundle is checked first, and replaced in one step. Up to eight keys can sign it.

    \b
    Example: c3d-export sign supertuxkart-small.c3b --key studio.key
    """
    from ..deploy.signing import sign_file
    from ..runtime.bundle import parse_bundle

    own = signing_key(key)
    signed = parse_bundle(sign_file(bundle, own))
    keys = [signature.key for signature in signed.seal.signatures]
    if as_json:
        print_json({"bundle": str(bundle), "codec_id": signed.id.hex(), "keys": keys})
    else:
        note(f"{bundle}  {_on_a_line(signed.name)} {signed.id.hex()}  signed by {', '.join(keys)}")


@click.command()
@click.argument("bundle", type=PATH)
@click.option(
    "--key",
    "keys",
    type=PATH,
    multiple=True,
    metavar="PUB",
    help="Want a signature of this key; given again, of any of them.",
)
@click.option("--policy", "policy_file", type=PATH, metavar="FILE", help="Instead of the host's.")
@shared(workspace=False)
def verify(bundle: Path, keys: tuple[Path, ...], policy_file: Path | None, as_json: bool) -> None:
    """Check a bundle whole without running it: container, hashes, graphs, arrays, signatures.

    What may be trusted is said by --key, by --policy, or by the policy of this host. Exit code 5
    for a bundle that is damaged, or that the policy refuses.

    \b
    Example: c3d-export verify supertuxkart-small.c3b --key studio.pub
    """
    from ..runtime.bundle import read_bundle

    policy = _policy(keys, policy_file)
    read = read_bundle(bundle)
    result = describe(read, policy, policy.check(read.seal))
    if as_json:
        print_json({"bundle": str(bundle), **result})
    else:
        _show(bundle, result)


def _policy(keys: tuple[Path, ...], file: Path | None) -> Policy:
    from ..runtime.keyfiles import read_public_key
    from ..runtime.policy import Policy, TrustedKey, host_policy, load_policy

    if keys and file is not None:
        raise OptionError("--key and --policy both say whom to trust; give one of them")
    if not keys:
        return host_policy() if file is None else load_policy(file)
    found = {read_public_key(path): path for path in keys}
    return Policy(True, tuple(TrustedKey(str(path), key) for key, path in found.items()))


def describe(bundle: Bundle, policy: Policy, signers: tuple[Signer, ...]) -> dict[str, Any]:
    """What `verify` says of a bundle that it does not refuse, as plain JSON."""
    from ..core.digest import sha256_bytes

    return {
        "name": bundle.name,
        "codec_id": bundle.id.hex(),
        "manifest_sha256": sha256_bytes(bundle.seal.manifest),
        "version": bundle.manifest["version"],
        "game": str(bundle.manifest.get("game") or ""),
        "provenance": bundle.manifest.get("provenance"),
        "members": len(bundle.manifest["members"]),
        "policy": str(policy.source) if policy.source else None,
        "required": policy.require_signature,
        "signatures": [
            {"key": signer.key, "trusted": signer.name is not None, "name": signer.name}
            for signer in signers
        ],
        "trusted": any(signer.name for signer in signers),
    }


def _on_a_line(text: str) -> str:
    """What a stranger has written must not look like lines of ours, nor steer the terminal."""
    return text if text.isprintable() else ascii(text)


def _show(path: Path, result: dict[str, Any]) -> None:
    lines = [
        f"{path}: whole, {result['members']} members agree with their hashes",
        f"name      {_on_a_line(result['name'])}",
        f"codec id  {result['codec_id']}",
        f"manifest  sha256 {result['manifest_sha256']}",
        f"policy    {result['policy'] or ('the keys given' if result['required'] else 'none')}",
    ]
    for entry in result["signatures"]:
        said = f"valid, {entry['name']}" if entry["trusted"] else "not trusted, not verified"
        lines.append(f"signed    {entry['key']}  {said}")
    if not result["signatures"]:
        lines.append("signed    by nobody: the hashes say that it is whole, not who made it")
    click.echo("\n".join(lines))
