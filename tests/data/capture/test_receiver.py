"""The socket: what programs of ours, strangers and broken ones send."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from c3d_export.core.errors import CaptureProtocolError, OptionError
from c3d_export.core.limits import MAX_SIDE
from c3d_export.data.capture import messages
from c3d_export.data.capture.keeper import Keeper
from c3d_export.data.capture.options import Pace, Target
from c3d_export.data.capture.receiver import Receiver
from c3d_export.runtime.images import read_image

Connect = Callable[..., socket.socket]
FRAME, TICK = 1, 2


def head(width: int, height: int, *, kind: int = FRAME, size: int | None = None) -> bytes:
    size = width * height * 4 if size is None else size
    return struct.pack("<8sIIIIQQQ", b"C3DCAPT1", kind, width, height, 0, 7, 10**9, size)


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    keeper = Keeper(Target(tmp_path / "out", "a", min_change=0.0))
    yield keeper
    keeper.full.set()
    keeper.finish()


@pytest.fixture
def receiver(keeper: Keeper, tmp_path: Path) -> Iterator[Receiver]:
    receiver = Receiver(tmp_path / "socket", Pace(every=3, warm_frames=2), keeper)
    yield receiver
    receiver.close()


@pytest.fixture
def connect(receiver: Receiver, tmp_path: Path) -> Iterator[Connect]:
    """connect(password): a client that has said hello; the right password without one."""
    with contextlib.ExitStack() as stack:

        def make(password: str | None = None) -> socket.socket:
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.settimeout(10)
            client.connect(str(tmp_path / "socket"))
            client.sendall(b"C3DCAPT1" + (password or receiver.password).encode())
            return client

        yield make


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_program_gets_its_orders_and_its_frames_are_kept(
    connect: Connect, keeper: Keeper, receiver: Receiver
) -> None:
    client = connect()
    assert client.recv(100) == struct.pack("<IIQQII", 3, 2, 0, 0, 0, 0)
    client.sendall(head(0, 0, kind=TICK))
    client.sendall(head(2, 1) + bytes([1, 2, 3, 9, 4, 5, 6, 9]))
    until(lambda: keeper.kept)
    assert read_image(keeper.kept[0]).tolist() == [[[1, 2, 3], [4, 5, 6]]]
    client.close()
    until(lambda: not receiver.active)
    assert receiver.faults == []
    assert receiver.senders[0].frames == 1


def test_seconds_are_sent_as_nanoseconds() -> None:
    packed = messages.pack_orders(Pace(fps=2.5, warm_seconds=1.5))
    assert struct.unpack("<IIQQII", packed) == (0, 0, 400_000_000, 1_500_000_000, 0, 0)
    packed = messages.pack_orders(Pace(every=4, skip_drawing=True))
    assert struct.unpack("<IIQQII", packed) == (4, 0, 0, 0, 1, 0)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"x" * messages.HEAD_BYTES, "something else than frames"),
        (head(0, 5), "0x5 pixels, outside"),
        (head(MAX_SIDE + 1, 1), f"{MAX_SIDE + 1}x1 pixels, outside"),
        (head(MAX_SIDE, MAX_SIDE), "more than"),
        (head(2, 2, size=15), "2x2 pixels in 15 bytes"),
        (head(2, 2, size=1 << 60), "2x2 pixels in"),
        (head(2, 2, kind=TICK), "2x2 pixels in 16 bytes"),
        (head(2, 2, kind=TICK, size=0), "2x2 pixels in 0 bytes"),
        (head(2, 2, kind=3), "something else than frames"),
    ],
)
def test_damage_is_cut_off_and_others_go_on(
    data: bytes, fault: str, connect: Connect, keeper: Keeper, receiver: Receiver
) -> None:
    bad, good = connect(), connect()
    bad.recv(100)
    good.recv(100)
    bad.sendall(data)
    until(lambda: receiver.faults)
    assert fault in receiver.faults[0]
    assert bad.recv(1) == b""
    good.sendall(head(1, 1) + b"abcd")
    until(lambda: keeper.kept)


def test_half_a_frame_is_none(connect: Connect, keeper: Keeper, receiver: Receiver) -> None:
    """And it is told where its program, here this process, lives on."""
    client = connect()
    client.recv(100)
    client.sendall(head(4, 4) + b"half")
    client.close()
    until(lambda: receiver.senders and not receiver.active)
    assert keeper.kept == []
    assert "went on alone" in receiver.faults[0]


def test_a_stranger_gets_no_answer(connect: Connect, receiver: Receiver) -> None:
    client = connect("0" * 32)
    assert client.recv(100) == b""
    assert "a stranger connected" in receiver.faults[0]
    assert receiver.senders == []


def test_silence_does_not_hold_up_the_end(
    connect: Connect, receiver: Receiver, tmp_path: Path
) -> None:
    connect().recv(100)
    with socket.socket(socket.AF_UNIX) as mute:
        mute.connect(str(tmp_path / "socket"))
        time.sleep(0.3)
        end_in_time(receiver)


def end_in_time(receiver: Receiver) -> None:
    started = time.monotonic()
    receiver.close()
    assert time.monotonic() - started < 5


def test_a_program_is_held_up_while_the_disk_is_slow(
    connect: Connect, keeper: Keeper, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames are not piled up in memory, and none is lost."""
    write = "c3d_export.data.capture.keeper.write_image"
    monkeypatch.setattr(write, lambda path, frame: (time.sleep(0.05), path.write_bytes(b"x")))
    client = connect()
    client.recv(100)
    data = head(256, 256) + bytes(256 * 256 * 4)
    started = time.monotonic()
    for _ in range(20):
        client.sendall(data)
    assert time.monotonic() - started > 0.3
    until(lambda: len(keeper.kept) == 20)


def test_a_path_that_is_too_long_for_a_socket(keeper: Keeper, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="set TMPDIR"):
        Receiver(tmp_path / ("x" * 120), Pace(), keeper)


def test_a_hello_is_compared_whole() -> None:
    messages.check_hello(b"C3DCAPT1" + b"p" * 32, "p" * 32)
    for data in (b"C3DCAPT2" + b"p" * 32, b"C3DCAPT1" + b"p" * 31 + b"q"):
        with pytest.raises(CaptureProtocolError):
            messages.check_hello(data, "p" * 32)
