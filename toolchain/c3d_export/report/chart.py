"""Curves over two axes as a scene: with names at their ends, or narrow for a legend outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from c3d_export.report.palette import Place, Style
from c3d_export.report.raster import text_width
from c3d_export.report.scales import Scale, scale_of, tick_text
from c3d_export.report.scene import Group, Item, Line, Mark, Scene, Text


class Datum(NamedTuple):
    """One point of a curve, and what it is in words."""

    x: float
    y: float
    label: str


@dataclass(frozen=True)
class Curve:
    """`series`: the place of the codec. `level`: a height without an x, drawn across the chart."""

    series: int
    name: str
    style: Style
    points: tuple[Datum, ...]
    level: Datum | None = None


@dataclass(frozen=True)
class Axes:
    """What the axes say; `log_x` for a logarithmic one."""

    x_title: str
    y_title: str
    log_x: bool = True


@dataclass(frozen=True)
class Layout:
    """Sizes in pixels; `named`: the names stand at the ends of the curves."""

    width: int
    height: int
    left: int
    right: int
    font: float
    named: bool
    bottom: int = 46
    top: int = 34


WIDE: Final = Layout(640, 420, 52, 165, 13, named=True)
NARROW: Final = Layout(360, 340, 40, 12, 12, named=False)

_LABEL_GAP: Final = 17.0
_RADIUS: Final = 4.2


@dataclass(frozen=True)
class _Frame:
    """The chart's inner rectangle."""

    layout: Layout
    x: Scale
    y: Scale

    @property
    def right(self) -> int:
        return self.layout.width - self.layout.right

    @property
    def bottom(self) -> int:
        return self.layout.height - self.layout.bottom

    def place(self, x: float, y: float) -> Place:
        return self.at_x(x), self.at_y(y)

    def at_x(self, x: float) -> float:
        return self.layout.left + self.x.part(x) * (self.right - self.layout.left)

    def at_y(self, y: float) -> float:
        return self.bottom - self.y.part(y) * (self.bottom - self.layout.top)


def draw_chart(
    title: str, axes: Axes, curves: Sequence[Curve], layout: Layout = WIDE, *, titled: bool = False
) -> Scene:
    """The chart of curves of which at least one has points (with `log_x` at x above 0).

    `titled`: with the title above it, for a picture that stands alone.
    """
    if titled:
        layout = replace(layout, top=layout.top + 26, height=layout.height + 26)
    points = [point for curve in curves for point in curve.points]
    heights = [*points, *(curve.level for curve in curves if curve.level)]
    x = scale_of((point.x for point in points), log=axes.log_x)
    frame = _Frame(layout, x, scale_of(point.y for point in heights))
    backdrop = _backdrop(axes, frame)
    if titled:
        place = layout.left, 18
        backdrop = [Text(place, title, "ink", layout.font + 3, bold=True), *backdrop]
    groups = [Group(tuple(backdrop)), *_groups(curves, frame)]
    description = "; ".join(group.label for group in groups[1:])
    return Scene(layout.width, layout.height, title, description, tuple(groups))


def _backdrop(axes: Axes, frame: _Frame) -> list[Item]:
    left, right, top, bottom = frame.layout.left, frame.right, frame.layout.top, frame.bottom
    size = frame.layout.font
    items: list[Item] = []
    for tick in frame.y.ticks():
        y = frame.at_y(tick)
        items.append(Line(((left, y), (right, y)), "grid"))
        items.append(Text((left - 7, y), tick_text(tick), "pale", size, "end"))
    for tick in _with_room(frame):
        x = frame.at_x(tick)
        items.append(Line(((x, top), (x, bottom)), "grid"))
        items.append(Text((x, bottom + 14), tick_text(tick), "pale", size, "middle"))
    items.append(Line(((left, top), (left, bottom), (right, bottom)), "pale"))
    items.append(Text((left - 7, top - 18), axes.y_title, "pale", size))
    title = f"{axes.x_title} (logarithmic)" if axes.log_x else axes.x_title
    items.append(Text((right, bottom + 34), title, "pale", size, "end"))
    return items


