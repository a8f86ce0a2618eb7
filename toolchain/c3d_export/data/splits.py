"""Which split a frame goes to: whole scenes, so that no test frame has a twin in training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from c3d_export.core.errors import OptionError
from c3d_export.data.frames import SPLITS, scene

Fractions = tuple[float, float, float]


@dataclass(frozen=True)
class Assignment:
    """The split of each frame, and the scenes that had to be cut in contiguous runs.

    Law: a scene that is not in `cut_scenes` lies in one split.
    """

    splits: Mapping[Path, str]
    cut_scenes: tuple[str, ...]


def assign(
    frames: Sequence[Path],
    fractions: Fractions,
    existing: Mapping[str, Mapping[str, int]],
    scene_of: Callable[[Path], str] = scene,
) -> Assignment:
    """Distributes frames over train, validation and test, scene by scene, always the same way.

    `existing` counts the frames that the workspace has: split -> scene -> count. A scene that it
    knows stays in its split (the last one where it was cut). New scenes go where most frames are
    missing for `fractions`; each split that asks for frames gets a scene first. Where there are
    fewer scenes than such splits, the largest is cut in contiguous runs.
    """
    check_fractions(fractions)
    groups = group_scenes(frames, scene_of)
    known = {name: split for split in SPLITS for name in existing.get(split, {})}
    wanted = {s: f for s, f in zip(SPLITS, fractions, strict=True) if f > 0}
    if not known and groups and len(groups) < len(wanted):
        return _with_cut(groups, wanted)
    have = {split: sum(existing.get(split, {}).values()) for split in SPLITS}
    fixed = {name: known[name] for name in groups if name in known}
    for name, split in fixed.items():
        have[split] += len(groups[name])
    fresh = {name: len(paths) for name, paths in groups.items() if name not in known}
    chosen = fixed | _distribute(fresh, wanted, have)
    return Assignment({p: chosen[name] for name, paths in groups.items() for p in paths}, ())


def check_fractions(fractions: Fractions) -> None:
    """Raises OptionError unless there are three fractions, none negative, that sum to 1."""
    if len(fractions) != 3 or min(fractions) < 0 or not abs(sum(fractions) - 1) < 1e-6:
        raise OptionError(f"fractions {fractions} must be three from 0 that sum to 1")


def group_scenes(
    frames: Sequence[Path], scene_of: Callable[[Path], str] = scene
) -> dict[str, list[Path]]:
    """The frames of each scene in order of name, the largest scene first."""
    groups: dict[str, list[Path]] = {}
    for path in sorted(frames, key=lambda path: (len(path.stem), path.name)):
        groups.setdefault(scene_of(path), []).append(path)
    return dict(sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])))


def _distribute(
    sizes: Mapping[str, int], wanted: Mapping[str, float], have: Mapping[str, int]
) -> dict[str, str]:
    """The split of each scene; `sizes` comes with the largest scene first."""
    counts = dict(have)
    total = sum(counts.values()) + sum(sizes.values())
    chosen: dict[str, str] = {}
    rest = list(sizes)
    # The smallest scenes first make sure that no split stays empty, at the lowest price.
    for split in reversed(list(wanted)):
        if not counts[split] and rest:
            chosen[name := rest.pop()] = split
            counts[split] += sizes[name]
    for name in rest:
        split = max(wanted, key=lambda split: wanted[split] * total - counts[split])
        chosen[name] = split
        counts[split] += sizes[name]
    return chosen


def _with_cut(groups: Mapping[str, list[Path]], wanted: Mapping[str, float]) -> Assignment:
    """Fewer scenes than splits: the small scenes whole to the last splits, the largest cut."""
    splits = list(wanted)
    largest, *small = groups
    runs = splits[: len(splits) - len(small)]
    whole = zip(small, splits[len(runs) :], strict=True)
    result = {path: split for name, split in whole for path in groups[name]}
    frames = groups[largest]
    total, done, start = sum(wanted[split] for split in runs), 0.0, 0
    for split in runs:
        done += wanted[split]
        end = round(done / total * len(frames))
        result |= dict.fromkeys(frames[start:end], split)
        start = end
    return Assignment(result, (largest,))
