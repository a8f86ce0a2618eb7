"""The options of a run of training: its length, rates, crops and device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..core.errors import OptionError, ProviderMissingError
from .numbers import Number
from .settings import force_option, seed_option

if TYPE_CHECKING:
    from ..train.config import TrainConfig

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Schedule:
    """What the options say of a run. steps and minutes: at most one of them is given."""

    steps: int | None
    minutes: float | None
    quantize_from: float
    learning_rate: float
    decay: str
    average: float
    teacher: str | None
    teacher_weight: float
    batch: int
    crop: int
    seed: int
    device: str
    save_every: int
    resume: bool
    force: bool

    def check(self) -> None:
        if self.steps is not None and self.minutes is not None:
            raise OptionError("give either --steps or --minutes, not both")
        if self.resume and (self.steps is not None or self.minutes is not None):
            raise OptionError("a resumed run keeps its schedule; leave --steps and --minutes out")
        check_device(self.device)
        if self.crop % 64:
            raise OptionError(f"--crop {self.crop} is no multiple of 64; choose 128 or 256")

    def text(self, steps: int) -> str:
        measured = "" if self.minutes is None else f" (--minutes {self.minutes:g})"
        shape = f"--batch {self.batch} --crop {self.crop} --device {self.device}"
        rate = f"--learning-rate {self.learning_rate} --decay {self.decay}"
        kept = f"--quantize-from {self.quantize_from} --average {self.average}"
        taught = ""
        if self.teacher is not None:
            taught = f" --teacher {self.teacher} --teacher-weight {self.teacher_weight}"
        return f"--steps {steps}{measured} {rate} {kept}{taught} {shape} --seed {self.seed}"


def check_device(device: str) -> None:
    """Raises ProviderMissingError where torch has no such device."""
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise ProviderMissingError(
            "torch has no CUDA device here; leave --device cuda out, or install a CUDA build of"
            " torch on a host with a GPU"
        )


def schedule_options(
    quantize_from: float, learning_rate: float, decay: str = "cosine"
) -> Callable[[F], F]:
    """The options of a schedule, as one argument `schedule` of the command."""
    options = (
        click.option("--steps", type=click.IntRange(min=1), metavar="N", help="Length of the run."),
        click.option("--minutes", type=Number(), metavar="M", help="As many steps as fit into M."),
        click.option("--quantize-from", type=Number(), default=quantize_from, show_default=True,
                     metavar="SHARE", help="Share of the steps before integer simulation."),
        click.option("--learning-rate", type=Number(0.0, min_open=True), default=learning_rate,
                     show_default=True,
                     help="At first; this, --batch and --crop of published models are their"
                     " schedule's where they are not given."),
        click.option("--decay", type=click.Choice(["cosine", "linear", "late"]), default=decay,
                     show_default=True, help="How the learning rate falls to zero."),
        click.option("--average", type=Number(0.0, 1.0, max_open=True), default=0.998,
                     show_default=True, metavar="DECAY",
                     help="Of the moving average of the weights, which is what is kept."),
        click.option("--teacher", metavar="NAME",
                     help="A model of the workspace whose pictures to come near to."),
        click.option("--teacher-weight", type=Number(0.0, 1.0), default=0.5,
                     show_default=True, metavar="W",
                     help="Share of the error that is against the teacher's picture."),
        click.option("--batch", type=click.IntRange(min=1), default=8, show_default=True),
        click.option("--crop", type=click.IntRange(min=64), default=256, show_default=True),
        click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu",
                     show_default=True, help="Where the network trains."),
        seed_option,
        click.option("--save-every", type=click.IntRange(min=1), default=200, show_default=True,
                     metavar="N", help="Steps from one checkpoint to the next."),
        click.option("--resume", is_flag=True, help="Continue the run that was stopped."),
        force_option,
    )  # fmt: skip

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def configs(
    make: Callable[..., TrainConfig], s: Schedule, fresh: bool
) -> Callable[[int], TrainConfig]:
    from ..train.precision import usual_precision
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
            average=s.average,
            decay=s.decay,
            teacher_weight=0.0 if s.teacher is None else s.teacher_weight,
            device=s.device,
            save_every=s.save_every,
            precision=usual_precision(s.device),
            quantize_from=quantize_step(s.quantize_from, steps),
        )

    return config
