"""Rounds: begun, gone on with, dropped; what runs beside and behind what."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from catalogue.family import family_of_bundle, family_of_size
from catalogue.frames import Frames
from catalogue.rounds import FAILED, Round, open_round, run_all

from c3d_export.core.errors import MissingDataError, OptionError


@pytest.fixture
def frames(tmp_path: Path) -> Frames:
    """Contents that nobody decodes."""
    for split in ("train", "validation"):
        for game in ("one", "two"):
            folder = tmp_path / "frames" / split / f"{game}-48p"
            folder.mkdir(parents=True)
            (folder / "a_000.png").write_bytes(f"{split} {game}".encode())
    return Frames(tmp_path / "frames")


@pytest.fixture
def begin(tmp_path: Path, training: Any, frames: Frames) -> Any:
    (tmp_path / "exported").mkdir()

    def open_one(jobs: int = 2, *, anew: bool = False, **changes: Any) -> Round:
        changed = replace(training, **changes)
        state, exported = tmp_path / "state", tmp_path / "exported"
        return open_round(state, changed, exported, frames, jobs, anew=anew)

    return open_one


def test_an_unfinished_round_goes_on_and_a_finished_one_is_followed(begin: Any) -> None:
    assert [begin().number, begin().number] == [1, 1]
    begin().finish({"one-small": {"outcome": "kept"}})
    assert begin().number == 2


def test_other_options_need_another_round(begin: Any) -> None:
    begin()
    with pytest.raises(OptionError, match=r"round 1 .* other options"):
        begin(steps=6)
    assert begin(steps=6, anew=True).number == 2
    assert begin(jobs=7, steps=6).number == 2


def test_other_frames_need_another_round(begin: Any, frames: Frames) -> None:
    begin()
    from catalogue.frames import _digest

    (frames.root / "validation" / "one-48p" / "a_001.png").write_bytes(b"another")
    _digest.cache_clear()
    with pytest.raises(OptionError, match="other frames"):
        begin()


def test_a_game_without_frames_is_named(begin: Any) -> None:
    with pytest.raises(MissingDataError, match="three"):
        begin(games=("one", "three"))


def test_a_round_keeps_the_bundles_that_it_began_with(
    begin: Any, tiny_bytes: bytes, tmp_path: Path
) -> None:
    bundle = tmp_path / "exported" / "one-small.c3b"
    bundle.write_bytes(tiny_bytes)
    before = begin()
    assert (list(before.own), before.continued) == (["one-small"], {"one-small"})
    assert before.waits["one-small"] == set()
    bundle.write_bytes(b"second")
    assert (begin().own, begin().continued) == (before.own, before.continued)
    bundle.write_bytes(tiny_bytes)
    fresh = begin(fresh=True, anew=True)
    assert (fresh.own, fresh.continued) == (before.own, set())
    assert fresh.waits["one-small"] == {"generic-small"}


def test_a_bundle_of_another_family_or_of_none_is_not_gone_on_from(
    begin: Any, tiny_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert family_of_bundle(tiny_path) == family_of_size("small")
    (tmp_path / "exported" / "one-small.c3b").write_bytes(b"no bundle")
    (tmp_path / "exported" / "two-small.c3b").write_bytes(tiny_path.read_bytes())
    assert begin().continued == {"two-small"}
    monkeypatch.setattr("catalogue.rounds.family_of_size", lambda size: ("other",))
    found = begin(anew=True)
    assert (set(found.own), found.continued) == ({"one-small", "two-small"}, set())


def test_minutes_are_shared_so_that_all_end_in_time(begin: Any) -> None:
    """Two games, two sizes, two jobs: 2 parts generic-small, 2 generic-xsmall, then 1 and 1."""
    found = begin(minutes=10.0)
    parts = {network.name: found.minutes_of(network) for network in found.networks}
    assert parts["generic-small"] == 2 * parts["one-small"]
    assert 4 * parts["one-small"] <= 10.0 <= 8 * parts["one-small"]
    assert begin(minutes=None, anew=True).minutes_of(found.networks[0]) is None


def test_jobs_run_side_by_side_behind_those_that_they_wait_for() -> None:
    order: list[str] = []
    barrier = threading.Barrier(2, timeout=20)

    def job(name: str) -> dict[str, Any]:
        if name in ("b", "c"):  # both at once, or the barrier breaks
            barrier.wait()
        order.append(name)
        return {"outcome": "taken"}

    waits = {"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()}
    outcomes = run_all("abcd", waits, job, 2, lambda name, outcome: None)
    assert order[0] == "d"
    assert order[-1] == "a"
    assert set(outcomes) == set(order) == set("abcd")


def test_a_failure_stops_no_other_and_is_told() -> None:
    told: list[str] = []

    def job(name: str) -> dict[str, Any]:
        if name == "a":
            raise MissingDataError("no frames")
        return {"outcome": "kept"}

    waits: dict[str, set[str]] = {"a": set(), "b": {"a"}}
    outcomes = run_all("ab", waits, job, 1, lambda name, outcome: told.append(name))
    assert outcomes["a"] == {"outcome": FAILED, "reason": "no frames", "exit_code": 2}
    assert outcomes["b"] == {"outcome": "kept"}
    assert told == ["a", "b"]
