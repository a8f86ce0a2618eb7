"""`train` and `finetune`: networks from frames, in runs that survive a stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..core.errors import MissingDataError, OptionError, ProviderMissingError
from .lookup import find_network, has_network, load_network, model_name
from .output import duration, note, print_json, progress
from .settings import find_workspace, force_option, model_option, seed_option, shared

if TYPE_CHECKING:
    from ..data.workspace import Workspace
    from ..train.loop import Progress, TrainConfig, Trainer
    from ..train.service import SavedModel, TrainingFrames

F = TypeVar("F", bound=Callable[..., Any])

_TRAIN_STEPS = 20_000
_TUNE_STEPS = 2_000


@dataclass(frozen=True)
class Schedule:
    """What the options say of a run. steps and minutes: at most one of them is given."""

    steps: int | None
    minutes: float | None
    quantize_from: float
    learning_rate: float
    batch: int
    crop: int
    seed: int
    device: str
    resume: bool
    force: bool

    def check(self) -> None:
        if self.steps is not None and self.minutes is not None:
            raise OptionError("give either --steps or --minutes, not both")
        if self.resume and (self.steps is not None or self.minutes is not None):
            raise OptionError("a resumed run keeps its schedule; leave --steps and --minutes out")
        self._check_device()
        if self.crop % 64:
            raise OptionError(f"--crop {self.crop} is no multiple of 64; choose 128 or 256")

    def _check_device(self) -> None:
        import torch

        if self.device == "cuda" and not torch.cuda.is_available():
            raise ProviderMissingError(
                "torch has no CUDA device here; leave --device cuda out, or install a CUDA build of"
                " torch on a host with a GPU"
            )

    def text(self, steps: int) -> str:
        measured = "" if self.minutes is None else f" (--minutes {self.minutes:g})"
        shape = f"--batch {self.batch} --crop {self.crop} --device {self.device}"
        rate = f"--learning-rate {self.learning_rate} --quantize-from {self.quantize_from}"
        return f"--steps {steps}{measured} {rate} {shape} --seed {self.seed}"


def schedule_options(quantize_from: float, learning_rate: float) -> Callable[[F], F]:
    """The options of a schedule, as one argument `schedule` of the command."""
    options = (
        click.option("--steps", type=click.IntRange(min=1), metavar="N", help="Length of the run."),
        click.option("--minutes", type=float, metavar="M", help="As many steps as fit into M."),
        click.option("--quantize-from", type=float, default=quantize_from, show_default=True,
                     metavar="SHARE", help="Share of the steps before integer simulation."),
        click.option("--learning-rate", type=float, default=learning_rate, show_default=True),
        click.option("--batch", type=click.IntRange(min=1), default=8, show_default=True),
        click.option("--crop", type=click.IntRange(min=64), default=256, show_default=True),
        click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu",
                     show_default=True, help="Where the network trains."),
        seed_option,
        click.option("--resume", is_flag=True, help="Continue the run that was stopped."),
        force_option,
    )  # fmt: skip

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


@click.command()
@model_option
@click.option("--game", metavar="NAME", help="Train for one game.")
@click.option("--games", metavar="A,B,C", help="Train for several; all that there are by default.")
@schedule_options(quantize_from=0.8, learning_rate=0.02)
@shared()
def train(size: str, game: str | None, games: str | None, as_json: bool, **options: Any) -> None:
    """Train a new network, which starts as the transform codec (KLT) of the frames.

    \b
    Example: c3d-export train --model small --games supertuxkart,0ad --minutes 60
    """
    from ..train import service

    schedule = Schedule(**options)
    schedule.check()
    workspace, spec = find_workspace(), service.spec_of_size(size)
    chosen = _games(workspace, game, games)
    name = model_name(chosen[0] if len(chosen) == 1 else None, size)
    if has_network(workspace, name) and not schedule.force:
        raise OptionError(
            f"{workspace.model(name)} is trained already; add --force to replace it, or tune it"
            " with `c3d-export finetune`"
        )
    frames = _gather(workspace, chosen)
    network = service.new_network(spec, frames.pools, schedule.seed)
    command = f"c3d-export train --model {size} --games {','.join(chosen)}"
    job = _Job(name, "train", command, schedule, _TRAIN_STEPS, workspace.runs / name)
    job.run(workspace, service.SavedModel(network), frames, as_json)


@click.command()
@model_option
@click.option("--game", required=True, metavar="NAME", help="The game to tune for.")
@click.option("--from", "source", metavar="NAME", help="Start from this model of the workspace.")
@schedule_options(quantize_from=0.0, learning_rate=0.01)
@shared()
def finetune(size: str, game: str, source: str | None, as_json: bool, **options: Any) -> None:
    """Tune a pruned or generic network for one game, simulating its integers.

    \b
    Example: c3d-export finetune --model small --game supertuxkart --minutes 30
    """
    schedule = Schedule(**options)
    schedule.check()
    workspace, name = find_workspace(), model_name(game, size)
    frames = _gather(workspace, [game])
    if source is not None:
        origin, start = source, load_network(workspace, source)
    else:
        origin, start = find_network(workspace, size, game)
    note(f"from {origin}")
    command = f"c3d-export finetune --model {size} --game {game}"
    job = _Job(name, "tune", command, schedule, _TUNE_STEPS, workspace.runs / f"{name}-tune")
    job.run(workspace, start, frames, as_json)


@dataclass(frozen=True)
class _Job:
    """One run: its model's name, how it is recorded, and the folder of its checkpoint."""

    name: str
    stage: str
    command: str
    schedule: Schedule
    default_steps: int
    folder: Path

    def run(
        self, workspace: Workspace, start: SavedModel, frames: TrainingFrames, as_json: bool
    ) -> None:
        from ..train import service

        if self.schedule.resume:
            trainer = service.resume_run(self.folder, frames)
        else:
            config = self._config(start, frames)
            network = start.network
            force = self.schedule.force
            trainer = service.start_run(self.folder, network, config, frames, force)
        tuned = service.SavedModel(self._finish(trainer), self._state(trainer, start, frames))
        path = service.save(workspace.model(self.name), tuned)
        (self.folder / service.CHECKPOINT_FILE).unlink(missing_ok=True)
        _tell(path, self.name, trainer, as_json)

    def _config(self, start: SavedModel, frames: TrainingFrames) -> TrainConfig:
        from ..train import service
        from ..train.loop import TrainConfig

        s, steps = self.schedule, self.schedule.steps or self.default_steps
        service.quantize_step(s.quantize_from, steps)  # refuses a bad share before time is spent
        # A start needs its warm-up only where it is long enough to have one.
        make = _configs(TrainConfig, s, fresh=self.stage == "train")
        if s.minutes is not None:
            model, pools = start.network, frames.pools
            share = s.quantize_from
            steps = service.steps_for_minutes(model, make(steps), pools, s.minutes, share)
            note(f"{s.minutes:g} minutes are {steps} steps")
        return make(steps)

    def _finish(self, trainer: Trainer) -> Any:
        from ..train import service

        with progress("training", trainer.config.steps) as advance:

            def report(p: Progress) -> None:
                advance(p.step, _stats(p))

            try:
                return service.finish(trainer, report)
            except KeyboardInterrupt:
                note(f"stopped at step {trainer.step}; continue with the same line and --resume")
                raise

    def _state(self, trainer: Trainer, start: SavedModel, frames: TrainingFrames) -> dict[str, Any]:
        from ..train import service

        steps = trainer.config.steps
        return {
            "name": self.name,
            "stage": self.stage,
            "command": f"{self.command} {self.schedule.text(steps)}",
            "seed": trainer.config.seed,
            "frames": frames.to_json(),
            "steps": steps,
            "history": trainer.history,
            "parents": service.lineage(start.state),
        }


