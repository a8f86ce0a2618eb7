"""The command line of scripts/bench-arith."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from pathlib import Path

from arith_bench.plot import draw_speeds
from arith_bench.report import as_text, spread, write_into, write_json
from arith_bench.suite import Suite

SIZES = [10_000, 300_000, 1_000_000, 4_000_000]
QUICK_SIZES = [10_000, 300_000]
PLOTTED = 1_000_000
ROUNDS = 25
QUICK_ROUNDS = 7
# Load average of a machine that does nothing else; the benchmark itself adds one.
QUIET = 0.5
# A call of microseconds is seldom interrupted, one of many milliseconds always.
NOT_QUIET = "other work ran beside this: 2 threads are shown too slow, and so may be slow coders"


def processor() -> str:
    """The processor's name as the system has it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def say(text: str) -> None:
    """Progress goes to stderr, so that stdout is the report alone."""
    print(f"== {text}", file=sys.stderr, flush=True)


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench-arith", description="The entropy coder beside other libraries'."
    )
    parser.add_argument("--quick", action="store_true", help="two sizes and fewer rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all times to FILE")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the speeds to FILE (PNG)")
    parser.add_argument("--doc", type=Path, metavar="FILE", help="renew the tables in FILE (.md)")
    return parser.parse_args(arguments)


def main() -> None:
    options = parse(sys.argv[1:])
    suite = Suite(
        QUICK_SIZES if options.quick else SIZES, QUICK_ROUNDS if options.quick else ROUNDS
    )
    before = os.getloadavg()[0]
    report = suite.run(say)
    after = os.getloadavg()[0]
    report.facts |= {
        "processor": processor(),
        "load average before and after": f"{before:.1f}, {after:.1f}",
        "spread of the rounds": f"{spread(report):.1f} %",
    }
    if before > QUIET or after > QUIET + 1:
        report.facts["not quiet"] = NOT_QUIET
    print(as_text(report))
    if options.doc is not None:
        write_into(options.doc, as_text(report))
    if options.json is not None:
        write_json(report, options.json)
    if options.plot is not None:
        sizes = list(report.warm)
        draw_speeds(report.warm[PLOTTED if PLOTTED in sizes else sizes[-1]], options.plot)


if __name__ == "__main__":
    main()
