"""The bundles of `deploy/c2f`, where there is torch to make them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ...deploy.c2f.bundles import Made


@pytest.fixture(scope="session", params=[True, False], ids=["z1", "without-z1"])
def made(request: pytest.FixtureRequest) -> Made:
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from ...deploy.c2f.bundles import made_of

    return made_of(request.param)
