"""The whole page: text, plots, tables, pictures, style and scripts in one file of HTML."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from c3d_export.core.errors import OptionError
from c3d_export.evaluate.labels import label_of
from c3d_export.report.chart import NARROW, WIDE, draw_chart
from c3d_export.report.curves import Chart, charts_of, place_of
from c3d_export.report.markup import Markup, element, joined, json_script
from c3d_export.report.palette import DARK, LIGHT, style_of
from c3d_export.report.pictures import BUDGET
from c3d_export.report.results import Results
from c3d_export.report.row_data import packed_rows
from c3d_export.report.scene import Group, Line, Mark, Scene
from c3d_export.report.svg import inline_svg, style_rules, swatch
from c3d_export.report.tables import bd_table, extremes_table, facts, means_table, stages_table
from c3d_export.report.viewer import Viewer, viewer_data, viewer_section

MAX_BYTES: Final = 10_000_000

# What stands around the pictures: names, captions, notes.
_MARGIN: Final = 200_000
_SCRIPTS: Final = ("plots.js", "rows.js", "viewer.js")


@dataclass(frozen=True)
class _Section:
    identity: str
    title: str
    body: Markup


def build_page(results: Results, viewer: Viewer) -> bytes:
    """The page as UTF-8. Raises OptionError where it would be larger than MAX_BYTES."""
    sections = [
        _Section("quality", "Quality against rate", _plots(results)),
        _Section("viewer", "Look at it", viewer_section(viewer)),
        _Section("means", "Means", joined(means_table(results), stages_table(results))),
        _Section("bd", "BD-rates", bd_table(results)),
        _Section("extremes", "Best and worst frames", extremes_table(results)),
        _Section("images", "Every image", _rows_section()),
        _Section("how", "How it was measured", _how(results)),
    ]
    data = [
        json_script("row-data", packed_rows(results)),
        json_script("viewer-data", viewer_data(viewer)),
    ]
    page = _document(_title(results), _header(results, sections), sections, data)
    encoded = page.encode("utf-8", "backslashreplace")
    if len(encoded) > MAX_BYTES:
        raise OptionError(
            f"the page would have {len(encoded)} bytes, more than {MAX_BYTES}; name fewer frames,"
            " fewer baselines, or evaluate fewer images"
        )
    return encoded


def room_for_pictures(results: Results) -> int:
    """How many characters of pictures a page of these results can hold, BUDGET at most.

    Raises OptionError where not even the rest of the page fits.
    """
    rest = len(build_page(results, Viewer()))
    return min(BUDGET, MAX_BYTES - rest - _MARGIN)


def cautions(results: Results) -> list[str]:
    """What a reader must know before any mean: failures, and means of different images."""
    found = []
    for model in results.models:
        items = [item for item in results.summaries if item.model == model]
        failed, total = (
            sum(item.failures for item in items),
            sum(item.failures + item.images for item in items),
        )
        if failed:
            found.append(
                f"{label_of(model)}: {failed} of {total} measurements failed and are in no mean"
            )
    counts = sorted({item.images for item in results.summaries})
    if len(counts) > 1:
        found.append(
            f"means are of {counts[0]} to {counts[-1]} images: compare only those of equal number"
        )
    return found


def _document(title: str, header: Markup, sections: list[_Section], data: list[Markup]) -> str:
    style = _style()
    script = "\n".join(map(_asset, _SCRIPTS))
    # Nothing of the page may be fetched or added later, whatever its texts hold.
    policy = (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)};"
        " base-uri 'none'; form-action 'none'"
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Markup(style)),
    )
    main = element("main", *(_rendered(section) for section in sections), id="content")
    body = element(
        "body",
        element("a", "Skip to the content", href="#content", class_="skip"),
        header,
        main,
        *data,
        element("script", Markup(script)),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _rendered(section: _Section) -> Markup:
    heading = element("h2", section.title, id=f"{section.identity}-title")
    label = f"{section.identity}-title"
    return element("section", heading, section.body, id=section.identity, aria_labelledby=label)


def _title(results: Results) -> str:
    return str(results.codec.get("name") or label_of(results.ours))


def _header(results: Results, sections: list[_Section]) -> Markup:
    count = results.frames.get("count", len(results.images))
    full = [label_of(model) for model in results.others() if model not in results.rescaled]
    others = ", ".join(full) or "no other codec"
    if results.rescaled:
        others += f", and {len(results.rescaled)} at lower resolutions"
    text = f"{count} frames, every codec by its real files. Beside it: {others}."
    links = (element("a", item.title, href=f"#{item.identity}") for item in sections)
    warned = cautions(results)
    notes = element("ul", *(element("li", text) for text in warned), class_="cautions")
    return element(
        "header",
        element("h1", _title(results)),
        element("p", text),
        *_headline(results),
        notes if warned else Markup(""),
        element("nav", *links, aria_label="Sections"),
        element(
            "noscript",
            element("p", "Without scripts there are the plots and tables, not the viewer."),
        ),
    )


def _headline(results: Results) -> list[Markup]:
    """The BD-rates of ours at equal PSNR, in words."""
    parts = [
        f"{item.percent:+.1f} % against {label_of(item.anchor)}"
        for item in results.bd_rates
        if (item.codec, item.metric) == (results.ours, "psnr")
        and item.anchor not in results.rescaled
        and not math.isnan(item.percent)
    ]
    return [element("p", f"Rate at equal PSNR (BD-rate): {', '.join(parts)}.")] if parts else []


def _plots(results: Results) -> Markup:
    full = [model for model in results.models if model not in results.rescaled]
    legend = _legend(results, full, "Codecs that the plots show")
    if results.rescaled:
        low = [model for model in results.models if model in results.rescaled]
        title = f"At lower resolutions: {len(low)}"
        more = element("details", element("summary", title), _legend(results, low, title))
        legend = joined(legend, more)
    hint = element(
        "p",
        "A name hides or shows its codec. Point at a mark, or walk along a curve with Tab and the"
        " arrow keys, to read it.",
        class_="hint script",
    )
    figures = (_figure(chart) for chart in charts_of(results))
    return joined(legend, hint, element("div", *figures, class_="figures"))


def _legend(results: Results, models: Sequence[str], label: str) -> Markup:
    entries = (_legend_entry(results, model) for model in models)
    return element("div", *entries, class_="legend", role="group", aria_label=label)


def _legend_entry(results: Results, model: str) -> Markup:
    place = place_of(results, model)
    style = style_of(place)
    line = Line(((1, 7), (33, 7)), style.role, 2, style.dash)
    items = line, Mark((17, 7), style.shape, style.role, 4.2)
    drawing = Scene(34, 14, "", "", (Group(items),))
    return element(
        "button",
        Markup(swatch(drawing)),
        label_of(model),
        type="button",
        aria_pressed="true",
        data_series=place,
    )


def _figure(chart: Chart) -> Markup:
    caption = element("figcaption", chart.title)
    lines = element("ul", *(element("li", note) for note in chart.notes))
    left_out = element("details", element("summary", f"Not shown: {len(chart.notes)}"), lines)
    notes = left_out if chart.notes else Markup("")
    if chart.empty:
        return element("figure", caption, element("p", "Nothing to draw was measured."), notes)
    drawn = [
        Markup(inline_svg(draw_chart(chart.title, chart.axes, chart.curves, layout), name))
        for layout, name in ((WIDE, "wide"), (NARROW, "narrow"))
    ]
    return element("figure", caption, *drawn, notes)


def _rows_section() -> Markup:
    select = element("select", id="row-group")
    return joined(
        element(
            "p",
            element("label", "Codec and quality ", select),
            " A heading sorts by its column.",
            class_="script",
        ),
        element("div", id="rows", class_="scroll", tabindex=0, role="region", aria_label="Images"),
    )


def _how(results: Results) -> Markup:
    parts = (
        ("Definitions", results.definitions),
        ("Codec", results.codec),
        ("Frames", results.frames),
        ("Versions", results.versions),
        ("Environment", results.environment),
    )
    return joined(*(joined(element("h3", title), facts(entries)) for title, entries in parts))


def _style() -> str:
    variables = {role: f"var(--{role})" for role in LIGHT}
    light, dark = (
        ";".join(f"--{role}:{colour}" for role, colour in colours.items())
        for colours in (LIGHT, DARK)
    )
    themes = f":root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"
    return f"{themes}\n{style_rules(variables)}\n{_asset('page.css')}"


@cache
def _asset(name: str) -> str:
    return (files("c3d_export.report") / "assets" / name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode()}'"
