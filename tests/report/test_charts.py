"""Scales, styles, curves, and the drawings of them as SVG and PNG."""

from __future__ import annotations

import io
import itertools
import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from c3d_export.report.chart import NARROW, WIDE, Axes, Curve, Datum, draw_chart
from c3d_export.report.curves import METRICS, at_rate, charts_of, common_rate, rd_chart
from c3d_export.report.palette import DARK, LIGHT, SERIES, SHAPES, contrast, style_of
from c3d_export.report.raster import SCALE, dashes, png_file
from c3d_export.report.scales import Scale, scale_of, tick_text
from c3d_export.report.scene import Group, Line, Mark, Scene, Text
from c3d_export.report.svg import inline_svg, svg_file

from .made import NASTY, failed_row, results, row

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("scale", "ticks"),
    [
        (Scale(0, 10), (0, 2, 4, 6, 8, 10)),
        (Scale(29.4, 41.2), (30, 32, 34, 36, 38, 40)),
        (Scale(0.09, 2.3, log=True), (0.1, 0.2, 0.5, 1, 2)),
        (Scale(8, 20000, log=True), (10, 100, 1000, 10000)),
        (Scale(0.9, 1.2, log=True), (0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2)),
    ],
)
def test_ticks_are_round_numbers(scale: Scale, ticks: tuple[float, ...]) -> None:
    assert scale.ticks() == pytest.approx(ticks)


def test_scales_have_room_around_everything() -> None:
    for values in ([3.0], [0.0], [1.0, 2.0], [-5.0, 5.0]):
        scale = scale_of(values)
        assert scale.low < min(values) <= max(values) < scale.high
    for values in ([3.0], [0.1, 20.0]):
        scale = scale_of(values, log=True)
        assert 0 < scale.low < min(values) <= max(values) < scale.high
    assert Scale(1, 100, log=True).part(10) == pytest.approx(0.5)
    assert [tick_text(value) for value in (0.5, 20.0, 1500.0, 0.30000000000000004)] == [
        *("0.5", "20", "1,500", "0.3"),
    ]


def test_colours_can_be_told_from_the_paper() -> None:
    for colours in (LIGHT, DARK):
        for index in range(SERIES):
            assert contrast(colours[f"s{index}"], colours["paper"]) >= 3
        assert contrast(colours["ink"], colours["paper"]) >= 7
        assert contrast(colours["pale"], colours["paper"]) >= 4.5
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


def test_no_two_codecs_look_alike_even_without_colour() -> None:
    styles = [style_of(index) for index in range(252)]
    assert len(set(styles)) == 252
    without = {(style.shape, style.dash) for style in styles[:28]}
    assert len(without) == 28
    assert {style.shape for style in styles} == set(SHAPES)


def test_curves_hold_every_quality_in_order_of_rate() -> None:
    read = results()
    chart = rd_chart(read, METRICS[0], read.models)
    assert [curve.name for curve in chart.curves] == ["this codec", "JPEG 4:2:0", "AVIF 4:4:4"]
    points = chart.curves[0].points
    assert [(point.x, point.y) for point in points] == [
        (pytest.approx(0.1 * 2**index), pytest.approx(30.5 + 3 * index)) for index in range(4)
    ]
    assert points[0].label == "this codec, quality 1: 0.100 bpp, 30.50 dB (images: 3)"
    decibels = rd_chart(read, METRICS[1], read.models).curves[0].points[0].y
    assert decibels == pytest.approx(-10 * math.log10(0.05))


def test_what_is_not_drawn_is_noted() -> None:
    rows = [row("ours", "a", 1), failed_row("ours", "a", 2), row("jpeg", "a", 5, psnr=None)]
    read = results(rows=rows)
    chart = rd_chart(read, METRICS[0], read.models)
    assert chart.notes == (
        "this codec at quality 2: no image was measured, 1 failed",
        "JPEG 4:2:0 at quality 5: not measured",
    )
    speed = next(chart for chart in charts_of(read) if chart.key == "speed-encode")
    assert speed.notes == ("JPEG 4:2:0 was not measured on both sides of this rate",)


def test_speed_is_read_at_the_rate_that_most_codecs_reach() -> None:
    rows = [row("ours", "a", quality) for quality in (1, 2, 3, 4)]
    rows += [row("jpeg", "a", quality) for quality in (3, 4)]
    read = results(rows=rows)
    rate = common_rate(read, read.models)
    assert rate == pytest.approx(0.8)
    charts = {chart.key: chart for chart in charts_of(read)}
    (point,) = charts["speed-encode"].curves[0].points
    assert (point.x, point.y) == (pytest.approx(14.5), pytest.approx(39))
    assert len(charts["speed-decode"].curves[1].points) == 1


