"""What a codec made for one game gains there over the generic one of its size, and loses elsewhere.

Every codec is measured on the frames of every game; a gain is a BD-rate over the generic codec on
the same frames.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from c3d_export.core.errors import OptionError
from c3d_export.evaluate.rows import Row
from c3d_export.evaluate.summaries import BdRate, bd_rates
from c3d_export.evaluate.tables import METRIC_LABELS, Table


@dataclass(frozen=True)
class Candidate:
    """A codec of the experiment. game: whose frames it was made for, empty for a generic one.
    size: small, median, ...; codecs are compared with the generic one of their size."""

    name: str
    game: str
    size: str


@dataclass(frozen=True)
class Gain:
    """A BD-rate of a codec over the generic one on the frames of a game; own: the game that it
    was made for."""

    game: str
    own: bool
    rate: BdRate


def generic_of(codec: Candidate, candidates: Iterable[Candidate]) -> Candidate:
    """The generic codec of the same size. Raises OptionError where there are none or several."""
    found = [item for item in candidates if not item.game and item.size == codec.size]
    if len(found) != 1:
        names = ", ".join(item.name for item in found) or "none"
        raise OptionError(
            f"{codec.name} needs one generic codec of size {codec.size} to be compared with, and"
            f" there is {names}; name it with --generic"
        )
    return found[0]


def gains(
    rows: Mapping[str, Sequence[Row]], candidates: Sequence[Candidate], metrics: Sequence[str]
) -> list[Gain]:
    """Of every codec that is not generic, on every game. rows: of all candidates, by game."""
    found = []
    for codec in candidates:
        if not codec.game:
            continue
        anchor = generic_of(codec, candidates).name
        for game, of_game in rows.items():
            rates = bd_rates(of_game, [codec.name], [anchor], metrics)
            found += [Gain(game, codec.game == game, rate) for rate in rates]
    return found


def gains_table(found: Sequence[Gain], metric: str) -> Table:
    """A line per codec, a column per game: percent of rate over the generic codec.

    In brackets: on frames of a game that the codec was not made for. A dash: there is no BD-rate,
    and `Gain.rate.reason` says why; a star: not of all frames.
    """
    games = list(dict.fromkeys(gain.game for gain in found))
    chosen = {(g.rate.codec, g.game): g for g in found if g.rate.metric == metric}
    pairs = dict.fromkeys((g.rate.codec, g.rate.anchor) for g in chosen.values())
    cells = [
        (codec, anchor, *(_cell(chosen.get((codec, game))) for game in games))
        for codec, anchor in pairs
    ]
    return Table((f"BD-rate %, {METRIC_LABELS[metric]}", "over", *games), cells)


def _cell(gain: Gain | None) -> str:
    if gain is None or math.isnan(gain.rate.percent):
        return "-"
    text = f"{gain.rate.percent:+.1f}" + "*" * (gain.rate.images < gain.rate.of)
    return text if gain.own else f"({text})"
