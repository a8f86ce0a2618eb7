"""A small spec: widths differ where they may, so that no axis can stand for another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from c3d_export.models.c2f.spec import C2FSpec, LevelSpec, ReconstructionSpec

if TYPE_CHECKING:
    from c3d_export.models.c2f.network import CoarseToFine

SMALL = C2FSpec(
    "c2f-test",
    latents=6,
    g_a=(7, 8, 9),
    g_s=(10, 11, 12),
    fine=LevelSpec(5, (4, 6, 7), (9, 10, 12), features=13, predictor=(7, 5, 6)),
    coarse=LevelSpec(3, (5, 7, 4), (6, 9, 16), features=8, predictor=(6, 4, 5)),
    reconstruction=ReconstructionSpec((9, 7, 8), (6, 5), (7, 4)),
)


def lively(spec: C2FSpec) -> CoarseToFine:
    """Random weights that make latents of some size and scales of all sizes."""
    import torch

    from c3d_export.models.c2f.network import build_network

    made = build_network(spec, seed=5).eval()
    generator = torch.Generator().manual_seed(6)
    with torch.no_grad():
        made.g_a[-1].weight *= 30
        made.h_a2[-1].weight *= 3
        if made.h_a1 is not None:
            made.h_a1[-1].weight *= 0.1
        for name, parameter in made.named_parameters():
            if name.endswith(("bias", "beta", "gamma", "top_scale")):
                parameter += 0.2 * torch.rand(parameter.shape, generator=generator)
    return made
