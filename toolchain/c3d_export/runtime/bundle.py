"""The bundle reader: verified bytes in, a frozen description of a codec out."""

from __future__ import annotations

import io
import math
import tokenize
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..core import jsonio
from ..core.digest import codec_id, sha256_bytes
from ..core.errors import (
    BundleHashError,
    BundleManifestError,
    BundleMemberError,
    BundleVersionError,
)
from .archive import read_file, unpack_archive
from .graphcheck import check_graph
from .signatures import MEMBER as SIGNATURES
from .signatures import UNSIGNED, Seal, parse_signatures

FORMAT: Final = "c3d-export bundle"
VERSION: Final = 5
MANIFEST: Final = "manifest.json"
GRAPHS: Final = ("g_a", "h_a", "h_s", "g_cp", "g_ep", "g_s")
FLAVOURS: Final = ("qlinear", "float")
TABLES: Final = 64
BLOCK_BYTES: Final = 16 * 16 * 3
"""Pixels of a block, three colours each."""
MAX_SCALE: Final = 0.5
"""Of the pixels: any int32 times this converts to int32. Real ones are about a tenth."""
MAX_BIAS: Final = 1 << 24
"""Bound of a sum that float32 holds, its bias included (`deploy/certificate.py`)."""

# What numpy's reader of a header raises: it parses a line of Python.
_BAD_HEADER: Final = (
    *(KeyError, ValueError, EOFError, RecursionError, MemoryError, SyntaxError),
    tokenize.TokenError,
)

# Arrays of a bundle: element type and rank.
ARRAYS: Final[dict[str, tuple[str, int]]] = {
    "step": ("<i4", 2),
    "offset": ("<i2", 2),
    "planes": ("|u1", 2),
    "z_index": ("|u1", 2),
    "rounding": ("<f4", 1),
    "linear_scale": ("<f4", 1),
    "linear_bias": ("<f4", 1),
    "head_scale": ("<f4", 1),
    "head_bias": ("<f4", 1),
    "pixels_scale": ("<f4", 1),
    "pixels_bias": ("<i4", 1),
    "frequencies": ("<u4", 1),
    "shapes": ("<u2", 2),
}
# Those of an overlay (`overlay.py`), all or none.
OVERLAY_ARRAYS: Final[dict[str, tuple[str, int]]] = {
    "overlay_frame": ("<u2", 2),
    "overlay_place": ("<u2", 2),
    "overlay_group": ("<u2", 1),
    "overlay_mask": ("|u1", 2),
    "overlay_table": ("|u1", 2),
    "overlay_payload": ("|u1", 1),
    "overlay_limit": ("<u2", 1),
}


Admit = Callable[[Seal], object]


@dataclass(frozen=True)
class Bundle:
    """A verified bundle.

    id: first 8 bytes of the manifest's SHA-256. manifest: its JSON. arrays: by name, read-only.
    graphs: (graph, flavour) -> a complete serialised ONNX model. seal: what its signatures are
    over and what they are; verified is none of them (`policy.py` does that).
    """

    id: bytes
    manifest: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]
    graphs: Mapping[tuple[str, str], bytes]
    seal: Seal = UNSIGNED

    @property
    def name(self) -> str:
        return str(self.manifest["name"])

    @property
    def family(self) -> str:
        """ "" for the codecs of this package, "mbt" for those of `hyperprior/`, "c2f" for those of
        `c2f/`."""
        return str(self.manifest.get("family", ""))

    @property
    def latents(self) -> int:
        return int(self.manifest["spec"]["latents"])

    @property
    def base(self) -> int:
        return int(self.manifest["spec"]["base"])

    @property
    def hyper(self) -> int:
        return int(self.manifest["spec"]["hyper"])

    @property
    def features(self) -> int:
        return int(self.manifest["spec"]["h_s"][2])

    @property
    def qualities(self) -> int:
        return int(self.manifest["spec"]["qualities"])


