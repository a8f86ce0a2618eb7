"""One network in one round, with a command line that is played: what runs, and what a cut costs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from catalogue.build import INEXACT, KEPT, TAKEN, Builder
from catalogue.commands import CommandFailedError
from catalogue.frames import Frames
from catalogue.ledger import Ledger
from catalogue.restore import restore
from catalogue.tree import tree

from c3d_export.core.digest import sha256_file
from c3d_export.core.errors import C3DError, MissingModelError
from c3d_export.train.service import MODEL_FILE, SavedModel, load_saved, save

NETWORKS = {network.name: network for network in tree(("one", "two"), ("small", "xsmall"))}
RATES = [0.1 * 2**i for i in range(4)]


class KilledError(Exception):
    """Stands for the end of the process."""


class Player:
    """Does what `c3d-export` would do to a workspace, without learning anything.

    models: stage -> a saved model of that stage. dies: (command, "before", "within" or "after"),
    once. `within` leaves a checkpoint.
    """

    def __init__(self, models: dict[str, Path]) -> None:
        self.models = models
        self.dies: tuple[str, str] | None = None
        self.inexact = False
        self.lines: list[list[str]] = []
        self.seen: set[str] = set()

    def run(self, arguments: Sequence[str], workspace: Path, log: Path) -> dict[str, Any]:
        command = arguments[0]
        self.lines.append(list(arguments))
        self.seen |= {str(p.relative_to(workspace)) for p in (workspace / "data").rglob("*")}
        self._die(command, "before")
        getattr(self, f"_{command}")(list(arguments), workspace)
        self._die(command, "after")
        return {}

    def _die(self, command: str, when: str) -> None:
        if self.dies == (command, when):
            self.dies = None
            raise KilledError

    def _save(self, folder: Path, stage: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.models[stage], folder)

    def _prune(self, arguments: list[str], workspace: Path) -> None:
        source = workspace / "models" / f"generic-{arguments[2]}"
        assert (source / MODEL_FILE).read_bytes() == self.models["bundle"].read_bytes()
        name = f"generic-{arguments[arguments.index('--to') + 1]}"
        self._save(workspace / "models" / name, "prune")

    def _train(self, arguments: list[str], workspace: Path, suffix: str = "") -> None:
        game = arguments[4] if "--game" in arguments else "generic"
        name = f"{game}-{arguments[2]}"
        checkpoint = workspace / "runs" / f"{name}{suffix}" / "checkpoint.safetensors"
        assert ("--resume" in arguments) == checkpoint.is_file()
        for word in ("--from", "--teacher"):
            if word in arguments:
                name_of_model = arguments[arguments.index(word) + 1]
                assert (workspace / "models" / name_of_model / MODEL_FILE).is_file()
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.write_bytes(b"half")
        self._die(arguments[0], "within")
        self._save(workspace / "models" / name, "train")
        checkpoint.unlink()

    def _finetune(self, arguments: list[str], workspace: Path) -> None:
        self._train(arguments, workspace, "-tune")

    def _bundle(self, arguments: list[str], workspace: Path) -> None:
        Path(arguments[arguments.index("-o") + 1]).write_bytes(b"candidate")

    def _validate(self, arguments: list[str], workspace: Path) -> None:
        if self.inexact:
            raise CommandFailedError("one bit differs", 3)

    @property
    def commands(self) -> list[str]:
        return [line[0] for line in self.lines]


class Meter:
    """factor: rates of the candidate in units of those of any other bundle."""

    factor = 0.9

    def bundle(self, path: Path, frames: Sequence[Path]) -> list[dict[str, float]]:
        assert {frame.parent.parent.name for frame in frames} == {"validation"}
        factor = self.factor if path.name == "candidate.c3b" else 1.0
        return [{"bpp": factor * rate, "psnr": 30.0 + i} for i, rate in enumerate(RATES)]


@pytest.fixture(scope="module")
def models(tiny_model: Any, tiny_path: Path, tmp_path_factory: Any) -> dict[str, Path]:
    root: Path = tmp_path_factory.mktemp("models")
    restore(tiny_path, root / "bundle")
    for stage, steps in (("prune", 0), ("train", 5)):
        save(root / stage, SavedModel(tiny_model, {"stage": stage, "steps": steps}))
    return {stage: root / stage / MODEL_FILE for stage in ("bundle", "prune", "train")}


@pytest.fixture
def player(models: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Player:
    found = Player(models)

    def restored(bundle: Path, folder: Path) -> str:
        found._save(folder, "bundle")
        return sha256_file(bundle)

    monkeypatch.setattr("catalogue.start.restore", restored)
    return found


@pytest.fixture
def builder(training: Any, tmp_path: Path, player: Any) -> Builder:
    for split in ("train", "validation", "test"):
        for game in ("one", "two"):
            folder = tmp_path / "frames" / split / f"{game}-48p"
            folder.mkdir(parents=True)
            (folder / "a_000.png").write_bytes(f"{split} {game}".encode())
    (tmp_path / "exported").mkdir()
    meter: Any = Meter()
    frames, folder = Frames(tmp_path / "frames"), tmp_path / "round"
    exported = tmp_path / "exported"
    return Builder(training, frames, exported, folder, meter, player, "line", lambda text: None)


@pytest.fixture
def export(builder: Builder, tiny_bytes: bytes) -> Callable[[str], str]:
    """Puts a bundle of this name in its place; its digest."""

    def write(name: str) -> str:
        path = builder.exported / f"{name}.c3b"
        path.write_bytes(tiny_bytes)
        return sha256_file(path)

    return write


def _build(
    builder: Builder, name: str, own: str | None = None, minutes: float | None = None
) -> dict[str, Any]:
    goes_on = own is not None and not builder.training.fresh
    return builder.build(NETWORKS[name], own, minutes, goes_on=goes_on)


def _exported(builder: Builder, name: str) -> bytes:
    return (builder.exported / f"{name}.c3b").read_bytes()


def test_a_new_network_from_frames(builder: Builder, player: Player) -> None:
    outcome = _build(builder, "generic-small")
    assert (outcome["outcome"], outcome["steps"]) == (TAKEN, 5)
    assert player.commands == ["train", "bundle", "validate"]
    line = " ".join(player.lines[0])
    assert line.startswith("train --model small --games one,two --steps 5 --learning-rate 0.02")
    assert "--from" not in line
    assert _exported(builder, "generic-small") == b"candidate"
    assert not (builder.folder / "generic-small" / "work").exists()
    assert _build(builder, "generic-small") == outcome
    assert len(player.commands) == 3


def test_the_only_game_is_trained_from_its_frames(builder: Builder, player: Player) -> None:
    (network,) = tree(("one",), ("small",))
    assert builder.build(network, None, None, goes_on=False)["outcome"] == TAKEN
    assert " ".join(player.lines[0]).startswith("train --model small --game one --steps 5")
    assert "--game one --licence" in " ".join(player.lines[1])


def test_training_sees_the_training_frames_of_its_games_only(
    builder: Builder, player: Player, export: Any
) -> None:
    export("generic-small")
    _build(builder, "two-small")
    assert player.seen == {"data/train", "data/train/two-48p"}


def test_a_smaller_generic_network_is_pruned_and_taught(
    builder: Builder, player: Player, export: Any
) -> None:
    export("generic-small")
    _build(builder, "generic-xsmall", None, 2.5)
    assert player.commands == ["prune", "train", "bundle", "validate"]
    prune = "prune --model small --games one,two --to xsmall --seed 0 --force"
    assert " ".join(player.lines[0]) == prune
    train = (
        "train --model xsmall --games one,two --from start --teacher generic-small --minutes 2.5"
    )
    assert " ".join(player.lines[1]).startswith(train)


def test_a_network_goes_on_from_its_own_bundle(
    builder: Builder, player: Player, export: Any
) -> None:
    own = export("one-xsmall")
    export("one-small")
    outcome = _build(builder, "one-xsmall", own)
    assert player.commands == ["finetune", "bundle", "validate"]
    assert "--from start --teacher one-small" in " ".join(player.lines[0])
    assert (outcome["outcome"], outcome["validation"]["one"]) == (TAKEN, pytest.approx(-10))


def test_a_bundle_of_another_family_is_no_start_and_no_teacher(
    builder: Builder, player: Player, export: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But it stays, and the new one has to be better."""
    own = export("one-xsmall")
    export("one-small")
    export("generic-xsmall")

    def family(path: Path) -> tuple[str, ...]:
        return ("other",) if path.name == "one-small.c3b" else ("today",)

    monkeypatch.setattr("catalogue.start.family_of_bundle", family)
    outcome = builder.build(NETWORKS["one-xsmall"], own, None, goes_on=False)
    assert "--teacher" not in player.lines[0]
    assert Ledger(builder.folder / "one-xsmall").result("start") is not None
    assert (outcome["outcome"], outcome["validation"]["one"]) == (TAKEN, pytest.approx(-10))


