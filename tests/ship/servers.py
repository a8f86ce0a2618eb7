"""Real counterparts on loopback: OpenSSH's sshd and the registry of Debian's docker-registry.

Each runs from a folder of its own, with keys and a configuration of its own, on a free port, and
ends with its test session. `scripts/install-checkers` installs them.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

START_PATIENCE = 20.0
STOP_PATIENCE = 5.0
_SILENT: set[str] = set()
"""Programs that did not come up once: each further try would take as long."""
_LOOPBACK = "127.0.0.1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        return int(probe.getsockname()[1])


def program(name: str, package: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"needs {name}; scripts/install-checkers installs {package}")
    return found


@contextmanager
def running(command: list[str], log: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A server, from when it listens on; ended by its id."""
    name = Path(command[0]).name
    if name in _SILENT:
        pytest.skip(f"{name} did not come up before")
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={"PATH": "/bin"}
        )
    try:
        end = time.monotonic() + START_PATIENCE
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > end:
                _SILENT.add(name)
                pytest.skip(f"{command[0]} does not run here: {log.read_text()[-300:]}")
            time.sleep(0.02)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((_LOOPBACK, port)) == 0


@dataclass(frozen=True)
class SshHost:
    """A running sshd. folder: of its keys. command: the value of C3D_SSH that it lets in."""

    port: int
    folder: Path
    command: str

    def target(self, path: Path | str) -> str:
        return f"ssh://{_LOOPBACK}:{self.port}{path}"


def _key(path: Path) -> Path:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return path


_SSHD = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AllowUsers {user}
MaxStartups 100
Subsystem sftp internal-sftp
{more}
"""


@contextmanager
def ssh_host(folder: Path, *, more: str = "") -> Iterator[SshHost]:
    """more: lines of sshd_config."""
    sshd = program("sshd", "openssh-server")
    program("ssh", "openssh-client")
    folder.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd shuts its children in
    port = free_port()
    host_key, user_key = _key(folder / "host_key"), _key(folder / "user_key")
    (folder / "authorized_keys").write_text(user_key.with_suffix(".pub").read_text())
    public = host_key.with_suffix(".pub").read_text()
    (folder / "known_hosts").write_text(f"[{_LOOPBACK}]:{port} {public}")
    config = _SSHD.format(port=port, folder=folder, user=getpass.getuser(), more=more)
    (folder / "sshd_config").write_text(config)
    with running([sshd, "-D", "-e", "-f", str(folder / "sshd_config")], folder / "sshd.log", port):
        yield SshHost(port, folder, ssh_command(user_key, folder / "known_hosts"))


def ssh_command(key: Path, known_hosts: Path) -> str:
    """ssh that knows nothing of the user who runs the tests."""
    return (
        f"ssh -F none -i {key} -o IdentitiesOnly=yes -o IdentityAgent=none"
        f" -o UserKnownHostsFile={known_hosts} -o GlobalKnownHostsFile=/dev/null"
    )


_REGISTRY = """
version: 0.1
log: {{level: error}}
storage:
  filesystem: {{rootdirectory: {folder}/storage}}
  delete: {{enabled: true}}
http:
  addr: 127.0.0.1:{port}
{more}
"""


@contextmanager
def registry(folder: Path, *, more: str = "") -> Iterator[str]:
    """The address (host:port) of a registry that keeps its blobs in folder/storage."""
    # On some hosts Debian's registry spins on all cores instead of answering, for minutes.
    if not os.environ.get("C3D_TEST_REGISTRY"):
        pytest.skip("set C3D_TEST_REGISTRY=1 to start a real registry")
    binary = program("docker-registry", "docker-registry")
    folder.mkdir(exist_ok=True)
    port = free_port()
    config = folder / "config.yml"
    config.write_text(_REGISTRY.format(folder=folder, port=port, more=more))
    with running([binary, "serve", str(config)], folder / "registry.log", port):
        yield f"{_LOOPBACK}:{port}"