def _configs(
    make: Callable[..., TrainConfig], s: Schedule, fresh: bool
) -> Callable[[int], TrainConfig]:
    from ..train.service import quantize_step

    def config(steps: int) -> TrainConfig:
        return make(
            steps=steps,
            batch=s.batch,
            crop=s.crop,
            seed=s.seed,
            learning_rate=s.learning_rate,
            warmup=max(1, min(100, steps // 10)),
            hyper_warmup=min(400, steps // 10) if fresh else 0,
            device=s.device,
            quantize_from=quantize_step(s.quantize_from, steps),
        )

    return config


def _games(workspace: Workspace, game: str | None, games: str | None) -> list[str]:
    from ..data.locate import data_roots, located_games
    from ..data.workspace import check_name

    if game is not None and games is not None:
        raise OptionError("give either --game or --games, not both")
    names = [game] if game is not None else (games or "").split(",") if games else []
    chosen = list(dict.fromkeys(check_name(name.strip(), "game") for name in names))
    roots = data_roots(workspace)
    chosen = chosen or located_games(roots)
    if not chosen:
        raise MissingDataError(
            f"no frames: looked in {' and '.join(map(str, roots))} for"
            " train/<game>-<height>p/NNN.png (or .webp, .jpg); make them with"
            " `c3d-export data import FOLDER --game NAME`"
        )
    return chosen


def _gather(workspace: Workspace, games: list[str]) -> TrainingFrames:
    from ..data.locate import data_roots
    from ..train.service import gather

    frames = gather(data_roots(workspace), games)
    for path, reason in frames.skipped:
        note(f"skipped {path}: {reason}")
    return frames


def _stats(p: Progress) -> str:
    left = duration(p.seconds_left)
    return f"{p.bpp:.3f} bpp  {p.psnr:.2f} dB  {p.steps_per_second:.2f} steps/s  {left} left"


def _tell(path: Path, name: str, trainer: Trainer, as_json: bool) -> None:
    last = trainer.history[-1] if trainer.history else {}
    if as_json:
        print_json({"model": name, "path": str(path), "steps": trainer.step, "last": last})
        return
    text = f", {last['bpp']:.3f} bpp at {last['psnr']:.2f} dB in training" if last else ""
    note(f"{path}: {trainer.step} steps{text}")
