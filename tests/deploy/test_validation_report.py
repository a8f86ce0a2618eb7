"""The page: everything is in it, and nothing is fetched for it."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from c3d_export.deploy.analysis import AnalysisDifference, FloatComparison, RateRow
from c3d_export.deploy.bundle import Export
from c3d_export.deploy.certificate import LayerCertificate
from c3d_export.deploy.compare import FRAME, KNOWN, ValidationRow
from c3d_export.deploy.graph_certificates import CheckedCertificate
from c3d_export.deploy.locate import Divergence
from c3d_export.deploy.matrix import Configuration, Plan, cpu_configurations
from c3d_export.deploy.validate import ValidationReport
from c3d_export.deploy.validation_report import report_html, summary, verdict

ENVIRONMENT = {"onnxruntime": "1.99.0", "cpu": "a processor"}
FLOAT = Configuration("float", "basic", 2)


class _Page(HTMLParser):
    """Tags, attributes and text; unclosed elements show in `open`."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.names: set[str] = set()
        self.open: list[str] = []
        self.text = ""
        self.feed(page.decode("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.names |= {name for name, _ in attrs}
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def report(tiny_export: Export) -> ValidationReport:
    certificates = tuple(
        CheckedCertificate(flavour, LayerCertificate(**item))
        for flavour in ("qlinear", "float")
        for item in tiny_export.certificates
    )
    rows = [
        ValidationRow(what, "7x5", "", 0, c, 1000, 0) for c in cpu_configurations()
        for what in ("g_a", "g_s", KNOWN)
    ]  # fmt: skip
    rows += [ValidationRow(FRAME, "31x17", "f.png", q, FLOAT, 500, 0) for q in (1, 8)]
    return ValidationReport("tiny", "00ff", certificates, tuple(rows), Plan((), ()), None, 12.5)


def _wrong(report: ValidationReport) -> ValidationReport:
    bad = replace(report.rows[-1], differing=3, first="pixels[0, 1, 2]: 4 instead of 5")
    found = Divergence(
        *("g_s", "base.out", "Clip", "g_s.pixels", (0, 1, 2, 3), "7", "8"),
        ("it takes a instead of b",),
        *("pixels_sum", "cpu", "float", "basic", 2),
    )
    return replace(report, rows=(*report.rows[:-1], bad), divergence=found)


def test_everything_is_on_the_page(report: ValidationReport, tiny_export: Export) -> None:
    page = _Page(report_html(report, ENVIRONMENT))
    assert not page.open
    assert "Exact. tiny: 0 of 73,000 values differ" in page.text
    for layer in tiny_export.certificates:
        assert layer["layer"] in page.text
        assert f"{layer['largest_sum']:,}" in page.text
    for text in ("1.99.0", "a processor", "known answers", "f.png 31x17", "12 of 12", "00ff"):
        assert text in page.text


def test_nothing_is_fetched_and_nothing_runs(report: ValidationReport) -> None:
    data = report_html(report, ENVIRONMENT)
    page = _Page(data)
    assert not {"script", "link", "img", "iframe", "object", "embed", "base"} & set(page.tags)
    assert not {"src", "href", "srcset", "style", "action"} & page.names
    for text in (b"http:", b"https:", b"//", b"url(", b"@import"):
        assert text not in data


def test_it_is_made_for_narrow_screens(report: ValidationReport) -> None:
    data = report_html(report, ENVIRONMENT)
    assert b'name="viewport" content="width=device-width, initial-scale=1"' in data
    assert data.count(b'<div class="wide"><table>') == data.count(b"<table>") >= 4


def test_the_first_divergence_is_told(report: ValidationReport) -> None:
    page = _Page(report_html(_wrong(report), ENVIRONMENT))
    assert "Not exact. tiny: 3 of 73,000 values differ" in page.text
    assert "f.png 31x17 quality 8, cpu, flavour float, optimisation basic, 2 threads" in page.text
    assert "pixels[0, 1, 2]: 4 instead of 5" in page.text
    assert "node base.out (Clip) of layer g_s.pixels" in page.text
    assert "it takes a instead of b" in page.text


def test_a_certificate_that_does_not_hold_is_told(report: ValidationReport) -> None:
    first = replace(report.certificates[0], fault="largest_sum is 2, but the manifest says 1")
    bad = replace(report, rows=(), certificates=(first, *report.certificates[1:]))
    page = _Page(report_html(bad, ENVIRONMENT))
    assert "Not exact. tiny: 1 of " in page.text
    assert "g_a.patch, qlinear: largest_sum is 2, but the manifest says 1" in page.text


def test_names_from_outside_stay_text(report: ValidationReport) -> None:
    evil = "<script>alert(1)</script>&<b>"
    rows = tuple(replace(row, name=evil, first=evil, differing=1) for row in report.rows)
    page = _Page(report_html(replace(report, name=evil, rows=rows), {evil: evil}))
    assert not {"script", "b"} & set(page.tags)
    assert page.text.count(evil) > 4


def test_the_float_networks_numbers_are_told(report: ValidationReport) -> None:
    floats = FloatComparison(
        False,
        (AnalysisDifference("f.png", 0.25, 1.5, 0.0125),),
        (RateRow("f.png", 4, 0.5, 0.51, 33.25, 33.125),),
    )
    page = _Page(report_html(report.with_floats(floats, 20.0), ENVIRONMENT))
    for text in ("the integer network's own weights", "0.5100", "33.125", "+0.125", "1.250"):
        assert text in page.text
    assert ", 20 s" in page.text
    assert "BD-rate" not in page.text
    rows = tuple(RateRow("f.png", q, 0.1 * q, 0.102 * q, 30.0 + q, 30.0 + q) for q in range(1, 6))
    page = _Page(report_html(report.with_floats(replace(floats, rates=rows), 20.0), ENVIRONMENT))
    assert "the integers cost +2.00 % of the rate (BD-rate)" in page.text


def test_a_line_counts_the_ways_that_ran(report: ValidationReport) -> None:
    lines = {(line.what, line.runner): line for line in summary(report)}
    assert len(lines) == 7
    graph, frame = lines["g_s", "cpu float"], lines["f.png 31x17", "cpu float"]
    assert (graph.ways, graph.possible, graph.compared, graph.sizes) == (12, 12, 12000, "7x5")
    assert (frame.ways, frame.possible, frame.sizes) == (1, 12, "quality 1 8")
    assert verdict(report) == "tiny: 0 of 73,000 values differ, 12 s"


@pytest.mark.parametrize(
    ("qualities", "shown"),
    [((4,), "quality 4"), ((1, 2), "quality 1 2"), ((1, 4, 8), "quality 1 4 8"),
     ((3, 1, 2), "quality 1 to 3")],
)  # fmt: skip
def test_rate_points_in_a_row_are_named_by_their_ends(
    report: ValidationReport, qualities: tuple[int, ...], shown: str
) -> None:
    rows = tuple(ValidationRow(FRAME, "9x9", "g", q, FLOAT, 1, 0) for q in qualities)
    (line,) = summary(replace(report, rows=rows))
    assert line.sizes == shown
