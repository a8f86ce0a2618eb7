"""`install`, `rollback`, `list` and `prune-old`: the codecs of this host and which are active."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .output import note, print_json, print_table
from .settings import (
    PATH,
    device_option,
    flavour_option,
    plain_http_option,
    shared,
    timeout_option,
)

if TYPE_CHECKING:
    from ..core.errors import BundleError
    from ..runtime.store.store import Installed, Store

store_option = click.option(
    "--store",
    "root",
    type=PATH,
    metavar="DIR",
    help="Folder of the installed codecs [C3D_STORE, else ~/.local/share/c3d-export/store].",
)


def find_store(root: Path | None = None) -> Store:
    """The store of the running command."""
    from ..runtime.store.store import open_store

    return open_store(root)


@click.command()
@click.argument("target", metavar="TARGET")
@click.option("--name", "names", multiple=True, metavar="NAME", help="Only this one; repeatable.")
@store_option
@plain_http_option
@timeout_option
@device_option
@flavour_option
@shared(workspace=False)
def install(
    target: str,
    names: tuple[str, ...],
    root: Path | None,
    plain_http: bool,
    timeout: float,
    device: str,
    flavours: tuple[str, ...],
    as_json: bool,
) -> None:
    """Install codecs on this host: pull, verify, try out, store, and make them active.

    TARGET is a bundle, a folder of bundles, ssh://[user@]host[:port]/path of either, or
    oci://registry[:port]/repository[:tag]. All are checked and run their known answers before the
    first name changes; installing again changes nothing. Running encoders and decoders of the store
    pick new codecs up between two frames.

    \b
    Example: c3d-export install supertuxkart-small.c3b
    Example: c3d-export install ssh://build/srv/codecs --name supertuxkart-small
    Example: c3d-export install oci://registry.example/codecs/supertuxkart-small
    """
    from ..runtime.store.fetch import fetch
    from ..runtime.store.installing import install as install_all

    store = find_store(root)
    bundles = fetch(target, plain_http=plain_http, timeout=timeout)
    done = install_all(store, bundles, names, device=device, flavour=flavours or None)
    for entry in done:
        what = "is active" if entry.changed else "was active already"
        note(f"{entry.name}: codec {entry.id.hex()} {what}")
    if as_json:
        codecs = [{"name": e.name, "id": e.id.hex(), "changed": e.changed} for e in done]
        print_json({"store": str(store.layout.root), "codecs": codecs})


@click.command()
@click.argument("name", metavar="NAME")
@click.option("--to", "codec", metavar="ID", help="This version instead of the one before.")
@store_option
@shared(workspace=False)
def rollback(name: str, codec: str | None, root: Path | None, as_json: bool) -> None:
    """Make the version before the active one active again. It is checked before.

    \b
    Example: c3d-export rollback supertuxkart-small
    """
    store = find_store(root)
    before = store.active(name)
    if codec is None:
        active = store.rollback(name)
    else:
        active = _version(store, name, codec)
        store.activate(name, active)
    note(f"{name}: codec {active.hex()} is active, {before.hex()} was")
    if as_json:
        print_json({"name": name, "id": active.hex(), "before": before.hex()})


def _version(store: Store, name: str, text: str) -> bytes:
    """The kept version of a name whose id begins so; raises OptionError."""
    from ..core.errors import OptionError

    kept = store.installed(name).versions
    fitting = [version.id for version in kept if text and version.id.hex().startswith(text)]
    if len(fitting) != 1:
        known = ", ".join(version.id.hex() for version in kept)
        raise OptionError(f"{text!r} is not the id of one version of {name}; there are {known}")
    return fitting[0]


@click.command("list")
@store_option
@shared(workspace=False)
def list_(root: Path | None, as_json: bool) -> None:
    """Tell which codecs are installed, which of them are active, and what can be gone back to.

    \b
    Example: c3d-export list
    """
    store = find_store(root)
    installed, damaged = _readable(store)
    kept = {version.id for entry in installed for version in entry.versions}
    # What a damaged record keeps is unknown.
    others = [] if damaged else [codec.hex() for codec in store.codecs() if codec not in kept]
    size = sum(path.stat().st_size for path in store.blobs())
    if as_json:
        names = [_as_json(entry) for entry in installed]
        where = str(store.layout.root)
        wrong = {name: str(error) for name, error in damaged.items()}
        print_json(
            {"store": where, "names": names, "damaged": wrong, "others": others, "bytes": size}
        )
    elif installed or not damaged:
        _print_installed(store, installed, others, size)
    for error in damaged.values():
        raise error


def _print_installed(
    store: Store, installed: list[Installed], others: list[str], size: int
) -> None:
    if not installed:
        note(f"nothing is installed in {store.layout.root}; run c3d-export install TARGET")
        return
    print_table(str(store.layout.root), ("name", "active", "before", "MB"), map(_row, installed))
    note(f"{size / 1e6:.1f} MB on disk, members that codecs share counted once")
    if others:
        note(
            f"codecs that decode old streams only: {len(others)}; c3d-export prune-old removes them"
        )


def _readable(store: Store) -> tuple[list[Installed], dict[str, BundleError]]:
    """What is installed, and the names whose record or manifest is damaged, with the reason."""
    from ..core.errors import BundleError

    installed, damaged = [], {}
    for name in store.names():
        try:
            installed.append(store.installed(name))
        except BundleError as error:
            damaged[name] = error
    return installed, damaged


def _as_json(entry: Installed) -> dict[str, object]:
    versions = [{"id": version.id.hex(), "bytes": version.size} for version in entry.versions]
    return {"name": entry.name, "active": entry.active.hex(), "versions": versions}


def _row(entry: Installed) -> tuple[str, str, str, str]:
    before = [version.id.hex() for version in entry.versions if version.id != entry.active]
    size = sum(version.size for version in entry.versions if version.id == entry.active)
    return entry.name, entry.active.hex(), ", ".join(before) or "none", f"{size / 1e6:.1f}"


@click.command("prune-old")
@store_option
@shared(workspace=False)
def prune_old(root: Path | None, as_json: bool) -> None:
    """Remove codecs older than the last three of a name, and what killed processes left.

    Streams of removed codecs do not decode on this host any more.

    \b
    Example: c3d-export prune-old
    """
    store = find_store(root)
    done = store.prune()
    note(
        f"removed {len(done.codecs)} codecs, {done.blobs} members and {done.litter} temporary files"
        f" ({done.size / 1e6:.1f} MB) from {store.layout.root}"
    )
    if as_json:
        removed = {"codecs": [codec.hex() for codec in done.codecs], "blobs": done.blobs}
        print_json({**removed, "litter": done.litter, "bytes": done.size})
