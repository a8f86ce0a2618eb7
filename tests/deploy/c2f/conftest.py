"""A bundle with z1 and one without."""

from __future__ import annotations

import pytest

from .bundles import Made, made_of


@pytest.fixture(scope="session", params=[True, False], ids=["z1", "without-z1"])
def made(request: pytest.FixtureRequest) -> Made:
    return made_of(request.param)
