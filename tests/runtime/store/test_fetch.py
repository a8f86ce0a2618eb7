"""Bundles from files, folders and other hosts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from c3d_export.core.errors import LibraryMissingError, MissingInputError, OptionError
from c3d_export.runtime.store import fetch as module
from c3d_export.runtime.store.fetch import fetch, quoted, ssh_address

from .sshd import serving


def test_a_file_and_a_folder(tmp_path: Path) -> None:
    for name, data in (("b.c3b", b"2"), ("a.c3b", b"1"), ("a.txt", b"no")):
        (tmp_path / name).write_bytes(data)
    assert list(fetch(str(tmp_path))) == [b"1", b"2"]
    assert list(fetch(str(tmp_path / "a.txt"))) == [b"no"]  # `install` looks at it


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    for target in (tmp_path, tmp_path / "none", tmp_path / "a\0b"):
        with pytest.raises(MissingInputError, match="no bundle"):
            list(fetch(str(target)))


def test_no_more_is_read_than_a_bundle_may_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BUNDLE_BYTES", 3)
    (tmp_path / "a.c3b").write_bytes(b"12345")
    assert list(fetch(str(tmp_path / "a.c3b"))) == [b"1234"]


def test_unknown_schemes_are_named() -> None:
    with pytest.raises(OptionError, match=r"ftp://.*ssh://"):
        fetch("ftp://host/a.c3b")


@pytest.mark.parametrize(
    ("target", "arguments", "path"),
    [
        ("ssh://host/srv/c", ["--", "host"], "/srv/c"),
        ("ssh://me@host:2222/a%20b.c3b", ["-P", "2222", "--", "me@host"], "/a b.c3b"),
        ("ssh://[::1]:22/a", ["-P", "22", "--", "[::1]"], "/a"),
    ],
)
def test_addresses(target: str, arguments: list[str], path: str) -> None:
    assert ssh_address(target) == (arguments, path)


@pytest.mark.parametrize(
    "target",
    [
        "ssh://-oProxyCommand=touch%20x/a",
        "ssh://-l@host/a",
        "ssh://host",
        "ssh://host/",
        "ssh:///a",
        "ssh://host/a%0aput%20/etc/passwd",
        "ssh://host:port/a",
        "ssh://me:secret@host/a",
        "ssh://ho st/a",
        "ssh://host/a?b",
        "ssh://host/a%5Cb",
        "ssh://[::1/a",
    ],
)
def test_addresses_that_could_mean_something_else_are_refused(target: str) -> None:
    with pytest.raises(OptionError, match="ssh://"):
        ssh_address(target)


def test_quoting() -> None:
    assert quoted('/a b/*"[') == '"/a b/*\\"["'


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    with serving(tmp_path_factory.mktemp("sshd")) as served:
        yield served


@pytest.fixture
def url(host: tuple[int, Path], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PATH", f"{host[1]}:{os.environ['PATH']}")
    return f"ssh://127.0.0.1:{host[0]}"


def test_another_host(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / 'a b"*['
    folder.mkdir()
    for name in ("b.c3b", "a.c3b", "c.txt"):
        (folder / name).write_bytes(name.encode())
    where = f"{url}{tmp_path}/a%20b%22*["
    assert list(fetch(where)) == list(fetch(where + "/")) == [b"a.c3b", b"b.c3b"]
    assert list(fetch(where + "/b.c3b")) == [b"b.c3b"]
    with pytest.raises(MissingInputError, match=r"no\.c3b"):
        list(fetch(where + "/no.c3b"))
    monkeypatch.setattr(module, "MAX_BUNDLE_BYTES", 3)
    with pytest.raises(MissingInputError, match="cannot fetch"):
        list(fetch(where + "/b.c3b"))


def test_a_host_that_is_not_there(url: str) -> None:
    with pytest.raises(MissingInputError, match="port 1: Connection refused; check"):
        list(fetch("ssh://127.0.0.1:1/srv/a.c3b"))


def test_a_host_that_hangs(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "sftp"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    with pytest.raises(MissingInputError, match=r"longer than 0\.1 s"):
        list(fetch(f"{url}/srv/a.c3b"))


def test_without_openssh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(LibraryMissingError, match="OpenSSH"):
        list(fetch("ssh://host/srv/a.c3b"))
