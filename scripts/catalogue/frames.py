"""The frames of a round: their digests, and folders in which commands see nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from c3d_export.core.errors import MissingInputError
from c3d_export.data.frames import find_game, frames_digest, game_folders
from catalogue.ledger import make_folder


@cache
def _digest(paths: tuple[Path, ...]) -> str:
    return frames_digest(paths)


@dataclass(frozen=True)
class Frames:
    """A folder of train/, validation/ and test/<game>-<height>p/."""

    root: Path

    def paths(self, game: str, split: str) -> tuple[Path, ...]:
        """Raises MissingDataError where there are none, MissingInputError without the folder."""
        if not self.root.is_dir():
            raise MissingInputError(f"no folder {self.root}; name the frames with --frames DIR")
        return tuple(find_game(self.root, game, split))

    def digest(self, game: str, split: str) -> str:
        return _digest(self.paths(game, split))

    def facts(self, games: Iterable[str], splits: Sequence[str]) -> dict[str, Any]:
        """Game -> split -> number of frames and their digest."""
        return {
            game: {
                split: {
                    "frames": len(self.paths(game, split)),
                    "digest": self.digest(game, split),
                }
                for split in splits
            }
            for game in games
        }

    def link_training(self, games: Iterable[str], data: Path) -> None:
        """Makes `data` a folder with the training frames of these games and no others."""
        if data.exists():
            shutil.rmtree(data)
        make_folder(data / "train")
        wanted = set(games)
        for game, _, folder in game_folders(self.root / "train"):
            if game in wanted:
                (data / "train" / folder.name).symlink_to(folder.resolve(), True)
