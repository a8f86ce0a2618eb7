"""What Python says to a bundle, and whether the C host says the same."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from c3d_export.runtime.bundle import parse_bundle
from c3d_export.runtime.known import open_first
from c3d_export.runtime.sessions import session_choices

from .host import Case, Driver, status_after


def opening_status(data: bytes) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return status_after(lambda: open_first(parse_bundle(data), session_choices("cpu", None, 1)))


def compare_opening(driver: Driver, bundles: Sequence[bytes]) -> set[str]:
    """The statuses of the bundles, which must be the same in both."""
    wanted = [opening_status(data) for data in bundles]
    answers = driver.run([Case("b", data) for data in bundles])
    differing = [
        (i, a, w) for i, (a, w) in enumerate(zip(answers, wanted, strict=True)) if a.status != w
    ]
    assert not differing
    return set(wanted)