def read_bundle(path: str | Path, admit: Admit | None = None) -> Bundle:
    """path: a `.c3b`, or the folder of a codec in a store, for which the host's policy is asked in
    any case. admit: as `bundle_of_members` has it.

    Raises MissingInputError, or a leaf of BundleError.
    """
    if _is_folder(path):
        from .store.reading import read_stored

        return read_stored(Path(path))
    return parse_bundle(read_file(path), admit)


def _is_folder(path: str | Path) -> bool:
    try:
        return Path(path).is_dir()
    except (OSError, ValueError, TypeError):  # `read_file` says what is wrong
        return False


def parse_bundle(data: bytes, admit: Admit | None = None) -> Bundle:
    """Checks the container, then as `bundle_of_members`."""
    return bundle_of_members(unpack_archive(data), admit)


def bundle_of_members(members: Mapping[str, bytes], admit: Admit | None = None) -> Bundle:
    """Checks the manifest, the form of the signatures, every member's size and hash, arrays, then
    graphs. members: all of a bundle by name, the manifest among them. admit: is asked, by raising,
    whether the bundle may be used, before arrays and graphs are looked at. Raises a leaf of
    BundleError, and what `admit` does.
    """
    listed = dict(members)
    manifest_bytes, signed = listed.pop(MANIFEST, None), listed.pop(SIGNATURES, None)
    if manifest_bytes is None:
        raise BundleManifestError("the bundle has no manifest.json")
    return assemble(manifest_bytes, parse_manifest(manifest_bytes), listed, signed, admit)


def parse_manifest(data: bytes) -> dict[str, Any]:
    """The manifest of a bundle of this version; raises a leaf of BundleError."""
    manifest: dict[str, Any] = jsonio.loads(data, BundleManifestError, what=MANIFEST)
    _check_version(manifest)
    return manifest


def assemble(
    manifest_bytes: bytes,
    manifest: Mapping[str, Any],
    members: Mapping[str, bytes],
    signed: bytes | None = None,
    admit: Admit | None = None,
) -> Bundle:
    """The bundle of a manifest and the members that it lists, each compared with its hash.

    manifest: `parse_manifest` of manifest_bytes. signed: its signatures.json, if it has one. admit:
    as `bundle_of_members` has it.
    Raises a leaf of BundleError.
    """
    seal = Seal(manifest_bytes, () if signed is None else parse_signatures(signed))
    _check_members(manifest, members)
    if admit is not None:
        admit(seal)
    return replace(_described(codec_id(manifest_bytes), manifest, members), seal=seal)


def _described(codec: bytes, manifest: Mapping[str, Any], members: Mapping[str, bytes]) -> Bundle:
    if "family" in manifest:
        from .families import bundle_of

        return bundle_of(codec, manifest, members)
    arrays = {name: read_array(members, name, *form) for name, form in _forms(members).items()}
    bundle = Bundle(codec, manifest, arrays, _graphs(members))
    _check_shapes(bundle)
    return bundle


def _check_version(manifest: Any) -> None:
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BundleManifestError("the manifest is not that of a c3d-export bundle")
    if manifest.get("version") != VERSION:
        raise BundleVersionError(
            f"the bundle has format version {_shown(manifest.get('version'))}, this program reads"
            f" {VERSION}; update c3d-export, or bundle the network again if the file is older"
        )


def _shown(value: object) -> str:
    """What a manifest claims, fit for a message."""
    return str(value)[:40]


def _check_members(manifest: Mapping[str, Any], members: Mapping[str, bytes]) -> None:
    listed = manifest.get("members")
    if not isinstance(listed, dict) or set(listed) != set(members):
        raise BundleMemberError("the bundle's members are not those that its manifest lists")
    for name, data in members.items():
        if listed[name] != {"sha256": sha256_bytes(data), "size": len(data)}:
            raise BundleHashError(f"member {name} differs from its hash; fetch the bundle again")


def _forms(members: Mapping[str, bytes]) -> dict[str, tuple[str, int]]:
    """The arrays that a bundle of these members has to have."""
    has_overlay = any(f"arrays/{name}.npy" in members for name in OVERLAY_ARRAYS)
    return ARRAYS | OVERLAY_ARRAYS if has_overlay else ARRAYS


