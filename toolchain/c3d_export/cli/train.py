"""`train` and `finetune`: networks from frames, in runs that survive a stop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.errors import MissingDataError, OptionError
from .lookup import find_network, has_network, load_network, model_name, published_file
from .output import duration, note, print_json, progress
from .overlay import as_coded, whole_option
from .published_options import Published, is_published, train_options, tune_options
from .schedule import Schedule, configs, schedule_options
from .settings import find_workspace, model_option, shared
from .train_published import Request, train_published, tune_published
from .train_sr import require_torch, train_sr
from .train_sr_options import SR_ONLY, SrOptions, check_task, task_options

if TYPE_CHECKING:
    from ..data.workspace import Workspace
    from ..train.loop import Progress, TrainConfig, Trainer
    from ..train.service import SavedModel, TrainingFrames
    from ..train.teacher import Teacher

_TRAIN_STEPS = 20_000
_TUNE_STEPS = 2_000


@click.command()
@task_options
@model_option
@click.option("--game", metavar="NAME", help="Train for one game.")
@click.option("--games", metavar="A,B,C", help="Train for several; all that there are by default.")
@click.option("--from", "source", metavar="NAME", help="Go on from this model of the workspace.")
@whole_option
@train_options
@schedule_options(quantize_from=0.8, learning_rate=0.02)
@shared()
def train(
    size: str,
    game: str | None,
    games: str | None,
    source: str | None,
    whole_frames: bool,
    task: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a new network, which starts as the transform codec (KLT) of the frames, or one of the
    published (--model c2f-small, mbt2018-mean), which starts from nothing.

    With --task sr train an up-scaler of frames that are coded at a lower resolution.

    \b
    Example: c3d-export train --model small --games supertuxkart,0ad --minutes 60
             c3d-export train --task sr --factor 2 --minutes 30
             c3d-export train --model mbt2018-mean --game 0ad --quality 4 --distortion ms-ssim
    """
    check_task(task)
    published = Published(**{name: options.pop(name) for name in Published.__annotations__})
    if task == "sr":
        published.check_absent()
        require_torch()
        chosen = _games(find_workspace(), game, games)
        train_sr(chosen, _gather, SrOptions.of({**options, "source": source}), as_json)
        return
    from ..train import service

    for only in SR_ONLY:
        del options[only]
    schedule = Schedule(**options)
    schedule.check()
    if is_published(size):
        chosen = _games(find_workspace(), game, games)
        request = Request(size, tuple(chosen), source, published, schedule)
        train_published(request, _gather, as_json)
        return
    published.check_absent()
    workspace, spec = find_workspace(), service.spec_of_size(size)
    chosen = _games(workspace, game, games)
    name = model_name(chosen[0] if len(chosen) == 1 else None, size)
    if has_network(workspace, name) and not schedule.force:
        raise OptionError(
            f"{workspace.model(name)} is trained already; add --force to replace it, or tune it"
            " with `c3d-export finetune`"
        )
    frames = as_coded(workspace, _gather(workspace, chosen), whole_frames)
    whole = " --whole-frames" if whole_frames else ""
    command = f"c3d-export train --model {size} --games {','.join(chosen)}{whole}"
    if source is None:
        start = service.SavedModel(service.new_network(spec, frames.pools, schedule.seed))
    else:
        start = load_network(workspace, source)
        command += f" --from {source}"
    job = _Job(name, "train", command, schedule, _TRAIN_STEPS, workspace.runs / name)
    job.run(workspace, start, frames, as_json)


@click.command()
@model_option
@click.option("--game", required=True, metavar="NAME", help="The game to tune for.")
@click.option("--from", "source", metavar="NAME", help="Start from this model of the workspace.")
@whole_option
@tune_options
@schedule_options(quantize_from=0.0, learning_rate=0.01, decay="late")
@shared()
def finetune(
    size: str,
    game: str,
    source: str | None,
    whole_frames: bool,
    quality: int | None,
    distortion: str | None,
    plan: str | None,
    out: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Tune a pruned or generic network for one game, simulating its integers; one of a published
    family (imported, trained or pruned, by its name) in float, for one rate point.

    \b
    Example: c3d-export finetune --model small --game supertuxkart --minutes 30
             c3d-export finetune --model mbt-pruned --game 0ad --steps 2000 -o 0ad-mbt
    """
    schedule = Schedule(**options)
    schedule.check()
    workspace = find_workspace()
    published = Published(quality=quality, distortion=distortion, plan=plan)
    if published_file(workspace, size) is not None:
        if source is not None:
            raise OptionError(f"--from: not for published models; give --model {source} alone")
        tune_published(size, game, out, published, schedule, _gather, as_json)
        return
    published.check_absent()
    if out is not None:
        raise OptionError("-o: only for published models; others are named after game and size")
    name = model_name(game, size)
    frames = as_coded(workspace, _gather(workspace, [game]), whole_frames)
    if source is not None:
        origin, start = source, load_network(workspace, source)
    else:
        origin, start = find_network(workspace, size, game)
    note(f"from {origin}")
    whole = " --whole-frames" if whole_frames else ""
    command = f"c3d-export finetune --model {size} --game {game}{whole}"
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

        teacher = _teacher(workspace, self.schedule.teacher, start)
        if self.schedule.resume:
            trainer = service.resume_run(self.folder, frames, teacher)
        else:
            config = self._config(start, frames, teacher)
            network = start.network
            force = self.schedule.force
            trainer = service.start_run(self.folder, network, config, frames, force, teacher)
        tuned = service.SavedModel(self._finish(trainer), self._state(trainer, start, frames))
        path = service.save(workspace.model(self.name), tuned)
        (self.folder / service.CHECKPOINT_FILE).unlink(missing_ok=True)
        _tell(path, self.name, trainer, as_json)

    def _config(
        self, start: SavedModel, frames: TrainingFrames, teacher: Teacher | None
    ) -> TrainConfig:
        from ..train import service
        from ..train.loop import TrainConfig

        s, steps = self.schedule, self.schedule.steps or self.default_steps
        service.quantize_step(s.quantize_from, steps)  # refuses a bad share before time is spent
        # A start needs its warm-up only where it is long enough to have one.
        make = configs(TrainConfig, s, fresh=self.stage == "train" and not start.state)
        if s.minutes is not None:
            model, pools = start.network, frames.pools
            share = s.quantize_from
            steps = service.steps_for_minutes(model, make(steps), pools, s.minutes, share, teacher)
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


def _teacher(workspace: Workspace, name: str | None, student: SavedModel) -> Teacher | None:
    if name is None:
        return None
    from ..train.service import MODEL_FILE
    from ..train.teacher import Teacher, check_teacher

    network = load_network(workspace, name).network
    check_teacher(network.spec, student.network.spec)
    return Teacher.of(network, workspace.model(name) / MODEL_FILE)


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
