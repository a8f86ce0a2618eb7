"""`data capture` as a command: options, names, exit codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]


def test_help_has_an_example(run: Run) -> None:
    result = run("data", "capture", "--help")
    assert result.exit_code == 0
    assert "Example: c3d-export data capture -o" in result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no program to run; write it behind --"),
        (["--", "c3d-no-such-program"], "no program c3d-no-such-program"),
        (["--size", "12", "--", "true"], "--size 12 is no size"),
        (["--size", "99999x1", "--", "true"], "99999x1 pixels, outside"),
        (["--display", "x", "--", "true"], "--display x is none"),
        (["--display", ":59321"], "no display :59321 on this host"),
        (["--skip-drawing", "--", "true"], "--skip-drawing needs --every"),
        (["--display", ":5", "--every", "2", "--", "true"], "use --fps and --warmup"),
        (["--scene", "a/b", "--", "true"], "no scene name"),
        (["--fps", "0", "--", "true"], "fps"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    words: list[str], said: str, run: Run, tmp_path: Path
) -> None:
    result = run("data", "capture", "-o", str(tmp_path / "out"), *words)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert said in line
