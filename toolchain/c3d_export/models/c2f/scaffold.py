"""What the coarse-to-fine networks have while they are trained, and lose afterwards.

Stages of Hu et al. (AAAI 2020): first the transforms and the fine level, then the coarse level,
then the reconstruction by side information, last everything without helping losses.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...train.schedules import Stage
from .. import scaffold
from ..scaffold import Staged
from .network import SCALE_FLOOR, CoarseToFine, Gaussian, Latents, Side, rounded
from .transforms import Up

GREY = 127.5
"""Grey levels in 1: networks see frames of -1..1."""


class Scaffold(scaffold.Scaffold):
    """A network with its training-only parts: projections of h to the z that it came from, a layer
    that makes a picture of g_s's features, scales of z2 from before there is a coarse level."""

    staged = True

    def __init__(self, network: CoarseToFine) -> None:
        super().__init__()
        spec = network.spec
        self.network = network
        self.picture = Up(spec.g_s[2], 3)
        self.project3 = nn.Conv2d(spec.fine.features, spec.latents, 3, padding=1)
        self.project2 = (
            None
            if spec.coarse is None
            else nn.Conv2d(spec.coarse.features, spec.fine.latents, 3, padding=1)
        )
        self.z2_scale = nn.Parameter(torch.ones(1, spec.fine.latents, 1, 1))

    def forward(self, frame: Tensor, stage: Stage) -> Staged:
        network = self.network
        latents = network.latents(frame / GREY - 1.0, coarse=stage.coarse)
        known = rounded(latents)
        side = self._side(known, stage)
        if stage.reconstruction:
            x_hat = network.reconstruct(known.z3, side.h2, side.h1)
        else:
            x_hat = self.picture(network.g_s(known.z3))
        bits = torch.stack(network.rates(latents, side)).sum(0)
        helping = self._helping(latents, side) if stage.helping else x_hat.new_zeros(())
        return Staged((x_hat + 1.0) * GREY, bits, helping)

    def trained(self, stage: Stage) -> Iterator[nn.Parameter]:
        """The parameters that a stage moves; the later ones move all that there are."""
        waiting = [] if stage.reconstruction else [self.network.reconstruction]
        names = ("h_a1", "h_s1", "predictor2")
        if not stage.coarse:
            waiting += [getattr(self.network, name) for name in names]
        still = {id(p) for part in waiting if part is not None for p in part.parameters()}
        return (p for p in self.parameters() if id(p) not in still)

    def _side(self, known: Latents, stage: Stage) -> Side:
        if stage.coarse:
            return self.network.side(known)
        h2, of_z3 = self.network.from_z2(known.z2)
        scale = self.z2_scale.abs().clamp_min(SCALE_FLOOR)
        return Side(h2, None, of_z3, Gaussian(torch.zeros_like(scale), scale), None)

    def _helping(self, latents: Latents, side: Side) -> Tensor:
        error = F.mse_loss(self.project3(side.h2), latents.z3.detach())
        if side.h1 is None or self.project2 is None:
            return error
        return error + F.mse_loss(self.project2(side.h1), latents.z2.detach())
