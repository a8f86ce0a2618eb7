"""A scene as PNG, by Pillow: drawn several times as large and scaled down, so that edges are
smooth."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from functools import cache
from itertools import cycle, pairwise
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from c3d_export.report.palette import LIGHT, SHAPES, Place
from c3d_export.report.scene import Line, Mark, Scene, Text

SCALE: Final = 2
_OVERSAMPLING: Final = 2
_FACTOR: Final = SCALE * _OVERSAMPLING

_ANCHORS: Final = {"start": "lm", "middle": "mm", "end": "rm"}
_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def png_file(scene: Scene) -> bytes:
    """The scene in light colours, SCALE times as large as its own pixels."""
    image = Image.new("RGB", (scene.width * _FACTOR, scene.height * _FACTOR), LIGHT["paper"])
    draw = ImageDraw.Draw(image)
    for group in scene.groups:
        for item in group.items:
            if isinstance(item, Line):
                _draw_line(draw, item)
            elif isinstance(item, Mark):
                _draw_mark(draw, item)
            else:
                _draw_text(draw, item)
    size = scene.width * SCALE, scene.height * SCALE
    buffer = io.BytesIO()
    image.resize(size, Image.Resampling.BOX).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def text_width(text: str, size: float) -> float:
    """About how wide a text is, in pixels."""
    return float(_font(64).getlength(text)) * size / 64


def _draw_line(draw: ImageDraw.ImageDraw, line: Line) -> None:
    width = max(1, round(line.width * _FACTOR))
    for piece in dashes(line.points, line.dash):
        places = [(x * _FACTOR, y * _FACTOR) for x, y in piece]
        draw.line(places, LIGHT[line.role], width, joint="curve")


def _draw_mark(draw: ImageDraw.ImageDraw, mark: Mark) -> None:
    x, y, radius = (value * _FACTOR for value in (*mark.at, mark.radius))
    corners = [(x + radius * dx, y + radius * dy) for dx, dy in SHAPES[mark.shape]]
    if corners:
        draw.polygon(corners, LIGHT[mark.role])
    else:
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), LIGHT[mark.role])


def _draw_text(draw: ImageDraw.ImageDraw, text: Text) -> None:
    place = text.at[0] * _FACTOR, text.at[1] * _FACTOR
    font, stroke = _font(round(text.size * _FACTOR)), 1 if text.bold else 0
    colour = LIGHT[text.role]
    draw.text(place, text.text, colour, font, anchor=_ANCHORS[text.anchor], stroke_width=stroke)


@cache
def _font(size: int) -> _Font:
    return ImageFont.load_default(size)


def dashes(points: tuple[Place, ...], dash: tuple[float, ...]) -> Iterator[list[Place]]:
    """The pieces of a line that are drawn; the pattern runs on around corners."""
    if not dash:
        yield list(points)
        return
    lengths = cycle(dash)
    left, on = next(lengths), True
    piece = [points[0]]
    for start, end in pairwise(points):
        length, done = math.dist(start, end), 0.0
        while length - done > left:
            done += left
            at = _between(start, end, done / length)
            if on:
                yield [*piece, at]
            piece, on, left = [at], not on, next(lengths)
        left -= length - done
        piece.append(end)
    if on and len(piece) > 1:
        yield piece


def _between(start: Place, end: Place, part: float) -> Place:
    return start[0] + part * (end[0] - start[0]), start[1] + part * (end[1] - start[1])
