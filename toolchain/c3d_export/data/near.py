"""Near-duplicates: frames of one size whose luma differs by less than two grey levels in the mean.

A game that stands still, or a menu, gives many of them. In one scene they only weigh a frame more
than the others; on two sides of a split they are a leak, since the test then asks for what was
learnt by heart.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from c3d_export.core.errors import C3DError
from c3d_export.data.facts import SIGNATURE_SIDE, Facts, luma_of
from c3d_export.data.reading import decode, read_steady

# Mean absolute difference of luma, in grey levels. Below it frames show the same picture; frames
# of a moving camera differ by 5 to 40.
LIMIT: Final = 2.0
# Signatures are rounded twice, so that theirs may be that much more.
_ROUNDING: Final = 1.5

Luma = Callable[[Path], NDArray[np.uint8] | None]


class Kept:
    """The frames that are kept, in groups (a scene, a split) that are searched apart."""

    def __init__(self) -> None:
        self._groups: dict[Hashable, _Signatures] = {}

    def add(self, group: Hashable, facts: Facts, path: Path) -> None:
        key = (group, facts.width, facts.height)
        self._groups.setdefault(key, _Signatures()).add(facts.signature, path)

    def near(self, group: Hashable, facts: Facts, path: Path, luma: Luma) -> Path | None:
        """The first kept frame of the group that this one is a near-duplicate of."""
        signatures = self._groups.get((group, facts.width, facts.height))
        if signatures is None:
            return None
        found = signatures.near(facts.signature)
        return next((other for other in found if is_near(path, other, luma)), None)


class _Signatures:
    """A growing table of signatures."""

    def __init__(self) -> None:
        self._table = np.empty((16, SIGNATURE_SIDE**2), np.uint8)
        self._means = np.empty(16, np.float32)
        self._paths: list[Path] = []

    def add(self, signature: bytes, path: Path) -> None:
        count = len(self._paths)
        if count == len(self._table):
            self._table = np.concatenate([self._table, np.empty_like(self._table)])
            self._means = np.concatenate([self._means, np.empty_like(self._means)])
        self._table[count] = row = np.frombuffer(signature, np.uint8)
        self._means[count] = row.mean()
        self._paths.append(path)

    def near(self, signature: bytes) -> list[Path]:
        row, count = np.frombuffer(signature, np.uint8), len(self._paths)
        limit = LIMIT + _ROUNDING
        # The means differ less than the areas do: most frames are out without a look at them.
        close = np.flatnonzero(np.abs(self._means[:count] - row.mean()) <= limit)
        differences = np.abs(self._table[close].astype(np.int16) - row).mean(1)
        return [self._paths[index] for index in close[differences <= limit]]


def is_near(first: Path, second: Path, luma: Luma) -> bool:
    """Looks at all pixels."""
    one, other = luma(first), luma(second)
    if one is None or other is None or one.shape != other.shape:
        return False
    return bool(np.abs(one.astype(np.int16) - other).mean() < LIMIT)


def cached_luma() -> Luma:
    """Reads luma, and keeps that of the last frames; None for a file that is gone or damaged."""

    @lru_cache(maxsize=8)
    def luma(path: Path) -> NDArray[np.uint8] | None:
        try:
            return luma_of(decode(read_steady(path)[0]))
        except C3DError:
            return None

    return luma


def near_pairs(
    frames: Sequence[tuple[str, Path, Facts]], luma: Luma
) -> Iterator[tuple[Path, Path]]:
    """Frames of other splits that frames are near-duplicates of; each of `frames` at most once.

    frames: split, path and facts of each. Equal pixels count too.
    """
    kept: dict[str, Kept] = {}
    for split, path, facts in frames:
        for other, others in kept.items():
            if other != split and (twin := others.near("", facts, path, luma)):
                yield twin, path
                break
        kept.setdefault(split, Kept()).add("", facts, path)
