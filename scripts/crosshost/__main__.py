"""The part of scripts/test-crosshost that runs the hosts and compares them."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

from c3d_export.runtime.bundle import FLAVOURS, read_bundle
from crosshost.compare import Row, compare, reference_of, table
from crosshost.frames import Work, make_frames
from crosshost.hosts import Host, Launcher, read_hosts
from crosshost.run import HostFailedError, Result, Runner, say

DIFFERENT, LACKING = 3, 4


def processor(host: Host) -> str:
    if host.emulated:
        return f"qemu {host.cpu}"
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "this machine's"


class Comparison:
    """Every host encodes; then every host decodes what all of them made."""

    def __init__(self, options: argparse.Namespace, runner: Runner, works: list[Work]) -> None:
        self.runner, self.works = runner, works
        self.bundle: Path = options.bundle
        self.count = read_bundle(self.bundle).qualities
        self.store: Path = options.work / "store"
        self.store.mkdir(exist_ok=True)

    def _qualities(self, host: Host) -> list[int]:
        every = list(range(1, self.count + 1))
        return sorted({1, (self.count + 1) // 2, self.count}) if host.emulated else every

    def _job(self, encode: list[dict[str, Any]], decode: list[str]) -> dict[str, Any]:
        return {
            "bundle": str(self.bundle),
            "flavours": list(FLAVOURS),
            "threads": 0,
            "encode": encode,
            "decode": decode,
            "store": str(self.store),
        }

    def encode(self, host: Host) -> Result:
        works = [work for work in self.works if not (host.emulated and work.large)]
        qualities = self._qualities(host)
        items = [{"frame": w.name, "array": str(w.array), "qualities": qualities} for w in works]
        return self.runner.run(host, "encode", self._job(items, []))

    def streams(self, host: Host, encoded: dict[str, Result]) -> list[str]:
        """What all hosts made, each stream once: equal bytes need to be decoded once only.

        An emulated host gets one quality of large frames.
        """
        large = {work.name for work in self.works if work.large}
        middle = (self.count + 1) // 2
        names = {
            row["stream"]: None
            for result in encoded.values()
            for row in result["encoded"]
            if not (host.emulated and row["frame"] in large and row["quality"] != middle)
        }
        return list(names)

    def rows(self, hosts: list[Host]) -> list[Row]:
        encoded = {host.name: self.encode(host) for host in hosts}
        decoded = {
            host.name: self.runner.run(host, "decode", self._job([], self.streams(host, encoded)))
            for host in hosts
        }
        first = hosts[0].name
        reference = reference_of(self.store, encoded[first], decoded[first])
        return [
            compare(h.name, processor(h), reference, encoded[h.name], decoded[h.name])
            for h in hosts
        ]


def run_controls(names: list[str], comparison: Comparison, hosts: dict[str, Host]) -> list[str]:
    """What to print of each control; raises ControlError where one did not fail."""
    from crosshost.noise import control_noise
    from crosshost.weights import control_weights

    lines: list[str] = []
    if "control-weights" in names:
        say("control-weights")
        lines += control_weights(comparison.runner, comparison.bundle, hosts)
    if "control-noise" in names:
        say("control-noise")
        lines += control_noise(comparison.bundle, comparison.works)
    return lines


def report(rows: list[Row], work: Path) -> bool:
    """Prints the table and what differs; whether all is equal."""
    text = table(rows)
    (work / "table.md").write_text(text + "\n", "utf-8")
    print(text)
    for row in rows:
        for note in row.notes[:20]:
            print(f"{row.host}: {note}")
        facts = row.result
        say(f"{row.host}: {facts['machine']}, coder {facts['coder']}, Python {facts['python']}")
    return not any(row.differs for row in rows)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/test-crosshost")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--frames", type=Path, required=True)
    parser.add_argument("--hosts", required=True)
    return parser.parse_args()


def run(options: argparse.Namespace) -> int:
    from crosshost.weights import ControlError

    started = time.monotonic()
    # Pip's settings of the caller are for its own Python, not for the hosts'.
    os.environ.pop("PYTHONPATH", None)
    table_of_hosts, names = read_hosts(), options.hosts.split(",")
    hosts = [h for h in table_of_hosts.values() if h.name in names and not h.is_control]
    runner = Runner(Launcher(options.work, sys.executable))
    comparison = Comparison(options, runner, make_frames(options.frames, options.work / "frames"))
    equal = report(comparison.rows(hosts), options.work)
    try:
        for line in run_controls(names, comparison, table_of_hosts):
            print(line)
    except ControlError as error:
        print(f"the control did not fail: {error}")
        equal = False
    minutes = (time.monotonic() - started) / 60
    print(f"{'all equal' if equal else 'NOT EQUAL'}, {len(hosts)} hosts, {minutes:.1f} minutes")
    return 0 if equal else DIFFERENT


def main() -> int:
    try:
        return run(parse())
    except HostFailedError as error:
        print(f"scripts/test-crosshost: {error}", file=sys.stderr)
        return LACKING if error.lacks else DIFFERENT


if __name__ == "__main__":
    sys.exit(main())
