"""From a network and a goal to a plan."""

from __future__ import annotations

import copy
from collections.abc import Mapping

from ..core.errors import OptionError
from ..models.network import Codec
from ..models.spec import CodecSpec
from .cost import cost_of
from .graph import trace
from .groups import Width, widths_of
from .importance import Importance, magnitude_importance
from .latency import Latency, Shape
from .plan import Plan, describe
from .search import STEP, Losses, Objective, least, slim
from .target import target_widths
from .timing import WAYS, Clock, Range, shapes_needed
from .widths import with_widths

HD = (1280, 720)
"""Width and height of the frames whose milliseconds count, unless told otherwise."""


class Planner:
    """What may be cut from one network. The network is left as it is.

    importance: says what a goal costs, and which blocks a target loses; by magnitude without one.
    step: widths that shrink become multiples of it, at least 16.
    """

    def __init__(
        self, model: Codec, importance: Importance | None = None, step: int = STEP
    ) -> None:
        if step < 1:
            raise OptionError(f"widths cannot be multiples of {step}; 16 suits the int8 kernels")
        graph = trace(copy.deepcopy(model))
        self.spec, self.step = model.spec, step
        self.parts = widths_of(graph)
        self.cost = cost_of(graph, self.parts)
        self.now = {width.name: width.now for width in self.parts}
        self.importance = importance or magnitude_importance(model)
        self.clock: Clock | None = None

    def shapes(self, size: tuple[int, int] = HD, target: CodecSpec | None = None) -> list[Shape]:
        """What has to be measured on frames of `size` (width, height) before `use_latency`."""
        return shapes_needed(self.cost, self._range(size, target))

    def use_latency(
        self, latency: Latency, size: tuple[int, int] = HD, target: CodecSpec | None = None
    ) -> None:
        """Plans from now on have milliseconds. latency: with every shape of `shapes`."""
        self.clock = Clock(self.cost, self._range(size, target), latency)

    def disagreement(self) -> float:
        """By what share the sum of all layers differs from what the graphs take; 0 unmeasured."""
        if self.clock is None:
            return 0.0
        layers = sum(self.clock.layer(layer, self.now) for layer in self.cost.layers)
        return abs(layers / sum(self.clock.latency.graphs.values()) - 1.0)

    def by_ratio(self, ratio: float, name: str | None = None) -> Plan:
        """Removes this share of the MACs of g_a and g_s, 0 <= ratio < 1, or a little more.

        Like the other goals, raises OptionError where it is out of reach, and says what is not.
        """
        if not 0.0 <= ratio < 1.0:
            raise OptionError(f"ratio {ratio} is no share of MACs: choose 0 or more and below 1")
        full = self.cost.of_transforms(self.now)
        then = self._slim(self.cost.of_transforms, full * (1.0 - ratio))
        if (left := self.cost.of_transforms(then)) > full * (1.0 - ratio):
            raise OptionError(
                f"ratio {ratio} is out of reach: the smallest widths remove {1 - left / full:.3f}"
                " (the linear paths stay); choose less, or train a smaller network"
            )
        return self.by_widths(then, name)

    def by_macs(self, target: float, name: str | None = None) -> Plan:
        """At most so many MACs per pixel in the whole network."""
        then = self._slim(self.cost.total, target)
        if not (left := self.cost.total(then)) <= target:
            raise OptionError(
                f"{target} MACs per pixel are out of reach: with the smallest widths in g_a and g_s"
                f" {left:.0f} remain; choose more, or train a smaller network"
            )
        return self.by_widths(then, name)

    def by_ms(self, target: float, way: str = "both", name: str | None = None) -> Plan:
        """At most so many milliseconds in the networks of a way: "encode", "decode", or "both",
        each of the two. After `use_latency`."""
        clock = self.clock
        if clock is None:
            raise OptionError("a goal in milliseconds needs a measured table: call use_latency")
        if way not in (*WAYS, "both"):
            raise OptionError(f"unknown way {way!r}; choose encode, decode or both")

        def objective(widths: Mapping[str, int]) -> float:
            return clock.of_way(way, widths)

        then = self._slim(objective, target)
        if not (left := objective(then)) <= target:
            raise OptionError(
                f"{target:g} ms are out of reach for {way}: with the smallest widths in g_a and g_s"
                f" {left:.1f} ms remain of {objective(self.now):.1f}; choose more, or train a"
                " smaller network"
            )
        return self.by_widths(then, name)

    def by_target(self, target: CodecSpec, name: str | None = None) -> Plan:
        """To a spec of the family with smaller widths, also in h_a, h_s and g_ep, and with as many
        or fewer residual blocks: the least important go."""
        return self.by_widths(
            target_widths(self.spec, target, self.importance), name or target.name
        )

    def by_widths(self, then: Mapping[str, int], name: str | None = None) -> Plan:
        """To these widths, as they are: of every name of `now`, 0 for a block that goes."""
        after = with_widths(self.spec, then).renamed(name or self.spec.name)
        return describe(self.spec, after, self.cost, self.parts, then, self.step, self.clock)

    def _slim(self, objective: Objective, limit: float) -> dict[str, int]:
        return slim(self.now, self._losses(), objective, limit, self.step)

    def _losses(self) -> Losses:
        return {width.name: self._loss(width) for width in self.parts}

    def _loss(self, width: Width) -> list[float]:
        parts = [(part.factor, self.importance.losses(part.name)) for part in width.parts]
        return [
            sum(losses[factor * count] for factor, losses in parts)
            for count in range(width.now + 1)
        ]

    def _range(self, size: tuple[int, int], target: CodecSpec | None) -> Range:
        low = least(self.now, self.step)
        if target is not None:
            then = target_widths(self.spec, target, self.importance)
            low = {name: min(width, then[name] or width) for name, width in low.items()}
        return Range(low, self.now, size)