def test_between_points_a_curve_is_linear_in_log_rate() -> None:
    curve = [(0.4, 3.0), (0.1, 1.0)]
    assert at_rate(curve, 0.2) == pytest.approx(2)
    assert math.isnan(at_rate(curve, 0.5))
    assert math.isnan(at_rate([], 0.5))
    assert math.isnan(common_rate(results(rows=[failed_row("ours", "a", 1)]), ["ours"]))


def test_lower_resolutions_have_charts_of_their_own() -> None:
    rows = [row(model, "a", quality) for model in ("ours", "jpeg") for quality in (1, 2)]
    rows += [row("ours /2 fsr", "a", quality, supersampled="2 fsr") for quality in (1, 2)]
    rows += [row("SR only /2 fsr", "a", 0, supersampled="2 fsr")]
    charts = {chart.key: chart for chart in charts_of(results(rows=rows))}
    assert [curve.series for curve in charts["rd-psnr"].curves] == [0, 1]
    low = charts["rd-psnr-ours-rescaled"]
    assert [curve.name for curve in low.curves][1:] == ["this codec /2 fsr", "SR only /2 fsr"]
    level = low.curves[2]
    assert not level.points
    assert level.level is not None
    assert "no rate" in level.level.label
    assert "rd-psnr-jpeg-rescaled" not in charts
    scene = draw_chart(low.title, low.axes, low.curves)
    across = next(item for item in scene.groups[1].items if isinstance(item, Line))
    assert across.points[0][1] == across.points[1][1]


def _scene(count: int, **options: object) -> Scene:
    points = (Datum(0.1, 30, "a: 1"), Datum(1.0, 40, "a: 2"))
    curves = [Curve(index, f"codec {index}", style_of(index), points) for index in range(count)]
    return draw_chart("A <title>", Axes("x", "y"), curves, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [1, 6, 60])
def test_names_at_the_ends_do_not_lie_over_one_another(count: int) -> None:
    scene = _scene(count)
    texts = [item for group in scene.groups[1:] for item in group.items if isinstance(item, Text)]
    assert len(texts) == count
    heights = sorted(text.at[1] for text in texts)
    assert all(b - a >= texts[0].size - 1e-6 for a, b in itertools.pairwise(heights))
    assert all(WIDE.top - 8 <= height <= WIDE.height - WIDE.bottom + 1 for height in heights)


@pytest.mark.parametrize("layout", [WIDE, NARROW])
def test_every_mark_is_inside_the_drawing(layout: object) -> None:
    scene = _scene(3, layout=layout)
    marks = [item for group in scene.groups for item in group.items if isinstance(item, Mark)]
    assert len(marks) >= 6
    for mark in marks:
        assert 0 < mark.at[0] < scene.width
        assert 0 < mark.at[1] < scene.height


def test_a_file_of_svg_is_whole_and_stands_alone() -> None:
    root = ElementTree.fromstring(svg_file(_scene(3, titled=True)))
    assert root.tag == f"{SVG}svg"
    title = root.find(f"{SVG}title")
    assert title is not None
    assert title.text == "A <title>"
    text = svg_file(_scene(3, titled=True)).decode()
    assert re.findall(r"(?:href|src|url)\b", text) == []
    assert "var(" not in text
    assert [text.count(f'data-series="{index}"') for index in range(4)] == [1, 1, 1, 0]


def test_names_in_svg_are_text() -> None:
    item = Text((1, 2), NASTY, "ink", 10)
    mark = Mark((1, 2), "circle", "s0", 3, NASTY)
    scene = Scene(9, 9, NASTY, NASTY, (Group((item, mark), 0, NASTY),))
    for text in (inline_svg(scene, "wide"), svg_file(scene).decode()):
        root = ElementTree.fromstring(text)
        assert not [node for node in root.iter() if node.tag.endswith("script")]
        assert NASTY in "".join(root.itertext())


def test_a_png_shows_the_series_in_their_colours() -> None:
    scene = _scene(2, titled=True)
    with Image.open(io.BytesIO(png_file(scene))) as image:
        assert image.size == (scene.width * SCALE, scene.height * SCALE)
        pixels = np.array(image.convert("RGB"))
    for role in ("s0", "s1", "grid"):
        colour = tuple(int(LIGHT[role][index : index + 2], 16) for index in (1, 3, 5))
        assert (pixels == colour).all(axis=2).any(), role


def test_dashes_run_on_around_corners() -> None:
    corner = ((0.0, 0.0), (3.0, 0.0), (3.0, 4.0))
    assert list(dashes(corner, ())) == [list(corner)]
    pieces = list(dashes(corner, (4.0, 2.0)))
    assert pieces == [[(0, 0), (3, 0), (3, 1)], [(3, 3), (3, 4)]]
