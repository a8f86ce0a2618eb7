"""A validation as one page: no script, nothing fetched, readable on a phone and on paper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from ..runtime.sessions import LEVELS
from .analysis import FloatComparison
from .certificate import PAIR_LIMIT, SUM_LIMIT, LayerCertificate
from .compare import FRAME, ValidationRow
from .matrix import THREADS
from .validate import ValidationReport

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --bad: #cf222e; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.4rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: left; }
th { white-space: nowrap; }
td.n, th.n { text-align: right; white-space: nowrap; }
td.n ~ td { white-space: nowrap; }
.good { color: var(--good); } .bad { color: var(--bad); }
.verdict { font-size: 1.1rem; font-weight: 600; }
p { overflow-wrap: anywhere; }
@media (max-width: 30rem) {
  table { font-size: .75rem; }
  th, td { padding: .25rem .35rem; }
}
"""


@dataclass(frozen=True)
class Line:
    """Rows of one thing that was compared, on one provider in one flavour.

    sizes: of random inputs, or the rate points of a frame. ways, possible: numbers of pairs of
    optimisation level and threads that ran and that there are.
    """

    what: str
    runner: str
    sizes: str
    ways: int
    possible: int
    compared: int
    differing: int

    @property
    def cells(self) -> tuple[str, ...]:
        ways = f"{self.ways} of {self.possible}"
        values = f"{self.differing:,}", f"{self.compared:,}"
        return self.what, self.runner, *values, ways, self.sizes


HEADERS = ("what", "runs on", "differing", "compared", "ways", "inputs")


def summary(report: ValidationReport) -> list[Line]:
    """A line per graph, frame or set of known answers, and provider and flavour."""
    groups: dict[tuple[str, str], list[ValidationRow]] = {}
    for row in report.rows:
        what = f"{row.name} {row.size}" if row.what == FRAME else row.what
        runner = f"{row.configuration.device} {row.configuration.flavour}"
        groups.setdefault((what, runner), []).append(row)
    return [_line(what, runner, rows) for (what, runner), rows in groups.items()]


def _line(what: str, runner: str, rows: Sequence[ValidationRow]) -> Line:
    cuda = rows[0].configuration.device == "cuda"
    qualities = sorted({row.quality for row in rows if row.quality})
    sizes = [_named(qualities)] if qualities else dict.fromkeys(r.size for r in rows)
    return Line(
        what,
        runner,
        " ".join(sizes),
        len({(r.configuration.level, r.configuration.threads) for r in rows}),
        len(LEVELS) * (1 if cuda else len(THREADS)),
        sum(r.compared for r in rows),
        sum(r.differing for r in rows),
    )


def _named(qualities: Sequence[int]) -> str:
    """Rate points, a row of them by its ends."""
    first, last = qualities[0], qualities[-1]
    if len(qualities) > 2 and last - first == len(qualities) - 1:
        return f"quality {first} to {last}"
    return " ".join(["quality", *map(str, qualities)])


def verdict(report: ValidationReport) -> str:
    """One sentence."""
    faults = sum(bool(item.fault) for item in report.certificates)
    if faults:
        return f"{report.name}: {faults} of {len(report.certificates)} certificates do not hold"
    values = f"{report.differing:,} of {report.compared:,} values differ"
    return f"{report.name}: {values}, {report.seconds:.0f} s"


def certificate_line(report: ValidationReport) -> str:
    """The largest bounds of all layers, beside their limits."""
    certificates = [item.certificate for item in report.certificates]
    layers = len({c.layer for c in certificates})
    flavours = len({item.flavour for item in report.certificates})
    sums, pairs = (max(getattr(c, f"largest_{n}") for c in certificates) for n in ("sum", "pair"))
    return (
        f"certificates of {layers} layers x {flavours} flavours: sums {sums:,} (below"
        f" {SUM_LIMIT:,}), pairs {pairs:,} (to {PAIR_LIMIT:,})"
    )


def ways_line(report: ValidationReport) -> str:
    """What the ways are."""
    threads = ", ".join(str(n or "all") for n in THREADS)
    skipped = "".join(f"; skipped {text}" for text in report.plan.skipped)
    return f"ways: optimisation {', '.join(LEVELS)} x {threads} threads (CUDA: levels){skipped}"


FLOAT_HEADERS = ("quality", "float bpp", "integer bpp", "float dB", "integer dB", "dB lost")


def float_cells(floats: FloatComparison) -> list[tuple[str, ...]]:
    """A row per rate point, the mean over the frames."""
    return [
        (
            str(row.quality),
            f"{row.bpp_float:.4f}",
            f"{row.bpp_integer:.4f}",
            f"{row.psnr_float:.3f}",
            f"{row.psnr_integer:.3f}",
            f"{row.psnr_float - row.psnr_integer:+.3f}",
        )
        for row in floats.by_quality()
    ]


ANALYSIS_HEADERS = ("frame", "mean", "largest", "above one half, %")


def analysis_cells(floats: FloatComparison) -> list[tuple[str, ...]]:
    """A row per frame: |integer - float| of y in units of v."""
    return [
        (item.frame, f"{item.mean:.4f}", f"{item.largest:.3f}", f"{item.share_above_half:.3%}"[:-1])
        for item in floats.analysis
    ]


