"""Frequency tables of z, one for each channel, from the factorised prior."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from c3d_export import _arith

from ...models.mbt.entropy import EntropyBottleneck
from ...quantize.tables import TableBank

_UNIT = 2.0**31
"""Sum of the integer weights that the builder is given; each must fit 32 bits."""


@torch.no_grad()
def factorised_tables(
    prior: EntropyBottleneck, low: NDArray[np.int16], high: NDArray[np.int16]
) -> TableBank:
    """A bank of tables over low..high of each channel, distances from its median.

    What is beyond the coder's largest table is escaped.
    """
    most = (_arith.MAX_GROUPS - 1) // 2
    made = []
    edges = np.minimum(np.stack([-low, high], 1).astype(np.int64), most)
    for channel, (below, above) in enumerate(edges):
        mass = _probabilities(prior, channel, int(below), int(above))
        # Zero first, then ascending, then the escape.
        inner = np.delete(mass, below)
        rest = max(0.0, 1.0 - mass.sum())
        weights = np.concatenate([mass[below : below + 1], inner, [rest]])
        scaled = np.rint(weights * (_UNIT / weights.sum())).astype(np.uint32)
        frequencies = np.empty(len(scaled), np.uint32)
        bits = _arith.build_table(scaled, 0, int(below), int(above), frequencies)
        made.append((frequencies, np.array([bits, 0, below, above], np.uint16)))
    return TableBank(np.concatenate([f for f, _ in made]), np.stack([s for _, s in made]))


def _probabilities(
    prior: EntropyBottleneck, channel: int, below: int, above: int
) -> NDArray[np.float64]:
    """Of the distances -below..above from a channel's median."""
    distance = torch.arange(-below, above + 1, dtype=torch.float32)
    values = prior.medians()[:, None, None] + distance
    mass: NDArray[np.float64] = prior.likelihood(values)[channel, 0].double().numpy()
    return mass
