"""How long a fleet takes: ship to 20 folders, two hosts behind ssh and a registry, then install.

python scripts/ship_times.py                             # exported/generic-small.c3b
python scripts/ship_times.py --codec exported/generic-xsmall.c3b --folders 50

Servers are real and run on loopback (sshd, docker-registry: scripts/install-checkers). Every
"host" is a store of its own and installs by the command, known answers included; all of them share
the cores of this machine, which the hosts of a fleet do not.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "toolchain")]

from tests.ship.servers import registry, ssh_host  # noqa: E402


def command(*arguments: object, **environment: str) -> None:
    """Runs `c3d-export`; ends the script where it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "c3d_export", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "toolchain"), **environment},
        capture_output=True,
        check=False,
        text=True,
    )
    if done.returncode:
        sys.exit(f"c3d-export {arguments[0]} ended with {done.returncode}: {done.stderr[-1000:]}")


@contextmanager
def timed(what: str, count: int) -> Iterator[None]:
    """Seconds by the clock, and of the processors by the commands (not by the servers)."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    yield
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"| {what} | {count} | {seconds:.2f} | {busy:.2f} |", flush=True)


def ship(codec: Path, targets: list[str], what: str, ssh: str) -> None:
    with timed(what, len(targets)):
        command("ship", codec, *targets, C3D_SSH=ssh)


def install(sources: list[str], stores: Path, jobs: int, ssh: str) -> None:
    def one(index: int) -> None:
        store = str(stores / f"{index}")
        command("install", sources[index], C3D_SSH=ssh, C3D_STORE=store)

    with timed("install, verified and tried out", len(sources)), ThreadPoolExecutor(jobs) as pool:
        list(pool.map(one, range(len(sources))))


def main() -> None:
    parser = argparse.ArgumentParser(description="Times of shipping and installing.")
    parser.add_argument("--codec", type=Path, default=ROOT / "exported/generic-small.c3b")
    parser.add_argument("--folders", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    os.environ.setdefault("C3D_TEST_REGISTRY", "1")
    with tempfile.TemporaryDirectory(prefix="c3d-ship-") as name:
        work = Path(name)
        places = [work / f"host{index:02}" for index in range(options.folders)]
        remote = [work / "ssh1", work / "ssh2"]
        for folder in (*places, *remote):
            folder.mkdir()
        with ssh_host(work / "sshd") as host, registry(work / "registry") as address:
            behind = [host.target(folder) for folder in remote]
            targets = [*map(str, places), *behind, f"oci://{address}/fleet/codec"]
            print("| what | hosts | s | CPU s |\n|---|---:|---:|---:|")
            ship(options.codec, targets, "ship", host.command)
            ship(options.codec, targets, "ship again, all is there", host.command)
            install(targets, work / "stores", options.jobs, host.command)


if __name__ == "__main__":
    main()