def float_line(floats: FloatComparison) -> str:
    weights = "the trained weights" if floats.trained else "the integer network's own weights"
    return (
        f"float: {weights}, activations, steps and scales unrounded; rates by the entropy model,"
        f" rounding at one half on both sides{_cost(floats.bd_rate)}"
    )


def _cost(percent: float | None) -> str:
    return "" if percent is None else f"; the integers cost {percent:+.2f} % of the rate (BD-rate)"


def report_html(report: ValidationReport, environment: Mapping[str, str]) -> bytes:
    """The page in UTF-8. environment: what it ran on, by name."""
    sections = [
        _section("What was compared", _compared(report)),
        _section("First divergence", _divergence(report)),
        _section("By level and threads", _levels(report.rows)),
        _section("Certificates", _certificates(report)),
        *([_section("Float and integer network", _floats(report.floats))] if report.floats else []),
        _section("This host", _table(("", ""), environment.items())),
    ]
    colour = "good" if report.exact else "bad"
    title = escape(f"Validation of {report.name}")
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>"
        f'<p class="verdict {colour}">{"Exact" if report.exact else "Not exact"}.'
        f" {escape(verdict(report))}.</p><p>Codec {escape(report.codec_id)}</p>"
        f"{''.join(sections)}</body></html>\n"
    )
    return page.encode("utf-8")


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells that begin with a digit or sign are set to the right."""
    lines = list(rows)
    right = [bool(lines) and all(line[k][:1] in "+-0123456789" for line in lines)
             for k in range(len(headers))]  # fmt: skip
    head = _cells("th", headers, right) if any(headers) else ""
    body = "".join(_cells("td", line, right) for line in lines)
    return f'<div class="wide"><table>{head}{body}</table></div>'


def _cells(tag: str, cells: Sequence[str], right: Sequence[bool]) -> str:
    marked = zip(cells, right, strict=True)
    row = "".join(f"<{tag}{' class=n' * n}>{escape(cell)}</{tag}>" for cell, n in marked)
    return f"<tr>{row}</tr>"


def _compared(report: ValidationReport) -> str:
    if not report.rows:
        return "<p>Nothing: the certificates come first, and they do not hold.</p>"
    table = _table(HEADERS, [line.cells for line in summary(report)])
    return f"{table}<p>{escape(ways_line(report))}</p>"


def _divergence(report: ValidationReport) -> str:
    wrong = next((row for row in report.rows if row.differing), None)
    if wrong is None:
        return "<p>None.</p>"
    lines = [f"{wrong}, {wrong.configuration}: {wrong.first}"]
    lines += [str(report.divergence)] if report.divergence else ["No graph differs on this input."]
    return "".join(f'<p class="bad">{escape(line)}</p>' for line in lines)


def _levels(rows: Sequence[ValidationRow]) -> str:
    """Values by provider, flavour, level (down) and threads (across): differing of compared."""
    counts: dict[tuple[str, str, int], list[int]] = {}
    for row in rows:
        c = row.configuration
        count = counts.setdefault((f"{c.device} {c.flavour}", c.level, c.threads), [0, 0])
        count[0] += row.differing
        count[1] += row.compared
    runners = list(dict.fromkeys(runner for runner, _, _ in counts))
    headers = ("runs on", "optimisation", *(f"threads: {n or 'all'}" for n in THREADS))
    lines = [
        (runner, level, *(_of(counts.get((runner, level, n))) for n in THREADS))
        for runner in runners
        for level in LEVELS
    ]
    return _table(headers, lines)


def _of(count: Sequence[int] | None) -> str:
    return f"{count[0]:,} of {count[1] / 1e6:.2f} M" if count else "not run"


def _certificates(report: ValidationReport) -> str:
    """One row where both flavours agree."""
    merged: dict[LayerCertificate, list[str]] = {}
    for item in report.certificates:
        merged.setdefault(item.certificate, []).append(item.flavour)
    faults = [
        f"{c.certificate.layer}, {c.flavour}: {c.fault}" for c in report.certificates if c.fault
    ]
    text = "".join(f'<p class="bad">{escape(fault)}</p>' for fault in faults)
    rows = [(*_bounds(item), " ".join(flavours)) for item, flavours in merged.items()]
    headers = ("layer", "largest sum", "of 2^24, %", "largest pair", "scales", "graphs")
    return f"<p>{escape(certificate_line(report))}</p>{text}{_table(headers, rows)}"


def _bounds(c: LayerCertificate) -> tuple[str, ...]:
    share = f"{100 * c.largest_sum / SUM_LIMIT:.1f}"
    scales = f"{c.scale_min:.3g} to {c.scale_max:.3g}"
    return c.layer, f"{c.largest_sum:,}", share, f"{c.largest_pair:,}", scales


def _floats(floats: FloatComparison) -> str:
    return (
        f"<p>{escape(float_line(floats))}.</p>{_table(FLOAT_HEADERS, float_cells(floats))}"
        "<p>|integer - float| of the latents y, in units of v:</p>"
        f"{_table(ANALYSIS_HEADERS, analysis_cells(floats))}"
    )
