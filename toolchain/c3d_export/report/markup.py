"""HTML that cannot be broken by what stands in it: text is escaped, markup is a type of its own."""

from __future__ import annotations

import json
from html import escape


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


_VOID = frozenset({"input", "meta", "img", "br"})


def element(tag: str, *children: str, **attributes: str | int | bool) -> Markup:
    """<tag attributes>children</tag>: children that are no Markup are escaped.

    An attribute's underscores become hyphens and one at its end is dropped (`class_`); True stands
    for one without a value, False for none.
    """
    names = "".join(_attribute(name, value) for name, value in attributes.items())
    if tag in _VOID:
        return Markup(f"<{tag}{names}>")
    return Markup(f"<{tag}{names}>{joined(*children)}</{tag}>")


def joined(*children: str) -> Markup:
    """The children behind one another."""
    return Markup("".join(c if isinstance(c, Markup) else escape(c) for c in children))


def json_script(identity: str, value: object) -> Markup:
    """A script element that holds data; nothing in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return element("script", Markup(text), type="application/json", id=identity)


def _attribute(name: str, value: str | int | bool) -> str:
    if value is False:
        return ""
    name = name.removesuffix("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
