"""The catalogue as Markdown: the goals first, then each bundle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from catalogue.baselines import ANCHORS
from catalogue.evaluate import PLAIN
from catalogue.measure import RATES
from catalogue.speed import RATE
from catalogue.tree import GENERIC

_ANCHORS = {name: label for name, label, _ in ANCHORS}
_LABELS = {GENERIC: "generic of its size", **_ANCHORS}

_TIME_TEXT = (
    "The same bundles and decoders. With `--effort 2` or `3` the encoder decodes what it would send"
    " once or twice, and mends it."
)

# The longest line of a history that still reads as one.
_STAGES_SHOWN = 12


def markdown(catalogue: Mapping[str, Any]) -> str:
    """CATALOGUE.md of the value that `evaluate` makes."""
    parts = [
        "# Catalogue",
        _written_by(catalogue),
        "## Beside others",
        _goals_text(),
        _goals(catalogue),
        *_with_time(catalogue),
        "## Measured with",
        _measured_with(catalogue),
    ]
    for name, item in catalogue["bundles"].items():
        parts += [f"## {name}", _bundle(item)]
    return "\n\n".join(parts) + "\n"


def _written_by(catalogue: Mapping[str, Any]) -> str:
    return (
        f"Written by `{catalogue['command']}` (docs/catalogue.md), not by hand; `CATALOGUE.json`"
        " has all figures. All are of real files, on test frames that no training saw and no"
        " choice was made on."
    )


def _goals_text() -> str:
    low, high = RATES
    return (
        f"BD-rate in percent on the test frames, over {low} to {high} bpp, PSNR of RGB: how many"
        " more bytes a codec of ours needs than the other for the same picture. Below 0 it needs"
        " fewer (bold). Milliseconds are of one 1280x720 frame at the rate"
        f" point nearest to {RATE} bpp."
    )


def _goals(catalogue: Mapping[str, Any]) -> str:
    used = [name for name in _LABELS if _appears(name, catalogue)]
    heads = ["codec", "frames", *(_LABELS[name] for name in used)]
    heads += ["encode ms", "decode ms", "MB"]
    rows = []
    for name, item in catalogue["bundles"].items():
        speed = item["speed"] or {}
        for game, measured in item["bd_rate"].items():
            cells = [_rate(measured.get(other)) for other in used]
            times = [_number(speed.get(key), 1) for key in ("encode_ms", "decode_ms")]
            rows.append([f"`{name}`", game, *cells, *times, _number(item["bytes"] / 1e6, 1)])
    return table(heads, rows, texts=2)


def _with_time(catalogue: Mapping[str, Any]) -> list[str]:
    """The encoders that look at what they would send; nothing where none was measured."""
    rows = []
    for name, item in catalogue["bundles"].items():
        looking, speed = item.get("looking"), item["speed"] or {}
        for game, measured in (looking["bd_rate"] if looking else {}).items():
            cells = [_rate(measured.get(other)) for other in (PLAIN, *_ANCHORS)]
            time = _number(speed.get("looking_encode_ms"), 1)
            rows.append([f"`{name}`", game, str(looking["effort"]), *cells, time])
    if not rows:
        return []
    heads = ["codec", "frames", "effort", "effort 1", *_ANCHORS.values(), "encode ms"]
    return ["## With more time to encode", _TIME_TEXT, table(heads, rows, texts=2)]


def _appears(name: str, catalogue: Mapping[str, Any]) -> bool:
    bundles = catalogue["bundles"].values()
    return any(name in measured for item in bundles for measured in item["bd_rate"].values())


def _rate(measured: Mapping[str, Any] | None) -> str:
    if measured is None or measured["bd_rate"] is None:
        return "-"
    text = f"{measured['bd_rate']:+.1f}"
    return f"**{text}**" if measured["bd_rate"] < 0 else text


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _measured_with(catalogue: Mapping[str, Any]) -> str:
    lines = [f"- {key}: {value}" for key, value in catalogue["hardware"].items()]
    for game, splits in catalogue["frames"].items():
        test = splits["test"]
        lines.append(f"- {test['frames']} test frames of {game}, SHA-256 `{test['digest']}`")
    return "\n".join(lines)


def _bundle(item: Mapping[str, Any]) -> str:
    made = f"for {item['game']}" if item["game"] else "for any game"
    text = f"{made[0].upper()}{made[1:]}, {item['bytes']:,} bytes, codec id `{item['codec_id']}`,"
    text += f" {item['steps']:,} training steps in all. Licence of the frames: {item['licence']}."
    parts = [text, _curves(item["curves"]), "How it was made:", _history(item["stages"])]
    if item["round"]:
        parts.append(_round(item["round"]))
    return "\n\n".join(parts)


def _curves(curves: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """bpp, PSNR and MS-SSIM of each rate point, the games side by side."""
    games = list(curves)
    heads = ["quality", *(f"{game}: bpp / PSNR / MS-SSIM" for game in games)]
    points = zip(*curves.values(), strict=True)
    rows = [[str(row[0]["quality"]), *map(_point, row)] for row in points]
    return table(heads, rows, texts=len(heads))


def _point(point: Mapping[str, Any]) -> str:
    similarity = _number(point["ms_ssim"], 4)
    return f"{point['bpp']:.3f} / {point['psnr']:.2f} dB / {similarity}"


def _history(stages: Sequence[Mapping[str, Any]]) -> str:
    """What was run, the newest last; a bundle in between is where a later round went on."""
    runs = [stage for stage in stages if "command" in stage]
    left = len(runs) - _STAGES_SHOWN
    lines = [f"- {left} earlier runs, in CATALOGUE.json"] if left > 0 else []
    for stage in runs[-_STAGES_SHOWN:]:
        frames = stage.get("frames")
        text = f"- `{stage['command']}`"
        if frames:
            count = sum(frames["games"].values())
            text += f" on {count} frames, SHA-256 `{frames['digest'][:16]}...`"
        lines.append(text)
    return "\n".join(lines)


def _round(made: Mapping[str, Any]) -> str:
    hardware = made["hardware"]
    used = ("gpu", "cpu") if "cuda" in made["command"] else ("cpu",)
    machine = "; ".join(str(hardware[key]) for key in used if key in hardware)
    rates = [f"{game} {rate:+.2f} %" for game, rate in made["validation"].items() if rate]
    before = f" BD-rate against the one before, on validation frames: {', '.join(rates)}."
    text = f"Made by `{made['command']}` on {machine}, {hardware['cores']} cores."
    return text + (before if rates else "")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, texts: int) -> str:
    """A Markdown table; the first `texts` columns are text, the others numbers."""
    lines = [heads, ["---"] * texts + ["---:"] * (len(heads) - texts), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
