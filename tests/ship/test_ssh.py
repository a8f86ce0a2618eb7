"""Ship to and fetch from an sshd on loopback, and what goes wrong with hosts."""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from c3d_export.core.errors import (
    AccessError,
    C3DError,
    LibraryMissingError,
    MissingInputError,
    RemoteAnswerError,
    RemoteDiskError,
    RemoteError,
    RemoteMissingError,
    UnreachableError,
)
from c3d_export.deploy.ship.deliver import Options, deliver, install
from c3d_export.deploy.ship.fleet import Fleet, Outcome
from c3d_export.deploy.ship.parcel import Parcel
from c3d_export.deploy.ship.place import part_name
from c3d_export.runtime.remote.deadline import Deadline
from c3d_export.runtime.remote.fetch import fetch
from c3d_export.runtime.remote.target import SshTarget, parse_target

from .conftest import Disk, MakeParcel
from .servers import SshHost, free_port, ssh_command, ssh_host

OPTIONS = Options(timeout=600, retries=0)


class Counter:
    total = 0

    def __call__(self, count: int) -> None:
        self.total += count


def send(target: str, parcel: Parcel, options: Options = OPTIONS) -> tuple[bool, int]:
    """Whether something was sent, and how much."""
    counter = Counter()
    return deliver(
        parse_target(target), [parcel], options, Deadline(options.timeout), counter
    ), counter.total


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_arrives_once_and_comes_back(host: SshHost, tmp_path: Path, parcel: Parcel) -> None:
    target = host.target(tmp_path)
    assert send(target, parcel) == (True, len(parcel.data))
    assert (tmp_path / parcel.file).read_bytes() == parcel.data
    assert send(target, parcel) == (False, 0)
    assert names(tmp_path) == [parcel.file]
    assert [f.data for f in fetch(target)] == [parcel.data]
    assert [f.data for f in fetch(f"{target}/{parcel.file}")] == [parcel.data]


def test_names_that_a_shell_would_read(
    host: SshHost, tmp_path: Path, make_parcel: MakeParcel
) -> None:
    folder = tmp_path / "a 'b' $(touch evil); *"
    folder.mkdir()
    parcel = make_parcel(b"x" * 1000, "-n $HOME `id`.c3b")
    assert send(host.target(folder), parcel) == (True, 1000)
    assert send(host.target(folder), parcel) == (False, 0)
    assert names(folder) == [parcel.file]


def test_a_cut_transfer_goes_on_there(host: SshHost, tmp_path: Path, parcel: Parcel) -> None:
    half = len(parcel.data) // 2
    (tmp_path / part_name(parcel)).write_bytes(parcel.data[:half])
    assert send(host.target(tmp_path), parcel) == (True, len(parcel.data) - half)
    (tmp_path / parcel.file).unlink()
    (tmp_path / part_name(parcel)).write_bytes(b"\0" * half)
    assert send(host.target(tmp_path), parcel) == (True, len(parcel.data))
    assert (tmp_path / parcel.file).read_bytes() == parcel.data
    assert names(tmp_path) == [parcel.file]


def test_a_link_there_is_replaced_and_not_followed(
    host: SshHost, tmp_path: Path, parcel: Parcel
) -> None:
    victim, folder = tmp_path / "victim", tmp_path / "folder"
    folder.mkdir()
    victim.write_bytes(b"mine")
    (folder / parcel.file).symlink_to(victim)
    (folder / part_name(parcel)).symlink_to(victim)
    assert send(host.target(folder), parcel)[0]
    assert victim.read_bytes() == b"mine"
    assert not (folder / parcel.file).is_symlink()


def test_missing_folders_and_bundles(host: SshHost, tmp_path: Path, parcel: Parcel) -> None:
    with pytest.raises(MissingInputError, match="create it"):
        send(host.target(tmp_path / "none"), parcel)
    with pytest.raises(RemoteMissingError, match="nothing at"):
        list(fetch(host.target(tmp_path / "none")))
    with pytest.raises(RemoteMissingError, match="no bundles"):
        list(fetch(host.target(tmp_path)))


def test_the_bundles_of_a_folder_by_name(host: SshHost, tmp_path: Path) -> None:
    for name in ("b.c3b", "a.c3b", ".c.c3b", "d.txt", f".a.c3b.{'0' * 16}.c3d-tmp"):
        (tmp_path / name).write_bytes(name.encode())
    assert [f.data for f in fetch(host.target(tmp_path))] == [b"a.c3b", b"b.c3b"]


def test_too_large_a_file_is_not_fetched(host: SshHost, tmp_path: Path) -> None:
    with (tmp_path / "a.c3b").open("wb") as file:
        file.truncate(1 << 40)  # sparse
    with pytest.raises(RemoteAnswerError, match="more than"):
        list(fetch(host.target(tmp_path)))


