"""The bytes of a bundle that is to be deployed, wherever it lies."""

from __future__ import annotations

from pathlib import Path

from ..core.errors import MissingInputError
from ..core.limits import MAX_BUNDLE_BYTES
from ..runtime.bundle import Bundle, parse_bundle
from ..runtime.shipped import SUFFIX


def bundle_bytes(path: Path) -> tuple[str, bytes, Bundle]:
    """Name of its file, bytes, and what they hold: what was verified is what is deployed.

    path: a file, or the folder of a codec in a store, whose file is called as its codec. Raises
    MissingInputError or a leaf of BundleError.
    """
    if path.is_dir():
        from ..runtime.store.reading import packed

        data = packed(path)
        bundle = parse_bundle(data)
        return f"{bundle.name}{SUFFIX}", data, bundle
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BUNDLE_BYTES + 1)
    except OSError as error:
        raise MissingInputError(f"no bundle at {path}: {error.strerror}") from error
    return f"{path.name.removesuffix(SUFFIX)}{SUFFIX}", data, parse_bundle(data)
