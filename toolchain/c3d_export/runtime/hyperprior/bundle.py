"""What a bundle of mbt2018 or mbt2018-mean must have, checked before anything of it is used.

Arrays besides the graphs: frequency tables of y (64 scales) and of z (one for each channel), the
range of z, the scales from which on each table is used, a decoded frame, and in mbt2018 the context
convolution and the three layers of the entropy parameters, as `dense.py` has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...core.errors import BundleManifestError, BundleMemberError
from ..bundle import TABLES, Bundle, read_array
from ..graphcheck import check_hyperprior_graph
from .synthesis import synthesis_forms
from .waves import REACH

FAMILY: Final = "mbt"
FLAVOUR: Final = "float"
GRAPHS: Final = ("g_a", "h_a", "h_s", "g_s")
MOST_FRACTION: Final = 6
MAX_LATENTS: Final = 4096
MAX_HYPER: Final = 256
"""Channels of z: each has a table, and the coder's index of tables is a byte."""
LARGEST: Final = 32767
"""Of latents and means, in 1/2^fraction."""
DENSE: Final = ("context", "parameters_0", "parameters_1", "parameters_2")
TAPS: Final = 2 * REACH * (2 * REACH + 1) // 2 + REACH
"""Positions that the context convolution sees: two rows of five, and two of its own row."""
KNOWN_SHAPE: Final = (72, 104, 3)

_ARRAYS: Final[dict[str, tuple[str, int]]] = {
    "frequencies": ("<u4", 1),
    "shapes": ("<u2", 2),
    "z_frequencies": ("<u4", 1),
    "z_shapes": ("<u2", 2),
    "z_low": ("<i2", 1),
    "z_high": ("<i2", 1),
    "thresholds": ("<i4", 1),
    "known_frame": ("|u1", 3),
}
_CONTEXT_ARRAYS: Final[dict[str, tuple[str, int]]] = {
    "seen_low": ("<i2", 1),
    "seen_high": ("<i2", 1),
}
DENSE_ARRAYS: Final[dict[str, tuple[str, int]]] = {
    "weight": ("<i2", 2),
    "bias": ("<i4", 1),
    "scale": ("<f4", 1),
    "negative": ("<f4", 1),
    "low": ("<f4", 1),
    "high": ("<f4", 1),
}

Arrays = Mapping[str, NDArray[Any]]


def hyperprior_bundle(
    codec: bytes, manifest: Mapping[str, Any], members: Mapping[str, bytes]
) -> Bundle:
    """members: hashes checked. Raises a leaf of BundleError."""
    latents, hyper, context = _sizes(manifest)
    forms = _forms(context)
    if has_integer_synthesis(manifest):
        forms = forms | synthesis_forms()
    _check_names(members, forms)
    arrays = {name: read_array(members, name, *form) for name, form in forms.items()}
    _check_shapes(arrays, latents, hyper, context)
    _check_values(arrays, context)
    graphs = {(graph, FLAVOUR): members[f"graphs/{graph}.{FLAVOUR}"] for graph in GRAPHS}
    for graph in GRAPHS:
        check_hyperprior_graph(graphs[graph, FLAVOUR], graph)
    return Bundle(codec, manifest, arrays, graphs)


def has_integer_synthesis(manifest: Mapping[str, Any]) -> bool:
    """Whether synthesis is there in integers, too."""
    return manifest.get("synthesis") == "integer"


def has_context(manifest: Mapping[str, Any]) -> bool:
    return bool(manifest["spec"]["architecture"] == "mbt2018")


def _sizes(manifest: Mapping[str, Any]) -> tuple[int, int, bool]:
    """Channels of y and of z, and whether there is a context model."""
    try:
        spec, fraction = manifest["spec"], manifest["fraction"]
        latents, hyper, context = spec["latents"], spec["hyper"], has_context(manifest)
        whole = all(type(n) is int for n in (latents, hyper, fraction, spec["qualities"]))
    except (KeyError, TypeError) as error:
        raise BundleManifestError(f"the manifest lacks {error}") from error
    within = whole and 1 <= latents <= MAX_LATENTS and 1 <= hyper <= MAX_HYPER
    if not (within and 0 <= fraction <= MOST_FRACTION and spec["qualities"] == 1):
        raise BundleManifestError("the manifest's sizes are out of range")
    return latents, hyper, context


