"""Hosts and how far each is: a live table on a terminal, a line each elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import click

from .output import note, print_table, stderr_console

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from ..deploy.ship.fleet import Fleet, Outcome

Done = Callable[["Outcome"], None]

_FRAMES_A_SECOND: Final = 8
# Title, header, rules and the line of counts.
_OTHER_LINES: Final = 6
# What to look at first: what is moving, then what went wrong.
_ORDER: Final = ("installing", "sending", "failed", "waiting", "installed", "shipped", "there")
_STYLES: Final = {"failed": "red", "sending": "cyan", "installing": "cyan", "waiting": "dim"}
_HEADERS: Final = ("target", "state", "sent", "seconds", "why")


def size(count: int) -> str:
    """Bytes for people: 950 B, 1.2 MB."""
    if count < 1000:
        return f"{count} B"
    value, unit = count / 1000, "kB"
    if value >= 1000:
        value, unit = value / 1000, "MB"
    return f"{value:.1f} {unit}"


def shown(outcome: Outcome) -> dict[str, object]:
    """For --json."""
    entry: dict[str, object] = {
        "target": str(outcome.target),
        "state": outcome.state,
        "sent_bytes": outcome.sent,
        "seconds": outcome.seconds,
    }
    if outcome.error is not None:
        entry |= {"error": type(outcome.error).__name__, "reason": str(outcome.error)}
    return entry


def print_outcomes(fleet: Fleet) -> None:
    """The result, on stdout; reasons stand below, where they have all of a line."""
    bundles = ", ".join(f"{parcel.file} ({parcel.codec_id})" for parcel in fleet.parcels)
    print_table(bundles, _HEADERS[:-1], [_cells(outcome)[:-1] for outcome in fleet.outcomes])
    for outcome in fleet.outcomes:
        if outcome.error is not None:
            click.echo(f"{outcome.target}: {outcome.error}")


@contextlib.contextmanager
def live_table(fleet: Fleet) -> Iterator[Done]:
    """Shows the fleet on stderr while the block runs; yields what is to be told of each end."""
    if not sys.stderr.isatty():
        yield _line
        return
    from rich.live import Live

    console = stderr_console()
    with Live(
        get_renderable=lambda: _table(fleet, console),
        console=console,
        refresh_per_second=_FRAMES_A_SECOND,
        transient=True,
    ):
        yield lambda outcome: None


def _line(outcome: Outcome) -> None:
    why = f": {outcome.error}" if outcome.error else ""
    note(f"{outcome.target}: {outcome.state}, {size(outcome.sent)} in {outcome.seconds:.1f} s{why}")


def _cells(outcome: Outcome) -> tuple[str, ...]:
    seconds = f"{outcome.elapsed:.1f}" if outcome.state != "waiting" else ""
    why = str(outcome.error or "")
    return str(outcome.target), outcome.state, size(outcome.sent), seconds, why


def _table(fleet: Fleet, console: Console) -> RenderableType:
    from rich import box
    from rich.table import Table

    total = sum(len(parcel.data) for parcel in fleet.parcels)
    # States change meanwhile: each is looked at once.
    rows = [(outcome.state, outcome) for outcome in fleet.outcomes]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, caption=_counts([s for s, _ in rows]))
    table.caption_justify = "left"
    for header in _HEADERS:
        table.add_column(header, no_wrap=True, overflow="ellipsis")
    rows.sort(key=lambda row: _ORDER.index(row[0]))
    for state, outcome in rows[: max(1, console.height - _OTHER_LINES)]:
        target, _, sent, seconds, why = _cells(outcome)
        sent = f"{sent} of {size(total)}" if state == "sending" else sent
        table.add_row(target, state, sent, seconds, why, style=_STYLES.get(state))
    return table


def _counts(states: list[Any]) -> str:
    return ", ".join(f"{states.count(name)} {name}" for name in _ORDER if name in states)
