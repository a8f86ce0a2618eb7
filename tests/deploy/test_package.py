"""A deployable package installs on a host that has no network, by its own one command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from c3d_export.core.digest import sha256_file
from c3d_export.core.errors import DiskError, MissingInputError
from c3d_export.deploy.package import build_package

BUNDLE = Path(__file__).parents[1] / "golden" / "v4" / "tiny.c3b"
STREAM = BUNDLE.with_name("31x17-q2.c3s")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_package(BUNDLE, tmp_path_factory.mktemp("package") / "codec")


def test_the_sums_cover_every_file(package: Path) -> None:
    listed = dict(
        reversed(line.split("  ")) for line in (package / "SHA256SUMS").read_text().splitlines()
    )
    files = {p.relative_to(package).as_posix() for p in package.rglob("*") if p.is_file()}
    assert files == {*listed, "SHA256SUMS"}
    assert all(sha256_file(package / name) == value for name, value in listed.items())


def test_the_wheel_holds_the_compiled_coder_and_the_default_codec(package: Path) -> None:
    import zipfile

    (wheel,) = (package / "wheels").glob("c3d_export-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "-cp311-abi3-" in wheel.name
    assert "c3d_export/_arith.abi3.so" in names
    assert "c3d_export/assets/generic-small.c3b" in names
    assert not any(name.startswith("tests/") for name in names)


def test_one_command_installs_it_without_a_network(package: Path, tmp_path: Path) -> None:
    """The host has numpy and onnxruntime already; pip may look at nothing but the folder."""
    target = tmp_path / "site"
    script = (package / "install.sh").read_text()
    assert "--no-index" in script
    host = {"PATH": "/nonexistent", "PIP_TARGET": str(target), "PIP_NO_INDEX": "1"}
    command = next(line for line in script.splitlines() if line.startswith("exec "))
    arguments = command.removeprefix("exec python3 ").split()
    subprocess.run([sys.executable, *arguments], cwd=package, env=host, check=True)
    decoded = tmp_path / "frame.png"
    code = (
        f"import sys; sys.path.insert(0, {str(target)!r})\n"
        "import c3d_export; assert c3d_export.__file__.startswith(sys.path[0])\n"
        "from c3d_export.cli.main import main\n"
        f"main(['decode', {str(STREAM)!r}, '-o', {str(decoded)!r},"
        f" '--codec', {str(package / BUNDLE.name)!r}])\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert decoded.is_file()


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    with pytest.raises(DiskError, match="not empty"):
        build_package(BUNDLE, tmp_path)
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["precious"]


def test_a_package_needs_the_source_tree(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="checkout"):
        build_package(BUNDLE, tmp_path / "out", source=tmp_path)
