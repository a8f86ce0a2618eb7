"""The options of the published networks, and what they ask for: widths, rates, schedules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from ..core.errors import OptionError

if TYPE_CHECKING:
    from ..models.families import Family, Spec
    from ..models.saving import Saved
    from ..train.objectives import Objective
    from ..train.staged import StagedConfig
    from .schedule import Schedule

F = TypeVar("F", bound=Callable[..., Any])

# The options of `train` and `finetune` that only the own family has.
_OWN: Final = ("minutes", "quantize_from", "decay", "average", "teacher", "teacher_weight")
_SCHEDULES: Final = ("coarse-to-fine", "app-specific", "app-specific-tune", "study")
_NAMES: Final = {"base": "mse-base", "plan": "schedule", "without_z1": "without-z1"}

_QUALITY: Final = click.option(
    "--quality", type=click.IntRange(1, 10), metavar="Q",
    help="Published models: the rate point that the network is for; 1 to 8, c2f by squared error"
    " 1 to 10.",
)  # fmt: skip
_DISTORTION: Final = click.option(
    "--distortion", type=click.Choice(["mse", "ms-ssim"]),
    help="Published models: what is minimised beside the rate; mse by default.",
)  # fmt: skip
_PLAN: Final = click.option(
    "--schedule", "plan", type=click.Choice(_SCHEDULES),
    help="Published models: stages and rates, stretched to --steps.",
)  # fmt: skip
_BASE: Final = click.option(
    "--mse-base", "base", is_flag=True,
    help="Published models: half of the steps by squared error first.",
)  # fmt: skip
_WITHOUT_Z1: Final = click.option(
    "--without-z1", is_flag=True, help="c2f models: without the coarsest level."
)
_WIDTHS: Final = click.option(
    "--widths", metavar="N,M",
    help="mbt2018 models: channels of the layers and of the latents, other than published.",
)  # fmt: skip
out_option: Final = click.option(
    "-o", "--out", metavar="NAME", help="Published models: name of the result in the workspace."
)


def refuse_out(out: str | None) -> None:
    """Raises OptionError where a name is given to what has one by its game and size."""
    if out is not None:
        raise OptionError("-o: only for published models; others are named after game and size")


@dataclass(frozen=True)
class Published:
    """The options of these networks; None or False where they are not given."""

    quality: int | None = None
    distortion: str | None = None
    base: bool = False
    plan: str | None = None
    without_z1: bool = False
    widths: str | None = None

    def given(self) -> dict[str, Any]:
        """Those that are given: as on the command line, and their values."""
        values = {f"--{_NAMES.get(f.name, f.name)}": getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in values.items() if value not in (None, False)}

    def check_absent(self) -> None:
        """Raises OptionError where one is given for a network of the own family."""
        if given := ", ".join(self.given()):
            raise OptionError(f"{given}: only for published models, as --model c2f-small")

    def text(self) -> str:
        """As on the command line, from a space on."""
        pairs = self.given().items()
        return "".join(f" {name}" if value is True else f" {name} {value}" for name, value in pairs)

    def objective(self, family: Family) -> Objective:
        """Raises OptionError where no quality is given, or one that the family has not."""
        if self.quality is None:
            raise OptionError("a published network is for one rate point: give --quality")
        return family.objective(self.distortion or "mse", self.quality)

    def config(self, s: Schedule, objective: Objective, plan: str, steps: int) -> StagedConfig:
        """Of a run; plan, steps: where the options name none. Raises OptionError."""
        from ..train.staged import StagedConfig

        return StagedConfig(
            schedule=self.plan or plan,
            steps=s.steps or steps,
            distortion=objective.distortion,
            weight=objective.weight,
            seed=s.seed,
            batch=s.batch if _given("batch") else 0,
            crop=s.crop if _given("crop") else 0,
            learning_rate=s.learning_rate if _given("learning_rate") else 0.0,
        )


def rate_json(quality: int | None, objective: Objective) -> dict[str, Any]:
    """What a saved model says of the point that it is for; quality: None where it is unknown."""
    return {"quality": quality, **asdict(objective)}


def rate_of(saved: Saved, options: Published) -> tuple[int | None, Objective]:
    """Quality and objective of a network that exists: what the options ask for, else its own.

    Raises OptionError where neither says so, as for an imported network.
    """
    from ..train.objectives import Objective
    from ..train.service import lineage

    known = [s.get("rate", s.get("config")) for s in reversed(lineage(saved.state))]
    own: dict[str, Any] = next((rate for rate in known if rate), {})
    quality = options.quality or own.get("quality")
    if options.quality or options.distortion:
        asked = replace(options, quality=quality)
        distortion = options.distortion or own.get("distortion")
        return quality, replace(asked, distortion=distortion).objective(saved.family)
    if not own:
        raise OptionError(
            "nothing says for which rate point this network is: give --quality, and --distortion"
            " where it is not mse"
        )
    return quality, Objective(own["distortion"], own["weight"])


def train_options(function: F) -> F:
    """Adds the options of `Published`, and the name of the result."""
    return _with(function, (_QUALITY, _DISTORTION, _BASE, _PLAN, _WITHOUT_Z1, _WIDTHS, out_option))


def tune_options(function: F) -> F:
    """Adds those that a network which exists leaves open, and the name of the result."""
    return _with(function, (_QUALITY, _DISTORTION, _PLAN, out_option))


def rate_options(function: F) -> F:
    """Adds those that say what counts, and the name of the result."""
    return _with(function, (_QUALITY, _DISTORTION, out_option))


def _with(function: F, options: tuple[Callable[[F], F], ...]) -> F:
    for option in reversed(options):
        function = option(function)
    return function


def refuse_own_options() -> None:
    """Raises OptionError where an option is given that these networks do not take."""
    given = [f"--{name.replace('_', '-')}" for name in _OWN if _given(name)]
    given += ["--device cuda"] if click.get_current_context().params["device"] == "cuda" else []
    if given:
        raise OptionError(f"{', '.join(given)}: not for published models; leave it out")


def _given(name: str) -> bool:
    context = click.get_current_context()
    return context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def is_published(size: str) -> bool:
    return size.startswith(("c2f-", "mbt2018"))


def resolve(size: str, options: Published) -> tuple[Spec, Published]:
    """The widths of a name, and the options with the quality that the name may have.

    Raises OptionError for an unknown name and for options of another family.
    """
    if size.startswith("c2f-"):
        if options.widths:
            raise OptionError("--widths: only for mbt2018 models; a c2f model has its own")
        return _c2f(size, options.without_z1), options
    if options.without_z1:
        raise OptionError("--without-z1: only for c2f models; mbt2018 models have no such level")
    from ..models.mbt.spec import QUALITIES, SPECS

    if size not in SPECS:
        raise OptionError(f"unknown model {size!r}; choose one of {', '.join(SPECS)}")
    architecture = SPECS[size].architecture
    if size != architecture and options.quality is None:
        options = replace(options, quality=int(size.rpartition("-")[2]))
    if options.widths:
        return _uniform(architecture, options.widths), options
    if size != architecture or options.quality is None:
        return SPECS[size], options
    if options.quality > len(QUALITIES[architecture]):
        raise OptionError(
            f"no quality {options.quality}; choose 1 to {len(QUALITIES[architecture])}"
        )
    return replace(SPECS[f"{size}-{options.quality}"], name=size), options


def _c2f(size: str, without_z1: bool) -> Spec:
    from ..models.c2f.spec import SIZES

    if size not in SIZES:
        raise OptionError(f"unknown model {size!r}; choose one of {', '.join(SIZES)}")
    return SIZES[size].without_z1() if without_z1 else SIZES[size]


def _uniform(architecture: str, widths: str) -> Spec:
    from ..models.mbt.spec import uniform_spec

    try:
        n, m = (int(part) for part in widths.split(","))
        return uniform_spec(f"{architecture}-{n}x{m}", architecture, n, m)
    except ValueError as error:
        raise OptionError(
            f"--widths {widths}: give two numbers of channels, as 128,192 ({error})"
        ) from error
