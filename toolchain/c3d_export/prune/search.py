"""From a goal to widths: what costs much and does little goes first.

One step is to take a slice of channels from one width, the least important of its channels, or
to leave out a whole residual block. Of all steps the one that loses least importance for what it
saves (milliseconds or multiply-accumulates) is taken, until the goal is reached. Cf. EVC (Wang et
al., ICLR 2023): what is expensive and may go are the high-resolution stages of g_a and g_s, never
the latents or the prior, so h_a, h_s and g_ep give nothing here either.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from .widths import block_path, is_block, is_transform

MIN_WIDTH = 16
"""Fewer channels leave most of an int8 kernel's lanes empty."""
STEP = 16
"""Widths become multiples of it: measured, 24 outputs take as long as 32, and a depthwise layer of
24 channels twice as long as one of 32 (docs/pruning.md)."""
MIN_SHARE = 0.25
"""No width and no trunk of blocks falls below a quarter of what it was: less is another network,
to be trained anew."""

Widths = Mapping[str, int]
Objective = Callable[[Widths], float]
Losses = Mapping[str, Sequence[float]]
"""By name of a width: the importance that is lost where so many channels stay, 0 to all."""


def smallest(now: int, step: int) -> int:
    """The least width that `now` may be cut to."""
    return min(now, math.ceil(max(MIN_WIDTH, now * MIN_SHARE) / step) * step)


def least(now: Widths, step: int) -> dict[str, int]:
    """Every width at its least, all blocks present: the far end of what a search may ask for."""
    return {n: smallest(w, step) if is_transform(n) else w for n, w in now.items()}


def slim(
    now: Widths,
    losses: Losses,
    objective: Objective,
    limit: float,
    step: int = STEP,
    free: Callable[[str], bool] = is_transform,
) -> dict[str, int]:
    """Widths with objective(widths) <= limit; where that is out of reach, the least there is.

    free: of a name, whether that width may shrink.
    What the last step took too much is given back, the most important channels first.
    """
    then = dict(now)
    while objective(then) > limit:
        moved = _best(now, then, losses, objective, step, free)
        if moved is None:
            return then
        then = moved
    return _give_back(now, then, losses, objective, limit, step)


def _best(
    now: Widths,
    then: dict[str, int],
    losses: Losses,
    objective: Objective,
    step: int,
    free: Callable[[str], bool],
) -> dict[str, int] | None:
    """After the best step from here, None where none saves anything."""
    full = objective(then)
    found, least_rate = None, (math.inf, 0.0)
    for name, width in _moves(now, then, step, free):
        moved = {**then, name: width}
        saved = full - objective(moved)
        if saved <= 0:
            continue
        lost = losses[name][width] - losses[name][then[name]]
        # Of steps that lose nothing, the one that saves most.
        if (rate := (lost / saved, -saved)) < least_rate:
            found, least_rate = moved, rate
    return found


def _moves(
    now: Widths, then: Widths, step: int, free: Callable[[str], bool]
) -> Iterator[tuple[str, int]]:
    for name, width in then.items():
        if not free(name) or width == 0:
            continue
        narrower = (width - 1) // step * step
        if narrower >= smallest(now[name], step):
            yield name, narrower
        if is_block(name) and _may_go(name, now, then):
            yield name, 0


def _may_go(name: str, now: Widths, then: Widths) -> bool:
    trunk = block_path(name)[0]
    blocks = [n for n in now if is_block(n) and block_path(n)[0] == trunk]
    left = sum(then[n] > 0 for n in blocks)
    return left > math.ceil(len(blocks) * MIN_SHARE)


def _give_back(
    now: Widths,
    then: dict[str, int],
    losses: Losses,
    objective: Objective,
    limit: float,
    step: int,
) -> dict[str, int]:
    while True:
        best, most = None, 0.0
        for name, width in then.items():
            wider = min(now[name], (width // step + 1) * step)
            regained = losses[name][width] - losses[name][wider]
            moved = {**then, name: wider}
            if width and regained > most and objective(moved) <= limit:
                best, most = moved, regained
        if best is None:
            return then
        then = best
