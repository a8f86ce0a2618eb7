"""Where frames are looked for: the workspace, then the samples of a source checkout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..core.errors import MissingDataError
from ..runtime.shipped import source_root
from .frames import find_game, games
from .workspace import Workspace

SAMPLES = "samples"


def data_roots(workspace: Workspace) -> tuple[Path, ...]:
    """The data folders, the first one first; the samples only where there are any."""
    root = source_root()
    samples = root / SAMPLES if root else None
    return (workspace.data, samples) if samples and samples.is_dir() else (workspace.data,)


def locate_game(roots: Sequence[Path], game: str, split: str) -> list[Path]:
    """The frames of one game and split from the first root that has any, sorted.

    Never from two roots: a sample could be a test frame of the other. Raises OptionError for an
    unknown split, and MissingDataError, in one line with the command that mends it.
    """
    for root in roots:
        try:
            return find_game(root, game, split)
        except MissingDataError:
            continue
    places = " and ".join(str(root / split) for root in roots)
    raise MissingDataError(
        f"no {split} frames of {game}: looked in {places} for {game}-<height>p/NNN.png (or .webp,"
        f" .jpg); make them with `c3d-export data import FOLDER --game {game}`"
    )


def located_games(roots: Sequence[Path]) -> list[str]:
    """Every game of the first root that has any, sorted."""
    return next((found for root in roots if (found := games(root))), [])
