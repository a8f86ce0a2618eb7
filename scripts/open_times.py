"""Milliseconds to open a codec on this host, what takes them, and how late frames are meanwhile.

python scripts/open_times.py                                  # exported/supertuxkart-small.c3b
python scripts/open_times.py --codec FILE --repeat 20 --threads 2 --json out.json

cold: a new process each time, from its first line to a codec whose known answers hold; imports and
opening are told apart. warm: opened from a store by a process that has opened one before, less what
ONNX Runtime takes for its sessions itself. switch: a frame after the other is encoded while a store
switches between two codecs; the slowest frames, beside those of a time without a switch.
Medians. Let nothing else run beside it; where something does, CPU time (all threads) tells more.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
STEPS = ("read", "container", "hashes", "graphs", "sessions", "known answers", "rest")


class Watch:
    """Seconds by step; what is called inside a timed step counts for the inner one only."""

    def __init__(self) -> None:
        self.spent = dict.fromkeys(STEPS, 0.0)
        self._inner = [0.0]

    def wrap(self, owner: Any, name: str, step: str) -> None:
        real: Callable[..., Any] = getattr(owner, name)

        def timed(*args: Any, **options: Any) -> Any:
            self._inner.append(0.0)
            start = time.perf_counter()
            try:
                return real(*args, **options)
            finally:
                whole = time.perf_counter() - start
                self.spent[step] += whole - self._inner.pop()
                self._inner[-1] += whole

        setattr(owner, name, timed)


def watched() -> Watch:
    """From here on this process counts what opening does."""
    from c3d_export.runtime import bundle, codec, known
    from c3d_export.runtime.store import reading

    watch = Watch()
    for owner in (bundle, reading):
        watch.wrap(owner, "unpack_archive", "container")
    watch.wrap(reading, "_read", "read")
    watch.wrap(bundle, "_check_members", "hashes")
    watch.wrap(bundle, "check_graph", "graphs")
    watch.wrap(codec.Sessions, "__init__", "sessions")
    watch.wrap(known, "known_difference", "known answers")
    return watch


def cold(path: str, threads: int) -> dict[str, float]:
    """Run in a process of its own."""
    start = time.perf_counter()
    import numpy  # noqa: F401
    import onnxruntime  # noqa: F401

    libraries = time.perf_counter()
    import c3d_export
    import c3d_export.runtime.known

    open_codec = c3d_export.open_codec
    imported, before = time.perf_counter(), time.process_time()
    open_codec(path, threads=threads)
    end, after = time.perf_counter(), time.process_time()
    return {
        "CPU, imports": before,
        "CPU, open": after - before,
        "numpy, onnxruntime": libraries - start,
        "own modules": imported - libraries,
        "open": end - imported,
    }


def repeated(count: int, once: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Medians in milliseconds."""
    rows = [once() for _ in range(count)]
    return {name: 1e3 * statistics.median(row[name] for row in rows) for name in rows[0]}


def cold_times(path: Path, threads: int, count: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--cold", str(path), "--threads", str(threads)]

    def once() -> dict[str, float]:
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        row: dict[str, float] = json.loads(done.stdout)
        return {**row, "whole process": time.perf_counter() - start}

    once()
    return repeated(count, once)


def opened(watch: Watch, open_one: Callable[[], object]) -> dict[str, float]:
    watch.spent = dict.fromkeys(STEPS, 0.0)
    start, before = time.perf_counter(), time.process_time()
    open_one()
    whole, cpu = time.perf_counter() - start, time.process_time() - before
    steps = {**watch.spent, "rest": whole - sum(watch.spent.values())}
    beyond = whole - steps["sessions"]
    return {**steps, "whole": whole, "beyond sessions": beyond, "CPU": cpu}


def switch_times(
    store: Any, names: tuple[bytes, bytes], threads: int, count: int
) -> dict[str, Any]:
    """Slowest of 200 frames without and with a switch among them, and the frames in between."""
    import numpy as np

    frame = np.random.default_rng(0).integers(0, 255, (360, 640, 3), np.uint8)
    store.activate("live", names[0])
    encoder = store.encoder("live", threads=threads)
    slowest: dict[str, list[float]] = {"quiet": [], "switch": []}
    for index in range(2 * count):
        kind = ("quiet", "switch")[index % 2]
        before, times = encoder.codec.id, []
        for number in range(200):
            if kind == "switch" and number == 20:
                store.activate("live", names[before == names[0]])
            start = time.perf_counter()
            encoder.encode(frame, 3)
            times.append(time.perf_counter() - start)
        encoder.settle()
        slowest[kind].append(max(times[:20] + times[21:]))
        slowest.setdefault("median", []).append(statistics.median(times))
    return {f"frame, {k}": 1e3 * statistics.median(v) for k, v in slowest.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--codec", type=Path, default=ROOT / "exported/supertuxkart-small.c3b")
    parser.add_argument("--other", type=Path, default=ROOT / "exported/generic-small.c3b")
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--threads", type=int, default=0, help="0 for all cores")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--cold", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.cold:
        print(json.dumps(cold(options.cold, options.threads)))
        return
    from c3d_export.runtime.codec import open_codec
    from c3d_export.runtime.store.store import Store

    results = {"cold": cold_times(options.codec, options.threads, options.repeat)}
    watch = watched()
    with tempfile.TemporaryDirectory(prefix="c3d-open-") as folder:
        store = Store(folder)
        ids = store.add(options.codec.read_bytes()), store.add(options.other.read_bytes())
        ways = {
            "warm, file": lambda: open_codec(options.codec, threads=options.threads),
            "warm, store": lambda: store.open(ids[0], threads=options.threads),
        }
        for name, way in ways.items():
            way()
            results[name] = repeated(options.repeat, lambda way=way: opened(watch, way))  # type: ignore[misc]
        results["switch"] = switch_times(store, ids, options.threads, options.repeat)
    print(f"{options.codec.name}, threads {options.threads or os.cpu_count()}, milliseconds")
    for name, row in results.items():
        print(f"{name:12}", ", ".join(f"{step} {ms:.1f}" for step, ms in row.items()))
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
