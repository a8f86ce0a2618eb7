"""Steps are done once, whatever happens between them; one process works at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from catalogue import ledger
from catalogue.ledger import BusyError, Ledger, key_of, locked, read

from c3d_export.core.errors import OptionError


class _Counter:
    def __init__(self, *, fails: bool = False) -> None:
        self.keys: list[str] = []
        self.fails = fails

    def __call__(self, key: str) -> dict[str, Any]:
        self.keys.append(key)
        if self.fails:
            raise RuntimeError("killed")
        return {"calls": len(self.keys)}


def test_a_step_is_done_once_for_its_inputs(tmp_path: Path) -> None:
    steps, action = Ledger(tmp_path / "network"), _Counter()
    for inputs in ({"a": 1, "b": 2}, {"b": 2, "a": 1}):
        assert steps.once("train", inputs, action) == {"calls": 1}
    assert steps.result("train") == {"calls": 1}
    assert steps.once("train", {"a": 1, "b": 3}, action) == {"calls": 2}
    assert action.keys == [key_of({"a": 1, "b": 2}), key_of({"a": 1, "b": 3})]


def test_a_step_that_was_cut_is_done_again(tmp_path: Path) -> None:
    steps = Ledger(tmp_path)
    with pytest.raises(RuntimeError):
        steps.once("train", {}, _Counter(fails=True))
    assert steps.result("train") is None
    assert steps.once("train", {}, _Counter()) == {"calls": 1}


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "train.json").write_text("{", "utf-8")
    with pytest.raises(OptionError, match=r"train\.json"):
        Ledger(tmp_path).once("train", {}, _Counter())
    assert read(tmp_path / "none.json") is None


_HOLDER = """
import sys, time
from pathlib import Path
from catalogue.ledger import locked
with locked(Path(sys.argv[1])) as lock:
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_refused_until_the_first_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "LOCK_SECONDS", 0.3)
    scripts = str(Path(str(ledger.__file__)).parents[1])
    code = f"import sys; sys.path.insert(0, {scripts!r}){_HOLDER}"
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(BusyError, match="another train-catalogue"), locked(tmp_path):
            pass
        holder.kill()
    with locked(tmp_path):
        pass
