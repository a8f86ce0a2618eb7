"""What a network starts from in its workspace: a bundle that is float again, pruned or not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from c3d_export.core.digest import sha256_file
from c3d_export.core.errors import MissingModelError, ValidationError
from c3d_export.train.service import MODEL_FILE
from catalogue.family import Family, family_of_bundle, family_of_size
from catalogue.frames import Frames
from catalogue.ledger import Json, make_folder
from catalogue.options import Training
from catalogue.restore import restore
from catalogue.tree import PRUNE, Network

# The model of the workspace that training goes on from.
START: Final = "start"


@dataclass(frozen=True)
class Start:
    """own: digest of the network's own bundle, None where it does not go on from that.

    work: the workspace, which is emptied. command: runs a line of `c3d-export` in it.
    """

    network: Network
    own: str | None
    training: Training
    frames: Frames
    exported: Path
    work: Path
    command: Callable[..., Any]

    @property
    def derived(self) -> bool:
        """Whether the network begins as the tree has it, and not with its own bundle."""
        return self.own is None

    @property
    def source(self) -> str | None:
        """Of whose bundle it is made; None for a network that is new."""
        return self.network.parent if self.derived else self.network.name

    def inputs(self) -> Json:
        """Everything that decides what `make` makes. Raises MissingModelError."""
        return {
            "origin": self.network.origin if self.derived else "bundle",
            "source": self.source,
            "bundle": self._source_digest(),
            "teacher": self._teacher(),
            "frames": self.frames.facts(self.network.games, ["train"]),
        }

    def _source_digest(self) -> str | None:
        if not self.derived:  # this round may have exchanged the bundle since
            return self.own
        if self.source is None:
            return None
        path = self.exported / f"{self.source}.c3b"
        if not path.is_file():
            raise MissingModelError(
                f"{self.network.name} starts from {self.source}, of which there is no bundle; name"
                " it in --only too, or leave --only out"
            )
        return sha256_file(path)

    def _teacher(self) -> Json | None:
        """A larger network teaches, where there is one of the same family."""
        name = self.network.teacher
        path = self.exported / f"{name}.c3b"
        if name is None or not self.training.teacher or not path.is_file():
            return None
        if family_of_bundle(path) != self._family():
            return None
        return {"name": name, "bundle": sha256_file(path)}

    def _family(self) -> Family | None:
        if self.source is None:
            return family_of_size(self.network.size)
        return family_of_bundle(self.exported / f"{self.source}.c3b")

    def make(self, _: str) -> Json:
        """Fills the workspace: {"start": digest of the model, "origin", "teacher", "frames"}."""
        shutil.rmtree(self.work, ignore_errors=True)
        make_folder(self.work)
        inputs, source = self.inputs(), self.source
        self.frames.link_training(self.network.games, self.work / "data")
        if source is not None and inputs["origin"] == PRUNE:
            self._restore(source, inputs["bundle"], source)
            self._prune(source)
        elif source is not None:
            self._restore(source, inputs["bundle"], START)
        if teacher := inputs["teacher"]:
            self._restore(teacher["name"], teacher["bundle"], teacher["name"])
        model = None if source is None else sha256_file(self._model(START) / MODEL_FILE)
        kept = {key: inputs[key] for key in ("origin", "teacher", "frames")}
        return {"start": model, **kept}

    def _model(self, name: str) -> Path:
        return self.work / "models" / name

    def _restore(self, name: str, digest: str, model: str) -> None:
        found = restore(self.exported / f"{name}.c3b", self._model(model))
        if found != digest:
            raise ValidationError(f"{name}.c3b changed while it was read; run the command again")

    def _prune(self, source: str) -> None:
        size, target = source.rpartition("-")[2], self.network.size
        line = ["prune", "--model", size, *self.network.selection, "--to", target]
        self.command(*line, "--seed", str(self.training.seed), "--force")
        os.replace(self._model(self.network.name), self._model(START))
