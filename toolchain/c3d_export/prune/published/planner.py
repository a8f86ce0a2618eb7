"""From a published network and a goal to the widths that it is cut to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ...core.errors import OptionError
from ...models.families import Network, Spec
from ..importance import Importance
from ..search import slim
from .cost import Cost, cost_of, of_ways
from .families import topology_of
from .groups import groups_of

STEP: Final = 8
"""Widths become multiples of it: what float kernels take at once on AVX2. In steps of 16, which
the own family's integer kernels want, narrow networks lose more (docs/published-models.md)."""


@dataclass(frozen=True)
class Plan:
    """before, after: the specs. now, then: every width by name. macs_now, macs_then: MACs per pixel
    by part of the network."""

    before: Spec
    after: Spec
    now: Mapping[str, int]
    then: Mapping[str, int]
    macs_now: Mapping[str, float]
    macs_then: Mapping[str, float]

    @property
    def ratio(self) -> float:
        """Share of all MACs that goes, 0 to 1."""
        return 1.0 - sum(self.macs_then.values()) / sum(self.macs_now.values())

    def totals(self) -> dict[str, tuple[float, float]]:
        """MACs per pixel now and then: of each part, of "encode" and "decode"."""
        ways = of_ways(self.macs_now), of_ways(self.macs_then)
        now, then = ({**macs, **way} for macs, way in zip(
            (self.macs_now, self.macs_then), ways, strict=True))  # fmt: skip
        return {name: (macs, then[name]) for name, macs in now.items()}

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "ratio": self.ratio,
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "widths_now": dict(self.now),
            "widths_then": dict(self.then),
            "macs_now": dict(self.macs_now),
            "macs_then": dict(self.macs_then),
        }


class Planner:
    """What may be cut from one network, which is left as it is.

    importance: says what a goal costs. Latents keep their number, but for `by_share`: they are
    cheap, and what is coded goes through them (EVC, Wang et al., ICLR 2023).
    """

    def __init__(self, model: Network, importance: Importance) -> None:
        self.topology, self.spec, self.importance = topology_of(model), model.spec, importance
        self.now = self.topology.widths_of(model.spec)
        self.cost: Cost = cost_of(model, groups_of(model))

    def by_ratio(self, ratio: float) -> Plan:
        """Removes this share of all MACs, 0 <= ratio < 1, or a little more.

        Like `by_macs`, raises OptionError where it is out of reach, and says what is not.
        """
        if not 0.0 <= ratio < 1.0:
            raise OptionError(f"ratio {ratio} is no share of MACs: choose 0 or more and below 1")
        full = self.cost.total(self.now)
        then = self._slim(full * (1.0 - ratio))
        if (left := self.cost.total(then)) > full * (1.0 - ratio):
            raise OptionError(
                f"ratio {ratio} is out of reach: the smallest widths remove {1 - left / full:.3f};"
                " choose less, or a share of all widths with --keep"
            )
        return self.by_widths(then)

    def by_macs(self, target: float) -> Plan:
        """At most so many MACs per pixel, each layer counted once."""
        then = self._slim(target)
        if not (left := self.cost.total(then)) <= target:
            raise OptionError(
                f"{target:g} MACs per pixel are out of reach: with the smallest widths {left:.0f}"
                " remain; choose more, or a share of all widths with --keep"
            )
        return self.by_widths(then)

    def by_share(self, share: float) -> Plan:
        """This share of every width stays, latents too, 0 < share <= 1."""
        return self.by_widths(self.topology.scaled(self.spec, share))

    def by_widths(self, then: Mapping[str, int]) -> Plan:
        """To these widths. Raises OptionError where they are none of this network."""
        after = self.topology.with_widths(self.spec, then)
        macs = self.cost.by_part(self.now), self.cost.by_part(then)
        return Plan(self.spec, after, self.now, dict(then), *macs)

    def _slim(self, limit: float) -> dict[str, int]:
        losses = {name: self.importance.losses(name) for name in self.now}
        kept = self.topology.latents
        return slim(
            self.now, losses, self.cost.total, limit, STEP, free=lambda name: name not in kept
        )
