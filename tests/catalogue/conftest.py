"""The package of scripts/train-catalogue, which is no part of the installed one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

pytest.importorskip("torch")
pytest.importorskip("onnx")


@pytest.fixture
def training() -> Any:
    """The options of a round of two games, as the command line would give them."""
    from catalogue.options import parse

    return parse(["--games", "one,two", "--sizes", "small,xsmall", "--steps", "5"]).training
