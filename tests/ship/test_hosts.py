"""From here to a host that has the codec installed: by its store, over ssh, from a registry."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import c3d_export
from c3d_export.cli.main import main
from c3d_export.core.errors import BundleError
from c3d_export.deploy.ship.deliver import Options, deliver
from c3d_export.deploy.ship.parcel import Parcel
from c3d_export.runtime.remote.deadline import Deadline, silent
from c3d_export.runtime.remote.target import parse_target
from c3d_export.runtime.store.store import Store

from .conftest import MakeParcel
from .servers import SshHost

OPTIONS = Options(timeout=600, retries=0)


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("C3D_STORE", str(tmp_path / "store"))
    return Store(tmp_path / "store")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)])


def test_a_folder_that_is_a_store_takes_it_as_one(
    tmp_path: Path, store: Store, parcel: Parcel, make_parcel: MakeParcel
) -> None:
    for name in ("blobs", "codecs"):
        (tmp_path / "store" / name).mkdir(parents=True)
    target = parse_target(str(tmp_path / "store"))
    assert deliver(target, [parcel], OPTIONS, Deadline(600), silent)
    assert store.bundle(bytes.fromhex(parcel.codec_id)).name == parcel.name
    assert not deliver(target, [parcel], OPTIONS, Deadline(600), silent)
    blob = store.blobs()[0]
    blob.write_bytes(b"rot")
    with pytest.raises(BundleError):
        store.bundle(bytes.fromhex(parcel.codec_id))
    deliver(target, [parcel], OPTIONS, Deadline(600), silent)  # what is damaged there is mended
    assert store.bundle(bytes.fromhex(parcel.codec_id)).name == parcel.name
    assert store.names() == []  # shipping activates nothing
    with pytest.raises(BundleError):
        deliver(target, [make_parcel(b"no bundle")], OPTIONS, Deadline(600), silent)


def test_a_registry_to_install_from(
    tmp_path: Path, store: Store, shared_registry: str, bundle_file: Path, parcel: Parcel
) -> None:
    target = f"oci://{shared_registry}/hosts/generic"
    assert run("ship", bundle_file, target).exit_code == 0
    done = run("install", target, "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["codecs"][0]["id"] == parcel.codec_id
    assert store.active(parcel.name).hex() == parcel.codec_id
    missing = run("install", f"{target}:none")
    assert missing.exit_code == 4
    assert missing.stderr.startswith("error: there is no oci://")


def test_ship_and_install_in_one_command(
    tmp_path: Path, store: Store, host: SshHost, bundle_file: Path, parcel: Parcel
) -> None:
    (tmp_path / "codecs").mkdir()
    source = Path(c3d_export.__file__).parents[1]
    words = ["env", f"PYTHONPATH={source}", f"C3D_STORE={store.layout.root}", sys.executable]
    program = f"{shlex.join(words)} -m c3d_export"
    command = "ship", bundle_file, host.target(tmp_path / "codecs"), "--install", "--json"
    done = run(*command, "--program", program)
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["targets"][0]["state"] == "installed"
    assert store.active(parcel.name).hex() == parcel.codec_id
    failed = run(*command, "--program", "/no/such/program")
    assert failed.exit_code == 6
    assert "not installed (exit code 127)" in json.loads(failed.stdout)["targets"][0]["reason"]
