"""The page in a real browser: it opens, fits, and does what its controls and keys promise."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from c3d_export.report.page import build_page
from c3d_export.report.pictures import take_shot
from c3d_export.report.viewer import Viewer
from c3d_export.runtime.images import Frame

from .browser import Browser, find_chromium
from .made import NASTY, OTHERS, OURS, failed_row, noise, results, row

pytestmark = pytest.mark.skipif(find_chromium() is None, reason="there is no chromium here")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = find_chromium()
    assert program
    browser = Browser(program, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three codecs, four images with one of a nasty name, one failure, two shots of noise."""
    images = ("a/one.png", "a/two.png", NASTY)
    rows = [
        row(model, image, quality, number * 0.5 - place)
        for number, image in enumerate(images)
        for place, model in enumerate(("ours", "jpeg", "avif"))
        for quality in (1, 2, 3, 4)
    ]
    rows += [failed_row("ours", "a/bad.png", 1, NASTY)]
    shots = [
        take_shot(name, "", noise(seed=seed), OURS, OTHERS, quality=3)
        for seed, name in enumerate(("a/one.png", NASTY))
    ]
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_bytes(build_page(results(rows=rows), Viewer(tuple(shots))))
    return path


@pytest.fixture
def opened(browser: Browser, page: Path) -> Browser:
    browser.open(page, 1000, 800)
    return browser


def focus(browser: Browser, selector: str) -> None:
    browser.run(f"document.querySelector('{selector}').focus()")


def value(browser: Browser, identity: str) -> str:
    return str(browser.run(f"document.getElementById('{identity}').value"))


def seen(browser: Browser) -> Frame:
    """The pixels of the stage."""
    box = browser.run(
        "(() => { const b = document.getElementById('v-stage').getBoundingClientRect();"
        " return [b.x + scrollX, b.y + scrollY, b.width, b.height] })()"
    )
    with Image.open(io.BytesIO(browser.screenshot(tuple(box)))) as image:
        return np.array(image.convert("RGB"))


def show_rows(browser: Browser) -> None:
    """Goes to the table of every image, which is made when it is first seen."""
    assert browser.run("document.getElementById('rows').childElementCount") == 0
    browser.run("document.getElementById('images').scrollIntoView()")
    browser.run(
        "new Promise(done => (function look() {"
        " document.querySelector('#rows table') ? done() : setTimeout(look, 20) })())"
    )


def ready(browser: Browser) -> None:
    """Waits until the pictures are decoded."""
    browser.run("Promise.all([...document.querySelectorAll('#v-stage img')].map(i => i.decode()))")


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (375, True), (320, False)])
def test_nothing_is_fetched_refused_or_wider_than_the_window(
    browser: Browser, page: Path, width: int, dark: bool
) -> None:
    browser.open(page, width, 700, dark=dark)
    ready(browser)
    assert browser.run("document.documentElement.scrollWidth") <= width
    requests = [event for event in browser.events if event["method"] == "Network.requestWillBeSent"]
    urls = {event["params"]["request"]["url"].partition(":")[0] for event in requests}
    assert urls == {"file", "data"}
    troubles = ("Runtime.exceptionThrown", "Log.entryAdded")
    assert [event for event in browser.events if event["method"] in troubles] == []


def test_the_theme_follows_the_host(browser: Browser, page: Path) -> None:
    colours = set()
    for dark in (False, True):
        browser.open(page, 500, 500, dark=dark)
        colours.add(browser.run("getComputedStyle(document.body).backgroundColor"))
    assert colours == {"rgb(255, 255, 255)", "rgb(21, 24, 29)"}


def test_names_are_text_and_nothing_else(opened: Browser) -> None:
    assert opened.run("document.scripts.length") == 3  # two of data, one of ours
    assert NASTY in opened.run("document.getElementById('v-frame').textContent")
    show_rows(opened)
    assert NASTY in opened.run("document.getElementById('rows').textContent")


def test_the_slider_shows_the_exact_pixels_of_both_sides(opened: Browser) -> None:
    ready(opened)
    frame = noise()
    focus(opened, "#v-slider")
    for _ in range(10):
        opened.press("ArrowRight")
    assert value(opened, "v-slider") == "60"
    picture = seen(opened)
    assert picture.shape == frame.shape
    cut = round(0.6 * 160)
    assert np.array_equal(picture[:40, : cut - 3], frame[:40, : cut - 3])
    ours = frame >> 5 << 5
    assert np.array_equal(picture[:40, cut + 3 :], ours[:40, cut + 3 :])


def test_the_divider_can_be_pulled(opened: Browser) -> None:
    opened.run("document.getElementById('v-stage').scrollIntoView()")
    x, y = opened.run(
        "(() => { const b = document.getElementById('v-divider').getBoundingClientRect();"
        " return [b.x + b.width / 2, b.y + 10] })()"
    )
    opened.drag((x, y), (x - 40, y))
    assert value(opened, "v-slider") == "25"


