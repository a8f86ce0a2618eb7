"""Tables in plain text that are Markdown too, a JSON file, and a picture."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from arith_bench.suite import CODEC, FROM_LISTS, FROM_NUMPY, Report
from arith_bench.timing import Result

Row = list[str]

BEGIN = "<!-- bench-arith: begin -->"
END = "<!-- bench-arith: end -->"


def _table(headings: Row, rows: list[Row]) -> str:
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]

    def line(cells: Row) -> str:
        first = cells[0].ljust(widths[0])
        rest = [c.rjust(w) for c, w in zip(cells[1:], widths[1:], strict=True)]
        return "| " + " | ".join([first, *rest]) + " |"

    rule = [":" + "-" * (widths[0] - 1), *("-" * (w - 1) + ":" for w in widths[1:])]
    return "\n".join([line(headings), line(rule), *map(line, rows)])


def _speed(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def _times(value: float, base: float) -> str:
    ratio = value / base
    return f"{ratio:.0f} x" if ratio >= 20 else f"{ratio:.2g} x"


def _named(results: list[Result], name: str) -> Result | None:
    return next((result for result in results if result.name == name), None)


def speed_table(results: list[Result]) -> str:
    """Speeds, both ratios to compressai.ans, the size, and the rounds they are medians of."""
    bases = [_named(results, FROM_NUMPY), _named(results, FROM_LISTS)]
    rows = []
    for result in results:
        row = [result.name, _speed(result.encode_speed), _speed(result.decode_speed)]
        for base in bases:
            if base is None:
                row += ["-", "-"]
            else:
                row.append(_times(result.encode_speed, base.encode_speed))
                row.append(_times(result.decode_speed, base.decode_speed))
        rows.append([*row, f"{result.overhead:.2f} %", str(len(result.encode_times))])
    headings = ["coder", "encode", "decode", "encode / numpy", "decode / numpy"]
    return _table([*headings, "encode / lists", "decode / lists", "overhead", "rounds"], rows)


def lanes_table(results: list[Result]) -> str:
    """Speeds and bytes by the number of lanes."""
    rows = [
        [
            result.name,
            _speed(result.encode_speed),
            _speed(result.decode_speed),
            str(result.payload_bytes),
            f"{result.overhead:.2f} %",
        ]
        for result in results
    ]
    return _table(["lanes", "encode", "decode", "bytes", "overhead"], rows)


def bytes_per_lane(results: list[Result]) -> float:
    """What a lane adds to the payload."""
    few, many = results[0], results[-1]
    return (many.payload_bytes - few.payload_bytes) / (int(many.name) - int(few.name))


def as_text(report: Report) -> str:
    """Everything, for the terminal or for a document."""
    parts = ["\n".join(f"- {name}: {value}" for name, value in report.facts.items())]
    for n, results in report.warm.items():
        parts += [f"### {n:,} symbols", speed_table(results)]
    if report.cold:
        parts += [f"### {report.cold[0].n:,} symbols, cold caches", speed_table(report.cold)]
    if report.lanes:
        lanes = f"{bytes_per_lane(report.lanes):.1f} bytes each"
        parts += [f"### {report.lanes[0].n:,} symbols by lanes, {lanes}", lanes_table(report.lanes)]
    if report.left_out:
        reasons = [f"- {'; '.join(what)}: {why}" for why, what in report.left_out.items()]
        parts += ["### Left out", "\n".join(reasons)]
    return "\n\n".join(parts)


def write_into(path: Path, text: str) -> None:
    """Replaces what stands between the two marks of a document."""
    before, _, rest = path.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"{path} does not have the lines '{BEGIN}' and '{END}'")
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{end}{after}", "utf-8")


def _as_json(result: Result) -> dict[str, Any]:
    return {
        "name": result.name,
        "symbols": result.n,
        "bytes": result.payload_bytes,
        "overhead_percent": result.overhead,
        "encode_msymbols": result.encode_speed,
        "decode_msymbols": result.decode_speed,
        "encode_seconds": result.encode_times,
        "decode_seconds": result.decode_times,
    }


def write_json(report: Report, path: Path) -> None:
    """All results with the time of each round."""
    content = {
        "facts": report.facts,
        "warm": {str(n): [_as_json(r) for r in results] for n, results in report.warm.items()},
        "cold": [_as_json(result) for result in report.cold],
        "lanes": [_as_json(result) for result in report.lanes],
        "left_out": report.left_out,
    }
    path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def spread(report: Report) -> float:
    """How far the rounds of the codec's call lie apart: the median of their distances from the
    median, in per cent of it. A quiet machine has a few per cent."""
    distances = []
    for results in report.warm.values():
        codec = _named(results, CODEC)
        if codec is not None:
            for times in (codec.encode_times, codec.decode_times):
                middle = statistics.median(times)
                distances += [abs(time - middle) / middle for time in times]
    return 100.0 * statistics.median(distances)