def test_a_full_disk_there(
    host: SshHost, small_disk: Disk, parcel: Parcel, make_parcel: MakeParcel
) -> None:
    folder = small_disk(1024)
    old = make_parcel(b"old", parcel.file)
    assert send(host.target(folder), old)[0]
    with pytest.raises(RemoteDiskError, match="free some space there"):
        send(host.target(folder), parcel)
    assert names(folder) == [parcel.file]
    assert (folder / parcel.file).read_bytes() == b"old"


def failure(call: Callable[[], object]) -> C3DError:
    with pytest.raises(C3DError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return caught.value


def test_keys_that_do_not_fit(
    host: SshHost, tmp_path: Path, parcel: Parcel, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, known, target = tmp_path / "key", host.folder / "known_hosts", host.target(tmp_path)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)

    def with_ssh(command: str) -> C3DError:
        monkeypatch.setenv("C3D_SSH", command)
        return failure(lambda: send(target, parcel))

    stranger = with_ssh(ssh_command(key, known))
    assert isinstance(stranger, AccessError)
    assert "ssh-copy-id" in str(stranger)
    nobody = with_ssh(ssh_command(host.folder / "user_key", tmp_path / "empty"))
    assert isinstance(nobody, AccessError)
    assert "is not known" in str(nobody)
    public = key.with_suffix(".pub").read_text()
    (tmp_path / "other").write_text(f"[127.0.0.1]:{host.port} {public}")
    changed = with_ssh(ssh_command(host.folder / "user_key", tmp_path / "other"))
    assert isinstance(changed, AccessError)
    assert "another one than before" in str(changed)
    assert "no-such-ssh" in str(with_ssh("no-such-ssh"))
    assert isinstance(with_ssh("no-such-ssh"), LibraryMissingError)
    assert names(tmp_path) == ["key", "key.pub", "other"]


def test_a_host_that_is_down(host: SshHost, tmp_path: Path, parcel: Parcel) -> None:
    del host  # for its ssh alone
    error = failure(lambda: send(f"ssh://127.0.0.1:{free_port()}{tmp_path}", parcel))
    assert isinstance(error, UnreachableError)
    assert "Connection refused" in str(error)


def test_a_host_that_answers_nothing_is_given_up(
    host: SshHost, tmp_path: Path, parcel: Parcel
) -> None:
    del host
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = f"ssh://127.0.0.1:{silent.getsockname()[1]}{tmp_path}"
        error = failure(lambda: send(target, parcel, Options(timeout=1, retries=0)))
    assert isinstance(error, UnreachableError)
    assert "--timeout" in str(error)


def test_several_at_once_to_one_folder(host: SshHost, tmp_path: Path, parcel: Parcel) -> None:
    target = parse_target(host.target(tmp_path))
    fleets = [Fleet([parcel], [target], OPTIONS) for _ in range(3)]
    threads = [threading.Thread(target=fleet.run, args=[lambda _: None]) for fleet in fleets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outcomes = [fleet.outcomes[0] for fleet in fleets]
    assert [outcome.error for outcome in outcomes] == [None] * 3
    assert {outcome.state for outcome in outcomes} <= {"shipped", "there"}
    assert (tmp_path / parcel.file).read_bytes() == parcel.data
    assert names(tmp_path) == [parcel.file]


def test_an_account_for_sftp_alone(
    tmp_path: Path, parcel: Parcel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is there is then fetched, to be hashed here."""
    folder = tmp_path / "codecs"
    folder.mkdir()
    with ssh_host(tmp_path / "sshd", more="ForceCommand internal-sftp") as only:
        monkeypatch.setenv("C3D_SSH", only.command)
        (folder / part_name(parcel)).write_bytes(parcel.data[:1000])
        assert send(only.target(folder), parcel) == (True, len(parcel.data) - 1000)
        assert send(only.target(folder), parcel) == (False, 0)
        assert (folder / parcel.file).read_bytes() == parcel.data


class Line:
    """Passes a connection on, and cuts the first one after some bytes of ours."""

    def __init__(self, port: int, cut: int) -> None:
        self._port, self._cut, self.connections = port, cut, 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._server.close()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            most = self._cut if self.connections == 1 else 1 << 40
            far = socket.create_connection(("127.0.0.1", self._port))
            for source, sink, limit in ((near, far, most), (far, near, 1 << 40)):
                threading.Thread(target=_pass, args=(source, sink, limit), daemon=True).start()


def _pass(source: socket.socket, sink: socket.socket, limit: int) -> None:
    try:
        while limit > 0 and (data := source.recv(1 << 16)):
            sink.sendall(data)
            limit -= len(data)
    except OSError:
        pass
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


@contextmanager
def cut_line(host: SshHost, cut: int) -> Iterator[Line]:
    line = Line(host.port, cut)
    try:
        yield line
    finally:
        line.close()


def test_a_connection_that_is_cut_is_made_again_and_goes_on(
    host: SshHost, tmp_path: Path, parcel: Parcel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("C3D_SSH", f"{host.command} -o HostKeyAlias=[127.0.0.1]:{host.port}")
    monkeypatch.setattr("c3d_export.deploy.ship.fleet._PAUSE", 0.01)
    with cut_line(host, 1_500_000) as line:
        target = parse_target(f"ssh://127.0.0.1:{line.port}{tmp_path}")
        fleet = Fleet([parcel], [target], Options(retries=1))
        ended: list[Outcome] = []
        fleet.run(ended.append)
        assert line.connections >= 2
    (outcome,) = ended
    assert (outcome.state, outcome.error) == ("shipped", None)
    # Only what was acknowledged is counted, and none of that is sent again.
    assert outcome.sent <= len(parcel.data)
    assert (tmp_path / parcel.file).read_bytes() == parcel.data


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return shlex.quote(str(path))


def test_install_runs_there(host: SshHost, tmp_path: Path, make_parcel: MakeParcel) -> None:
    parcels = [make_parcel(b"1", "it's 1.c3b"), make_parcel(b"2", "2.c3b")]
    program = script(tmp_path / "c3d-export", f'echo "$@" >> {shlex.quote(str(tmp_path))}/calls')
    target = parse_target(host.target(tmp_path))
    assert isinstance(target, SshTarget)
    install(target, parcels, Options(install=program), Deadline(600))
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls == [f"install {tmp_path}/{parcel.file}" for parcel in parcels]


def test_an_install_that_fails_is_told_with_its_reason(
    host: SshHost, tmp_path: Path, make_parcel: MakeParcel
) -> None:
    program = script(tmp_path / "c3d-export", "echo more; echo 'error: no room' >&2; exit 4")
    target = parse_target(host.target(tmp_path))
    assert isinstance(target, SshTarget)
    with pytest.raises(RemoteError, match=r"not installed \(exit code 4\): no room"):
        install(target, [make_parcel(b"1")], Options(install=program), Deadline(600))
    with pytest.raises(RemoteError, match=r"not installed \(exit code 127\)"):
        install(target, [make_parcel(b"1")], Options(install=f"{tmp_path}/none"), Deadline(600))


FAKE = """
import struct, sys, time
def put(kind, payload):
    sys.stdout.buffer.write(struct.pack(">IB", len(payload) + 1, kind) + payload)
    sys.stdout.buffer.flush()
def take():
    size, = struct.unpack(">I", sys.stdin.buffer.read(4))
    return sys.stdin.buffer.read(size)
def text(data):
    return struct.pack(">I", len(data)) + data
FOLDER = struct.pack(">III", 4, 0o040755, 0)[:8]
FILE = struct.pack(">IQI", 5, 10, 0o100644)
"""

HOSTILE = {
    "a greeting of a shell": "print('Welcome to this host! ' * 9)",
    "a packet without end": "take(); sys.stdout.buffer.write(b'\\xff' * 9)",
    "an empty packet": "take(); sys.stdout.buffer.write(bytes(4))",
    "another version": "take(); put(2, struct.pack('>I', 6))",
    "extensions that are cut": "take(); put(2, struct.pack('>II', 3, 99) + b'x')",
    "answers to nothing": (
        "take(); put(2, struct.pack('>I', 3)); take()\n"
        "for n in range(999): put(105, struct.pack('>I', n + 1000) + FILE)"
    ),
    "another kind of answer": (
        "take(); put(2, struct.pack('>I', 3)); n = take()[1:5]; put(103, n + text(b'x'))"
    ),
    "names that lead out": (
        "take(); put(2, struct.pack('>I', 3)); n = take()[1:5]; put(105, n + FOLDER)\n"
        "n = take()[1:5]; put(102, n + text(b'h')); n = take()[1:5]\n"
        "put(104, n + struct.pack('>I', 1) + text(b'../x.c3b') + text(b'') + FILE)"
    ),
    "more data than asked for": (
        "take(); put(2, struct.pack('>I', 3)); n = take()[1:5]; put(105, n + FILE)\n"
        "n = take()[1:5]; put(102, n + text(b'h')); n = take()[1:5]; put(105, n + FILE)\n"
        "n = take()[1:5]; put(103, n + text(b'x' * 11))"
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_server_is_an_error(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "fake.py"
    # It waits for us to go, so that its end is not what we see.
    fake.write_text(f"{FAKE}\n{HOSTILE[name]}\nsys.stdout.flush(); sys.stdin.buffer.read()")
    monkeypatch.setenv("C3D_SSH", f"{shlex.quote(sys.executable)} {fake}")
    with pytest.raises(RemoteAnswerError):
        list(fetch("ssh://host/x.c3b"))
