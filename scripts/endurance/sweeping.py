"""The command line of scripts/flip-streams."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from c3d_export.core.errors import C3DError, OptionError

if TYPE_CHECKING:
    from .sweep import Tally

Found = dict[str, "dict[str, Tally]"]
"""By stream and by kind of damage."""
MOST_SHOWN = 20
"""Faults that are printed; the JSON has all."""


class SweepError(C3DError):
    """A damaged stream broke a promise."""

    exit_code = 3


def say(text: str) -> None:
    """Progress goes to stderr."""
    print(text, file=sys.stderr, flush=True)


def found_in(names: Iterable[str]) -> Found:
    from .golden import golden
    from .sweep import sweep
    from .verdict import Whole

    found: Found = {}
    for name in names:
        begin, stream = time.monotonic(), golden(name)
        found[name] = sweep(Whole.of(stream.codec, stream.stream), lambda text: say(f"  {text}"))
        say(f"{name}: {len(stream.stream)} bytes, {time.monotonic() - begin:.0f} s")
    return found


def faults_of(found: Found) -> list[str]:
    return [
        f"{name}: {fault}"
        for name, tallies in found.items()
        for tally in tallies.values()
        for fault in tally.faults
    ]


def table(found: Found) -> str:
    """A line for each kind of damage, of all streams, and its outcomes below it."""
    from .sweep import KINDS

    lines = []
    for kind in KINDS:
        tallies = [tallies[kind] for tallies in found.values()]
        kinds: Counter[str] = sum((t.kinds for t in tallies), Counter())
        longest = max(t.longest for t in tallies)
        lines.append(
            f"{kind}: {sum(t.count for t in tallies)} of {len(tallies)} streams,"
            f" {sum(len(t.faults) for t in tallies)} faults, at most {longest:.2f} times as long as"
            f" a good decode ({sum(t.retimed for t in tallies)} timed again)"
        )
        lines += [f"  {count:8d} {name}" for name, count in kinds.most_common()]
    return "\n".join(lines)


def as_json(found: Found) -> str:
    plain = {name: {k: vars(t) for k, t in tallies.items()} for name, tallies in found.items()}
    return json.dumps(plain, indent=1) + "\n"


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/flip-streams",
        description="Every prefix and every flipped bit of golden streams through the whole"
        " decoder, and flips behind their checksums: a typed error, never a wrong picture, never"
        " more than twice the time of a good decode. Exit code 3 where one breaks that.",
        epilog="Example: scripts/flip-streams v5/104x72-part-q2",
    )
    parser.add_argument("streams", nargs="*", help="some of the 20, as --list prints them")
    parser.add_argument("--list", action="store_true", help="print the streams and stop")
    parser.add_argument("--json", type=Path, help="file for all counts")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> int:
    from .golden import NAMES

    if options.list:
        print("\n".join(NAMES))
        return 0
    if unknown := [name for name in options.streams if name not in NAMES]:
        raise OptionError(f"there is no golden stream {unknown[0]}; see --list")
    found = found_in(options.streams or NAMES)
    if options.json is not None:
        options.json.write_text(as_json(found))
    print(table(found))
    faults = faults_of(found)
    for fault in faults[:MOST_SHOWN]:
        print(fault)
    if faults:
        raise SweepError(f"{len(faults)} damaged streams broke a promise")
    return 0


def main(arguments: Sequence[str]) -> int:
    try:
        return run(parsed(arguments))
    except C3DError as error:
        say(f"scripts/flip-streams: {error}")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