def _with_room(frame: _Frame) -> list[float]:
    """The ticks of x whose numbers do not touch one another."""
    kept: list[float] = []
    end = -1.0
    for tick in frame.x.ticks():
        half = text_width(tick_text(tick), frame.layout.font) / 2
        if frame.at_x(tick) - half > end:
            kept.append(tick)
            end = frame.at_x(tick) + half + 8
    return kept


def _groups(curves: Sequence[Curve], frame: _Frame) -> list[Group]:
    shown = [curve for curve in curves if curve.points or curve.level]
    names = _names(shown, frame) if frame.layout.named else {}
    groups = [
        Group(
            (*_drawn(curve, frame), *names.get(curve.series, ())),
            curve.series,
            _in_words(curve),
        )
        for curve in shown
    ]
    return groups[::-1]  # ours last, so that nothing covers it


def _drawn(curve: Curve, frame: _Frame) -> list[Item]:
    style, ours = curve.style, curve.series == 0
    items: list[Item] = []
    if curve.level:
        y = frame.at_y(curve.level.y)
        ends = (frame.layout.left, y), (frame.right, y)
        items.append(Line(ends, style.role, 1.8, style.dash or (6.0, 4.0)))
        middle = (frame.layout.left + frame.right) / 2, y
        items.append(Mark(middle, style.shape, style.role, _RADIUS, curve.level.label))
    places = [frame.place(point.x, point.y) for point in curve.points]
    if len(places) > 1:
        items.append(Line(tuple(places), style.role, 3 if ours else 1.8, style.dash))
    radius = _RADIUS + 0.8 if ours else _RADIUS
    for place, point in zip(places, curve.points, strict=True):
        items.append(Mark(place, style.shape, style.role, radius, point.label))
    return items


def _names(curves: Sequence[Curve], frame: _Frame) -> dict[int, tuple[Item, ...]]:
    """Beside the chart: each name as near to its curve's end as the others let it."""
    ends = sorted(((_end(curve, frame), curve) for curve in curves), key=lambda pair: pair[0][1])
    heights = _spread([end[1] for end, _ in ends], frame.layout.top, frame.bottom)
    gap = _gap(len(ends), frame.bottom - frame.layout.top)
    x, size = frame.right + 14, min(frame.layout.font, 0.85 * gap)
    found: dict[int, tuple[Item, ...]] = {}
    for (end, curve), y in zip(ends, heights, strict=True):
        style = curve.style
        found[curve.series] = (
            Line(((end[0] + 8, end[1]), (x - 4, y)), style.role, 0.7, (1.0, 2.5)),
            Mark((x + 4, y), style.shape, style.role, _RADIUS),
            Text((x + 14, y), curve.name, "ink", size, bold=curve.series == 0),
        )
    return found


def _end(curve: Curve, frame: _Frame) -> Place:
    if curve.points:
        return frame.place(curve.points[-1].x, curve.points[-1].y)
    assert curve.level is not None  # a curve without either is not shown
    return frame.right - 8, frame.at_y(curve.level.y)


def _spread(wanted: list[float], low: float, high: float) -> list[float]:
    """Rising heights moved apart, by less than _LABEL_GAP where low..high has no room for it."""
    gap = _gap(len(wanted), high - low)
    placed: list[float] = []
    for height in wanted:
        placed.append(max(height, placed[-1] + gap) if placed else max(height, low))
    for index in range(len(placed) - 1, -1, -1):
        limit = high if index == len(placed) - 1 else placed[index + 1] - gap
        placed[index] = min(placed[index], limit)
    return placed


def _gap(count: int, room: float) -> float:
    return min(_LABEL_GAP, room / max(count - 1, 1))


def _in_words(curve: Curve) -> str:
    data = [*curve.points, *([curve.level] if curve.level else [])]
    return f"{curve.name}: {', '.join(point.label.partition(': ')[2] for point in data)}"
