"""scripts/cuda_exactness.py as far as a host without a GPU can tell."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from c3d_export.runtime.providers import CUDA_OPTIONS

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import cuda_exactness

    monkeypatch.setattr(cuda_exactness, "GRIDS", ((5, 9), (3, 4)))
    yield cuda_exactness
    del sys.modules["cuda_exactness"]


def test_the_rehearsal_on_the_cpu(
    script: Any, tiny_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "rows.json"
    arguments = ["x", str(tiny_path), "--device", "cpu", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", arguments)
    assert script.main() == 0
    (row,) = json.loads(out.read_text())
    assert (row["differing"], row["failed"]) == (0, "")
    assert row["compared"] > 100_000


def test_a_wrong_value_is_counted_and_named(script: Any) -> None:
    right = {"v": np.zeros((2, 3, 4), np.int32)}
    wrong = {"v": np.zeros((1, 2, 3, 4), np.int32)}
    wrong["v"][0, 1, 2, 3] = 9
    assert script._count(wrong, right) == (24, 1, "v[1, 2, 3]: 9 instead of 0")


def test_a_setting_that_fails_is_a_row_and_an_exit_code(
    script: Any, tiny_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("no engine\nmore")

    monkeypatch.setattr(script, "_session", fails)
    monkeypatch.setattr(sys, "argv", ["x", str(tiny_path), "--device", "cpu"])
    assert script.main() == 3
    assert "does not run: no engine (" in capsys.readouterr().out


def test_the_settings_are_the_full_product_and_ours_come_first(script: Any) -> None:
    found = list(script.settings("cuda"))
    assert len(found) == len({str(s) for s in found}) == 24
    assert [s.is_ours for s in found] == [True] + [False] * 23
    assert found[0].options == CUDA_OPTIONS
    assert {"EXHAUSTIVE TF32 NHWC CUDA graph", "DEFAULT", "HEURISTIC"} <= {str(s) for s in found}
