"""Results on stdout, everything else on stderr."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from ..core import jsonio
from .processes import rank

if TYPE_CHECKING:
    from rich.console import Console

# Where no terminal says how wide it is (a pipe, a log), tables must not be cut to 80 columns.
PIPE_WIDTH = 160

Advance = Callable[[int, str], None]


def print_json(value: object) -> None:
    """Prints strict JSON; numbers that JSON has not (NaN, infinities) become null.

    Nothing but in the first process of a training.
    """
    if rank():
        return
    click.echo(jsonio.dumps(_finite(value)).decode("utf-8"), nl=False)


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return _plain(value)
    if isinstance(value, dict):
        return {_plain(str(key)): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _plain(text: str) -> str:
    """Names of files may hold bytes that are no UTF-8; they appear as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def note(text: str) -> None:
    """One line for people, on stderr; in the first process of a training alone."""
    if not rank():
        click.echo(text, err=True)


def print_table(title: str, headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout; the first column is text, numbers are set to the right."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    lines = [[_plain(str(cell)) for cell in row] for row in rows]
    for index, header in enumerate(headers):
        numeric = all(_is_number(line[index]) for line in lines)
        table.add_column(header, justify="right" if index and numeric else "left")
    for line in lines:
        table.add_row(*line)
    _console(sys.stdout).print(table)


def _is_number(text: str) -> bool:
    return not text or text[0].isdigit() or text[0] in "-+."


def stderr_console() -> Console:
    """For what changes while a command runs."""
    return _console(sys.stderr)


def _console(file: Any) -> Console:
    from rich.console import Console

    width = None if file.isatty() else PIPE_WIDTH
    # What is printed holds names of files: neither markup nor emoji may be read into them.
    return Console(file=file, width=width, markup=False, emoji=False, highlight=False)


@contextlib.contextmanager
def progress(what: str, total: int) -> Iterator[Advance]:
    """A bar on stderr while the block runs; nothing where stderr is no terminal, or in the other
    processes of a training.

    Yields advance(done, text): how much of `total` is done, and what to say beside the bar.
    """
    if not sys.stderr.isatty() or rank():
        yield lambda done, text: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[s]}"))
    with Progress(*columns, console=_console(sys.stderr), transient=True) as bar:
        task = bar.add_task("", total=total, s="")
        yield lambda done, text: bar.update(task, completed=done, s=text)


def duration(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    whole = max(0, round(seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
