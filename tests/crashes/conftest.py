"""The scripts' harness, and two bundles that differ in nearly all members."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
OLD, NEW = (ROOT / "exported" / f"{name}-xsmall.c3b" for name in ("generic", "supertuxkart"))


@pytest.fixture(scope="session")
def harness() -> Iterator[ModuleType]:
    if not (OLD.is_file() and NEW.is_file()):
        pytest.skip("this checkout has no bundles")
    pytest.importorskip("onnxruntime")
    folder = str(ROOT / "scripts" / "crashes")
    sys.path.insert(0, folder)
    import harness

    yield harness
    sys.path.remove(folder)
