"""The published families: what training, pruning and files need of each, in one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ..core.errors import OptionError
from ..train.objectives import Objective, published
from .c2f import network as c2f_network
from .c2f.network import CoarseToFine
from .c2f.presets import LAMBDAS as C2F_LAMBDAS
from .c2f.presets import mse_lambda
from .c2f.scaffold import Scaffold as C2FScaffold
from .c2f.spec import C2FSpec
from .mbt import network as mbt_network
from .mbt.network import MeanScaleHyperprior
from .mbt.scaffold import Scaffold as MbtScaffold
from .mbt.spec import MbtSpec
from .scaffold import Scaffold

Network = CoarseToFine | MeanScaleHyperprior
Spec = C2FSpec | MbtSpec


@dataclass(frozen=True)
class Family:
    """name: the package under models/, and what saved files say. title: for messages. build: spec,
    seed to a fresh network. scaffold: what trains a network. objective: of a distortion and a
    quality; raises OptionError. schedule, tuning: names in SCHEDULES, for a network from nothing
    and for one that goes on.
    """

    name: str
    title: str
    network: type[Network]
    spec: type[Spec]
    build: Callable[..., Network]
    scaffold: Callable[..., Scaffold]
    objective: Callable[[str, int], Objective]
    schedule: str
    tuning: str

    def read_spec(self, data: dict[str, Any]) -> Spec:
        """Of plain JSON values; raises KeyError, TypeError, ValueError on others."""
        return self.spec.from_json(data)


def _c2f_objective(distortion: str, quality: int) -> Objective:
    if distortion != "mse":
        return published(distortion, quality)
    if not 1 <= quality <= len(C2F_LAMBDAS):
        raise OptionError(f"no quality {quality}; choose 1 to {len(C2F_LAMBDAS)}")
    return Objective(distortion, mse_lambda(quality))


FAMILIES: Final = {
    family.name: family
    for family in (
        Family(
            "c2f",
            "a coarse-to-fine network",
            CoarseToFine,
            C2FSpec,
            c2f_network.build_network,
            C2FScaffold,
            _c2f_objective,
            schedule="app-specific",
            tuning="app-specific-tune",
        ),
        Family(
            "mbt",
            "an mbt2018 or mbt2018-mean",
            MeanScaleHyperprior,
            MbtSpec,
            mbt_network.build_network,
            MbtScaffold,
            published,
            schedule="study",
            tuning="study",
        ),
    )
}
"""By what saved files say under "family"."""


def family_of(network: Network) -> Family:
    """The family that a network is of."""
    return next(f for f in FAMILIES.values() if isinstance(network, f.network))


def family_of_spec(spec: Spec) -> Family:
    """The family whose widths these are."""
    return next(f for f in FAMILIES.values() if isinstance(spec, f.spec))
