"""How the widths of mbt2018 and mbt2018-mean are laid out."""

from __future__ import annotations

from typing import Final

from ...models.families import Network
from ...models.mbt.network import MaskedConv2d
from ...models.mbt.spec import STRIDE
from ..published.topology import Topology
from .graph import trace
from .widths import entry, rebuilt, sizes_of, widths_of


def _taps(model: Network, path: str) -> float | None:
    layer = model.get_submodule(path)
    if not isinstance(layer, MaskedConv2d):
        return None
    return float(layer.mask[0, 0].sum()) / STRIDE**2  # the rest of the kernel is zero


MBT: Final = Topology(
    widths_of=widths_of,
    rebuilt=rebuilt,
    sizes_of=sizes_of,
    entry=entry,
    trace=trace,
    taps=_taps,
    latents=("latents", "hyper"),
    colours=(("g_a.0", "in"), ("g_s.6", "out")),
)
