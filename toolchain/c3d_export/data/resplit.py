"""Splits the frames of a game anew: whole scenes, the same way each time, moved and not copied."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from c3d_export.core.errors import ImageError, MissingDataError, OptionError
from c3d_export.data.frames import SPLITS, scene
from c3d_export.data.holdings import (
    Advance,
    Holdings,
    finish_split,
    game_files,
    is_plain,
    take_stock,
)
from c3d_export.data.index import GameIndex, write_plan
from c3d_export.data.near import cached_luma, near_pairs
from c3d_export.data.splits import Fractions, assign, check_fractions, group_scenes
from c3d_export.data.workspace import check_name

Scenes = Callable[[Path], str]


@dataclass(frozen=True)
class SplitOptions:
    """`fractions` of train, validation and test; `by`: a regular expression for the stem of a
    frame, whose first group (or all that it matches) is the scene, empty for the name without its
    number; `given`: scene -> split; `cut`: allows to cut a scene where there are too few."""

    fractions: Fractions = (0.8, 0.1, 0.1)
    by: str = ""
    given: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


@dataclass(frozen=True)
class SplitResult:
    """`scenes`: name, split and frames of each (a scene that was cut has several entries);
    `moved`: files that changed their split; `cut_scenes` as asked for; `leaks`: near-duplicates on
    two sides, both paths."""

    game: str
    scenes: tuple[tuple[str, str, int], ...]
    moved: int
    cut_scenes: tuple[str, ...]
    leaks: tuple[tuple[Path, Path], ...]


def split_game(
    data_root: Path,
    game: str,
    options: SplitOptions,
    *,
    waits: Callable[[], None] = lambda: None,
    advance: Advance = lambda done, total: None,
) -> SplitResult:
    """Moves the frames of a game to the splits that `options` say.

    A command that is cut short is completed by the same one again, or by the next import; until
    then the frames of the game cannot be used. Raises OptionError (unknown scenes, fewer scenes
    than splits), MissingDataError (no frames), ImageError (two frames of one name), DiskError.
    """
    check_name(game, "game")
    check_fractions(options.fractions)
    scene_of = scene_pattern(options.by)
    index = GameIndex.of(data_root, game)
    if not game_files(data_root, game):
        message = f"no frames of {game} in {data_root}; make them with"
        raise MissingDataError(f"{message} `c3d-export data import FOLDER --game {game}`")
    with index.lock(waits):
        held = take_stock(data_root, game, index, advance)
        plan, cut = _assign(game, [Path(name) for name in _names(held)], options, scene_of)
        index.write_records(held.records.values())
        write_plan(index.split_plan, plan)
        moved = finish_split(data_root, game, index)
    counts = Counter((scene_of(Path(name)), split) for name, split in plan.items())
    leaks = _leaks(held, plan, data_root)
    scenes = tuple((*place, count) for place, count in sorted(counts.items()))
    return SplitResult(game, scenes, moved, cut, leaks)


def scene_pattern(by: str) -> Scenes:
    """The scene of a frame's path by a pattern. Raises OptionError for one that is none."""
    if not by:
        return scene
    try:
        pattern = re.compile(by)
    except re.error as error:
        raise OptionError(f"--by {by} is no regular expression: {error}") from error

    def scene_of(path: Path) -> str:
        match = pattern.search(path.stem)
        if match is None:
            raise OptionError(f"--by {by} does not match {path.name}; it must match every frame")
        return match[1] or "" if pattern.groups else match[0]

    return scene_of


def _names(held: Holdings) -> list[str]:
    """`folder/name` of every frame. Raises ImageError where two splits share one, or it is odd."""
    if odd := [path for key, path in held.files.items() if not is_plain(key)]:
        raise ImageError(f"the name of {odd[0]} is no UTF-8; rename it")
    names = sorted(key.split("/", 1)[1] for key in held.files)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        message = f"{len(twice)} names are in more than one split, such as {twice[0]}"
        raise ImageError(f"{message}; files are moved and never replaced: rename them first")
    return names


def _assign(
    game: str, frames: list[Path], options: SplitOptions, scene_of: Scenes
) -> tuple[dict[str, str], tuple[str, ...]]:
    groups = group_scenes(frames, scene_of)
    _check_given(options.given, groups)
    plan = {path.as_posix(): s for name, s in options.given.items() for path in groups[name]}
    rest = [path for path in frames if path.as_posix() not in plan]
    if not rest:
        return plan, ()
    shares = _shares(options)
    free, wanted = len(groups) - len(options.given), sum(share > 0 for share in shares)
    if free < wanted and not options.cut:
        raise OptionError(
            f"{game}: scenes for {wanted} splits are wanted and there are {free}, of"
            f" {', '.join(map(repr, groups))}; say what a scene is with --by, or let --cut cut the"
            " largest, neighbours on both sides"
        )
    result = assign(rest, shares, {}, scene_of)
    return plan | {path.as_posix(): s for path, s in result.splits.items()}, result.cut_scenes


def _check_given(given: Mapping[str, str], groups: Mapping[str, list[Path]]) -> None:
    if unknown := [name for name in given if name not in groups]:
        known = ", ".join(sorted(groups))
        raise OptionError(f"no scene {unknown[0]!r}; the game has {known}")


def _shares(options: SplitOptions) -> Fractions:
    """What is asked of the scenes that are not given: nothing for a split that was given some."""
    taken = set(options.given.values())
    shares = [f * (s not in taken) for s, f in zip(SPLITS, options.fractions, strict=True)]
    total = sum(shares)
    if not total:
        raise OptionError("--fractions leave no split for the other scenes; give train some")
    train, validation, test = (share / total for share in shares)
    return train, validation, test


def _leaks(held: Holdings, plan: Mapping[str, str], root: Path) -> tuple[tuple[Path, Path], ...]:
    frames = []
    for key, record in held.records.items():
        name = key.split("/", 1)[1]
        frames.append((plan[name], root / plan[name] / name, record.facts))
    return tuple(near_pairs(sorted(frames, key=lambda f: f[1]), cached_luma()))
