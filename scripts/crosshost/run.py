"""Runs the probe on a host, or takes its result of an earlier run with the same inputs."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosshost.hosts import Host, Launcher

PROBE = Path(__file__).with_name("probe.py")
# An emulated host takes some minutes; one that takes this long hangs.
LIMIT_SECONDS = 3600
QEMU_NOISE = "TCG doesn't support requested feature"

Result = dict[str, Any]


class HostFailedError(Exception):
    """The probe did not end as it should. lacks: whether the machine is to blame."""

    def __init__(self, message: str, *, lacks: bool = False) -> None:
        super().__init__(message)
        self.lacks = lacks


def say(text: str) -> None:
    print(f"== {text}", file=sys.stderr, flush=True)


def _digest(*parts: bytes) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()


def _folder_digest(folder: Path, *patterns: str) -> bytes:
    paths = sorted(path for pattern in patterns for path in folder.rglob(pattern))
    return "".join(f"{path.name} {_digest(path.read_bytes())}\n" for path in paths).encode()


def _versions(site: Path) -> bytes:
    return "\n".join(sorted(path.name for path in site.glob("*.dist-info"))).encode()


def _qemu_version(host: Host) -> bytes:
    if not host.emulated:
        return Path("/proc/cpuinfo").read_bytes().split(b"\n\n")[0].split(b"cpu MHz")[0]
    command = [f"qemu-{host.emulator}", "--version"]
    return subprocess.run(command, capture_output=True, check=True).stdout


@dataclass(frozen=True)
class Runner:
    """Results are kept in the work folder by everything that they depend on."""

    launcher: Launcher

    @property
    def results(self) -> Path:
        return self.launcher.work / "results"

    def _key(self, host: Host, job: dict[str, Any]) -> str:
        files = [Path(item["array"]) for item in job["encode"]] + [Path(job["bundle"])]
        files += [Path(layer[end]) for layer in job.get("layers", []) for end in ("model", "input")]
        return _digest(
            repr(host).encode(),
            json.dumps(job, sort_keys=True).encode(),
            PROBE.read_bytes(),
            _folder_digest(self.launcher.package(host), "*.py", "*.so"),
            _versions(self.launcher.site(host)),
            _qemu_version(host),
            *(path.read_bytes() for path in files),
        )

    def run(self, host: Host, what: str, job: dict[str, Any]) -> Result:
        """The probe's result with `seconds`, of its run. Raises HostFailedError."""
        path = self.results / f"{host.name}-{what}-{self._key(host, job)[:16]}.json"
        if path.is_file():
            say(f"{host.name}: {what}, known")
        else:
            say(f"{host.name}: {what}")
            result = self._measure(host, job, path.with_suffix(".job"))
            path.with_suffix(".new").write_text(json.dumps(result), "utf-8")
            path.with_suffix(".new").replace(path)
        known: Result = json.loads(path.read_text("utf-8"))
        return known

    def _measure(self, host: Host, job: dict[str, Any], job_file: Path) -> Result:
        self.results.mkdir(parents=True, exist_ok=True)
        job_file.write_text(json.dumps(job), "utf-8")
        started = time.monotonic()
        result: Result = json.loads(self._start(host, job_file))
        result["seconds"] = round(time.monotonic() - started, 1)
        if missing := host.missing_features(result["host"]["features"]):
            message = f"{host.name} is not the processor that it should be: {', '.join(missing)}"
            raise HostFailedError(f"{message}; install qemu-user 7.2 or newer", lacks=True)
        say(f"{host.name}: {result['seconds']} s")
        return result

    def _start(self, host: Host, job_file: Path) -> str:
        command = self.launcher.command(host, PROBE, str(job_file))
        environment = self.launcher.environment(host)
        errors = job_file.with_suffix(".log")
        with errors.open("w", encoding="utf-8") as log:
            done = subprocess.run(
                command,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                timeout=LIMIT_SECONDS,
                check=False,
            )
        lines = errors.read_text("utf-8", "replace").splitlines()
        rest = [line for line in lines if QEMU_NOISE not in line]
        if done.returncode:
            tail = "\n".join(rest[-12:])
            raise HostFailedError(f"{host.name} ended with {done.returncode}:\n{tail}")
        for line in rest:
            say(f"  {line}")
        return done.stdout
