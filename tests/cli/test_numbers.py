"""Numbers on the command line are finite."""

from __future__ import annotations

import pytest

from .conftest import Run


@pytest.mark.parametrize(
    "words",
    [
        ("data", "capture", "-o", "x", "--fps", "nan", "--", "true"),
        ("data", "capture", "-o", "x", "--min-change", "nan", "--", "true"),
        ("data", "capture", "-o", "x", "--timeout", "nan", "--", "true"),
        ("train", "--minutes", "inf"),
        ("train", "--learning-rate", "nan"),
        ("train", "--learning-rate", "-1"),
        ("train", "--teacher-weight", "nan"),
        ("train", "--seed", "99999999999999999999999"),
        ("install", "x", "--timeout", "nan"),
        ("prune", "--ratio", "nan"),
    ],
)
def test_what_is_no_finite_number_is_wrong_usage(run: Run, words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.exit_code == 2
    assert words[-2] in done.stderr or words[-4] in done.stderr
