"""The package of scripts/flip-streams and scripts/soak, which is no part of the installed one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
pytest.importorskip("onnxruntime")
