"""Brings bundles to one target, and has them installed there."""

from __future__ import annotations

import os
import posixpath
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import OptionError, RemoteError
from ...runtime.remote.deadline import Deadline, Progress
from ...runtime.remote.fetch import TIMEOUT
from ...runtime.remote.oci import manifest_of, push
from ...runtime.remote.ssh import run
from ...runtime.remote.target import FolderTarget, OciTarget, SshTarget, Target
from .files import LocalFiles, RemoteFiles
from .parcel import Parcel
from .place import place


@dataclass(frozen=True)
class Options:
    """jobs: targets at a time. retries: of a target that could not be reached. timeout: seconds for
    one target. install: the command over there, as its shell reads it; empty for none."""

    jobs: int = 8
    retries: int = 1
    timeout: float = TIMEOUT
    plain_http: bool = False
    install: str = ""


def check(target: Target, parcels: Sequence[Parcel], options: Options) -> None:
    """What can be told before anything is sent; raises OptionError."""
    if options.install and not isinstance(target, SshTarget):
        raise OptionError(
            f"--install runs a command over ssh, and {target} is no ssh:// target; ship to it"
            " without, and run `c3d-export install` on the host"
        )
    if not isinstance(target, OciTarget):
        return
    if ":" in target.reference:
        raise OptionError(f"{target} names what is there by its digest; give it a tag to ship to")
    if len(parcels) > 1:
        raise OptionError(f"{target} holds one bundle; ship the {len(parcels)} one after the other")


def deliver(
    target: Target,
    parcels: Sequence[Parcel],
    options: Options,
    deadline: Deadline,
    progress: Progress,
) -> bool:
    """False where everything was there already; progress hears of the bytes that are sent.

    Raises a leaf of C3DError.
    """
    if isinstance(target, OciTarget):
        changes = [_push(target, parcel, deadline, options, progress) for parcel in parcels]
    elif isinstance(target, SshTarget):
        with RemoteFiles(target, deadline) as remote:
            changes = [place(remote, target.path, parcel, progress) for parcel in parcels]
    elif is_store(target.path):
        changes = [_add(target, parcel, progress) for parcel in parcels]
    else:
        local, folder = LocalFiles(deadline), os.fspath(target.path)
        changes = [place(local, folder, parcel, progress) for parcel in parcels]
    return any(changes)


def install(
    target: SshTarget, parcels: Sequence[Parcel], options: Options, deadline: Deadline
) -> None:
    """Runs `c3d-export install` over there on what was shipped; raises leaves of RemoteError."""
    for parcel in parcels:
        path = posixpath.join(target.path, parcel.file)
        quoted = shlex.quote(path if path.startswith("/") else f"./{path}")
        answer = run(target, f"{options.install} install {quoted}", deadline)
        if answer.code:
            lines = (answer.err.strip() or answer.out.strip()).splitlines()
            reason = lines[-1].removeprefix("error: ")[:300] if lines else "it says nothing"
            raise RemoteError(f"shipped, but not installed (exit code {answer.code}): {reason}")


def is_store(folder: Path) -> bool:
    """Whether a folder is a host's store (`runtime/store/`) and not one of plain files."""
    return (folder / "blobs").is_dir() and (folder / "codecs").is_dir()


def _add(target: FolderTarget, parcel: Parcel, progress: Progress) -> bool:
    from ...runtime.store.store import Store

    store, codec = Store(target.path), bytes.fromhex(parcel.codec_id)
    # Signatures are no part of a codec's id: a bundle that has more of them is news.
    known = store.has(codec)
    before = store.signatures(codec) if known else None
    store.add(parcel.data)  # what is damaged there is replaced
    if known and store.signatures(codec) == before:
        return False
    progress(len(parcel.data))
    return True


def _push(
    target: OciTarget, parcel: Parcel, deadline: Deadline, options: Options, progress: Progress
) -> bool:
    """Under its tag, and under the codec's id: what the tag named before can still be pulled."""
    return push(
        target,
        parcel.data,
        manifest_of(parcel.data, parcel.file, parcel.name, parcel.codec_id),
        (parcel.codec_id, target.reference),
        deadline,
        plain_http=options.plain_http,
        progress=progress,
    )
