"""What a bundle of a coarse-to-fine network must have, checked before anything of it is used.

Arrays besides the graphs: frequency tables of the predicted latents (`prior.py`) and of the
coarsest ones, one for each of their channels; the ranges of z2 and z1; a decoded frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...core.errors import BundleManifestError, BundleMemberError
from ..bundle import TABLES, Bundle, read_array
from ..graphcheck import check_model
from ..graphlists import C2F_OPERATORS, c2f_ports
from ..hyperprior.bundle import has_integer_synthesis
from .prior import MOST_TABLES
from .synthesis import synthesis_forms

FAMILY: Final = "c2f"
FLAVOUR: Final = "float"
GRAPHS: Final = ("g_a", "side2", "side3", "features", "picture")
LARGEST: Final = 16383
"""Of rounded latents, and of means in 1/2^fraction."""
MOST_FRACTION: Final = 6
"""Bits behind the point that a mean has at most."""
MAX_WIDTH: Final = 8192
KNOWN_SHAPE: Final = (72, 104, 3)

_ARRAYS: Final[dict[str, tuple[str, int]]] = {
    "frequencies": ("<u4", 1),
    "shapes": ("<u2", 2),
    "bins": ("|u1", 1),
    "top_frequencies": ("<u4", 1),
    "top_shapes": ("<u2", 2),
    "z2_low": ("<i2", 1),
    "z2_high": ("<i2", 1),
    "known_frame": ("|u1", 3),
}
_COARSE_ARRAYS: Final[dict[str, tuple[str, int]]] = {
    "z1_low": ("<i2", 1),
    "z1_high": ("<i2", 1),
}

Arrays = Mapping[str, NDArray[Any]]


def c2f_bundle(codec: bytes, manifest: Mapping[str, Any], members: Mapping[str, bytes]) -> Bundle:
    """members: hashes checked. Raises a leaf of BundleError."""
    widths = _widths(manifest)
    forms = _ARRAYS | (_COARSE_ARRAYS if has_z1(manifest) else {})
    if has_integer_synthesis(manifest):
        forms |= synthesis_forms()
    names = [graph for graph in GRAPHS if graph != "side2" or has_z1(manifest)]
    _check_names(members, forms, names)
    arrays = {name: read_array(members, name, *form) for name, form in forms.items()}
    _check_shapes(arrays, widths)
    _check_values(arrays, widths)
    graphs = {(graph, FLAVOUR): members[f"graphs/{graph}.{FLAVOUR}"] for graph in names}
    for graph, ports in c2f_ports(has_z1(manifest)).items():
        check_model(graphs[graph, FLAVOUR], f"{graph} (float)", graph, ports, C2F_OPERATORS)
    return Bundle(codec, manifest, arrays, graphs)


def has_z1(manifest: Mapping[str, Any]) -> bool:
    """Whether there is a coarsest level."""
    return manifest["spec"]["coarse"] is not None


def _widths(manifest: Mapping[str, Any]) -> dict[str, int]:
    """Channels of the latents that there are."""
    try:
        spec, fraction = manifest["spec"], manifest["fraction"]
        widths = {"z3": spec["latents"], "z2": spec["fine"]["latents"]}
        if has_z1(manifest):
            widths["z1"] = spec["coarse"]["latents"]
        numbers = [*widths.values(), fraction, spec["qualities"]]
    except (KeyError, TypeError) as error:
        raise BundleManifestError(f"the manifest lacks {error}") from error
    whole = all(type(n) is int for n in numbers)
    if not (whole and all(1 <= n <= MAX_WIDTH for n in widths.values())):
        raise BundleManifestError("the manifest's sizes are out of range")
    top = list(widths.values())[-1]
    if not (1 <= fraction <= MOST_FRACTION and spec["qualities"] == 1 and top <= MOST_TABLES):
        raise BundleManifestError("the manifest's sizes are out of range")
    return widths


def _check_names(members: Mapping[str, bytes], forms: Mapping[str, Any], graphs: list[str]) -> None:
    wanted = {f"arrays/{name}.npy" for name in forms} | {"card.md"}
    wanted |= {f"graphs/{graph}.{FLAVOUR}" for graph in graphs}
    if absent := sorted(wanted - members.keys()):
        raise BundleMemberError(f"the bundle lacks {', '.join(absent)}")
    if more := sorted(members.keys() - wanted):
        raise BundleMemberError(f"the bundle has members of no use, {', '.join(more[:8])}")


def _check_shapes(arrays: Arrays, widths: dict[str, int]) -> None:
    top = list(widths.values())[-1]
    wanted: dict[str, tuple[int, ...]] = {
        "shapes": (int(arrays["bins"].astype(np.int64).sum()), 4),
        "bins": (TABLES,),
        "top_shapes": (top, 4),
        "known_frame": KNOWN_SHAPE,
    }
    for name in ("z2", "z1")[: len(widths) - 1]:
        wanted |= {f"{name}_low": (widths[name],), f"{name}_high": (widths[name],)}
    for name, shape in wanted.items():
        if arrays[name].shape != shape:
            raise BundleMemberError(f"array {name} has shape {arrays[name].shape}, not {shape}")


def _check_values(arrays: Arrays, widths: dict[str, int]) -> None:
    """What is indexed with, or would leave a range, without another look."""
    bins = arrays["bins"]
    if bins.min() < 1 or bins.astype(np.int64).sum() > MOST_TABLES:
        raise BundleMemberError("the numbers of tables are out of range")
    for name in ("z2", "z1")[: len(widths) - 1]:
        low, high = arrays[f"{name}_low"], arrays[f"{name}_high"]
        inside = low.min() >= -LARGEST and high.max() <= LARGEST
        if not inside or (low > 0).any() or (high < 0).any():
            raise BundleMemberError(f"the range of {name} has no zero, or is too large")