def test_zoom_repeats_pixels_and_arrow_keys_pan(opened: Browser) -> None:
    ready(opened)
    opened.call(
        "Emulation.setDeviceMetricsOverride",
        **{"width": 400, "height": 300, "deviceScaleFactor": 1, "mobile": False},
    )
    opened.run("document.getElementById('v-stage').scrollIntoView()")
    opened.run(
        "document.getElementById('v-left').value = 0; window.dispatchEvent(new Event('resize'))"
    )
    focus(opened, "#v-stage")
    for _ in range(3):
        opened.press("+")
    assert value(opened, "v-zoom") == "4"
    for key in ("ArrowLeft",) * 12 + ("ArrowUp",) * 12 + ("ArrowRight",):
        opened.press(key)  # to the corner, and 40 pixels of the screen back
    big = noise().repeat(4, 0).repeat(4, 1)
    assert np.array_equal(seen(opened)[:60, :100], big[:60, 40:140])


def test_flicker_shows_one_side_and_then_the_other(opened: Browser) -> None:
    ready(opened)
    opened.run("document.getElementById('v-stage').scrollIntoView()")
    opened.press("f")
    assert opened.run("document.getElementById('v-flicker').ariaPressed") == "true"
    shown = "document.querySelector('.captions .seen').id"
    assert opened.run(shown) == "v-left-caption"
    turned = f"new Promise(r => setTimeout(() => r({shown}), 700))"
    assert opened.run(turned) == "v-right-caption"
    opened.press("F")
    assert opened.run("document.querySelector('.captions .seen')") is None


def test_space_shows_the_other_side_while_it_is_held(opened: Browser) -> None:
    ready(opened)
    focus(opened, "#v-stage")
    opened.press(" ", release=False)
    assert np.array_equal(seen(opened), noise() >> 5 << 5)
    opened.release(" ")
    assert np.array_equal(seen(opened)[:30, :70], noise()[:30, :70])


def test_numbers_choose_the_right_side_and_x_swaps(opened: Browser) -> None:
    opened.run("document.getElementById('v-stage').scrollIntoView()")
    opened.press("3")
    assert (value(opened, "v-left"), value(opened, "v-right")) == ("0", "2")
    assert "JPEG" in opened.run("document.getElementById('v-right-caption').textContent")
    opened.press("9")  # there is none
    opened.press("x")
    assert (value(opened, "v-left"), value(opened, "v-right")) == ("2", "0")
    focus(opened, "#v-right")
    opened.press("x")  # in a list, letters are the list's
    assert value(opened, "v-left") == "2"


def test_another_frame_keeps_the_sides(opened: Browser) -> None:
    opened.press("3")
    opened.run("document.getElementById('v-right').value = 2")
    opened.run(
        "(f => { f.value = 1; f.dispatchEvent(new Event('change')) })"
        "(document.getElementById('v-frame'))"
    )
    ready(opened)
    assert value(opened, "v-right") == "2"
    second = noise(seed=1)
    assert np.array_equal(seen(opened)[:30, :70], second[:30, :70])


def test_the_legend_hides_a_codec_in_every_plot(opened: Browser) -> None:
    visible = (
        "[...document.querySelectorAll('.series[data-series=\"1\"]')]"
        ".map(group => getComputedStyle(group).display)"
    )
    assert "none" not in opened.run(visible)
    focus(opened, '.legend button[data-series="1"]')
    opened.press(" ")
    assert set(opened.run(visible)) == {"none"}
    opened.press(" ")
    assert "none" not in opened.run(visible)


def test_a_curve_is_read_with_the_arrow_keys(opened: Browser) -> None:
    focus(opened, '.wide .series[data-series="0"]')
    tip = "document.getElementById('tip').textContent"
    assert opened.run(tip).startswith("this codec, quality 1: 0.100 bpp, 30.")
    opened.press("ArrowRight")
    assert opened.run(tip).startswith("this codec, quality 2: 0.200 bpp, 33.")
    opened.press("Tab")
    assert "this codec" not in opened.run(tip) or opened.run(
        "document.getElementById('tip').hidden"
    )


def test_a_heading_sorts_the_images(opened: Browser) -> None:
    show_rows(opened)
    heads = "[...document.querySelectorAll('#rows thead button')].map(b => b.textContent)"
    column = [text.strip(" ↑↓") for text in opened.run(heads)].index("PSNR dB")
    for expected, sort in (("one.png", "ascending"), ("script", "descending")):
        opened.run(f"document.querySelectorAll('#rows thead button')[{column}].click()")
        names = opened.run(
            "[...document.querySelectorAll('#rows tbody th')].map(t => t.textContent)"
        )
        assert expected in names[0]
        assert "bad.png" in names[-1]  # what failed comes last either way
        sorts = "document.querySelector('#rows [aria-sort]').ariaSort"
        assert opened.run(sorts) == sort
    assert NASTY in opened.run("document.querySelector('#rows tbody').lastChild.textContent")
