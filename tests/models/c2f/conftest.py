"""A small network of the family."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from c3d_export.models.c2f.spec import C2FSpec

from .specs import SMALL, lively

if TYPE_CHECKING:
    from c3d_export.models.c2f.network import CoarseToFine


@pytest.fixture(params=[SMALL, SMALL.without_z1()], ids=["z1", "without-z1"])
def spec(request: pytest.FixtureRequest) -> C2FSpec:
    made: C2FSpec = request.param
    return made


@pytest.fixture
def model(spec: C2FSpec) -> CoarseToFine:
    """Of `lively`; its own in every test."""
    pytest.importorskip("torch")
    return lively(spec)
