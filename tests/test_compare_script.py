"""scripts/compare_at_bpp.py: the table, and the picture of a part of one frame."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from c3d_export.runtime.images import read_image, write_image

pytest.importorskip("torch")

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import compare_at_bpp

    yield compare_at_bpp
    del sys.modules["compare_at_bpp"]


def _run(script: Any, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["x", *map(str, arguments)])
    script.main()


def test_a_part_of_one_frame_in_its_own_size(
    script: Any,
    tiny_path: Path,
    frame: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
) -> None:
    image, picture = tmp_path / "frame.png", tmp_path / "picture.png"
    wide = np.tile(frame, (2, 5, 1))
    write_image(image, wide)
    options = ["--codec", tiny_path, "--frames", image, "--baselines", "jpeg", "--quality", 2]
    _run(script, monkeypatch, *options, "--picture", picture, "--crop", "10,4,250,80")
    drawn = read_image(picture)
    assert drawn.shape == (2 * (80 + 36) + 16, 2 * 250 + 16, 3)  # three tiles, in two rows
    assert np.array_equal(drawn[:80, :250], wide[4:84, 10:260])
    assert "jpeg" in capsys.readouterr().out


def test_a_caption_has_bytes_rate_and_distortion(script: Any, frame: Any) -> None:
    result = script.Result(bytes(3072), frame, 1.0, 1.0, 2)
    text = script.caption("avif", script.Scored(result, 31.416, 0.9))
    assert text == "AVIF 4:4:4: 3,072 bytes, 8.000 bpp, 31.42 dB"


@pytest.mark.parametrize("crop", ["1,2,3", "1,2,3,x", "8"])
def test_a_crop_that_is_none_exits_2(
    script: Any, crop: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    with pytest.raises(SystemExit) as end:
        _run(script, monkeypatch, "--codec", "a", "--frames", "b", "--picture", "c", "--crop", crop)
    assert end.value.code == 2
    assert "are not four numbers" in capsys.readouterr().err
