"""The page without a browser: well-formed, alone, complete, and safe with any name."""

from __future__ import annotations

import json
import math
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from c3d_export.core.errors import OptionError
from c3d_export.report import page as page_module
from c3d_export.report.extremes import extremes_of, telling_images
from c3d_export.report.markup import Markup, element, json_script
from c3d_export.report.page import MAX_BYTES, build_page, cautions, room_for_pictures
from c3d_export.report.pictures import BUDGET, take_shot
from c3d_export.report.results import Results
from c3d_export.report.tables import bd_table, extremes_table, means_table, table, value_cell
from c3d_export.report.viewer import Viewer

from .made import NASTY, OTHERS, OURS, failed_row, noise, results, row

VOID = {"input", "meta", "img", "br"}


class Reader(HTMLParser):
    """Elements must be closed in the order in which they were opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.data: dict[str, Any] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        attributes = self.tags[-1][1] if self.tags else {}
        if self.open and self.open[-1] == "script":
            if attributes.get("type") == "application/json":
                self.data[str(attributes["id"])] = json.loads(data)
        elif not self.open or self.open[-1] != "style":
            self.text.append(data)

    def values(self, name: str) -> list[str]:
        """The values of an attribute, in order."""
        return [value for _, attributes in self.tags if (value := attributes.get(name))]


def read(made: Results, viewer: Viewer | None = None) -> Reader:
    return Reader(build_page(made, viewer or Viewer()).decode("utf-8"))


def test_the_page_is_well_formed_and_needs_nothing_else() -> None:
    text = build_page(results(), Viewer()).decode("utf-8")
    page = Reader(text)
    assert text.startswith("<!doctype html>")
    assert set(page.values("href")) == {"#content", *(f"#{name}" for name in page_sections(page))}
    assert page.values("src") == []
    assert re.findall(r"(?:https?:)?//[a-z]|@import|url\(", text.replace("\n//", "")) == []
    assert "link" not in {tag for tag, _ in page.tags}
    identities = page.values("id")
    assert len(identities) == len(set(identities))


def page_sections(page: Reader) -> list[str]:
    return [str(attributes["id"]) for tag, attributes in page.tags if tag == "section"]


def test_every_number_of_the_results_is_in_the_page() -> None:
    rows = [row(m, i, q) for i in ("a", "b") for m in ("ours", "jpeg") for q in (1, 2, 3, 4)]
    rows[0] |= {"psnr_y": 41.123456, "enc_ms": 3.25}
    made = results(rows=[*rows, failed_row("ours", "c", 1)])
    page = read(made)
    data = page.data["row-data"]
    keys = [column[0] for column in data["columns"]]
    for item in made.rows:
        group = next(
            group
            for group in data["groups"]
            if (group["model"], group["quality"]) == (item.model, item.quality)
        )
        place = group["images"].index(data["images"].index(item.image))
        assert group["errors"][place] == item.error
        for key, value in item.values.items():
            if not math.isnan(value):
                assert group["values"][keys.index(key)][place] == value, key
    exact = {float(value) for tag, a in page.tags if tag == "data" and (value := a["value"])}
    for summary in made.summaries:
        assert {value for value in summary.values.values() if not math.isnan(value)} <= exact
    assert {rate.percent for rate in made.bd_rates if not math.isnan(rate.percent)} <= exact
    text = " ".join(page.text)
    for said in ("8 * bytes / pixels", "13.0.0", "0011223344556677", "the curve does not rise"):
        assert said in text
    assert "2 (1 failed)" in text


def test_names_cannot_break_out() -> None:
    rows = [row(model, NASTY, 1) for model in ("ours", "<img src=x onerror=alert(1)>")]
    shots = (take_shot(NASTY, NASTY, noise(), OURS, OTHERS, quality=2),)
    made = results(rows=[*rows, failed_row("ours", "</script>", 1, "</script><script>x</script>")])
    page = read(made, Viewer(shots, (NASTY,)))
    assert sum(tag == "script" for tag, _ in page.tags) == 3
    assert [tag for tag, attributes in page.tags if "onerror" in attributes] == []
    assert NASTY in page.data["row-data"]["images"]
    assert page.data["viewer-data"][0]["image"] == NASTY


def test_scripts_and_styles_are_the_only_ones_that_may_run() -> None:
    page = read(results())
    policy = next(content for content in page.values("content") if "default-src" in content)
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy
    assert not page.values("style")
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)


def test_500_frames_fit() -> None:
    images = [f"folder/frame_{index:04}.webp" for index in range(500)]
    names = ("ours", "jpeg", "webp", "avif")
    rows = [
        row(model, image, quality, psnr=30.123456 + quality, bpp=0.123456 * quality)
        for image in images
        for model in names
        for quality in (1, 2, 3, 4)
    ]
    assert len(build_page(results(rows=rows), Viewer())) < MAX_BYTES / 6


def test_pictures_get_what_the_rest_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    made = results()
    rest = len(build_page(made, Viewer()))
    assert room_for_pictures(made) == BUDGET
    monkeypatch.setattr(page_module, "MAX_BYTES", rest + 500_000)
    room = room_for_pictures(made)
    assert 200_000 < room < 500_000
    frame = noise(200, 300)
    shots = (take_shot("a", "", frame, OURS, OTHERS, quality=2, budget=room),)
    assert room < len(build_page(made, Viewer(shots))) <= rest + 500_000


def test_a_page_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "MAX_BYTES", 10_000)
    with pytest.raises(OptionError, match="more than 10000; name fewer frames"):
        build_page(results(), Viewer())


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (results(models=("ours",)), "There is no other codec to compare with."),
        (results(rows=[failed_row("ours", "a", 1)]), "Nothing to draw was measured."),
        (results(), "made without pictures"),
    ],
)
def test_what_is_missing_is_said(made: Results, said: str) -> None:
    page = read(made, Viewer(absent="The page was made without pictures."))
    assert said in " ".join(page.text)


def test_failures_and_unequal_means_stand_at_the_top() -> None:
    assert cautions(results()) == []
    rows = [row("ours", "a", 1), failed_row("ours", "b", 1), row("jpeg", "a", 1)]
    rows += [row("jpeg", "b", 1)]
    assert cautions(results(rows=rows)) == [
        "this codec: 1 of 2 measurements failed and are in no mean",
        "means are of 1 to 2 images: compare only those of equal number",
    ]


def test_the_extremes_are_gains_at_equal_rate() -> None:
    rows = []
    for image, better in (("plain", 0.0), ("good", 2.0), ("bad", -1.5)):
        rows += [row("ours", image, quality, better) for quality in (1, 2, 3)]
        rows += [row("jpeg", image, quality) for quality in (2, 3, 4)]
    rows += [row("ours", "alone", 1), failed_row("jpeg", "alone", 2)]
    made = results(rows=rows)
    (found,) = extremes_of(made)
    assert [(gain.image, gain.rates) for gain in found.gains] == [
        *(("bad", 2), ("plain", 2), ("good", 2)),
    ]
    assert [gain.decibels for gain in found.gains] == pytest.approx([-1.5, 0, 2])
    assert (found.without, found.mean) == (1, pytest.approx(0.5 / 3))
    assert telling_images(made, 2) == [
        ("bad", "the worst frame against JPEG 4:2:0: -1.50 dB"),
        ("good", "the best frame against JPEG 4:2:0: +2.00 dB"),
    ]
    assert [image for image, _ in telling_images(made, 3)] == ["bad", "good", "plain"]
    assert 'value="-1.5"' in extremes_table(made)


def test_telling_images_without_anything_to_compare() -> None:
    assert telling_images(results(models=("ours",)), 2) == [("a/one.png", ""), ("a/two.png", "")]


def test_codecs_without_a_common_rate() -> None:
    rows = [row("ours", "a", 1), row("jpeg", "a", 4)]
    assert "no rate in common" in extremes_table(results(rows=rows))


def test_tables_show_only_what_was_measured() -> None:
    text = means_table(results())
    assert "payload bpp" in text
    assert "VMAF" not in text
    assert "There are none" in bd_table(results(models=("ours",), rows=[row("ours", "a", 1)]))
    assert value_cell(math.nan, 1) == "-"
    assert value_cell(math.inf, 1) == "lossless"
    assert value_cell(-1.26, 1, "+") == '<data value="-1.26">-1.3</data>'


def test_columns_of_numbers_stand_to_the_right() -> None:
    text = table("c", ["name", "n", "why"], [["a", "1", ""], ["b", "-", "2 few"]])
    assert '<th scope="col">name</th>' in text.replace(' class="number"', "", 0)
    assert '<td class="number">-</td>' in text
    assert "<td>2 few</td>" in text or '<td class="number">2 few</td>' in text


def test_markup_escapes_what_is_no_markup() -> None:
    made = element("p", "<b>", Markup("<i></i>"), class_='x"y', aria_label="a&b", hidden=True)
    assert made == '<p class="x&quot;y" aria-label="a&amp;b" hidden>&lt;b&gt;<i></i></p>'
    assert element("br") == "<br>"
    assert element("a", on=False) == "<a></a>"
    script = json_script("x", ["</script>", "\u2028", "<!--"])
    assert script.count("<") == 2
    assert json.loads(script.partition(">")[2].rpartition("<")[0])[1] == "\u2028"
