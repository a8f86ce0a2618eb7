"""From a bundle back to the integer g_s in PyTorch."""

from __future__ import annotations

from ...quantize.post.layer import IntegerLayer
from ...quantize.post.mbt_synthesis import LAST, UPS, IntegerSynthesis, source_grid
from ...runtime.bundle import Bundle
from ..arraylayers import made_by, restore_gdn, restore_layer


def restore_synthesis(bundle: Bundle) -> IntegerSynthesis:
    """Of a bundle that opened as a codec, and so has arrays that fit together."""
    layers: dict[str, IntegerLayer] = {}
    gdns, grid = [], source_grid(bundle.latents)
    for number, name in enumerate(UPS):
        layers[name] = restore_layer(bundle.arrays, name, grid, up=(2, 1))
        gdns.append(restore_gdn(bundle.arrays, f"gdn{number}"))
        grid = made_by(gdns[-1])
    layers[LAST] = restore_layer(bundle.arrays, LAST, grid)
    return IntegerSynthesis(layers, gdns)
