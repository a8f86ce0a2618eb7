"""Names to things: networks of the workspace, bundles by path, name or codec id."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ..core.errors import (
    C3DWarning,
    MissingInputError,
    MissingModelError,
    OptionError,
    StreamForeignError,
)
from .output import note

if TYPE_CHECKING:
    from ..data.workspace import Workspace
    from ..models.saving import Saved
    from ..train.service import SavedModel

GENERIC = "generic"
T = TypeVar("T")


def model_name(game: str | None, size: str) -> str:
    """`<game>-<size>`, or `generic-<size>`; raises OptionError for what is no plain name."""
    from ..data.workspace import check_name

    return check_name(f"{game or GENERIC}-{size}", "model")


def find_network(workspace: Workspace, size: str, game: str | None) -> tuple[str, SavedModel]:
    """A network to go on from, and where it was found.

    Looks in the workspace for the game's own and for the generic one, then for a generic bundle
    that was shipped. Raises MissingModelError, which names the command that makes one.
    """
    from ..models.spec import SIZES

    if size not in SIZES:
        raise OptionError(
            f"unknown model {size!r}: no model of {workspace.models}, nor one of {', '.join(SIZES)}"
        )
    names = list(dict.fromkeys([model_name(game, size), model_name(None, size)]))
    for name in names:
        if has_network(workspace, name):
            return name, load_network(workspace, name)
    shipped = _from_shipped(names[-1])
    if shipped is not None:
        return shipped
    raise MissingModelError(
        f"no {size} network: looked for {' and '.join(names)} in {workspace.models} and for a"
        f" shipped {names[-1]}.c3b; make one with `c3d-export train --model {size}`"
    )


def has_network(workspace: Workspace, name: str) -> bool:
    """Whether the workspace has a finished model of this name."""
    return (workspace.model(name) / "model.safetensors").is_file()


def load_network(workspace: Workspace, name: str) -> SavedModel:
    """A model of the workspace by name; raises MissingModelError or CheckpointError."""
    from ..train.service import load_saved

    if not has_network(workspace, name):
        raise MissingModelError(
            f"no model {name} in {workspace.models}; make one with `c3d-export train --model SIZE`"
        )
    return load_saved(workspace.model(name))


def published_file(workspace: Workspace, name: str) -> Path | None:
    """The file of a model of a published family (imported, trained, pruned); None where there is
    none of this name, or one of the own family."""
    try:
        path = workspace.model(name) / "model.safetensors"
    except OptionError:
        return None
    if not path.is_file():  # before torch is loaded
        return None
    from ..models.saving import is_published

    return path if is_published(path) else None


def load_published(workspace: Workspace, name: str) -> Saved:
    """A model of a published family by name; raises MissingModelError or CheckpointError."""
    from ..models.saving import load

    path = published_file(workspace, name)
    if path is None:
        raise MissingModelError(
            f"no model {name} of a published family in {workspace.models}; make one with"
            " `c3d-export import` or `c3d-export train --model c2f-small`"
        )
    return load(path)


def _from_shipped(name: str) -> tuple[str, SavedModel] | None:
    from ..runtime.shipped import shipped_bundles

    path = shipped_bundles().get(name)
    if path is None:  # said before torch is loaded
        return None
    from ..deploy.restore import trainable_from_bundle
    from ..runtime.bundle import read_bundle
    from ..train.service import SavedModel

    bundle = read_bundle(path)
    state = {"stage": "bundle", "name": bundle.name, "codec_id": bundle.id.hex()}
    return f"{name}.c3b", SavedModel(trainable_from_bundle(bundle), state)


def bundle_path(workspace: Workspace, codec: str | None) -> Path:
    """The bundle that `--codec` names: a file, or the name of one in the workspace, of the host's
    store, shipped, or installed by pip; or the id of one in the store. One in the store is the
    folder of its codec.

    Without a name it is the shipped default. Raises MissingInputError, MissingModelError, or
    OptionError for a name that two have installed.
    """
    from ..runtime.installed import installed_codec
    from ..runtime.shipped import SUFFIX, default_bundle, shipped_bundles

    if codec is None:
        return default_bundle()
    path = Path(codec)
    if path.is_file():
        return path
    name = path.name.removesuffix(SUFFIX)
    candidates = [
        workspace.bundles / f"{name}{SUFFIX}",
        _installed(name),
        shipped_bundles().get(name),
    ]
    if path.name == codec:
        found = next((entry for entry in candidates if entry and entry.exists()), None)
        if found or (found := _told(lambda: installed_codec(name))):
            return found
    raise MissingInputError(
        f"no bundle {codec}, neither as a file nor in {workspace.bundles}, installed or among those"
        " shipped; check the path, or make one with `c3d-export bundle`"
    )


def _installed(name_or_id: str) -> Path | None:
    """The folder of a codec in the store; None where the store has none of this name or id.

    Raises MissingModelError where it has had one that is gone.
    """
    from ..runtime.store.store import open_store

    store = open_store()
    try:
        codec = store.find(name_or_id)
    except (MissingModelError, OptionError):
        return None
    folder = store.layout.codec(codec)
    if not folder.exists():
        raise MissingModelError(
            f"{name_or_id} is codec {codec.hex()}, which is gone from {store.layout.root}; install"
            " its bundle again"
        )
    return folder


def _told(call: Callable[[], T]) -> T:
    """The result of a call, its warnings being told in a line each on stderr."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", C3DWarning)
        result = call()
    for warning in caught:
        note(f"warning: {warning.message}")
    return result


def bundle_of_stream(workspace: Workspace, codec_id: bytes) -> Path:
    """The bundle of this id in the store (the folder of its codec), in the workspace, among those
    shipped or those installed by pip; else StreamForeignError."""
    from ..runtime.installed import installed_codecs
    from ..runtime.shipped import find_by_id, shipped_folders
    from ..runtime.store.store import open_store

    store = open_store()
    if store.has(codec_id):
        return store.layout.codec(codec_id)
    path = find_by_id(codec_id, (workspace.bundles, *shipped_folders()))
    if path is None:
        installed = _told(installed_codecs).values()
        path = find_by_id(codec_id, dict.fromkeys(entry.parent for entry in installed))
    if path is None:
        raise StreamForeignError(
            f"the stream was made by bundle {codec_id.hex()}, which is neither"
            f" installed nor in {workspace.bundles} nor shipped; name it with --codec BUNDLE, or"
            " run c3d-export install with it"
        )
    return path
