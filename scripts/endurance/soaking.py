"""The command line of scripts/soak."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from c3d_export.core.errors import C3DError, OptionError

if TYPE_CHECKING:
    from .memory import Sample


def say(text: str) -> None:
    """Progress goes to stderr."""
    print(text, file=sys.stderr, flush=True)


def _check(**counts: float) -> None:
    """Raises OptionError for what must be above zero and is not."""
    for name, count in counts.items():
        if not 0 < count < 1e6:
            raise OptionError(f"--{name} is {count:g}; choose a number above 0")


def memory(options: argparse.Namespace) -> int:
    from c3d_export.core.heap import keep_freed_memory

    from . import memory as soaking
    from .subjects import opened

    _check(minutes=options.minutes)
    kept = not options.give_back and keep_freed_memory()
    codecs = [opened(path, options.workers) for path in options.bundles]

    def tell(sample: Sample) -> None:
        say(f"{sample.seconds:7.0f} s {sample.rss / 2**20:9.2f} MiB {sample.trips} round trips")

    samples = soaking.soak(codecs, options.minutes, tell)
    if options.curve is not None:
        soaking.write(options.curve, samples)
    print(soaking.table(samples))
    grown = soaking.growth(samples, min(soaking.WARM_UP, 30 * options.minutes))
    print("the heap keeps what is freed" if kept else "the heap gives back what is freed")
    print(f"resident memory after warm-up: within {100 * grown:.2f} %")
    if grown > soaking.TOLERANCE:
        raise soaking.GrowthError(f"resident memory is not flat within {soaking.TOLERANCE:.0%}")
    return 0


def threads(options: argparse.Namespace) -> int:
    from .subjects import opened
    from .threads import share, work_of

    _check(trips=options.trips, threads=min(options.threads))
    for path in options.bundles:
        codec = opened(path, options.workers)
        sliced = not codec.bundle.family and codec.overlay is None
        trips = work_of(codec, path.parent, sliced=sliced)
        for count in options.threads:
            run = share(codec, trips, count, options.trips)
            print(
                f"{path.parent.name}/{path.name}: {run.threads:2d} threads, {run.trips} round trips"
                f" of {len(trips)} frames, all bytes equal, {run.seconds:.1f} s",
                flush=True,
            )
    return 0


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/soak",
        description="Codecs under many threads, and for a long time. Exit code 3 where bytes differ"
        " or memory grows.",
        epilog="Example: scripts/soak memory --minutes 5",
    )
    commands = parser.add_subparsers(required=True, metavar="threads|memory")
    _add_threads(commands.add_parser("threads", help="many threads on one codec object"))
    _add_memory(commands.add_parser("memory", help="minutes of round trips, memory stays flat"))
    return parser.parse_args(arguments)


def _add_threads(parser: argparse.ArgumentParser) -> None:
    from .subjects import FAMILIES, OVERLAID, OWN
    from .threads import COUNTS

    parser.add_argument("--trips", type=int, default=1000, help="of all threads together")
    parser.add_argument("--threads", type=int, nargs="+", default=COUNTS, metavar="N")
    families = [FAMILIES / name for name in ("mbt2018-mean", "mbt2018", "c2f")]
    tiny = [folder / "tiny.c3b" for folder in (OVERLAID, *families)]
    _add_common(parser, threads, [OWN, *tiny])


def _add_memory(parser: argparse.ArgumentParser) -> None:
    from .subjects import FAMILIES, OWN

    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--curve", type=Path, help="file for all samples, a line of JSON each")
    parser.add_argument(
        "--give-back",
        action="store_true",
        help="the heap returns what is freed to the kernel, as usual: resident memory is then what"
        " it has not returned yet, which goes up and down",
    )
    _add_common(parser, memory, [OWN, FAMILIES / "mbt2018" / "tiny.c3b"])


def _add_common(
    parser: argparse.ArgumentParser,
    command: Callable[[argparse.Namespace], int],
    bundles: list[Path],
) -> None:
    parser.add_argument("--workers", type=int, default=2, help="threads that a codec uses itself")
    parser.add_argument("bundles", type=Path, nargs="*", default=bundles)
    parser.set_defaults(command=command)


def main(arguments: Sequence[str]) -> int:
    options = parsed(arguments)
    try:
        code: int = options.command(options)
    except C3DError as error:
        say(f"scripts/soak: {error}")
        return error.exit_code
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