def read_array(members: Mapping[str, bytes], name: str, kind: str, rank: int) -> NDArray[Any]:
    """A member array of this element type and rank, read-only; raises BundleMemberError."""
    try:
        data = members[f"arrays/{name}.npy"]
        file = io.BytesIO(data)
        version = np.lib.format.read_magic(file)
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    except _BAD_HEADER as error:
        raise BundleMemberError(f"array {name} is missing or damaged") from error
    # Before any memory is taken: a header of a few bytes can claim terabytes, or a pickle.
    form = (version, dtype.str, len(shape), fortran)
    fits = math.prod(shape) * dtype.itemsize == len(data) - file.tell()
    whole = all(type(n) is int and n > 0 for n in shape)  # numpy lets True pass
    if form != ((1, 0), kind, rank, False) or not whole or not fits:
        raise BundleMemberError(f"array {name} has a wrong type or shape")
    # A view of bytes is read-only.
    return np.frombuffer(data, dtype, offset=file.tell()).reshape(shape)


def _graphs(members: Mapping[str, bytes]) -> dict[tuple[str, str], bytes]:
    graphs: dict[tuple[str, str], bytes] = {}
    for graph in GRAPHS:
        for flavour in FLAVOURS:
            try:
                # Protobuf merges what is concatenated: nodes first, then the shared weights.
                parts = (members[f"graphs/{graph}.{p}"] for p in (flavour, "weights"))
                graphs[graph, flavour] = b"".join(parts)
            except KeyError as error:
                raise BundleMemberError(f"the bundle lacks {error}") from error
            check_graph(graphs[graph, flavour], graph, flavour)
    return graphs


def _check_shapes(bundle: Bundle) -> None:
    """Sizes that the codec relies on; the C passes check theirs again."""
    try:
        q, m, z = bundle.qualities, bundle.latents, bundle.hyper
        base = bundle.base
        planes = int(bundle.manifest["spec"]["planes"])
    except (KeyError, TypeError, ValueError) as error:
        raise BundleManifestError(f"the manifest lacks {error}") from error
    wanted: dict[str, tuple[int, ...]] = {
        "step": (q, m),
        "offset": (q, m),
        "planes": (q, planes),
        "z_index": (q, z),
    }
    outputs = {"linear": m, "head": m, "pixels": BLOCK_BYTES}
    wanted |= {f"{p}_{k}": (n,) for p, n in outputs.items() for k in ("scale", "bias")}
    wanted |= {"rounding": (TABLES,), "shapes": (TABLES, 4)}
    for name, shape in wanted.items():
        if bundle.arrays[name].shape != shape:
            raise BundleMemberError(f"array {name} has shape {bundle.arrays[name].shape}")
    step = bundle.arrays["step"]
    if not 1 < base < m or base % 2 or m % 2:
        raise BundleMemberError("the numbers of latents are out of range")
    if not 1 <= q <= 255 or step.min() < 1 or step.max() > 65535:
        raise BundleMemberError("quantiser steps or the number of rate points are out of range")
    _check_values(bundle.arrays)


def _check_values(arrays: Mapping[str, NDArray[Any]]) -> None:
    """What the C passes and the coder index or convert to integers without looking."""
    floats = [array for array in arrays.values() if array.dtype.kind == "f"]
    rounding, bias = arrays["rounding"], arrays["pixels_bias"]
    if not all(np.isfinite(array).all() for array in floats):
        raise BundleMemberError("an array of the bundle holds what is no number")
    if rounding.min() < 0 or rounding.max() > 1 or arrays["z_index"].max() >= TABLES:
        raise BundleMemberError("rounding points or table indexes are out of range")
    if bias.min() <= -MAX_BIAS or bias.max() >= MAX_BIAS:
        raise BundleMemberError("biases of the pixels are out of range")
    if np.abs(arrays["pixels_scale"]).max() > MAX_SCALE:
        raise BundleMemberError("scales of the pixels are out of range")
