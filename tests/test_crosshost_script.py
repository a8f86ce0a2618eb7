"""What scripts/test-crosshost does before it needs an emulator, a registry or minutes."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "scripts" / "test-crosshost"


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **variables},
    )


@pytest.mark.parametrize("path", [SCRIPT, ROOT / "scripts/crosshost/prepare"], ids=lambda p: p.name)
def test_the_shell_reads_it(path: Path) -> None:
    done = subprocess.run(["sh", "-n", str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_help_tells_options_and_exit_codes() -> None:
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for word in ("--only", "--bundle", "--frames", "--list", "Exit codes", "Example"):
        assert word in done.stdout


def test_the_list_has_every_kind_of_host() -> None:
    done = run("--list")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.splitlines() if not line.startswith("#")]
    assert {len(row) for row in rows} == {6}
    names = [row[0] for row in rows]
    assert names[0] == "native"
    assert len(set(names)) == len(names)
    assert {"haswell", "nehalem", "cortex-a72", "control-weights", "control-noise"} <= set(names)
    assert {row[1] for row in rows} == {"-", "x86_64", "aarch64"}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--only", "pentium"], "no host 'pentium'"),
        (["--only"], "needs a value"),
        (["--bundle", "none.c3b", "--only", "native"], "no bundle"),
        (["--frames", "none", "--only", "native"], "no folder"),
        (["--fast"], "no option '--fast'"),
    ],
)
def test_wrong_usage_exits_2_with_one_line(arguments: list[str], named: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert named in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("host", "program", "package"),
    [
        ("haswell", "qemu-x86_64", "qemu-user"),
        ("cortex-a72", "qemu-aarch64", "qemu-user"),
        ("cortex-a72", "aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"),
    ],
)
def test_a_missing_program_exits_4_and_names_its_package(
    host: str, program: str, package: str, tmp_path: Path
) -> None:
    """A PATH with all but that program, where the others are played by `true`."""
    if os.uname().machine != "x86_64" and host == "haswell":
        pytest.skip("only an x86-64 machine plays older ones")
    tools = ("sh", "awk", "cat", "cut", "cksum", "dirname", "basename", "find", "grep", "paste")
    for tool in (*tools, "pwd", "sort", "tr", "uname"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or "/bin/false")
    for other in ("qemu-x86_64", "qemu-aarch64", "aarch64-linux-gnu-gcc", "dpkg-deb", "apt-get"):
        if other != program:
            (tmp_path / other).symlink_to(shutil.which("true") or "/bin/true")
    (tmp_path / "python3").symlink_to(sys.executable)
    done = run("--only", host, PATH=str(tmp_path))
    assert done.returncode == 4
    assert program in done.stderr
    assert f"apt-get install {package}" in done.stderr


@pytest.fixture
def compare_module(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    yield importlib.import_module("crosshost.compare")
    for name in [name for name in sys.modules if name.split(".")[0] == "crosshost"]:
        del sys.modules[name]


def _results(stream: str, pixels: dict[str, Any], error: str = "") -> tuple[Any, Any]:
    """What a host tells of one frame that it encoded and one stream that it decoded."""
    opened = [{"flavour": "qlinear", "error": error}]
    encoded = [{"flavour": "qlinear", "frame": "f", "quality": 1, "stream": stream}]
    decoded = [{"flavour": "qlinear", "stream": "s", "values": 4, **pixels}]
    empty: dict[str, Any] = {"host": {}, "opened": opened, "seconds": 1.0}
    return empty | {"encoded": encoded, "decoded": []}, empty | {"encoded": [], "decoded": decoded}


@pytest.mark.parametrize(
    ("results", "counts"),
    [
        (_results("s", {"pixels": "right"}), (0, 0, 0, False)),
        (_results("t", {"pixels": "right"}), (1, 0, 0, True)),
        (_results("s", {"pixels": "wrong"}), (0, 1, 1, True)),
        (_results("s", {"error": "LatentsChecksumError"}), (0, 1, 0, True)),
        (_results("s", {"pixels": "right"}, "KnownAnswerError: no"), (0, 0, 0, True)),
    ],
    ids=["equal", "stream", "pixel", "refused", "known-answers"],
)
def test_whatever_differs_is_counted(
    results: tuple[Any, Any],
    counts: tuple[int, int, int, bool],
    compare_module: Any,
    tmp_path: Path,
) -> None:
    (tmp_path / "right").write_bytes(b"\1\2\3\4")
    (tmp_path / "wrong").write_bytes(b"\1\2\3\5")
    reference = compare_module.reference_of(tmp_path, *_results("s", {"pixels": "right"}))
    row = compare_module.compare("host", "cpu", reference, *results)
    found = (row.streams_differing, row.frames_differing, row.values_differing, row.differs)
    assert found == counts
    assert (row.streams, row.frames) == (1, 1)
