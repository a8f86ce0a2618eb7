"""Takes the frames of all programs that show some: a socket, and a thread for each of them."""

from __future__ import annotations

import contextlib
import secrets
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from c3d_export.core.errors import CaptureProtocolError, OptionError
from c3d_export.data.capture import messages, processes
from c3d_export.data.capture.keeper import Keeper, upright
from c3d_export.data.capture.options import Pace

PATIENCE: Final = 10.0
"""Seconds that a program has for its hello."""
MAX_PROGRAMS: Final = 32
"""Programs at a time; each may make us hold one frame of the largest size."""
_DYING: Final = 0.5
"""Seconds between the last a process is heard of and its end."""
_PASSWORD: Final = "C3D_CAPTURE_PASSWORD"
_CREDENTIALS: Final = struct.Struct("3i")


@dataclass
class Sender:
    """A process that sends frames.

    Laws: `pid` is 0 where the kernel does not say; `swaps` frames were finished between
    `first_time` and `last_time` (nanoseconds of its clock).
    """

    connection: socket.socket
    pid: int
    swaps: int = 0
    frames: int = 0
    first_swaps: int = 0
    first_time: int = 0
    last_time: int = 0
    open: bool = True

    @property
    def fps(self) -> float:
        """Frames that the program finishes in a second, over all of its time."""
        seconds = (self.last_time - self.first_time) / 1e9
        return (self.swaps - self.first_swaps) / seconds if seconds > 0 else 0.0

    def note(self, head: messages.Head) -> None:
        if not self.first_time:
            self.first_time, self.first_swaps = head.time, head.swaps
        self.swaps, self.last_time = head.swaps, head.time


class Receiver:
    """Listens on `path` until it is closed. Laws: `faults` has a line for each sender cut off."""

    def __init__(self, path: Path, pace: Pace, keeper: Keeper) -> None:
        """Raises OptionError where the path is too long for a socket."""
        self.password = secrets.token_hex(messages.PASSWORD_BYTES // 2)
        self.senders: list[Sender] = []
        self.faults: list[str] = []
        self._path = str(path)
        self._orders = messages.pack_orders(pace)
        self._keeper = keeper
        self._closed = threading.Event()
        self._threads: list[threading.Thread] = []
        self._connections: set[socket.socket] = set()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._listener.bind(str(path))
        except OSError as error:
            self._listener.close()
            message = f"cannot listen at {path}: {error}; set TMPDIR to another folder"
            raise OptionError(message) from error
        path.chmod(0o666)  # the program may run as somebody else; the password keeps others out
        self._listener.listen(MAX_PROGRAMS)
        self._listener.settimeout(0.2)
        self._start(self._accept)

    @property
    def active(self) -> list[Sender]:
        """The senders that are connected."""
        return [sender for sender in self.senders if sender.open]

    @property
    def environment(self) -> dict[str, str]:
        """What the library in a program must know."""
        return {"C3D_CAPTURE_SOCKET": self._path, _PASSWORD: self.password}

    def relatives(self) -> set[int]:
        """The living processes that know the password, in whatever session they are."""
        return processes.with_variable(f"{_PASSWORD}={self.password}")

    def close(self) -> None:
        """Cuts every program off; what has come whole is kept."""
        self._closed.set()
        for connection in tuple(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            if len(self._connections) >= MAX_PROGRAMS or self._closed.is_set():
                connection.close()
                continue
            self._connections.add(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        """One connection, to its end."""
        sender = Sender(connection, _pid(connection))
        with connection:
            try:
                self._greet(sender)
                while not self._closed.is_set() and self._take(sender):
                    pass
            except CaptureProtocolError as error:
                self.faults.append(str(error))
            except (OSError, EOFError):
                pass  # the program has ended; it may have been in the middle of a frame
            finally:
                sender.open = False
                self._connections.discard(connection)

    def _greet(self, sender: Sender) -> None:
        """It counts as a sender before it knows: it may send all it has and end at once."""
        sender.connection.settimeout(PATIENCE)
        hello = _read(sender.connection, messages.HELLO_BYTES)
        messages.check_hello(bytes(hello), self.password)
        self.senders.append(sender)
        sender.connection.sendall(self._orders)
        sender.connection.settimeout(None)

    def _take(self, sender: Sender) -> bool:
        """The next message; False where no more frames are wanted."""
        head = messages.parse_head(bytes(_read(sender.connection, messages.HEAD_BYTES)))
        sender.note(head)
        if not head.width:
            return True
        try:
            pixels = _read(sender.connection, head.pixel_bytes)
        except EOFError:
            self._look_after(sender)
            raise
        sender.frames += 1
        return self._keeper.offer(upright(pixels, head.width, head.height))

    def _look_after(self, sender: Sender) -> None:
        """One that hangs up in the middle of a frame has ended, or has lost its patience."""
        if not self._closed.wait(_DYING) and processes.lives(sender.pid):
            fault = "a program waited too long for its frame to be taken, and went on alone"
            self.faults.append(f"{fault}; write to a faster disk")


def _read(connection: socket.socket, size: int) -> bytearray:
    """Exactly so many bytes; raises EOFError where the connection ends before."""
    data = bytearray(size)
    view = memoryview(data)
    while view:
        got = connection.recv_into(view)
        if not got:
            raise EOFError
        view = view[got:]
    return data


def _pid(connection: socket.socket) -> int:
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return 0
    data = connection.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(data)[0])
