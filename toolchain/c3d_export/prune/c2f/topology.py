"""How the widths of a coarse-to-fine network are laid out."""

from __future__ import annotations

from typing import Final

from ...models.families import Network
from ..published.topology import Topology
from .graph import trace
from .widths import entry, rebuilt, widths_of

_PIXELS: Final = {"predictor3": 16**2, "predictor2": 32**2}
"""Pixels of a frame for one position of what a predictor sees."""
_TAPS: Final = 49
"""Of a predictor's three layers, dense, at each position (`models/c2f/predictor.py`): 3 + 2 + 2
rows of a kernel, and as many columns."""


def _taps(model: Network, path: str) -> float | None:
    part, _, layer = path.partition(".")
    if part not in _PIXELS:
        return None
    return (_TAPS if layer.startswith("conv") else 1) / _PIXELS[part]


C2F: Final = Topology(
    widths_of=widths_of,
    rebuilt=rebuilt,
    sizes_of=dict,
    entry=entry,
    trace=trace,
    taps=_taps,
    latents=("latents", "fine.latents", "coarse.latents"),
    colours=(("g_a.0", "in"), ("reconstruction.pixels", "out")),
    # Entered behind the features of the fine level, whose number a cut would change.
    first=("coarse.features",),
    parameter="top_scale",
)
