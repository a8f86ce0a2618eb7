"""How codecs are told apart: by colour, and without it by mark and by dash."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

Place = tuple[float, float]

SERIES: Final = 10

# Ours is orange. At least 3:1 against the paper, and none but ours is warm and bright.
_LIGHT: Final = (
    *("#c2410c", "#0072b2", "#00795a", "#7b4fa6", "#a8336f"),
    *("#735600", "#00707c", "#565d69", "#33418f", "#55702a"),
)
_DARK: Final = (
    *("#ff9d5c", "#58b4f5", "#3fc996", "#b99cf0", "#f08cc0"),
    *("#d9b84a", "#4cc9d6", "#a8afba", "#8fa3ff", "#a9c25d"),
)


def _roles(
    series: tuple[str, ...], ink: str, pale: str, grid: str, paper: str
) -> Mapping[str, str]:
    named = {f"s{index}": colour for index, colour in enumerate(series)}
    return MappingProxyType({**named, "ink": ink, "pale": pale, "grid": grid, "paper": paper})


LIGHT: Final = _roles(_LIGHT, "#16181d", "#596070", "#dfe2e8", "#ffffff")
DARK: Final = _roles(_DARK, "#eceef2", "#a3aab8", "#333943", "#15181d")
"""Colours by role: s0 to s9 for series, ink and pale for text, grid for lines, paper behind all."""

_DASHES: Final = ((), (8.0, 4.0), (2.0, 3.0), (9.0, 3.0, 2.0, 3.0))


def _star() -> tuple[Place, ...]:
    turns = [(index * math.pi / 5, 1.25 if index % 2 == 0 else 0.5) for index in range(10)]
    return tuple((round(r * math.sin(a), 3), round(-r * math.cos(a), 3)) for a, r in turns)


_PLUS: Final = (
    *((-0.35, -1.1), (0.35, -1.1), (0.35, -0.35), (1.1, -0.35), (1.1, 0.35), (0.35, 0.35)),
    *((0.35, 1.1), (-0.35, 1.1), (-0.35, 0.35), (-1.1, 0.35), (-1.1, -0.35), (-0.35, -0.35)),
)
_TURN: Final = math.sqrt(0.5)

SHAPES: Final[Mapping[str, tuple[Place, ...]]] = MappingProxyType(
    {
        "circle": (),
        "square": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
        "triangle": ((0.0, -1.15), (1.1, 0.85), (-1.1, 0.85)),
        "diamond": ((0.0, -1.3), (1.1, 0.0), (0.0, 1.3), (-1.1, 0.0)),
        "plus": _PLUS,
        "down": ((0.0, 1.15), (1.1, -0.85), (-1.1, -0.85)),
        "cross": tuple((round(_TURN * (x - y), 3), round(_TURN * (x + y), 3)) for x, y in _PLUS),
        "star": _star(),
    }
)
"""Outlines of marks with a radius of about 1; none for the circle, which is one."""

_NAMES: Final = tuple(SHAPES)


class Style(NamedTuple):
    """The colour's role, the mark (of SHAPES) and the dash (lengths on and off) of a codec."""

    role: str
    shape: str
    dash: tuple[float, ...]


def style_of(index: int) -> Style:
    """The style of the codec at this place; 0 is ours. No two of the first 252 are equal."""
    if index == 0:
        return Style("s0", "circle", ())
    role = f"s{1 + (index - 1) % (SERIES - 1)}"
    return Style(role, _NAMES[1 + (index - 1) % (len(_NAMES) - 1)], _DASHES[index % len(_DASHES)])


def contrast(one: str, other: str) -> float:
    """The contrast of two colours (#rrggbb), 1 to 21, as WCAG 2 defines it."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = (int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5))
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
