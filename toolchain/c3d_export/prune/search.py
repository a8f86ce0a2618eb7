"""From a goal in MACs to widths: how much each stage gives.

Operations at 1/8 cost four times those at 1/16, and EVC (Wang et al., ICLR 2023) finds them the
cheapest to lose: 4.2 times fewer decoder MACs for 8.6 % of rate by slimming the high-resolution
stages alone, never the latents or the prior. So the 1/8 stages of g_a and g_s give twice the
share of the 1/16 ones, down to a quarter of their width, and h_a, h_s and g_ep give nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from ..models.spec import PATCH
from .widths import is_transform, resolution

MIN_WIDTH = 16
"""Fewer channels leave most of an int8 kernel's lanes empty."""
MAX_SHARE = 0.75
"""No width falls below a quarter of what it was: less is another network, to be trained anew."""
HIGH_FACTOR = 2.0
HALVINGS = 40
"""Bisections of the share: far below what one channel of a thousand would change."""

Widths = Mapping[str, int]


def smallest(now: int, multiple: int) -> int:
    """The least width that `now` may be cut to."""
    floor = max(MIN_WIDTH, now * (1.0 - MAX_SHARE))
    return min(now, math.ceil(floor / multiple) * multiple)


def slimmed(now: Widths, share: float, multiple: int) -> dict[str, int]:
    """Widths after every 1/16 stage gave `share` (0 to 0.75) and every 1/8 stage twice that."""
    return {name: _slim(name, width, share, multiple) for name, width in now.items()}


def _slim(name: str, now: int, share: float, multiple: int) -> int:
    if not is_transform(name):
        return now
    factor = HIGH_FACTOR if resolution(name) == PATCH else 1.0
    given = min(MAX_SHARE, factor * share)
    nearest = round(now * (1.0 - given) / multiple) * multiple
    return min(now, max(smallest(now, multiple), nearest))


def fit(
    now: Widths, macs: Callable[[Widths], float], limit: float, multiple: int
) -> dict[str, int] | None:
    """The widest widths of the rule above with macs(widths) <= limit; None where none has.

    Bisection on the share, then what the common step took too much is given back, one step of
    `multiple` a width, to the 1/16 stages first.
    """
    if macs(now) <= limit:
        return dict(now)
    low, high = 0.0, MAX_SHARE
    if macs(slimmed(now, high, multiple)) > limit:
        return None
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if macs(slimmed(now, middle, multiple)) > limit:
            low = middle
        else:
            high = middle
    return _give_back(now, slimmed(now, high, multiple), macs, limit, multiple)


def _give_back(
    now: Widths,
    then: dict[str, int],
    macs: Callable[[Widths], float],
    limit: float,
    multiple: int,
) -> dict[str, int]:
    for name in sorted(then, key=resolution, reverse=True):
        wider = {**then, name: min(now[name], then[name] + multiple)}
        if macs(wider) <= limit:
            then = wider
    return then
