"""How the published networks were trained: stages, lengths and rates, as data."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import Final


@dataclass(frozen=True)
class Stage:
    """What takes part. coarse: the level of z1; else z2 has mean 0 and learned scales.
    reconstruction: the network with side information; else a layer on g_s's features makes
    the picture. helping: errors of z predicted from h are added, so that h keeps what z held.
    Networks that have no such parts are whole in every stage.
    """

    number: int
    coarse: bool
    reconstruction: bool
    helping: bool


STAGES: Final = (
    Stage(1, coarse=False, reconstruction=False, helping=True),
    Stage(2, coarse=True, reconstruction=False, helping=True),
    Stage(3, coarse=True, reconstruction=True, helping=True),
    Stage(4, coarse=True, reconstruction=True, helping=False),
)
WHOLE: Final = STAGES[-1]
"""The network as it is used, and its loss alone."""
AT_ONCE: Final = (0, 0, 0)


@dataclass(frozen=True)
class Schedule:
    """A published run. Epochs: of all crops, one per frame.

    later: the epochs at which stages 2, 3 and 4 begin; 0 for those that are left out. halvings:
    the epochs at which Adam's learning rate halves. clip: largest norm of the gradient. crop:
    pixels a side. Laws: `later` rises, and no epoch is beyond `epochs`.
    """

    epochs: int
    later: tuple[int, int, int]
    halvings: tuple[int, ...] = ()
    learning_rate: float = 1e-4
    clip: float = 10.0
    batch: int = 8
    crop: int = 256

    @property
    def staged(self) -> bool:
        """Whether it has stages that only the coarse-to-fine networks know."""
        return self.later != AT_ONCE

    def stage(self, share: float) -> Stage:
        """The stage after this share of the run, 0..1."""
        return STAGES[sum(share * self.epochs >= first for first in self.later)]

    def rate(self, share: float) -> float:
        """The learning rate after this share of the run, 0..1."""
        passed = takewhile(lambda epoch: share * self.epochs >= epoch, self.halvings)
        return self.learning_rate * 0.5 ** len(tuple(passed))


SCHEDULES: Final = {
    # The training script of Hu et al.; its scheduler counts from stage 3 on.
    "coarse-to-fine": Schedule(5500, (1000, 1200, 1300), (3900, 4400, 4650, 4900)),
    # AppSpecificLIC from nothing, and for a further game or rate from a trained network.
    "app-specific": Schedule(2500, (1000, 1200, 1300)),
    "app-specific-tune": Schedule(500, AT_ONCE),
    # The synthetic-image study: crops and clipping; its batches and lengths are not published.
    "study": Schedule(1, AT_ONCE, clip=1.0, crop=512),
}
"""By name: how a network is made."""
