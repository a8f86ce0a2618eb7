"""What is shipped: bundles that were verified whole, as the bytes that were verified."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...core.digest import sha256_bytes
from ...core.errors import MissingInputError, OptionError
from ...core.limits import MAX_BUNDLE_BYTES
from ...runtime.bundle import parse_bundle
from ...runtime.remote.fetch import SUFFIX


@dataclass(frozen=True)
class Parcel:
    """file: its name at the targets. sha256: of data, hexadecimal. codec_id: hexadecimal."""

    file: str
    name: str
    codec_id: str
    sha256: str
    data: bytes = field(repr=False)


def load_parcels(paths: Sequence[Path]) -> list[Parcel]:
    """Reads and verifies: container, hashes, manifest, graphs, arrays.

    Raises MissingInputError, a leaf of BundleError, or OptionError for a name that hosts would
    not take for a bundle's, and for two bundles of one name.
    """
    parcels: dict[str, Parcel] = {}
    for path in paths:
        parcel = _load(path)
        other = parcels.setdefault(parcel.file, parcel)
        if other.sha256 != parcel.sha256:
            raise OptionError(f"two bundles are named {parcel.file}; ship them one after the other")
    return list(parcels.values())


def _load(path: Path) -> Parcel:
    if path.suffix != SUFFIX or path.name.startswith("."):
        raise OptionError(f"{path.name} is no name of a bundle; rename it to NAME{SUFFIX}")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BUNDLE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MissingInputError(f"no bundle at {path}: {reason}; check the path") from error
    bundle = parse_bundle(data)
    return Parcel(path.name, bundle.name, bundle.id.hex(), sha256_bytes(data), data)
