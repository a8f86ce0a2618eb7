"""What the commands of `data` say on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .output import note, progress

SHOWN = 5
"""Lines of one kind that are said one by one; `--json` has them all."""

Advance = Callable[[int, int], None]


def say_some(what: str, lines: Sequence[str]) -> None:
    if not lines:
        return
    for line in lines[:SHOWN]:
        note(f"{what}: {line}")
    if len(lines) > SHOWN:
        note(f"{what}: {len(lines)} in all")


def say_leaks(leaks: Sequence[tuple[Path, Path]]) -> None:
    say_some("WARNING: near-duplicates in two splits", [f"{a} and {b}" for a, b in leaks])


def say_cut(scenes: Sequence[str]) -> None:
    if scenes:
        names = ", ".join(name or "(no name)" for name in scenes)
        note(f"fewer scenes than splits: {names} is in several")


def waits(game: str) -> Callable[[], None]:
    return lambda: note(f"another command works on the frames of {game}; waiting for it")


@contextmanager
def bar(what: str) -> Iterator[Advance]:
    """In percent, since how much there is to do shows only while it is done."""
    with progress(what, 100) as advance:
        yield lambda done, total: advance(100 * done // max(1, total), f"{done} of {total}")


def pairs(found: Sequence[tuple[object, object]], *names: str) -> list[dict[str, str]]:
    return [dict(zip(names, map(str, pair), strict=True)) for pair in found]
