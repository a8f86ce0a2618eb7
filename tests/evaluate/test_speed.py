"""Timing: what is cut, mirrored, summed up and left as it was."""

from __future__ import annotations

import io
import platform
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from c3d_export.evaluate.speed import (
    SpeedRow,
    Timing,
    at_size,
    quantile,
    resident_mb,
)
from c3d_export.evaluate.stage_chart import COLOURS, stage_chart


def test_a_frame_is_cut_or_mirrored() -> None:
    frame = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    assert at_size(frame, 3, 2) is frame
    assert np.array_equal(at_size(frame, 2, 1), frame[:1, :2])
    wide = at_size(frame, 7, 5)
    assert wide.shape == (5, 7, 3)
    assert wide.flags.c_contiguous
    assert np.array_equal(wide[:, 3:6], wide[:, 2::-1])
    assert np.array_equal(wide[2:4], wide[1::-1])
    assert np.array_equal(at_size(frame, 2, 4)[:2], frame[:, :2])


@pytest.mark.parametrize(("count", "at"), [(1, 1), (20, 20), (100, 99), (101, 100), (200, 198)])
def test_the_99th_percentile(count: int, at: int) -> None:
    assert quantile(range(1, count + 1), 0.99) == at


def test_what_fits_is_what_99_of_100_calls_do() -> None:
    quick, slow = Timing(5.0, 9.0, {"g_a": 4.0, "other": 1.0}), Timing(8.0, 17.0, {})
    row = SpeedRow("c", 1280, 720, 1000, quick, slow)
    assert row.fits(17.0)
    assert not row.fits(16.7)
    assert quick.percent == {"g_a": 80.0, "other": 20.0}
    assert row.bpp == pytest.approx(8000 / (1280 * 720))
    assert row.to_json()["encode"]["p99_ms"] == 9.0


def test_a_chart_has_a_bar_a_way_in_the_colours_of_its_stages() -> None:
    timing = Timing(10.0, 11.0, {"g_a": 6.0, "coder": 3.0, "other": 1.0})
    half = Timing(5.0, 6.0, {"g_s": 5.0})
    rows = [SpeedRow("codec", 64, 48, 100, timing, half)]
    image = Image.open(io.BytesIO(stage_chart(rows)))
    assert image.size[0] == 1200
    colours = [
        [rgb for _, rgb in sorted(image.crop((330, y, 1110, y + 1)).getcolors(4096), reverse=True)]
        for y in (100, 148)
    ]
    hexes = [["#{:02x}{:02x}{:02x}".format(*rgb) for rgb in line] for line in colours]
    assert hexes[0][:3] == [COLOURS[stage] for stage in ("g_a", "coder", "other")]
    assert set(hexes[1][:2]) == {COLOURS["g_s"], "#ffffff"}, "half as long as the other"


def test_this_process_takes_memory() -> None:
    assert resident_mb() > 10


def test_timing_needs_no_torch() -> None:
    """Hosts that only code can be timed, and memory is that of the codec."""
    code = (
        "import sys; from c3d_export.evaluate import baselines, speed;"
        " kept = speed.keep_freed_memory();"
        " print(kept, sorted({'torch', 'onnx'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{platform.libc_ver()[0] == 'glibc'} []"
