"""A bundle, servers on loopback that several tests share, and nothing of the user's own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from c3d_export.core.digest import sha256_bytes
from c3d_export.deploy.ship.parcel import Parcel, load_parcels

from .servers import SshHost, registry, ssh_host

EXPORTED = Path(__file__).parents[2] / "exported"
MakeParcel = Callable[..., Parcel]
Disk = Callable[[int], Path]


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No proxies, no credentials, no ssh of who runs the tests."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "C3D_SSH"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "no-docker"))
    monkeypatch.setenv("C3D_WORKSPACE", str(tmp_path / "no-workspace"))


@pytest.fixture(scope="session")
def bundle_file() -> Path:
    """One that is shipped with the package, 2.3 MB."""
    return EXPORTED / "generic-xsmall.c3b"


@pytest.fixture(scope="session")
def parcel(bundle_file: Path) -> Parcel:
    (loaded,) = load_parcels([bundle_file])
    return loaded


@pytest.fixture(scope="session")
def make_parcel() -> MakeParcel:
    """make_parcel(data): what ship takes for a bundle of these bytes, which nobody verified."""

    def make(data: bytes, file: str = "a.c3b") -> Parcel:
        return Parcel(file, "a", sha256_bytes(data)[:16], sha256_bytes(data), data)

    return make


@pytest.fixture(scope="session")
def shared_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshHost]:
    with ssh_host(tmp_path_factory.mktemp("sshd")) as host:
        yield host


@pytest.fixture
def host(shared_host: SshHost, monkeypatch: pytest.MonkeyPatch) -> SshHost:
    """An sshd that lets us in."""
    monkeypatch.setenv("C3D_SSH", shared_host.command)
    return shared_host


@pytest.fixture(scope="session")
def shared_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry")) as address:
        yield address


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Disk]:
    """small_disk(kib): a folder on a disk of that size, where we may mount one."""
    mounted: list[Path] = []

    def make(kib: int) -> Path:
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        program = shutil.which("mount")
        command = [program or "mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(folder)]
        if program is None or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("needs the right to mount a small disk (root)")
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        # Lazily: the server of a connection that just ended may still hold a file.
        subprocess.run(["umount", "-l", str(folder)], check=True)
