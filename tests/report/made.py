"""Results in the form that `eval` writes, and codecs for the viewer, all made up."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from c3d_export.evaluate.equal_bytes import Method
from c3d_export.report.results import Results, parse_results
from c3d_export.runtime.images import Frame

QUALITIES = (1, 2, 3, 4)
NASTY = "frames/<script>alert('x')</script>&amp;\"é.png"


def row(model: str, image: str, quality: int, better: float = 0.0, **changes: Any) -> dict:
    """One row: 0.1 bpp and 30 dB at quality 1, twice the rate and 3 dB more at each further one."""
    bpp = 0.1 * 2 ** (quality - 1)
    ms_ssim = 1 - 0.1 / 2**quality
    values = {
        "model": model,
        "name": image,
        "shape": "1280x720",
        "quality": quality,
        "bytes": round(bpp * 1280 * 720 / 8),
        "bpp": bpp,
        "payload_bytes": round(bpp * 1280 * 720 / 8) - 40,
        "payload_bpp": bpp - 40 * 8 / (1280 * 720),
        "psnr": 27.0 + 3 * quality + better,
        "psnr_y": 28.5 + 3 * quality + better,
        "ssim": 0.9,
        "ssim_y": 0.91,
        "ms_ssim": ms_ssim,
        "ms_ssim_y": ms_ssim,
        "ms_db": -10 * math.log10(1 - ms_ssim),
        "vmaf": None,
        "enc_ms": 10.5 + quality,
        "dec_ms": 20.25 + quality,
        "supersampled": "",
        "stages_ms": {"analysis": 1.5, "entropy": 0.25} if model == "ours" else {},
        "error": None,
    }
    return {**values, **changes}


def failed_row(model: str, image: str, quality: int, error: str = "ImageError: broken") -> dict:
    """A row of which nothing was measured."""
    kept = {"model", "name", "quality", "supersampled"}
    made = row(model, image, quality)
    empty = {key: value if key in kept else None for key, value in made.items()}
    return {**empty, "stages_ms": {}, "error": error}


def summary(rows: Sequence[dict]) -> dict:
    """The means of the rows of one codec and quality; null where there are none."""
    done = [item for item in rows if item["error"] is None]
    names = ("bpp", "payload_bpp", "psnr", "psnr_y", "ssim", "ssim_y", "ms_ssim", "ms_ssim_y")
    times = {"encode_ms": "enc_ms", "decode_ms": "dec_ms"}
    sources = {**{name: name for name in names}, **times}
    means = {name: _mean([item[source] for item in done]) for name, source in sources.items()}
    first = rows[0]
    kept = {name: first[name] for name in ("model", "quality", "supersampled")}
    counts = {"images": len(done), "failures": len(rows) - len(done)}
    return {**kept, **counts, **means, "vmaf": None}


def _mean(values: list[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return sum(numbers) / len(numbers) if numbers and len(numbers) == len(values) else None


def results_json(
    models: Sequence[str] = ("ours", "jpeg", "avif"),
    images: Sequence[str] = ("a/one.png", "a/two.png", "a/three.png"),
    rows: list[dict] | None = None,
) -> dict:
    """A whole file. Each further codec is 1 dB worse; the images of ours differ by .5 dB."""
    if rows is None:
        rows = [
            row(model, image, quality, (number * 0.5 if model == "ours" else 0.0) - place)
            for number, image in enumerate(images)
            for place, model in enumerate(models)
            for quality in QUALITIES
        ]
    groups: dict[tuple[str, int], list[dict]] = {}
    for item in rows:
        groups.setdefault((item["model"], item["quality"]), []).append(item)
    bd_rates = [
        {
            "codec": "ours",
            "anchor": anchor,
            "metric": "psnr",
            "percent": -12.25,
            "low": 31.0,
            "high": 39.5,
            "reason": None,
        }
        for anchor in models[1:]
    ]
    no_rate = {"percent": None, "low": None, "high": None, "reason": "the curve does not rise"}
    bd_rates += [{**item, **no_rate, "metric": "ms_ssim"} for item in bd_rates[:1]]
    return {
        "format": 1,
        "definitions": {"bpp": "8 * bytes / pixels", "psnr": "dB; on RGB"},
        "versions": {"c3d-export": "0.1.0", "pillow": "13.0.0"},
        "environment": {"cpu": "made up <2 cores>", "threads": 1},
        "codec": {"name": "game-small", "id": "0011223344556677"},
        "frames": {"count": len({item["name"] for item in rows}), "digest": "ab" * 32},
        "summaries": [summary(group) for group in groups.values()],
        "rows": rows,
        "bd_rates": bd_rates,
    }


def results(**options: Any) -> Results:
    """`results_json`, read."""
    return parse_results(json.dumps(results_json(**options)).encode())


@dataclass
class Rounding:
    """A codec that keeps `quality` bits of each value, in files of `unit` * quality bytes."""

    unit: int
    qualities: range = range(1, 8)

    def encode(self, frame: Frame, *, quality: int) -> bytes:
        self.frame = frame >> (8 - quality) << (8 - quality)
        return bytes(self.unit * quality)

    def decode(self, data: bytes) -> Frame:
        return self.frame


OURS = Method("ours", Rounding(1000))
OTHERS = (Method("jpeg", Rounding(400)), Method("avif", Rounding(700)))


def noise(height: int = 120, width: int = 160, seed: int = 0) -> Frame:
    """What no codec can make smaller."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
