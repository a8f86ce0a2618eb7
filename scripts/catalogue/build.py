"""One network in one round: start, train, bundle, validate, compare, take.

Each step is done once (`ledger`). The network's workspace holds nothing but what it needs: the
training frames of its games, and the networks that it starts from and learns from, restored from
their bundles. So no training can see a validation or a test frame.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from c3d_export.core.atomic import write_bytes_atomic
from c3d_export.core.digest import sha256_file
from c3d_export.core.errors import C3DError, ValidationError
from c3d_export.train.service import CHECKPOINT_FILE, MODEL_FILE
from catalogue.commands import CommandFailedError, Runner
from catalogue.decide import compare
from catalogue.frames import Frames
from catalogue.host import hardware
from catalogue.ledger import Json, Ledger, make_folder
from catalogue.licences import licence_of
from catalogue.measure import Meter
from catalogue.options import Training
from catalogue.start import START, Start
from catalogue.tree import KLT, Network

CANDIDATE: Final = "candidate.c3b"

TAKEN, KEPT, INEXACT = "taken", "kept", "inexact"


@dataclass(frozen=True)
class Builder:
    """Everything that building a network needs.

    command: what the round was started with, for its record. say: told each step as it begins.
    """

    training: Training
    frames: Frames
    exported: Path
    folder: Path
    meter: Meter
    runner: Runner
    command: str
    say: Callable[[str], None]

    def build(
        self, network: Network, own: str | None, minutes: float | None, *, goes_on: bool
    ) -> Json:
        """own: digest of the network's own bundle when the round began, None where it had none.

        minutes: of training; None where steps are given. goes_on: from its own bundle.
        Returns {"outcome": TAKEN, KEPT or INEXACT, ...}. Raises C3DError where a step failed; the
        same call goes on there.
        """
        return _Build(self, network, own, minutes, goes_on).run()


class _Build:
    def __init__(
        self,
        builder: Builder,
        network: Network,
        own: str | None,
        minutes: float | None,
        goes_on: bool,
    ) -> None:
        self.b, self.network, self.own, self.minutes = builder, network, own, minutes
        self.folder = builder.folder / network.name
        self.work = self.folder / "work"
        self.ledger = Ledger(self.folder)
        self.candidate = self.work / CANDIDATE
        self.target = builder.exported / f"{network.name}.c3b"
        b, own = builder, own if goes_on else None
        self.start = Start(network, own, b.training, b.frames, b.exported, self.work, self._command)

    def run(self) -> Json:
        done = self.ledger.result("outcome")
        if done is not None:
            return done
        if not self.work.is_dir():  # of no use without it, whatever was written down
            shutil.rmtree(self.folder, ignore_errors=True)
        start = self._step("start", self.start.inputs(), self.start.make)
        inputs = {**start, "command": self._train_command(resume=False)}
        trained = self._step("train", inputs, self._train)
        bundled = self._step("bundle", {"model": trained["model"]}, self._bundle)
        checked = self._step("validate", bundled, self._validate)
        if checked["exact"]:
            inputs = {**bundled, "own": self.own, "frames": self._facts("validation")}
            compared = self._step("compare", inputs, self._compare)
            outcome = self._step("take", {**bundled, **compared}, self._take)
        else:
            outcome = {"outcome": INEXACT, "reason": checked["reason"]}
        facts = {**bundled, "steps": trained["steps"], "command": self.b.command}
        facts |= {"hardware": hardware(), **outcome}
        self.ledger.once("outcome", bundled, lambda _: facts)
        shutil.rmtree(self.work, ignore_errors=True)
        return facts

    def _step(self, step: str, inputs: Json, action: Callable[[str], Json]) -> Json:
        def told(key: str) -> Json:
            self.b.say(f"{self.network.name}: {step}")
            return action(key)

        return self.ledger.once(step, inputs, told)

    def _command(self, *arguments: str) -> Json:
        result: Json = self.b.runner.run(arguments, self.work, self.folder / "log.txt")
        return result

    def _model(self, name: str) -> Path:
        return self.work / "models" / name

    def _facts(self, split: str) -> Json:
        return self.b.frames.facts(self.network.games, [split])

    def _train_command(self, *, resume: bool) -> list[str]:
        network, training = self.network, self.b.training
        teacher = (self.ledger.result("start") or {}).get("teacher")
        source = [] if self._is_new() else ["--from", START]
        taught = ["--teacher", teacher["name"]] if teacher else []
        length = training.schedule(self.minutes)
        length = ["--resume", *training.settings()] if resume else length
        verb = "finetune" if self._is_tuned() else "train"
        return [verb, "--model", network.size, *network.selection, *source, *taught, *length]

    def _is_new(self) -> bool:
        record = self.ledger.result("start") or {}
        return record.get("origin") == KLT

    def _is_tuned(self) -> bool:
        """`train` starts networks and goes on with generic ones, `finetune` with a game's."""
        return self.network.game is not None and not self._is_new()

    def _train(self, key: str) -> Json:
        """Goes on from a checkpoint of the same key; a model of it was finished already."""
        run = self.work / "runs" / self._run_name()
        model, begun = self._model(self.network.name) / MODEL_FILE, self.work / "begun"
        same = begun.is_file() and begun.read_text("utf-8") == key
        if not same:
            for folder in (run, model.parent):
                shutil.rmtree(folder, ignore_errors=True)
            write_bytes_atomic(begun, key.encode())
        if (run / CHECKPOINT_FILE).is_file():
            self._command(*self._train_command(resume=True), "--force")
        elif not model.is_file():
            self._command(*self._train_command(resume=False), "--force")
        return {"model": sha256_file(model), "steps": _steps(model.parent)}

    def _run_name(self) -> str:
        return f"{self.network.name}-tune" if self._is_tuned() else self.network.name

    def _bundle(self, _: str) -> Json:
        game = [] if self.network.game is None else ["--game", self.network.game]
        licence = ["--licence", licence_of(self.network.games)]
        place = ["-o", str(self.candidate), "--force"]
        self._command("bundle", "--model", self.network.size, *game, *licence, *place)
        return {"candidate": sha256_file(self.candidate)}

    def _validate(self, _: str) -> Json:
        """On training frames: whether the integers are exact does not hang on which they are."""
        frames = str(self.b.frames.paths(self.network.games[0], "train")[0].parent)
        try:
            self._command("validate", str(self.candidate), "--frames", frames)
        except CommandFailedError as error:
            if error.code != ValidationError.exit_code:
                raise
            return {"exact": False, "reason": str(error)}
        return {"exact": True}

    def _compare(self, _: str) -> Json:
        own = self.target if self.own is not None else None
        if own is not None and self._current() != self.own:
            raise self._changed()
        paths = {game: self.b.frames.paths(game, "validation") for game in self.network.games}
        return compare(self.b.meter, own, self.candidate, paths)

    def _take(self, _: str) -> Json:
        compared = self.ledger.result("compare") or {}
        kept = {"outcome": KEPT, **compared}
        if not compared["better"]:
            return kept
        data = self.candidate.read_bytes()
        if self._current() not in (self.own, sha256_file(self.candidate)):
            raise self._changed()
        make_folder(self.target.parent)
        write_bytes_atomic(self.target, data)
        return {**kept, "outcome": TAKEN}

    def _current(self) -> str | None:
        return sha256_file(self.target) if self.target.is_file() else None

    def _changed(self) -> C3DError:
        return C3DError(
            f"{self.target} is not the bundle that this round began with; start another round with"
            " --new-round"
        )


def _steps(folder: Path) -> int:
    """How many steps a finished model's last run had."""
    from c3d_export.train.service import load_saved

    return int(load_saved(folder).state["steps"])
