"""Networks of this family in files; `models/saving.py` has all families."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..saving import load_as, save
from .network import MeanScaleHyperprior

__all__ = ["load", "save"]


def load(path: Path) -> tuple[MeanScaleHyperprior, dict[str, Any]]:
    """The network, in evaluation mode, and its state; raises MissingInputError, CheckpointError."""
    return load_as(path, MeanScaleHyperprior)
