"""A scene as SVG: inside a page, whose style sheet has the colours, or as a file of its own."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from c3d_export.report.palette import LIGHT, SHAPES, Place
from c3d_export.report.scene import Group, Item, Line, Mark, Scene, Text

_FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif"


def style_rules(colours: Mapping[str, str]) -> str:
    """The CSS of the classes that the drawings use; a colour is whatever CSS takes for one."""
    rules = [
        ".line{fill:none;stroke-linejoin:round;stroke-linecap:butt}",
        f".text{{font-family:{_FONT}}}",
    ]
    for role, colour in colours.items():
        rules.append(f".line.{role}{{stroke:{colour}}}")
        rules.append(f".mark.{role},.text.{role}{{fill:{colour}}}")
    return "".join(rules)


def inline_svg(scene: Scene, layout: str) -> str:
    """The SVG element for a page; `layout` becomes a class. A series can be focused, and its marks
    have their label as a title."""
    body = "".join(_group(group, focusable=True) for group in scene.groups)
    return (
        f'<svg class="plot {layout}" viewBox="0 0 {scene.width} {scene.height}" role="group"'
        f' aria-label="{escape(scene.title)}">{body}</svg>'
    )


def svg_file(scene: Scene) -> bytes:
    """A file that shows the scene in light colours, with nothing outside itself."""
    body = "".join(_group(group, focusable=False) for group in scene.groups)
    size = f'width="{scene.width}" height="{scene.height}"'
    text = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}'
        f' viewBox="0 0 {scene.width} {scene.height}" role="img">'
        f"<title>{escape(scene.title)}</title><desc>{escape(scene.description)}</desc>"
        f"<style>{style_rules(LIGHT)}</style>"
        f'<rect {size} fill="{LIGHT["paper"]}"/>{body}</svg>\n'
    )
    return text.encode("utf-8")


def swatch(scene: Scene) -> str:
    """A small drawing without words, for a legend."""
    body = "".join(_item(item) for group in scene.groups for item in group.items)
    return f'<svg viewBox="0 0 {scene.width} {scene.height}" aria-hidden="true">{body}</svg>'


def _group(group: Group, *, focusable: bool) -> str:
    body = "".join(map(_item, group.items))
    if group.series < 0:
        return f'<g aria-hidden="true">{body}</g>'
    focus = ' tabindex="0"' if focusable else ""
    label = f'role="img" aria-label="{escape(group.label)}"'
    return f'<g class="series" data-series="{group.series}" {label}{focus}>{body}</g>'


def _item(item: Item) -> str:
    if isinstance(item, Line):
        return _line(item)
    return _mark(item) if isinstance(item, Mark) else _text(item)


def _line(line: Line) -> str:
    dash = f' stroke-dasharray="{" ".join(map(_number, line.dash))}"' if line.dash else ""
    points = "L".join(map(_place, line.points))
    return (
        f'<path class="line {line.role}" d="M{points}" stroke-width="{_number(line.width)}"{dash}/>'
    )


def _mark(mark: Mark) -> str:
    x, y = mark.at
    outline = SHAPES[mark.shape]
    if outline:
        corners = [(x + mark.radius * dx, y + mark.radius * dy) for dx, dy in outline]
        shape = f'<path class="mark {mark.role}" d="M{"L".join(map(_place, corners))}Z"'
    else:
        shape = f'<circle class="mark {mark.role}" cx="{_number(x)}" cy="{_number(y)}"'
        shape += f' r="{_number(mark.radius)}"'
    if not mark.label:
        return f"{shape}/>"
    place = f'data-x="{_number(x)}" data-y="{_number(y)}"'
    return f"{shape} {place}><title>{escape(mark.label)}</title></{shape[1:].split(' ')[0]}>"


def _text(text: Text) -> str:
    x, y = text.at
    bold = ' font-weight="600"' if text.bold else ""
    anchor = "" if text.anchor == "start" else f' text-anchor="{text.anchor}"'
    place = f'x="{_number(x)}" y="{_number(y + 0.35 * text.size)}"'
    size = f'font-size="{_number(text.size)}"'
    return f'<text class="text {text.role}" {place} {size}{anchor}{bold}>{escape(text.text)}</text>'


def _place(place: Place) -> str:
    return f"{_number(place[0])} {_number(place[1])}"


def _number(value: float) -> str:
    return f"{round(value, 1):g}"
