"""The workspace: the one folder that holds frames, models, runs and bundles.

    data/{train,validation,test}/<game>-<height>p/   frames
    models/<name>/                                    trained, pruned and quantised networks
    runs/                                             logs and checkpoints of trainings
    overlays/                                         what games draw over their pictures
    bundles/                                          exported codecs
    decoded/                                          frames as pixels, made again when removed

Nothing is created before something is written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from c3d_export.core.errors import OptionError

ENVIRONMENT_VARIABLE: Final = "C3D_WORKSPACE"
DEFAULT_ROOT: Final = "c3d-work"

# A name becomes a folder, so that it must not climb out of the workspace or hide in it.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Workspace:
    """The paths under one root. Law: asking for a path creates nothing."""

    root: Path

    @classmethod
    def find(cls, env: Mapping[str, str], option: str | os.PathLike[str] | None) -> Workspace:
        """The workspace of `--workspace`, else of C3D_WORKSPACE in `env`, else ./c3d-work.

        An empty value counts as none. The folder need not exist; OptionError where it is a file.
        """
        root = Path(option or env.get(ENVIRONMENT_VARIABLE) or DEFAULT_ROOT)
        if root.exists() and not root.is_dir():
            raise OptionError(f"workspace {root} is no folder; choose another --workspace")
        return cls(root)

    @property
    def data(self) -> Path:
        """The folder of the splits."""
        return self.root / "data"

    @property
    def models(self) -> Path:
        """The folder of all models."""
        return self.root / "models"

    @property
    def runs(self) -> Path:
        """The folder of logs and checkpoints."""
        return self.root / "runs"

    @property
    def bundles(self) -> Path:
        """The folder of exported codecs."""
        return self.root / "bundles"

    @property
    def overlays(self) -> Path:
        """The folder of what games draw over their pictures."""
        return self.root / "overlays"

    @property
    def decoded(self) -> Path:
        """The folder of frames as pixels, which trainings map (`data/cropstore.py`)."""
        return self.root / "decoded"

    def model(self, name: str) -> Path:
        """The folder of one model. Raises OptionError for a name that is no plain name."""
        return self.models / check_name(name, "model")


def check_name(name: str, kind: str) -> str:
    """The name itself: letters, digits, `.`, `_`, `-`, the first a letter or digit, 100 at most.

    Raises OptionError otherwise, which calls it a `kind` name.
    """
    if not _NAME.fullmatch(name):
        raise OptionError(f"{name!r} is no {kind} name; use letters, digits, '.', '_' and '-'")
    return name
