"""What the catalogue says of measured curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from catalogue.evaluate import Codec, _distances, _looking
from catalogue.report import markdown


def _curve(factor: float) -> list[dict[str, Any]]:
    return [
        {"quality": i, "bpp": factor * 0.05 * 2**i, "psnr": 20.0 + 3 * i, "ms_ssim": 0.9}
        for i in range(6)
    ]


class _Bundle:
    def __init__(self, game: str) -> None:
        self.manifest = {"game": game}


def _codec(name: str, *games: str) -> Codec:
    bundle: Any = _Bundle("" if name.startswith("generic") else games[0])
    return Codec(Path(f"{name}.c3b"), bundle, games)


def test_each_codec_is_compared_on_each_of_its_games() -> None:
    curves = {
        "generic-small": {"one": _curve(1.0), "two": _curve(1.0)},
        "one-small": {"one": _curve(0.8)},
    }
    anchors = {"one": {"avif": _curve(1.6)}, "two": {"avif": _curve(0.5)}}
    generic = _distances(_codec("generic-small", "one", "two"), curves, anchors)
    assert generic["one"]["avif"]["bd_rate"] == pytest.approx(100 / 1.6 - 100, abs=0.1)
    assert generic["two"]["avif"]["bd_rate"] == pytest.approx(100, abs=0.2)
    assert "generic" not in generic["one"]
    own = _distances(_codec("one-small", "one"), curves, anchors)
    assert own["one"]["generic"]["bd_rate"] == pytest.approx(-20, abs=0.1)


def test_an_encoder_that_looks_is_compared_with_itself_and_with_others() -> None:
    curves, looking = {"one-small": {"one": _curve(1.0)}}, {"one-small": {"one": _curve(0.95)}}
    found = _looking(_codec("one-small", "one"), curves, looking, {"one": {"avif": _curve(1.9)}})
    assert found["one"]["plain"]["bd_rate"] == pytest.approx(-5, abs=0.1)
    assert found["one"]["avif"]["bd_rate"] == pytest.approx(-50, abs=0.1)
    assert _codec("one-median", "one").effort == 3
    assert _codec("generic-small", "one").effort is None


def test_the_report_of_encoders_that_look() -> None:
    entry = _entry("one", -5)
    rates = {"one": {"avif": {"bd_rate": -7.0}, "plain": {"bd_rate": -2.04}}}
    entry["looking"] = {"effort": 2, "bd_rate": rates}
    entry["speed"]["looking_encode_ms"] = 31.24
    bundles = {"generic-small": _entry(None, 4.0), "one-small": entry}
    text = markdown({"command": "x", "hardware": {}, "frames": {}, "bundles": bundles})
    (row,) = [line for line in text.splitlines() if line.startswith("| `one-small` | one | 2 |")]
    assert row.split(" | ")[3:5] == ["**-2.0**", "**-7.0**"]
    assert row.endswith(" | 31.2 |")
    assert "With more time" not in markdown(
        {"command": "x", "hardware": {}, "frames": {}, "bundles": {"g": _entry(None, 4.0)}}
    )


def _entry(game: str | None, rate: float, made: Any = None) -> dict[str, Any]:
    stage = {
        "command": "c3d-export train --model small",
        "steps": 9,
        "frames": {"digest": "d" * 64, "games": {"one": 3}},
    }
    return {
        "game": game,
        "bytes": 3_400_000,
        "codec_id": "ab" * 8,
        "licence": "CC0",
        "steps": 9,
        "stages": [stage],
        "round": made,
        "curves": {"one": _curve(1.0)},
        "bd_rate": {"one": {"avif": {"bd_rate": rate}, "jpeg": {"bd_rate": None}}},
        "speed": {"encode_ms": 8.64, "decode_ms": 9.51},
    }


def test_the_report_has_goals_first_and_all_of_a_bundle() -> None:
    made = {
        "command": "scripts/train-catalogue --device cuda",
        "hardware": {"cpu": "Zen", "gpu": "H100", "cores": 2},
        "validation": {"one": -3.21},
    }
    text = markdown(
        {
            "command": "scripts/train-catalogue --evaluate",
            "hardware": {"cores": 2},
            "frames": {"one": {"test": {"frames": 4, "digest": "e" * 64}}},
            "bundles": {"generic-small": _entry(None, 4.04), "one-small": _entry("one", -5, made)},
        }
    )
    heads = [text.index(f"## {head}") for head in ("Beside", "Measured with", "generic-small")]
    assert heads == sorted(heads)
    assert "| codec | frames | AVIF 4:4:4 speed 6 | JPEG 4:2:0 | encode ms |" in text
    assert "| `generic-small` | one | +4.0 | - | 8.6 | 9.5 | 3.4 |" in text
    assert "| `one-small` | one | **-5.0** | - |" in text
    assert "4 test frames of one, SHA-256 `eeee" in text
    assert "| 2 | 0.200 / 26.00 dB / 0.9000 |" in text
    assert "`c3d-export train --model small` on 3 frames, SHA-256 `dddddddddddddddd...`" in text
    assert "on H100; Zen, 2 cores." in text
    assert "on validation frames: one -3.21 %" in text
