"""The hosts of hosts.txt, and how a program is started on each."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).with_name("hosts.txt")
# Set on some hosts for old builds of OpenBLAS; a played processor may lack what they choose.
FORCED_KERNELS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_VERBOSE")


@dataclass(frozen=True)
class Host:
    """emulator, cpu: "-" for this machine itself. features: as in hosts.txt."""

    name: str
    emulator: str
    cpu: str
    onnxruntime: str
    numpy: str
    features: str

    @property
    def emulated(self) -> bool:
        return self.emulator != "-"

    @property
    def is_control(self) -> bool:
        return self.name.startswith("control-")

    @property
    def site(self) -> str:
        """The name of the folder with its libraries."""
        arch = self.emulator if self.emulator == "aarch64" else "host"
        return f"{arch}-{self.onnxruntime}-{self.numpy}"

    def missing_features(self, found: list[str]) -> list[str]:
        """The demands of hosts.txt that a processor with these features does not meet."""
        wanted = [] if self.features == "-" else self.features.split(",")
        return [w for w in wanted if (w.lstrip("!") in found) == w.startswith("!")]


def read_hosts() -> dict[str, Host]:
    lines = TABLE.read_text("utf-8").splitlines()
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    return {row[0]: Host(*row) for row in rows}


@dataclass(frozen=True)
class Launcher:
    """work: the work folder, prepared. python: the interpreter of this machine."""

    work: Path
    python: str

    def package(self, host: Host) -> Path:
        arch = "aarch64" if host.emulator == "aarch64" else "host"
        return self.work / f"package-{arch}"

    def site(self, host: Host) -> Path:
        return self.work / "site" / host.site

    def command(self, host: Host, script: Path, *arguments: str) -> list[str]:
        """-S and -P: nothing but the libraries of this host is on the path."""
        rest = ["-S", "-P", str(script), *arguments]
        if host.emulator == "aarch64":
            prefix = self.work / "arm64" / host.cpu
            python = (self.work / "arm64" / "python").read_text("utf-8").strip()
            return ["qemu-aarch64", "-cpu", host.cpu, "-L", str(prefix), python, *rest]
        if host.emulated:
            return ["qemu-x86_64", "-cpu", host.cpu, self.python, *rest]
        return [self.python, *rest]

    def environment(self, host: Host) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if k not in FORCED_KERNELS}
        return kept | {"PYTHONPATH": f"{self.package(host)}:{self.site(host)}"}
