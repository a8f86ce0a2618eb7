"""`train` for the published coarse-to-fine networks: their stages, rates and distortions."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from ..core import jsonio
from ..core.atomic import write_bytes_atomic
from ..core.errors import CheckpointError, MissingModelError, OptionError
from .lookup import model_name
from .output import duration, note, print_json, progress
from .schedule import Schedule
from .settings import find_workspace

if TYPE_CHECKING:
    from ..data.workspace import Workspace
    from ..models.c2f.network import CoarseToFine
    from ..models.c2f.spec import C2FSpec
    from ..train.service import TrainingFrames
    from ..train.staged import StagedConfig, StagedTrainer, Step

F = TypeVar("F", bound=Callable[..., Any])

_STEPS: Final = 20_000
_MODEL: Final = "model.safetensors"
_CHECKPOINT: Final = "checkpoint.safetensors"
# The options of `train` that only the own family has.
_OWN: Final = ("minutes", "quantize_from", "decay", "average", "teacher", "teacher_weight")


@dataclass(frozen=True)
class Published:
    """The options of these networks; None or False where they are not given."""

    quality: int | None
    distortion: str | None
    base: bool
    plan: str | None
    without_z1: bool

    def check_absent(self) -> None:
        """Raises OptionError where one is given for a network of the own family."""
        given = [f.name for f in fields(self) if getattr(self, f.name) not in (None, False)]
        if given:
            options = ", ".join(_option(name) for name in given)
            raise OptionError(f"{options}: only for published models, as --model c2f-small")


def _option(name: str) -> str:
    return "--" + {"base": "mse-base", "plan": "schedule"}.get(name, name).replace("_", "-")


def published_options(function: F) -> F:
    """Adds the options of `Published`."""
    options = (
        click.option("--quality", type=click.IntRange(1, 10), metavar="Q",
                     help="Published models: the rate point that the network is for; 1 to 10,"
                     " with MS-SSIM 1 to 8."),
        click.option("--distortion", type=click.Choice(["mse", "ms-ssim"]),
                     help="Published models: what is minimised beside the rate; mse by default."),
        click.option("--mse-base", "base", is_flag=True,
                     help="Published models: half of the steps by squared error first."),
        click.option("--schedule", "plan",
                     type=click.Choice(["coarse-to-fine", "app-specific", "app-specific-tune"]),
                     help="Published models: stages and rates, stretched to --steps."),
        click.option("--without-z1", is_flag=True,
                     help="Published models: without the coarsest level."),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def is_published(size: str) -> bool:
    return size.startswith("c2f-")


def spec_of(size: str, without_z1: bool) -> C2FSpec:
    """Raises OptionError for an unknown size."""
    from ..models.c2f.spec import SIZES

    if size not in SIZES:
        raise OptionError(f"unknown model {size!r}; choose one of {', '.join(SIZES)}")
    return SIZES[size].without_z1() if without_z1 else SIZES[size]


@dataclass(frozen=True)
class Request:
    """What to train: a size, games, a model of the workspace to go on from, all options."""

    size: str
    games: tuple[str, ...]
    source: str | None
    published: Published
    schedule: Schedule

    @property
    def model(self) -> str:
        """`<game>-<size>-q<quality>`; the game is `generic` where there are several."""
        spec = spec_of(self.size, self.published.without_z1)
        game = self.games[0] if len(self.games) == 1 else None
        return model_name(game, f"{spec.name}-q{self.published.quality}")

    def network(self, workspace: Workspace) -> CoarseToFine:
        """Fresh, or the one to go on from; raises MissingModelError or CheckpointError."""
        from ..models.c2f import saving
        from ..models.c2f.network import build_network

        spec = spec_of(self.size, self.published.without_z1)
        if self.source is None:
            return build_network(spec, self.schedule.seed)
        path = workspace.model(self.source) / _MODEL
        if not path.is_file():
            raise MissingModelError(
                f"no model {self.source} in {workspace.models}; make it with `c3d-export import` or"
                f" `c3d-export train --model {self.size}`"
            )
        return saving.load(path)[0]

    def config(self) -> StagedConfig:
        from ..train.staged import StagedConfig

        s, p = self.schedule, self.published
        distortion = p.distortion or "mse"
        plan = p.plan or ("app-specific" if self.source is None else "app-specific-tune")
        return StagedConfig(
            schedule=plan,
            steps=s.steps or _STEPS,
            distortion=distortion,
            weight=_weight(distortion, p.quality),
            base=_weight("mse", p.quality) if p.base else 0.0,
            seed=s.seed,
            batch=s.batch,
            crop=s.crop,
            learning_rate=s.learning_rate if _given("learning_rate") else 0.0,
        )


def run_published(
    request: Request, gather: Callable[[Workspace, list[str]], TrainingFrames], as_json: bool
) -> None:
    """Trains and saves one network. Its frames are whole: it gets no overlay."""
    workspace = find_workspace()
    _refuse_own_options()
    _weight("mse", request.published.quality)  # refuses a missing one before it is in a name
    target, folder = workspace.model(request.model) / _MODEL, workspace.runs / request.model
    if target.exists() and not request.schedule.force:
        raise OptionError(f"{target.parent} is trained already; add --force to replace it")
    frames = gather(workspace, list(request.games))
    trainer = _trainer(request, workspace, folder / _CHECKPOINT, frames)
    begin = time.monotonic()
    steps = _train(trainer, folder / _CHECKPOINT)
    _save(request, trainer, frames, target)
    (folder / _CHECKPOINT).unlink(missing_ok=True)
    _tell(target, request.model, steps, time.monotonic() - begin, as_json)


def _trainer(
    request: Request, workspace: Workspace, path: Path, frames: TrainingFrames
) -> StagedTrainer:
    from ..train.service import make_folder
    from ..train.staged import StagedTrainer

    notes = path.with_name("run.json")
    if request.schedule.resume:
        _check_frames(notes, frames)
        return StagedTrainer.resume(path, frames.pools)
    if path.exists() and not request.schedule.force:
        raise OptionError(
            f"{path.parent} has an unfinished run; continue it with --resume, or start over with"
            " --force"
        )
    trainer = StagedTrainer(request.network(workspace), request.config(), frames.pools)
    make_folder(path.parent)
    write_bytes_atomic(notes, jsonio.dumps(frames.to_json()))
    return trainer


def _check_frames(notes: Path, frames: TrainingFrames) -> None:
    """Raises OptionError where there is no run, or one with other frames."""
    if not notes.is_file():
        raise OptionError(f"{notes.parent} has no checkpoint to resume; leave --resume out")
    if jsonio.loads(notes.read_bytes(), CheckpointError, what=str(notes)) != frames.to_json():
        raise OptionError(
            f"the frames are not those that {notes.parent} was started with; bring them back, or"
            " start over with --force"
        )


def _save(request: Request, trainer: StagedTrainer, frames: TrainingFrames, target: Path) -> None:
    from dataclasses import asdict

    from ..models.c2f import saving
    from ..train.service import make_folder

    make_folder(target.parent)
    state = {
        "name": request.model,
        "stage": "train",
        "from": request.source,
        "games": list(request.games),
        "quality": request.published.quality,
        "config": asdict(trainer.config),
        "frames": frames.to_json(),
    }
    saving.save(target, trainer.network, state)


def _weight(distortion: str, quality: int | None) -> float:
    from ..models.c2f.presets import mse_lambda
    from ..train.objectives import published

    if quality is None:
        raise OptionError("a published network is for one rate point: give --quality, 1 to 10")
    return mse_lambda(quality) if distortion == "mse" else published(distortion, quality).weight


def _given(name: str) -> bool:
    context = click.get_current_context()
    return context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def _refuse_own_options() -> None:
    given = [f"--{name.replace('_', '-')}" for name in _OWN if _given(name)]
    given += ["--device cuda"] if click.get_current_context().params["device"] == "cuda" else []
    if given:
        raise OptionError(f"{', '.join(given)}: not for published models; leave it out")


def _train(trainer: StagedTrainer, path: Path) -> list[Step]:
    """The last hundred steps, for the figures at the end."""
    steps: list[Step] = []
    with progress("training", trainer.config.steps) as advance:

        def report(step: Step) -> None:
            steps[:] = [*steps[-99:], step]
            text = f"stage {step.stage}  {step.bpp:.3f} bpp  error {step.error:.4g}"
            advance(step.number, text)

        try:
            trainer.run(path, report)
        except KeyboardInterrupt:
            trainer.save(path)
            note(f"stopped at step {trainer.done}; continue with the same line and --resume")
            raise
    return steps


def _tell(path: Path, name: str, steps: list[Step], seconds: float, as_json: bool) -> None:
    count = max(1, len(steps))
    means = {key: sum(getattr(s, key) for s in steps) / count for key in ("loss", "bpp", "error")}
    number = steps[-1].number if steps else 0
    if as_json:
        print_json({"model": name, "path": str(path), "steps": number, "last": means})
        return
    figures = f"{means['bpp']:.3f} bpp, error {means['error']:.4g}"
    note(f"{path}: {number} steps in {duration(seconds)}, {figures} in the last {count}")
