"""One host wheel, one package of it, and one host that installed it, for all tests of this folder.

They take a compiler, the registry that pip is configured for, and Linux namespaces; what is missing
is said in the reason of the skip.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from c3d_export.deploy import package as packages
from c3d_export.deploy.hostwheel import build_host_wheel
from c3d_export.deploy.package import Package
from c3d_export.runtime.shipped import source_root

GOLDEN = Path(__file__).parents[1] / "golden"
BUNDLE = GOLDEN / "v4" / "tiny.c3b"
OTHER = GOLDEN / "v5" / "tiny.c3b"

MakePackage = Callable[..., Package]


@pytest.fixture(scope="session")
def host_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built once."""
    root = source_root()
    if root is None:
        pytest.skip("not in a checkout: there is nothing to build a wheel from")
    return build_host_wheel(tmp_path_factory.mktemp("host-wheel"), root)


@pytest.fixture(scope="session")
def make_package(host_wheel: Path) -> MakePackage:
    """build_package, with the wheel that is built already."""

    def make(*args: Any, **options: Any) -> Package:
        def copy(folder: Path, _: Path | None) -> Path:
            return Path(shutil.copy(host_wheel, folder))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(packages, "build_host_wheel", copy)
            return packages.build_package(*args, **options)

    return make


@pytest.fixture(scope="session")
def small_package(make_package: MakePackage, tmp_path_factory: pytest.TempPathFactory) -> Package:
    """Without the dependencies."""
    return make_package([BUNDLE], tmp_path_factory.mktemp("small") / "package")


@pytest.fixture(scope="session")
def registry() -> None:
    """Skips where pip cannot get the dependencies one by one; what else fails is a fault."""
    command = [sys.executable, "-m", "pip", "install", "-q", "--dry-run", "--ignore-installed"]
    command += ["--no-deps", "--only-binary=:all:", "--retries", "1"]
    names = ("numpy", "pillow", "click", "rich", "onnxruntime", "mdurl", "protobuf")
    wheels = [f"{name}=={metadata.version(name)}" for name in names]
    try:
        subprocess.run([*command, *wheels], capture_output=True, check=True, timeout=60)
    except subprocess.SubprocessError:
        pytest.skip(f"no package registry: pip cannot get {', '.join(wheels)}")


@pytest.fixture(scope="session")
def full_package(
    registry: None, make_package: MakePackage, tmp_path_factory: pytest.TempPathFactory
) -> Package:
    """With the wheels of its dependencies."""
    folder = tmp_path_factory.mktemp("full") / "package"
    return make_package([BUNDLE], folder, with_dependencies=True)


@pytest.fixture(scope="session")
def no_network() -> list[str]:
    """What to put before a command so that it runs where there is no network, not even loopback."""
    for command in (["unshare", "-n"], ["unshare", "-rn"]):
        if (
            shutil.which("unshare")
            and not subprocess.run([*command, "true"], check=False).returncode
        ):
            return command
    pytest.skip("no network namespaces here: unshare is missing, or not permitted")


@dataclass(frozen=True)
class Host:
    """An environment that has what a package brought, and nothing else."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def run(self, *arguments: object, exit_code: int = 0) -> subprocess.CompletedProcess[str]:
        """Runs Python there; the environment is empty, and the exit code must be this one."""
        done = subprocess.run(
            [str(self.python), *map(str, arguments)],
            env={"PATH": os.defpath, "HOME": str(self.folder)},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == exit_code, done.stderr
        return done

    def command(self, *arguments: object, exit_code: int = 0) -> subprocess.CompletedProcess[str]:
        """Runs c3d-export there, by the script that pip made."""
        return self.run(self.folder / "bin" / "c3d-export", *arguments, exit_code=exit_code)


def install(
    package: Path,
    *arguments: str,
    before: list[str] | None = None,
    python: str = sys.executable,
    folder: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Runs a package's install.sh; folder: the one that it is called from."""
    # pip keeps a cache at home, and nothing else may write into a package.
    home = str(package.parent)
    return subprocess.run(
        [*(before or []), "sh", str(package / "install.sh"), *arguments],
        env={"PATH": os.environ.get("PATH", os.defpath), "PYTHON": python, "HOME": home},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def host(
    full_package: Package, no_network: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Host:
    """Installed by the package's own command, without a network."""
    folder = tmp_path_factory.mktemp("host") / "c3d"
    done = install(full_package.folder, str(folder), before=no_network)
    assert done.returncode == 0, done.stderr
    return Host(folder)