def test_afresh_and_without_a_teacher(builder: Builder, player: Player, export: Any) -> None:
    own = export("one-xsmall")
    export("one-small")
    training = replace(builder.training, fresh=True, teacher=False)
    with pytest.raises(MissingModelError, match="generic-xsmall"):
        _build(replace(builder, training=training), "one-xsmall", own)
    export("generic-xsmall")
    _build(replace(builder, training=training), "one-xsmall", own)
    assert "--teacher" not in player.lines[0]
    start = Ledger(builder.folder / "one-xsmall").path("start").read_text("utf-8")
    assert "generic-xsmall" in start


def test_what_is_not_better_is_not_taken(builder: Builder, export: Any) -> None:
    own = export("one-small")
    meter: Any = builder.meter
    meter.factor = 1.01
    outcome = _build(builder, "one-small", own)
    assert outcome["outcome"] == KEPT
    assert sha256_file(builder.exported / "one-small.c3b") == own


def test_what_is_not_exact_is_not_even_compared(
    builder: Builder, player: Player, export: Any
) -> None:
    own = export("one-small")
    player.inexact = True
    outcome = _build(builder, "one-small", own)
    assert (outcome["outcome"], outcome["reason"]) == (INEXACT, "one bit differs")
    assert sha256_file(builder.exported / "one-small.c3b") == own


