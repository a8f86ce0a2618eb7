"""Targets as a user writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from c3d_export.core.errors import OptionError
from c3d_export.runtime.remote.ssh import command_line
from c3d_export.runtime.remote.target import (
    FolderTarget,
    OciTarget,
    SshTarget,
    Target,
    parse_target,
)

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("codecs", FolderTarget(Path("codecs"))),
        ("/mnt/host 1/codecs", FolderTarget(Path("/mnt/host 1/codecs"))),
        ("./host:codecs", FolderTarget(Path("./host:codecs"))),
        ("ssh://edge1/srv/codecs", SshTarget(None, "edge1", None, "/srv/codecs")),
        ("ssh://me@edge1:2222/srv/a b", SshTarget("me", "edge1", 2222, "/srv/a b")),
        ("ssh://edge1/a%20b%25", SshTarget(None, "edge1", None, "/a b%")),
        ("ssh://edge1/~/codecs", SshTarget(None, "edge1", None, "codecs")),
        ("ssh://edge1/~", SshTarget(None, "edge1", None, ".")),
        ("ssh://[fe80::1]:22/x", SshTarget(None, "fe80::1", 22, "/x")),
        ("oci://reg.example/codecs", OciTarget("reg.example", "codecs", "latest")),
        ("oci://reg:5000/a/b-c:v1.2", OciTarget("reg:5000", "a/b-c", "v1.2")),
        (f"oci://reg/a@{DIGEST}", OciTarget("reg", "a", DIGEST)),
    ],
)
def test_what_is_a_target(text: str, target: Target) -> None:
    assert parse_target(text) == target
    assert parse_target(str(target)) == target


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a\nb",
        "a\0b",
        "x" * 5000,
        "http://host/codecs",
        "file:///codecs",
        "host:codecs",
        "me@host:/srv/codecs",
        "ssh://host",
        "ssh://host:0/x",
        "ssh://host:99999/x",
        "ssh://me:secret@host/x",
        "ssh://-oProxyCommand=evil/x",
        "ssh://-l@host/x",
        "ssh:///x",
        "ssh://host/a%0aput%20/etc/passwd",
        "ssh://host/a%00b",
        "oci://reg",
        "oci://reg/",
        "oci://reg/Upper",
        "oci://reg/a/../b",
        "oci://reg/a:-tag",
        "oci://reg/a@sha256:12",
        "oci://me:secret@reg/a",
        "oci://reg/" + "a" * 256,
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(OptionError):
        parse_target(text)


def test_a_place_has_one_key_however_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert len({parse_target(str(tmp_path / p)).key for p in ("", "./", "link")}) == 1
    assert len({parse_target(t).key for t in ("ssh://Edge/a/", "ssh://edge/./a")}) == 1
    assert len({parse_target(t).key for t in ("oci://Reg/a", "oci://reg/a:latest")}) == 1
    assert parse_target("ssh://edge/a").key != parse_target("ssh://me@edge/a").key


def test_ssh_never_asks_and_takes_no_host_for_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C3D_SSH", "ssh -i 'my key'")
    line = command_line(SshTarget("me", "edge", 2222, "/x"), "true")
    assert line[:3] == ["ssh", "-i", "my key"]
    assert "BatchMode=yes" in line
    assert line[-5:] == ["-p", "2222", "--", "me@edge", "true"]
    monkeypatch.setenv("C3D_SSH", "ssh 'unclosed")
    with pytest.raises(OptionError, match="C3D_SSH"):
        command_line(SshTarget(None, "edge", None, "/x"), "true")
