"""A small network of the family."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from c3d_export.models.c2f.spec import C2FSpec

from .specs import SMALL

if TYPE_CHECKING:
    from c3d_export.models.c2f.network import CoarseToFine


@pytest.fixture(params=[SMALL, SMALL.without_z1()], ids=["z1", "without-z1"])
def spec(request: pytest.FixtureRequest) -> C2FSpec:
    made: C2FSpec = request.param
    return made


@pytest.fixture
def model(spec: C2FSpec) -> CoarseToFine:
    """Random weights that make latents of some size and scales of all sizes."""
    torch = pytest.importorskip("torch")
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
