"""The command line of scripts/train-catalogue."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalogue.options import Options, parse

if TYPE_CHECKING:
    from catalogue.measure import Meter

INTERRUPTED = 130


def say(text: str) -> None:
    """Progress goes to stderr."""
    import time

    print(f"== {time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    from c3d_export.core.errors import C3DError

    try:
        return _run(options)
    except C3DError as error:
        print(f"scripts/train-catalogue: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("scripts/train-catalogue: stopped; the same line goes on", file=sys.stderr)
        return INTERRUPTED


def _run(options: Options) -> int:
    from c3d_export.runtime.shipped import bundles_in
    from catalogue.ledger import locked

    if options.show_plan:
        _show_plan(options)
        return 0
    with locked(options.state) as lock:
        finish, code = _train(options, lock) if options.train else (None, 0)
        # A round that made nothing has said why.
        if options.evaluate and (code == 0 or bundles_in(options.exported)):
            _evaluate(options, lock)
        # Last, so that a line that was cut while it evaluated does not begin another round.
        if finish is not None:
            finish()
    return code


def _jobs(options: Options) -> int:
    """One a core; on a GPU one, since how many fit hangs on its memory."""
    from catalogue.host import cores

    if options.jobs is not None:
        return options.jobs
    return 1 if options.training.device == "cuda" else cores()


def _show_plan(options: Options) -> None:
    from catalogue.rounds import continued_of, planned
    from catalogue.tree import needs

    networks = planned(options.training)
    continued = continued_of(networks, options.exported, options.training)
    waits = needs(networks, continued, teachers=options.training.teacher)
    for network in networks:
        goes_on = network.name in continued
        start = (
            "its bundle" if goes_on else " ".join(filter(None, (network.origin, network.parent)))
        )
        teacher = network.teacher if options.training.teacher else None
        after = ", ".join(sorted(waits[network.name]))
        print(f"{network.name}: from {start}", end="")
        print(f", teacher {teacher}" if teacher else "", end="")
        print(f", after {after}" if after else "")


def _train(options: Options, lock: int) -> tuple[Callable[[], None] | None, int]:
    """The round that is unfinished, or a new one.

    Returns what marks it as finished, None where networks failed, and the exit code.
    """
    from catalogue.build import Builder
    from catalogue.commands import Runner
    from catalogue.frames import Frames
    from catalogue.rounds import FAILED, open_round, run_all

    jobs, training, frames = _jobs(options), options.training, Frames(options.frames.absolute())
    exported, state = options.exported.absolute(), options.state.absolute()
    found = open_round(state, training, exported, frames, jobs, anew=options.new_round)
    jobs = min(jobs, len(found.networks))
    runner = Runner(_threads(jobs), lock)
    meter = _meter(state, _threads(jobs))
    builder = Builder(training, frames, exported, found.folder, meter, runner, options.command, say)
    networks = {network.name: network for network in found.networks}

    def job(name: str) -> dict[str, Any]:
        network = networks[name]
        minutes, goes_on = found.minutes_of(network), name in found.continued
        return builder.build(network, found.own.get(name), minutes, goes_on=goes_on)

    def told(name: str, outcome: dict[str, Any]) -> None:
        say(f"{name}: {outcome['outcome']}, {outcome['reason']}")

    say(f"round {found.number}: {len(networks)} networks, {jobs} at a time")
    outcomes = run_all(list(networks), found.waits, job, jobs, told)
    if any(item["outcome"] == FAILED for item in outcomes.values()):
        say(f"round {found.number} is unfinished; the same line tries again what failed")
        return None, _exit_code(outcomes)
    return lambda: found.finish(outcomes), _exit_code(outcomes)


def _exit_code(outcomes: dict[str, Any]) -> int:
    """Of the worst outcome: 0 where each was taken or kept."""
    from catalogue.build import INEXACT
    from catalogue.rounds import FAILED

    failed = [item["exit_code"] for item in outcomes.values() if item["outcome"] == FAILED]
    if failed:
        return failed[0] if len(set(failed)) == 1 else 1
    return 3 if any(item["outcome"] == INEXACT for item in outcomes.values()) else 0


def _threads(jobs: int) -> int:
    from catalogue.host import cores

    return max(1, cores() // jobs)


def _meter(state: Path, threads: int) -> Meter:
    from catalogue.measure import Meter

    return Meter(state / "measured", threads, lambda what: say(f"measuring {what}"))


def _evaluate(options: Options, lock: int) -> None:
    """Writes CATALOGUE.json and CATALOGUE.md beside the bundles."""
    from c3d_export.core.atomic import write_bytes_atomic
    from catalogue.commands import Runner
    from catalogue.evaluate import Evaluator
    from catalogue.frames import Frames
    from catalogue.ledger import write
    from catalogue.report import markdown

    exported, state = options.exported.absolute(), options.state.absolute()
    runner, frames = Runner(_threads(1), lock), Frames(options.frames.absolute())
    evaluator = Evaluator(frames, exported, state, _meter(state, 0), runner, say)
    found = evaluator.run(options.training.games, options.command)
    write(exported / "CATALOGUE.json", found)
    write_bytes_atomic(exported / "CATALOGUE.md", markdown(found).encode())
    say(f"{options.exported / 'CATALOGUE.md'}: {len(found['bundles'])} codecs")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
