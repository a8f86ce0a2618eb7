"""An OpenSSH server on loopback, and an `sftp` that knows its keys."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

_SFTP_SERVERS = ("/usr/lib/openssh/sftp-server", "/usr/libexec/sftp-server")


def _program(name: str) -> str:
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[tuple[int, Path]]:
    """Yields the port of a server on 127.0.0.1 and a folder for PATH with its `sftp`.

    Skips the test where OpenSSH is not installed, or not allowed to run.
    """
    sshd, keygen, sftp = map(_program, ("sshd", "ssh-keygen", "sftp"))
    server = next((path for path in _SFTP_SERVERS if Path(path).exists()), "internal-sftp")
    for key in ("host", "user"):
        command = [keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)]
        subprocess.run(command, check=True)
    port = _free_port()
    (folder / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {folder}/host\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {folder}/user.pub\nStrictModes no\nSubsystem sftp {server}\n"
    )
    (folder / "ssh_config").write_text(
        f"Host *\n IdentityFile {folder}/user\n IdentitiesOnly yes\n"
        f" UserKnownHostsFile {folder}/known\n StrictHostKeyChecking accept-new\n"
    )
    programs = folder / "bin"
    programs.mkdir()
    (programs / "sftp").write_text(f'#!/bin/sh\nexec {sftp} -F {folder}/ssh_config "$@"\n')
    (programs / "sftp").chmod(0o755)
    with contextlib.suppress(OSError):
        Path("/run/sshd").mkdir(exist_ok=True)  # where Debian's drops its privileges
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sshd, "-D", "-e", "-f", str(folder / "sshd_config")],
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
        try:
            _wait_for(port, process, folder / "log")
            yield port, programs
        finally:
            process.terminate()
            process.wait(10)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if process.poll() is not None:
            pytest.skip(f"sshd does not run here: {log.read_text()[-200:]}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    pytest.fail("sshd does not listen")
