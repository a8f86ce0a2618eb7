"""A small spec: widths differ where they may, so that no axis can stand for another."""

from __future__ import annotations

from c3d_export.models.c2f.spec import C2FSpec, LevelSpec, ReconstructionSpec

SMALL = C2FSpec(
    "c2f-test",
    latents=6,
    g_a=(7, 8, 9),
    g_s=(10, 11, 12),
    fine=LevelSpec(5, (4, 6, 7), (9, 10, 12), features=13, predictor=(7, 5, 6)),
    coarse=LevelSpec(3, (5, 7, 4), (6, 9, 16), features=8, predictor=(6, 4, 5)),
    reconstruction=ReconstructionSpec((9, 7, 8), (6, 5), (7, 4)),
)
