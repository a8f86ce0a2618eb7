"""Axes: from values to places, and where the ticks are."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_FEW_TICKS: Final = 4
_TARGET_TICKS: Final = 6
_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
_LOG_STEPS: Final[tuple[tuple[float, ...], ...]] = (
    (1,),
    (1, 3),
    (1, 2, 5),
    (1, 1.5, 2, 3, 4, 5, 7),
)
_ROOM: Final = 0.04


@dataclass(frozen=True)
class Scale:
    """An axis from `low` to `high` (low < high; with `log` both above 0)."""

    low: float
    high: float
    log: bool = False

    def part(self, value: float) -> float:
        """Where a value is: 0 at the low end, 1 at the high one."""
        low, high, at = (self._place(item) for item in (self.low, self.high, value))
        return (at - low) / (high - low)

    def _place(self, value: float) -> float:
        return math.log(value) if self.log else value

    def ticks(self) -> tuple[float, ...]:
        """Round values between the ends, about six."""
        return self._log_ticks() if self.log else self._linear_ticks()

    def _linear_ticks(self) -> tuple[float, ...]:
        rough = (self.high - self.low) / _TARGET_TICKS
        unit = 10.0 ** math.floor(math.log10(rough))
        step = next(item * unit for item in _STEPS if item * unit >= rough * (1 - 1e-9))
        # An end that is a tick must not be lost to rounding.
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return tuple(index * step for index in range(first, last + 1))

    def _log_ticks(self) -> tuple[float, ...]:
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        ticks: tuple[float, ...] = ()
        for steps in _LOG_STEPS:
            every = (step * 10.0**decade for decade in decades for step in steps)
            ticks = tuple(tick for tick in every if self.low <= tick <= self.high)
            if len(ticks) >= _FEW_TICKS:
                return ticks
        return ticks if len(ticks) > 1 else Scale(self.low, self.high)._linear_ticks()


def scale_of(values: Iterable[float], *, log: bool = False) -> Scale:
    """A scale with some room around finite values (with `log` all above 0), also for one alone."""
    kept = list(values)
    low, high = min(kept), max(kept)
    if log:
        span = max(math.log(high / low), 0.2) * _ROOM
        room = math.exp(max(span, 0.1 if low == high else 0))
        return Scale(low / room, high * room, log=True)
    span = (high - low) * _ROOM or max(abs(high) * _ROOM, 0.5)
    return Scale(low - span, high + span)


def tick_text(value: float) -> str:
    """As short as it can be: 0.5, 20, 1,500."""
    return f"{round(value, 10):,.6g}" if abs(value) < 1e6 else f"{value:g}"
