"""The options of `train --task sr`, beside and instead of those of codecs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from ..core.errors import OptionError
from .schedule import check_device

F = TypeVar("F", bound=Callable[..., Any])

# Where `train` has other defaults for codecs.
_DEFAULTS = {"batch": 8, "crop": 128, "learning_rate": 0.05}

# Parameters that only codecs have, and those that only up-scalers have.
_CODEC_ONLY = ("size", "whole_frames", "quantize_from", "teacher", "teacher_weight", "save_every")
SR_ONLY = ("factor", "codec", "qualities")


def task_options(function: F) -> F:
    """Adds --task, and what only up-scalers have: --factor, --codec and --qualities."""
    options = (
        click.option("--task", type=click.Choice(["codec", "sr"]), default="codec",
                     show_default=True, help="A codec, or an up-scaler of decoded frames."),
        click.option("--factor", type=int, default=2, metavar="F",
                     help="How much an up-scaler enlarges: 2, 3 or 4 times."),
        click.option("--codec", metavar="BUNDLE",
                     help="Train an up-scaler on what this codec decodes."),
        click.option("--qualities", "qualities", metavar="Q,Q",
                     help="Rate points of --codec to train on; all by default."),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def check_task(task: str) -> None:
    """Raises OptionError for an option that means nothing to the task of the running command."""
    foreign = _CODEC_ONLY if task == "sr" else SR_ONLY
    for parameter in click.get_current_context().command.params:
        if parameter.name in foreign and _given(parameter.name):
            raise OptionError(f"{parameter.opts[0]} means nothing to --task {task}; leave it out")


def _given(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source is not ParameterSource.DEFAULT


@dataclass(frozen=True)
class SrOptions:
    """What the options say of a run; steps and minutes: at most one of them is given."""

    factor: int
    codec: str | None
    qualities: str | None
    source: str | None
    steps: int | None
    minutes: float | None
    learning_rate: float
    decay: str
    average: float
    batch: int
    crop: int
    seed: int
    device: str
    resume: bool
    force: bool

    @classmethod
    def of(cls, options: dict[str, Any]) -> SrOptions:
        """From the parameters of `train`, whose defaults are those of codecs."""
        own = {name: options[name] for name in cls.__dataclass_fields__}
        return cls(**own | {name: v for name, v in _DEFAULTS.items() if not _given(name)})

    def check(self) -> None:
        """Raises OptionError for options that contradict one another."""
        length = self.steps is not None, self.minutes is not None
        if all(length):
            raise OptionError("give either --steps or --minutes, not both")
        if self.resume and any(length):
            raise OptionError("a resumed run keeps its schedule; leave --steps and --minutes out")
        if self.codec is None and self.qualities is not None:
            raise OptionError("--qualities is of a codec; name it with --codec")
        check_device(self.device)

    def text(self, steps: int) -> str:
        """The options of a finished run, for the record."""
        parts = [f"--factor {self.factor} --steps {steps}"]
        if self.minutes is not None:
            parts.append(f"(--minutes {self.minutes:g})")
        named = {"codec": self.codec, "qualities": self.qualities, "from": self.source}
        parts += [f"--{name} {value}" for name, value in named.items() if value is not None]
        parts += [f"--learning-rate {self.learning_rate} --decay {self.decay}"]
        parts += [f"--average {self.average} --batch {self.batch} --crop {self.crop}"]
        return " ".join([*parts, f"--device {self.device} --seed {self.seed}"])
