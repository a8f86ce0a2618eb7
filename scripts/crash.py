"""Kills commands and looks whether the old version works, and the command completes afterwards.

scripts/crash                                        # 300 random kills, and death at every change
scripts/crash --stages install --kills 50 --json out.json

Each trial begins with a folder in which an old version works. A command (in a child of a process
that has imported everything) is killed with SIGKILL at a random time of its run, or just before its
k-th change of a file: creating, writing (half of it), flushing, renaming, removing. Then the old
version or the new one must work, the command run again must complete, and what is left must be the
very files of an undisturbed run. Exit code 3 where one of that does not hold.

A killed process is not a power failure: what the kernel had taken stays.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts" / "crashes"))

import harness  # noqa: E402
import stages  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stages", default=",".join(stages.STAGES), help="some, with commas")
    parser.add_argument("--kills", type=int, default=300, help="random ones, for each stage")
    parser.add_argument("--every", type=int, default=1, help="each so many-th change only; 0: none")
    parser.add_argument("--old", type=Path, default=ROOT / "exported/generic-xsmall.c3b")
    parser.add_argument("--new", type=Path, default=ROOT / "exported/supertuxkart-xsmall.c3b")
    parser.add_argument("--json", type=Path, help="also write the counts to this file")
    options = parser.parse_args()
    results, faults = {}, []
    print("| command | changes | deaths at each | random kills | in the middle | faults | s |")
    print("|---|---:|---:|---:|---:|---:|---:|", flush=True)
    for name in options.stages.split(","):
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="c3d-crash-") as folder:
            shim = harness.build_shim(Path(folder)) if options.every else None
            with harness.trials(name, Path(folder) / "t", options.old, options.new, shim) as run:
                if options.every:
                    run.points(range(1, run.tally.points + 1, options.every))
                points = run.tally.trials
                run.random_times(options.kills)
        tally, seconds = run.tally, round(time.monotonic() - start)
        results[name] = {**vars(tally), "deaths": points, "wall": seconds}
        faults += tally.faults
        random, middle = tally.trials - points, tally.killed - points
        cells = (name, tally.points, points, random, middle, len(tally.faults), seconds)
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)
        for fault in tally.faults[:20]:
            print(f"fault: {fault}", file=sys.stderr, flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return 3 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
