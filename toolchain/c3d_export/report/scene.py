"""A drawing before it is an SVG or a PNG: lines, marks and texts in pixels, in groups.

Colours are roles of `palette.LIGHT`; y runs down.
"""

from __future__ import annotations

from dataclasses import dataclass

from c3d_export.report.palette import Place


@dataclass(frozen=True)
class Line:
    """Through two points or more; `dash` are lengths on and off."""

    points: tuple[Place, ...]
    role: str
    width: float = 1.0
    dash: tuple[float, ...] = ()


@dataclass(frozen=True)
class Mark:
    """A shape of `palette.SHAPES` with a radius; `label` says what it stands for."""

    at: Place
    shape: str
    role: str
    radius: float
    label: str = ""


@dataclass(frozen=True)
class Text:
    """One line of text on its middle line; `anchor` is start, middle or end."""

    at: Place
    text: str
    role: str
    size: float
    anchor: str = "start"
    bold: bool = False


Item = Line | Mark | Text


@dataclass(frozen=True)
class Group:
    """Items that belong together. `series` is the place of the codec that they are of, -1 for the
    frame of the drawing; `label` says all of it in words."""

    items: tuple[Item, ...]
    series: int = -1
    label: str = ""


@dataclass(frozen=True)
class Scene:
    """`title` and `description` are for those who do not see it."""

    width: int
    height: int
    title: str
    description: str
    groups: tuple[Group, ...]
