"""The system's ssh: its keys, agents, known hosts, jump hosts and ~/.ssh/config are the user's.

`C3D_SSH` is the command, with options, where it is not `ssh` (as GIT_SSH_COMMAND is for git).
Nothing ever asks: there are no passwords, and a host key that is unknown is an error.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final

from ...core.errors import (
    AccessError,
    LibraryMissingError,
    OptionError,
    RemoteAnswerError,
    RemoteError,
    UnreachableError,
)
from ...core.limits import MAX_ANSWER_BYTES
from .deadline import Deadline
from .target import SshTarget

FAILED: Final = 255
"""What ssh itself exits with; any other code is that of the command over there."""
_FAREWELL: Final = 2.0
_OPTIONS: Final = (
    "BatchMode=yes",
    "ConnectTimeout=15",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=2",
    "ForwardAgent=no",
    "ForwardX11=no",
    "ClearAllForwardings=yes",
)


@dataclass(frozen=True)
class Answer:
    """What a command over there printed, as text, and its exit code."""

    code: int
    out: str
    err: str


def command_line(target: SshTarget, command: str, *, subsystem: bool = False) -> list[str]:
    """The arguments of ssh; raises OptionError where C3D_SSH is no command line."""
    try:
        program = shlex.split(os.environ.get("C3D_SSH") or "ssh")
    except ValueError as error:
        raise OptionError(f"C3D_SSH is no command line: {error}; set it as ssh -i KEY") from error
    options = [part for option in _OPTIONS for part in ("-o", option)]
    port = ["-p", str(target.port)] if target.port else []
    flag = ["-s"] if subsystem else []
    return [*program, *options, *port, *flag, "--", f"{target.login}{target.host}", command]


@contextlib.contextmanager
def started(
    arguments: list[str], deadline: Deadline
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """A running ssh and the file that takes its stderr. It may end by itself after the block, and
    is killed where that or the block takes too long, or the block raises.

    Raises LibraryMissingError where there is no ssh.
    """
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )
        except OSError as error:
            message = f"cannot run {arguments[0]}: {error.strerror}; install openssh-client"
            raise LibraryMissingError(message) from error
        try:
            with deadline.over(process.kill):
                yield process, errors
                _let_end(process)
        finally:
            process.kill()
            _close(process)


def _let_end(process: subprocess.Popen[bytes]) -> None:
    """Politely: others may share its connection (ControlMaster)."""
    assert process.stdin is not None
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        process.stdin.close()
        process.wait(_FAREWELL)


def _close(process: subprocess.Popen[bytes]) -> None:
    """Waits for the end; what could not be written any more is nobody's loss."""
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        with contextlib.suppress(OSError):
            pipe.close()
    process.wait()


def run(target: SshTarget, command: str, deadline: Deadline) -> Answer:
    """Runs a command over there, without input; raises RemoteError where ssh itself fails."""
    with started(command_line(target, command), deadline) as (process, errors):
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        out = process.stdout.read(MAX_ANSWER_BYTES + 1)
        if len(out) > MAX_ANSWER_BYTES:
            raise RemoteAnswerError(f"{target.host} answered more than {MAX_ANSWER_BYTES} bytes")
        code = process.wait()
        text = tail(errors)
    if deadline.passed:
        raise deadline.error()
    if code == FAILED:
        raise explain(target, text)
    return Answer(code, out.decode("utf-8", "replace"), text)


def tail(file: IO[bytes], size: int = 8192) -> str:
    """The end of what a process wrote to this file."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - size))
    return file.read().decode("utf-8", "replace")


def explain(target: SshTarget, text: str) -> RemoteError:
    """What ssh's messages mean, and what to do."""
    host, login = target.host, f"{target.login}{target.host}"
    port = f" -p {target.port}" if target.port else ""
    if "IDENTIFICATION HAS CHANGED" in text:
        return AccessError(
            f"the host key of {host} is another one than before; find out why, and only then remove"
            f" the old one with ssh-keygen -R {host}"
        )
    if "ost key verification failed" in text:
        return AccessError(
            f"the host key of {host} is not known; run `ssh{port} {login}` once, compare the"
            " fingerprint with the host's and accept it"
        )
    if "Permission denied" in text or "Too many authentication failures" in text:
        return AccessError(
            f"{host} accepts none of our keys; add one with ssh-add, name it in ~/.ssh/config, or"
            f" put it there with ssh-copy-id {login}"
        )
    if "subsystem request failed" in text:
        return AccessError(f"{host} offers no SFTP; add `Subsystem sftp internal-sftp` to its sshd")
    reason = (text.strip().splitlines() or ["the connection was cut"])[-1].strip()
    return UnreachableError(f"no connection to {host}: {reason[:200]}; check the host and network")
