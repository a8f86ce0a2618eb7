"""The bundle of an up-scaler, a `.c3u`: the container of a codec bundle with two members.

    manifest.json   format, version, name, licence, training, network (its sizes), members
    network.onnx    one graph, `low` to `high`

As in a codec bundle the manifest covers the other member by size and SHA-256, there is one valid
form of the container, and the graph may hold only what `graph.py` writes. The numbers are floats:
unlike a codec's, they may differ in the last bit between devices, and so may pixels by one level.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..core import jsonio
from ..core.digest import sha256_bytes
from ..core.errors import (
    BundleHashError,
    BundleManifestError,
    BundleMemberError,
    BundleVersionError,
    MissingInputError,
    OptionError,
)
from ..core.limits import MAX_BUNDLE_BYTES
from ..runtime.archive import pack_archive, unpack_archive
from ..runtime.graphcheck import check_model
from ..runtime.graphlists import INT, INTS, STRING, UINT8, Operators, Ports
from .spec import RcanSpec

FORMAT: Final = "c3d-export up-scaler"
VERSION: Final = 1
MANIFEST: Final = "manifest.json"
NETWORK: Final = "network.onnx"
SUFFIX: Final = ".c3u"

GRAPH: Final = "upscaler"
PORTS: Final[tuple[Ports, Ports]] = ({b"low": UINT8}, {b"high": UINT8})
OPERATORS: Final[Operators] = {
    (b"Add", b""): {},
    (b"Cast", b""): {b"to": INT},
    (b"Clip", b""): {},
    (b"Conv", b""): {b"group": INT, b"kernel_shape": INTS, b"pads": INTS, b"strides": INTS},
    (b"DepthToSpace", b""): {b"blocksize": INT, b"mode": STRING},
    (b"GlobalAveragePool", b""): {},
    (b"Mul", b""): {},
    (b"Pad", b""): {b"mode": STRING},
    (b"Relu", b""): {},
    (b"Round", b""): {},
    (b"Sigmoid", b""): {},
    (b"Sub", b""): {},
    (b"Transpose", b""): {b"perm": INTS},
}


@dataclass(frozen=True)
class SrBundle:
    """A verified up-scaler. graph: a serialised ONNX model."""

    name: str
    spec: RcanSpec
    manifest: Mapping[str, Any]
    graph: bytes


def build_bundle(
    name: str, spec: RcanSpec, graph: bytes, *, licence: str, training: Mapping[str, Any]
) -> bytes:
    """The finished file; raises as `parse_bundle` where the parts do not make one."""
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "name": name,
        "licence": licence,
        "training": training,
        "network": spec.to_json(),
        "members": {NETWORK: {"sha256": sha256_bytes(graph), "size": len(graph)}},
    }
    data = pack_archive({MANIFEST: jsonio.dumps(manifest), NETWORK: graph})
    parse_bundle(data)
    return data


def read_bundle(path: str | Path) -> SrBundle:
    """Raises MissingInputError, or a leaf of BundleError."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BUNDLE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MissingInputError(f"no up-scaler at {path}: {reason}") from error
    return parse_bundle(data)


def parse_bundle(data: bytes) -> SrBundle:
    """Checks the container, the manifest, size and hash of the network, then its graph."""
    members = unpack_archive(data)
    if MANIFEST not in members:
        raise BundleManifestError("the up-scaler has no manifest.json; fetch it again")
    manifest = jsonio.loads(members.pop(MANIFEST), BundleManifestError, what=MANIFEST)
    _check_version(manifest)
    _check_members(manifest, members)
    try:
        spec = RcanSpec.from_json(manifest.get("network"))
    except OptionError as error:
        raise BundleManifestError(f"the up-scaler's manifest is malformed: {error}") from error
    check_model(members[NETWORK], GRAPH, GRAPH, PORTS, OPERATORS)
    return SrBundle(str(manifest.get("name")), spec, manifest, members[NETWORK])


def _check_version(manifest: Any) -> None:
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BundleManifestError(
            f"the file is no up-scaler of c3d-export; give one that ends in {SUFFIX}"
        )
    if manifest.get("version") != VERSION:
        raise BundleVersionError(
            f"the up-scaler has format version {manifest.get('version')}, this program reads"
            f" {VERSION}; update c3d-export, or train the up-scaler again"
        )


def _check_members(manifest: Mapping[str, Any], members: Mapping[str, bytes]) -> None:
    listed = manifest.get("members")
    if not isinstance(listed, dict) or set(listed) != {NETWORK} or set(members) != {NETWORK}:
        raise BundleMemberError(f"the up-scaler must hold {MANIFEST} and {NETWORK} alone")
    data = members[NETWORK]
    if listed[NETWORK] != {"sha256": sha256_bytes(data), "size": len(data)}:
        raise BundleHashError("the up-scaler's network differs from its hash; fetch it again")
