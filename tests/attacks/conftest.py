"""`refuse`: a crafted bundle goes to a host of its own, which must refuse it, fast and cleanly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from c3d_export.core import errors

Answer = dict[str, Any]
Refuse = Callable[..., Answer]
Leaf = type[errors.C3DError]

SECONDS = 1.0
MEMORY = 256 << 20
POLICY = "require_signature = false\n"


class Host:
    """The process of `host.py`, the folder that it works in, and its policy."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.policy = folder / "host", folder / "policy.toml"
        self.folder.mkdir()
        self.policy.write_text(POLICY)
        self._process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        environment = {**os.environ, "C3D_POLICY": str(self.policy), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("host.py"))],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, kind: str, path: Path) -> Answer:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{kind} {path}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        answer: Answer = json.loads(line) if line else {"error": "death", "runtime": True}
        if answer["runtime"]:  # one attack that comes through must not fail the tests after it
            self.close()
            self._process = self._start()
        return answer

    def close(self) -> None:
        self._process.communicate(timeout=60)


@pytest.fixture(scope="session")
def _host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("memory is measured by Linux's /proc")
    host = Host(tmp_path_factory.mktemp("attacked"))
    yield host
    host.close()


@pytest.fixture
def host(_host: Host) -> Iterator[Host]:
    """With the policy that allows everything, and an empty folder."""
    yield _host
    _host.policy.write_text(POLICY)
    for path in _host.folder.iterdir():
        path.unlink()


def _tree(folder: Path) -> dict[str, tuple[int, int]]:
    """All there is around the host, by name: size and time of the last change."""
    found = {path: path.lstat() for path in folder.rglob("*")}
    return {str(path): (stat.st_size, stat.st_mtime_ns) for path, stat in found.items()}


@pytest.fixture
def refuse(host: Host) -> Refuse:
    """refuse(data or path, error, part of its message): the answer of a host that is asked to open
    the bundle. It must be this leaf of errors (one of several, where zipfile has the say), with
    exit code 5 unless said, within 1 s of CPU and 256 MiB, before ONNX Runtime is loaded, with
    nothing written, started or read besides."""

    def check(
        data: bytes | Path, error: Leaf | tuple[Leaf, ...], message: str, exit_code: int = 5
    ) -> Answer:
        leaves = error if isinstance(error, tuple) else (error,)
        path = data if isinstance(data, Path) else host.folder / "attack.c3b"
        if not isinstance(data, Path):
            path.write_bytes(data)
        before = _tree(host.folder.parent)
        answer = host.ask("open", path)
        assert answer["error"] in {leaf.__name__ for leaf in leaves}, answer
        assert not any(leaf.__subclasses__() for leaf in leaves)
        assert answer["exit_code"] == exit_code
        assert message in answer["message"]
        assert "\n" not in answer["message"]
        assert len(answer["message"]) < 1000
        assert answer["deeds"] == []
        assert not answer["runtime"]
        assert answer["seconds"] < SECONDS
        assert answer["memory"] < MEMORY
        assert _tree(host.folder.parent) == before
        return answer

    return check