def _forms(context: bool) -> dict[str, tuple[str, int]]:
    if not context:
        return _ARRAYS
    layers = {f"{layer}_{part}": form for layer in DENSE for part, form in DENSE_ARRAYS.items()}
    return _ARRAYS | _CONTEXT_ARRAYS | layers


def _check_names(members: Mapping[str, bytes], forms: Mapping[str, Any]) -> None:
    wanted = {f"arrays/{name}.npy" for name in forms} | {"card.md"}
    wanted |= {f"graphs/{graph}.{FLAVOUR}" for graph in GRAPHS}
    if absent := sorted(wanted - members.keys()):
        raise BundleMemberError(f"the bundle lacks {', '.join(absent)}")
    if more := sorted(members.keys() - wanted):
        raise BundleMemberError(f"the bundle has members of no use, {', '.join(more[:8])}")


def _check_shapes(arrays: Arrays, latents: int, hyper: int, context: bool) -> None:
    wanted: dict[str, tuple[int, ...]] = {
        "shapes": (TABLES, 4),
        "z_shapes": (hyper, 4),
        "z_low": (hyper,),
        "z_high": (hyper,),
        "thresholds": (TABLES - 1,),
        "known_frame": KNOWN_SHAPE,
    }
    if context:
        wanted |= {"seen_low": (latents,), "seen_high": (latents,)} | _dense_shapes(arrays, latents)
    for name, shape in wanted.items():
        if arrays[name].shape != shape:
            raise BundleMemberError(f"array {name} has shape {arrays[name].shape}, not {shape}")


def _dense_shapes(arrays: Arrays, latents: int) -> dict[str, tuple[int, ...]]:
    """Each layer's inputs are the outputs of the one before it."""
    first, second = (len(arrays[f"parameters_{n}_bias"]) for n in range(2))
    inputs = (TAPS * latents, 4 * latents, first, second)
    outputs = (2 * latents, first, second, 2 * latents)
    wanted: dict[str, tuple[int, ...]] = {}
    for layer, k, o in zip(DENSE, inputs, outputs, strict=True):
        wanted |= {f"{layer}_{part}": (o,) for part in DENSE_ARRAYS}
        wanted[f"{layer}_weight"] = (o, k)
    return wanted


def _check_values(arrays: Arrays, context: bool) -> None:
    """What is indexed with, or would leave a range, without another look."""
    if (np.diff(arrays["thresholds"]) <= 0).any() or arrays["thresholds"].min() < 0:
        raise BundleMemberError("the thresholds of the tables are not in order")
    pairs = [("z_low", "z_high")] + [("seen_low", "seen_high")] * context
    for low, high in pairs:
        if (arrays[low] > 0).any() or (arrays[high] < 0).any():
            raise BundleMemberError(f"the range {low} to {high} has no zero")
    for layer in DENSE if context else ():
        _check_layer(arrays, layer, last=layer == DENSE[-1])


def _check_layer(arrays: Arrays, layer: str, *, last: bool) -> None:
    low, high = arrays[f"{layer}_low"], arrays[f"{layer}_high"]
    if not all(np.isfinite(arrays[f"{layer}_{part}"]).all() for part in ("scale", "negative")):
        raise BundleMemberError(f"a scale of layer {layer} is no number")
    # All but the scales at the end must fit int16, which the next layer or a latent takes.
    most = np.full(len(high), LARGEST, np.float32)
    if last:
        most[: len(most) // 2] = 65535
    whole = np.array_equal(low, np.rint(low)) and np.array_equal(high, np.rint(high))
    lowest = np.where(most > LARGEST, 0, -LARGEST - 1)
    if not (whole and (low >= lowest).all() and (low <= high).all() and (high <= most).all()):
        raise BundleMemberError(f"the range of layer {layer} is wrong")
