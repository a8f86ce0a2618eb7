"""How the published networks were trained: rates, stages and schedules, as data."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import Final

LAMBDAS: Final = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.004, 0.01, 0.02, 0.04, 0.16)
"""Published weights of the squared error, low rates first, in the units of `PUBLISHED_UNIT`."""
PUBLISHED_UNIT: Final = 4.0
"""Squared grey levels in one unit there: frames of -1..1, errors times 255^2. So their 0.01 is
0.04 a squared grey level."""


def mse_lambda(quality: int) -> float:
    """Weight of the squared error in grey levels for a quality 1..10, low rates first.

    Raises IndexError outside.
    """
    if quality < 1:
        raise IndexError(quality)
    return PUBLISHED_UNIT * LAMBDAS[quality - 1]


@dataclass(frozen=True)
class Stage:
    """What takes part. coarse: the level of z1; else z2 has mean 0 and learned scales.
    reconstruction: the network with side information; else a layer on g_s's features makes
    the picture. helping: errors of z predicted from h are added, so that h keeps what z held.
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


@dataclass(frozen=True)
class Schedule:
    """A published run. Epochs: of all 256x256 crops, one per frame, in batches of 8.

    later: the epochs at which stages 2, 3 and 4 begin; 0 for those that are left out. halvings:
    the epochs at which Adam's learning rate halves. clip: largest norm of the gradient.
    Laws: `later` rises, and no epoch is beyond `epochs`.
    """

    epochs: int
    later: tuple[int, int, int]
    halvings: tuple[int, ...] = ()
    learning_rate: float = 1e-4
    clip: float = 10.0
    batch: int = 8
    crop: int = 256

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
    "app-specific-tune": Schedule(500, (0, 0, 0)),
}
"""By name: how a network is made. All rates of a game are tuned from one another."""
