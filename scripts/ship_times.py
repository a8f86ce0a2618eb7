"""How long a fleet takes: ship to 20 folders, two hosts behind ssh and a registry, then install.

python scripts/ship_times.py                             # exported/generic-small.c3b
python scripts/ship_times.py --codec exported/generic-xsmall.c3b --folders 50

Servers are real and run on loopback (sshd, docker-registry: scripts/install-checkers). Every
"host" is a store of its own and installs by the command, known answers included; all of them share
the cores of this machine, which the hosts of a fleet do not.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "toolchain")]

from tests.ship.servers import registry, ssh_host  # noqa: E402


def command(*arguments: object, **environment: str) -> str:
    """Runs `c3d-export`; its stdout. Ends the script where it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "c3d_export", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "toolchain"), **environment},
        stdout=subprocess.PIPE,
        check=False,
        text=True,
    )
    if done.returncode:
        sys.exit(f"c3d-export {arguments[0]} ended with {done.returncode}")
    return done.stdout


def timed(what: str, count: int, start: float) -> None:
    print(f"| {what} | {count} | {time.perf_counter() - start:.2f} |", flush=True)


def ship(codec: Path, targets: list[str], what: str, ssh: str) -> None:
    start = time.perf_counter()
    shipped = command("ship", codec, *targets, "--json", C3D_SSH=ssh)
    timed(what, len(json.loads(shipped)["targets"]), start)


def install(sources: list[str], stores: Path, jobs: int, ssh: str) -> None:
    def one(index: int) -> None:
        store = str(stores / f"{index}")
        command("install", sources[index], "--json", C3D_SSH=ssh, C3D_STORE=store)

    start = time.perf_counter()
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(one, range(len(sources))))
    timed("install, verified and tried out", len(sources), start)


def main() -> None:
    parser = argparse.ArgumentParser(description="Times of shipping and installing.")
    parser.add_argument("--codec", type=Path, default=ROOT / "exported/generic-small.c3b")
    parser.add_argument("--folders", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="c3d-ship-") as name:
        work = Path(name)
        places = [work / f"host{index:02}" for index in range(options.folders)]
        remote = [work / "ssh1", work / "ssh2"]
        for folder in (*places, *remote):
            folder.mkdir()
        with ssh_host(work / "sshd") as host, registry(work / "registry") as address:
            behind = [host.target(folder) for folder in remote]
            targets = [*map(str, places), *behind, f"oci://{address}/fleet/codec"]
            print("| what | hosts | s |\n|---|---:|---:|")
            ship(options.codec, targets, "ship", host.command)
            ship(options.codec, targets, "ship again, all is there", host.command)
            install(targets, work / "stores", options.jobs, host.command)


if __name__ == "__main__":
    main()
