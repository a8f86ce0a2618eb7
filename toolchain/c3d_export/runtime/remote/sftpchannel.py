"""One SFTP connection: packets out and in, and what the statuses among them mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import IO, Final

from ...core.errors import (
    AccessError,
    RemoteAnswerError,
    RemoteError,
    RemoteMissingError,
)
from ...core.limits import MAX_SFTP_PACKET_BYTES
from . import sftpwire as wire
from .deadline import Deadline
from .sftpwire import Reader
from .ssh import command_line, explain, started, tail
from .target import SshTarget

ON_THE_WAY: Final = 32
"""Requests that may wait for their answers; their answers fit the pipe, so neither side blocks."""


class Channel:
    """Use it as a context. Every method raises a leaf of RemoteError or RemoteAnswerError."""

    def __init__(self, target: SshTarget, deadline: Deadline) -> None:
        self.target, self._deadline = target, deadline
        self._next, self._answers = 0, dict[int, tuple[int, Reader]]()
        self._stack = ExitStack()
        self.extensions = frozenset[bytes]()

    def __enter__(self) -> Channel:
        with ExitStack() as stack:
            arguments = command_line(self.target, "sftp", subsystem=True)
            process, self._errors = stack.enter_context(started(arguments, self._deadline))
            assert process.stdin is not None
            assert process.stdout is not None
            self._in: IO[bytes] = process.stdin
            self._out: IO[bytes] = process.stdout
            self._process = process
            self._greet()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _greet(self) -> None:
        self._put(bytes([wire.INIT]) + wire.number(wire.PROTOCOL))
        kind, reader = self._packet()
        self.expect(kind, wire.VERSION)
        if reader.number() != wire.PROTOCOL:
            raise RemoteAnswerError(f"{self.target.host} speaks another version of SFTP than 3")
        self.extensions = frozenset(_pairs(reader))

    def ask(self, kind: int, payload: bytes) -> tuple[int, Reader]:
        return self.answer(self.send(kind, payload))

    def send(self, kind: int, payload: bytes) -> int:
        self._next = (self._next + 1) & 0xFFFFFFFF
        self._put(bytes([kind]) + wire.number(self._next) + payload)
        return self._next

    def _put(self, packet: bytes) -> None:
        try:
            self._in.write(wire.number(len(packet)) + packet)
            self._in.flush()
        except (OSError, ValueError) as error:
            raise self._lost() from error

    def answer(self, number: int) -> tuple[int, Reader]:
        while number not in self._answers:
            kind, reader = self._packet()
            self._answers[reader.number()] = kind, reader
            if len(self._answers) > 2 * ON_THE_WAY:
                raise RemoteAnswerError(f"{self.target.host} answers what it was not asked")
        return self._answers.pop(number)

    def _packet(self) -> tuple[int, Reader]:
        size = int.from_bytes(self._exactly(4), "big")
        if not 1 <= size <= MAX_SFTP_PACKET_BYTES:
            # A shell that greets on stdout puts text where packets should be.
            raise RemoteAnswerError(
                f"{self.target.host} answers no SFTP; its login scripts may print something"
            )
        data = self._exactly(size)
        return data[0], Reader(data[1:])

    def _exactly(self, count: int) -> bytes:
        data = self._out.read(count)
        if len(data) < count:
            raise self._lost()
        return data

    def _lost(self) -> RemoteError:
        """Why the connection ended: the time, or what ssh said of it."""
        if self._deadline.passed:
            return self._deadline.error()
        self._process.wait()
        return explain(self.target, tail(self._errors))

    def done(self, path: str, kind: int, reader: Reader) -> None:
        self.expect(kind, wire.STATUS)
        code = reader.number()
        if code != wire.OK:
            raise self.error(path, code, reader)

    def expect(self, kind: int, wanted: int) -> None:
        if kind != wanted:
            raise RemoteAnswerError(f"{self.target.host} answered an SFTP packet of kind {kind}")

    def error(self, path: str, code: int, reader: Reader) -> RemoteError:
        place = f"{path} on {self.target.host}"
        if code == wire.NO_SUCH_FILE:
            return RemoteMissingError(f"there is no {place}; check the path, or make the folder")
        if code == wire.PERMISSION_DENIED:
            return AccessError(f"no right to {place}; let the user there read and write it")
        reason = reader.text().decode("utf-8", "replace")[:200]
        return RemoteError(f"{place}: {reason or 'failure'}; look at its disk and rights")


def _pairs(reader: Reader) -> Iterator[bytes]:
    """Names of the extensions of a server; where the packet ends, the list does."""
    while not reader.at_end:
        name, _ = reader.text(), reader.text()
        yield name