@pytest.mark.parametrize(
    ("dies", "again"),
    [
        (("prune", "before"), ["prune", "train", "bundle", "validate"]),
        (("prune", "after"), ["prune", "train", "bundle", "validate"]),
        (("train", "before"), ["train", "bundle", "validate"]),
        (("train", "within"), ["train --resume", "bundle", "validate"]),
        (("train", "after"), ["bundle", "validate"]),
        (("bundle", "after"), ["bundle", "validate"]),
        (("validate", "after"), ["validate"]),
    ],
    ids="-".join,
)
def test_what_was_cut_goes_on_where_it_was(
    builder: Builder, player: Player, export: Any, dies: tuple[str, str], again: list[str]
) -> None:
    export("generic-small")
    player.dies = dies
    with pytest.raises(KilledError):
        _build(builder, "generic-xsmall")
    player.lines.clear()
    assert _build(builder, "generic-xsmall")["outcome"] == TAKEN
    told = [line[0] + " --resume" * ("--resume" in line) for line in player.lines]
    assert told == again


@pytest.mark.parametrize("step", ["compare", "take", "outcome"])
def test_a_cut_around_the_exchange_of_the_bundle(
    builder: Builder, player: Player, export: Any, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step was done, but its record was not yet written."""
    own, once = export("one-small"), Ledger.once

    def cut(self: Ledger, name: str, inputs: dict[str, Any], action: Any) -> dict[str, Any]:
        if name == step:
            action("key")
            raise KilledError
        return once(self, name, inputs, action)

    monkeypatch.setattr(Ledger, "once", cut)
    with pytest.raises(KilledError):
        _build(builder, "one-small", own)
    monkeypatch.setattr(Ledger, "once", once)
    count = len(player.lines)
    outcome = _build(builder, "one-small", own)
    assert (outcome["outcome"], len(player.lines)) == (TAKEN, count)
    assert _exported(builder, "one-small") == b"candidate"


def test_a_bundle_that_others_exchanged_is_left_alone(
    builder: Builder, export: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = export("one-small")
    path, meter = builder.exported / "one-small.c3b", Meter()

    def exchange(bundle: Path, frames: Sequence[Path]) -> list[dict[str, float]]:
        path.write_bytes(b"theirs")
        return meter.bundle(bundle, frames)

    monkeypatch.setattr(builder.meter, "bundle", exchange)
    with pytest.raises(C3DError, match="--new-round"):
        _build(builder, "one-small", own)
    assert path.read_bytes() == b"theirs"


def test_without_its_work_folder_a_network_begins_again(
    builder: Builder, player: Player, export: Any
) -> None:
    own = export("one-small")
    player.dies = ("validate", "before")
    with pytest.raises(KilledError):
        _build(builder, "one-small", own)
    shutil.rmtree(builder.folder / "one-small" / "work")
    player.lines.clear()
    assert _build(builder, "one-small", own)["outcome"] == TAKEN
    assert player.commands == ["finetune", "bundle", "validate"]


def test_a_restored_bundle_keeps_its_history(
    tiny_bytes: bytes, repack: Callable[..., bytes], tmp_path: Path
) -> None:
    stage = {"stage": "train", "command": "c3d-export train", "steps": 7}

    def tell(manifest: dict[str, Any]) -> None:
        manifest["training"] = {"stages": [stage]}

    bundle = tmp_path / "one-small.c3b"
    bundle.write_bytes(repack(tiny_bytes, edit=tell))
    assert restore(bundle, tmp_path / "model") == sha256_file(bundle)
    state = load_saved(tmp_path / "model").state
    assert (state["stage"], state["parents"]) == ("bundle", [stage])
