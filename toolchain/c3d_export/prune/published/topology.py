"""What slimming has to know of a family: its widths by name, and how they are laid out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...core.errors import OptionError
from ...models.families import Network, Spec
from .graph import Graph

Widths = Mapping[str, int]
Side = tuple[str, str]
"""Path of a layer and which of its channels: "in", "out", or "both" where these are the same."""


@dataclass(frozen=True)
class Topology:
    """One family.

    widths_of: every width of a spec by name, in the order of the dataflow. rebuilt: a spec with
    such widths. sizes_of: of widths, the channels of each group: the widths themselves, and of what
    follows from them with channels of its own. entry: of a spec and a group, where the graph is
    entered: a layer, "in" or "out", its first channel there. trace: a network to its graph; the
    network is used up. taps: multiplications per pixel of a frame for each pair of an input and
    an output channel, by layer, where the kernel and the places of outputs do not say it.
    latents: the widths that are coded. colours: the sides that no group may reach. first: groups
    that are to be cut before others, whose cut would move them. parameter: one of no layer.
    """

    widths_of: Callable[[Any], dict[str, int]]
    rebuilt: Callable[[Any, Widths], Spec]
    sizes_of: Callable[[Widths], dict[str, int]]
    entry: Callable[[Any, str], tuple[str, str, int]]
    trace: Callable[[Any], Graph]
    taps: Callable[[Network, str], float | None]
    latents: tuple[str, ...]
    colours: tuple[Side, ...]
    first: tuple[str, ...] = ()
    parameter: str = ""

    def with_widths(self, spec: Spec, widths: Widths) -> Spec:
        """`spec` with these widths, named as in `widths_of`, all of them.

        Raises OptionError on a missing or unknown name and on a width that grows or vanishes.
        """
        now = self.widths_of(spec)
        if odd := sorted(now.keys() ^ widths.keys()):
            raise OptionError(f"widths are named {', '.join(now)}; not right: {', '.join(odd)}")
        for name, width in widths.items():
            if not 1 <= width <= now[name]:
                raise OptionError(f"{name} is {now[name]} wide and cannot become {width}")
        return self.rebuilt(spec, widths)

    def scaled(self, spec: Spec, share: float) -> dict[str, int]:
        """All widths times this share, 0..1, rounded up. Raises OptionError outside."""
        if not 0 < share <= 1:
            raise OptionError(
                f"a share of {share} of the widths cannot stay; choose one above 0, up to 1"
            )
        widths = self.widths_of(spec)
        return {name: max(1, -int(-width * share // 1)) for name, width in widths.items()}
