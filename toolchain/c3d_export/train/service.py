"""What the commands that train call: frames to pools, runs that can be resumed, saved models.

A saved model's state tells how it was made: name, game, stage, command, seed, frames, steps,
history, and under `parents` the same of the networks that it came from. No paths are in it,
because it travels into bundles.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import torch

from ..core import jsonio
from ..core.atomic import remove_file, remove_litter, write_bytes_atomic
from ..core.errors import CheckpointError, DiskError, ImageError, OptionError
from ..data.cropstore import CropStore, Told
from ..data.frames import Skipped, digest_of
from ..data.locate import locate_game
from ..models.klt import initialize_from_frames
from ..models.network import Codec, build_network
from ..models.spec import CodecSpec
from .checkpoint import load_checkpoint, model_bytes, restore_model
from .config import Report, TrainConfig
from .crops import Pool
from .logs import CHECKPOINT_FILE
from .loop import Trainer
from .parallel import ALONE, WHAT_IS_SAME, Group
from .teacher import Teacher

# Each frame is mapped by itself, for a moment also without its overlay, and Linux gives a process
# 65,530 mappings. Games share them evenly.
MAX_FRAMES: Final = 30_000

# A KLT of 16x16 blocks is settled by some dozens of frames; more only take time.
MAX_KLT_FRAMES: Final = 64

MODEL_FILE: Final = "model.safetensors"
PREVIOUS_FILE: Final = "previous.safetensors"
_RUN_FILE: Final = "run.json"


@dataclass(frozen=True)
class TrainingFrames:
    """Frames in a store, one pool per game.

    digest: of all files that were read. lifted: the overlay of the game is taken out of them.
    written: bytes of those that were not in the store before.
    """

    pools: list[Pool]
    digest: str
    skipped: tuple[Skipped, ...]
    lifted: bool = False
    written: int = 0

    def to_json(self) -> dict[str, Any]:
        counts = {pool.game: len(pool.frames) for pool in self.pools}
        return {"digest": self.digest, "games": counts, "lifted": self.lifted}


@dataclass(frozen=True)
class SavedModel:
    """A network and how it was made (see the head of this module)."""

    network: Codec
    state: dict[str, Any] = field(default_factory=dict)


def gather(
    store: CropStore,
    roots: Sequence[Path],
    games: Sequence[str],
    split: str = "train",
    *,
    most: int = MAX_FRAMES,
    told: Told | None = None,
) -> TrainingFrames:
    """The frames of these games in the store, at most so many, evenly spread over each game.

    Raises MissingDataError where a game has none, ImageError where none of them can be read, and
    what `CropStore.fill` raises.
    """
    share = max(1, most // len(games))
    found = [evenly(locate_game(roots, game, split), share) for game in games]
    filled = store.fill([path for paths in found for path in paths], told)
    pools = [Pool(game, filled.frames(paths)) for game, paths in zip(games, found, strict=True)]
    reasons = dict(filled.skipped)
    for pool, paths in zip(pools, found, strict=True):
        if not pool.frames:
            first = f"{paths[0]}: {reasons[paths[0]]}"
            raise ImageError(f"no {split} frame of {pool.game} can be read: {first}")
    digest = digest_of(filled.digests.items())
    return TrainingFrames(pools, digest, filled.skipped, written=filled.written)


def evenly(paths: Sequence[Path], count: int) -> list[Path]:
    """At most `count` of the paths, evenly spaced."""
    if len(paths) <= count:
        return list(paths)
    return [paths[i * len(paths) // count] for i in range(count)]


def new_network(spec: CodecSpec, pools: Sequence[Pool], seed: int) -> Codec:
    """A network that starts as the transform codec of these frames; every game counts the same."""
    model = build_network(spec, seed)
    share = max(1, MAX_KLT_FRAMES // len(pools))
    frames, weights = [], []
    for pool in pools:
        some = pool.frames[:: -(-len(pool.frames) // share)]
        frames += [torch.from_numpy(frame.copy()) for frame in some]
        weights += [1.0 / len(some)] * len(some)
    initialize_from_frames(model, frames, weights)
    return model


def quantize_step(share: float, steps: int) -> int:
    """The first step in the integer simulation; `steps` (never) for a share of 1."""
    if not 0.0 <= share <= 1.0:
        raise OptionError(f"--quantize-from {share} is no share; choose one in 0..1")
    return round(share * steps)


def steps_for_minutes(
    model: Codec,
    config: TrainConfig,
    pools: list[Pool],
    minutes: float,
    share: float,
    teacher: Teacher | None = None,
    group: Group = ALONE,
) -> int:
    """The steps that fit into so many minutes, measured on a throw-away copy of the network.

    share: of the steps that run in floating point; the integer simulation is slower.
    """
    if not minutes > 0:
        raise OptionError(f"--minutes {minutes} must be more than 0")
    trial = Trainer(copy.deepcopy(model), _trial(config), pools, None, teacher, group)
    trial.model.train()
    plain, quantized = _seconds(trial, 3), _seconds(trial, 3)
    steps = max(1, int(minutes * 60.0 / (share * plain + (1.0 - share) * quantized)))
    return group.number(steps)


def _trial(config: TrainConfig) -> TrainConfig:
    return replace(config, steps=6, quantize_from=3)


def _seconds(trainer: Trainer, count: int) -> float:
    """Seconds per step; the first of `count` warms up and is not timed."""
    trainer.train_step()
    begin = time.monotonic()
    for _ in range(count - 1):
        trainer.train_step()
    return (time.monotonic() - begin) / (count - 1)


def start_run(
    folder: Path,
    model: Codec,
    config: TrainConfig,
    frames: TrainingFrames,
    force: bool,
    teacher: Teacher | None = None,
    group: Group = ALONE,
) -> Trainer:
    """A new run in `folder`; raises OptionError where one is unfinished there, unless forced.

    Its files are of the first process.
    """
    path = folder / CHECKPOINT_FILE
    if path.exists() and not force:
        raise OptionError(
            f"{folder} has an unfinished run; continue it with --resume, or start over with --force"
        )
    trainer = Trainer(model, config, frames.pools, path, teacher, group)
    group.check_same([frames.to_json(), asdict(config)], WHAT_IS_SAME)
    if group.leads:
        make_folder(folder)
        remove_litter(folder)
        remove_file(path)
        notes = {"frames": frames.to_json(), "teacher": teacher and teacher.digest}
        write_bytes_atomic(folder / _RUN_FILE, jsonio.dumps(notes))
    return trainer


def resume_run(
    folder: Path,
    frames: TrainingFrames,
    teacher: Teacher | None = None,
    group: Group = ALONE,
) -> Trainer:
    """Continues the run in `folder`.

    Raises OptionError where there is none, or one with other frames or another teacher.
    """
    path, notes = folder / CHECKPOINT_FILE, folder / _RUN_FILE
    if not path.exists() or not notes.exists():
        raise OptionError(f"{folder} has no checkpoint to resume; leave --resume out")
    started = jsonio.loads(notes.read_bytes(), CheckpointError, what=str(notes))
    if not isinstance(started, dict) or started.get("frames") != frames.to_json():
        raise OptionError(
            f"the frames are not those that {folder} was started with; bring them back, or start"
            " over with --force"
        )
    if started.get("teacher") != (teacher and teacher.digest):
        raise OptionError(
            f"{folder} was started with another --teacher, or with none; give the same, or start"
            " over with --force"
        )
    if group.leads:
        remove_litter(folder)
    return Trainer.resume(path, frames.pools, teacher, group)


def finish(trainer: Trainer, report: Report | None) -> Codec:
    """Runs to the end of the schedule; the averaged network."""
    # A thousand points draw any curve, and the state of a model is limited in size.
    every = max(min(10, trainer.config.steps), trainer.config.steps // 1000)
    return trainer.run(report, every)


def load_saved(folder: Path) -> SavedModel:
    """The model in a folder of the workspace.

    Raises MissingInputError, CheckpointError, or OptionError for a network of another family.
    """
    checkpoint = load_checkpoint(folder / MODEL_FILE)
    if "family" in checkpoint.state:
        raise OptionError(
            f"{folder.name} is of a published family, which this command does not take; make its"
            f" bundle with `c3d-export bundle --model {folder.name}`, and go on with that"
        )
    state = {key: value for key, value in checkpoint.state.items() if key != "spec"}
    return SavedModel(restore_model(checkpoint), state)


def save(folder: Path, model: SavedModel) -> Path:
    """Writes a model into its folder of the workspace; raises DiskError.

    What was there stays as PREVIOUS_FILE: pruning replaces what may have taken hours to train.
    """
    make_folder(folder)
    remove_litter(folder)
    path, made = folder / MODEL_FILE, model_bytes(model.network, model.state)
    old = path.read_bytes() if path.is_file() else made
    if old != made:  # a run that was killed after this may be resumed
        write_bytes_atomic(folder / PREVIOUS_FILE, old)
    write_bytes_atomic(path, made)
    return path


def lineage(state: dict[str, Any]) -> list[dict[str, Any]]:
    """A state as the `parents` of the next one: the oldest first, without nesting."""
    own = {key: value for key, value in state.items() if key != "parents"}
    return [*state.get("parents", []), *([own] if own else [])]


def make_folder(folder: Path) -> None:
    """Creates a folder and those above it; raises DiskError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"cannot create {folder}: {error.strerror}; choose another --workspace"
        raise DiskError(message) from error
