"""The goals of `prune` and how its milliseconds are measured, as options of the command."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from ..core.errors import OptionError
from .numbers import Number
from .settings import threads_option

if TYPE_CHECKING:
    from ..models.spec import CodecSpec
    from ..prune.plan import Plan
    from ..prune.planner import Planner
    from ..prune.published.planner import Plan as PublishedPlan
    from ..prune.published.planner import Planner as PublishedPlanner

_DEFAULT_RATIO = 0.3
_OPTIONS = (
    click.option("--ratio", type=Number(), metavar="R", help="Share of MACs to remove [0.3]."),
    click.option(
        "--keep",
        type=Number(),
        metavar="S",
        help="Published models: share of every width that stays.",
    ),
    click.option(
        "--target-macs", "macs", type=Number(), metavar="X", help="MACs per pixel at most."
    ),
    click.option(
        "--target-ms",
        "ms",
        type=Number(),
        metavar="X",
        help="Milliseconds of the networks at most, measured on this host.",
    ),
    click.option("--to", metavar="SIZE", help="Widths of a smaller size, such as xsmall."),
    click.option(
        "--of",
        "way",
        type=click.Choice(["encode", "decode", "both"]),
        default="both",
        help="Which way --target-ms bounds; both: each of the two.",
    ),
    click.option(
        "--size", "pixels", default="720p", metavar="WxH", help="Frame of the milliseconds [720p]."
    ),
    click.option(
        "--flavour",
        type=click.Choice(["qlinear", "float"]),
        default="qlinear",
        help="Kind of graphs of the milliseconds.",
    ),
    threads_option,
    click.option("--again", is_flag=True, help="Measure anew what an earlier run has measured."),
)


@dataclass(frozen=True)
class Goal:
    """What to reach. Of ratio, macs, ms, to and keep at most one is given; none is a ratio of 0.3.
    ms and to are for the own family only, keep for the published ones.
    """

    ratio: float | None
    macs: float | None
    ms: float | None
    to: str | None
    way: str
    keep: float | None = None

    def check(self) -> None:
        """Raises OptionError for several goals, or a size that is none."""
        if [self.ratio, self.macs, self.ms, self.to, self.keep].count(None) < 4:
            raise OptionError(
                "give at most one of --ratio, --target-macs, --target-ms, --to and --keep"
            )
        if self.to is not None:
            self.spec()

    def spec(self) -> CodecSpec | None:
        """Of --to."""
        if self.to is None:
            return None
        from ..models.spec import spec_of_size

        return spec_of_size(self.to)

    def plan(self, planner: Planner) -> Plan:
        """Raises OptionError for a goal out of reach."""
        target = self.spec()
        if target is not None:
            return planner.by_target(target)
        if self.macs is not None:
            return planner.by_macs(self.macs)
        if self.ms is not None:
            return planner.by_ms(self.ms, self.way)
        return planner.by_ratio(_DEFAULT_RATIO if self.ratio is None else self.ratio)

    def plan_published(self, planner: PublishedPlanner) -> PublishedPlan:
        """Raises OptionError for a goal out of reach."""
        if self.keep is not None:
            return planner.by_share(self.keep)
        if self.macs is not None:
            return planner.by_macs(self.macs)
        return planner.by_ratio(_DEFAULT_RATIO if self.ratio is None else self.ratio)

    def text(self) -> str:
        """As on the command line."""
        if self.keep is not None:
            return f"--keep {self.keep:g}"
        if self.to is not None:
            return f"--to {self.to}"
        if self.macs is not None:
            return f"--target-macs {self.macs:g}"
        if self.ms is not None:
            return f"--target-ms {self.ms:g} --of {self.way}"
        return f"--ratio {_DEFAULT_RATIO if self.ratio is None else self.ratio:g}"


@dataclass(frozen=True)
class Measuring:
    """What milliseconds are measured on. threads: 0 for all cores. again: whatever is known."""

    pixels: str
    flavour: str
    threads: int
    again: bool

    def frame(self) -> tuple[int, int]:
        """Width and height; raises OptionError."""
        from ..core.sizes import parse_size

        return parse_size(self.pixels)


def goal_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options, which the command gets as `goal` and `measuring`."""

    @functools.wraps(command)
    def wrapped(
        ratio: float | None,
        keep: float | None,
        macs: float | None,
        ms: float | None,
        to: str | None,
        way: str,
        pixels: str,
        flavour: str,
        threads: int,
        again: bool,
        **others: Any,
    ) -> Any:
        goal = Goal(ratio, macs, ms, to, way, keep)
        measuring = Measuring(pixels, flavour, threads, again)
        return command(goal=goal, measuring=measuring, **others)

    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped
