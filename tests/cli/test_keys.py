"""`keygen`, `sign`, `verify`, `bundle --sign`, and commands under a policy."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

import pytest

from c3d_export.cli import keys
from c3d_export.runtime.bundle import read_bundle

from .conftest import Run
from .test_coding import line_of

pytest.importorskip("cryptography")
GOLDEN = Path(__file__).parents[1] / "golden" / "v4" / "tiny.c3b"


@pytest.fixture
def signed(run: Run, tmp_path: Path) -> Path:
    """A bundle that studio.key signed, beside the key."""
    path = tmp_path / "game.c3b"
    path.write_bytes(GOLDEN.read_bytes())
    assert run("keygen", "-o", tmp_path / "studio").exit_code == 0
    assert run("sign", path, "--key", tmp_path / "studio.key").exit_code == 0
    return path


@pytest.mark.parametrize("command", ["keygen", "sign", "verify"])
def test_each_has_an_example(run: Run, command: str) -> None:
    assert f"Example: c3d-export {command}" in run(command, "--help").stdout


def test_keygen_prints_what_a_policy_needs(run: Run, tmp_path: Path) -> None:
    done = run("keygen", "-o", tmp_path / "studio")
    (entry,) = tomllib.loads(done.stdout)["trusted"]
    assert entry["name"] == "studio"
    told = json.loads(run("keygen", "-o", tmp_path / "other", "--json").stdout)
    assert told.keys() == {"key", "public_key", "files"}
    again = run("keygen", "-o", tmp_path / "studio")
    assert again.exit_code == 2
    assert "exists" in line_of(again.stderr)


def test_what_keygen_cannot_do(run: Run, tmp_path: Path) -> None:
    for words, told in (
        (("-o", ""), "is empty; name a file"),
        (("-o", "."), "needs a name"),
        (("-o", tmp_path / "a", "--passphrase"), "set C3D_KEY_PASSPHRASE"),
    ):
        done = run("keygen", *words)
        assert done.exit_code == 2
        assert told in done.stderr.splitlines()[-1]


def test_a_name_cannot_forge_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    told = {"members": 1, "name": "a\nsigned  x", "codec_id": "0", "manifest_sha256": "0"}
    keys._show(Path("a.c3b"), {**told, "policy": None, "required": False, "signatures": []})
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == r"name      'a\nsigned  x'"
    assert len(lines) == 6


def test_verify_says_who_signed(run: Run, signed: Path) -> None:
    key, bundle = signed.parent / "studio.pub", read_bundle(signed)
    done = run("verify", signed, "--key", key, "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["trusted"], told["required"]) == (0, True, True)
    assert told["codec_id"] == bundle.id.hex() == told["manifest_sha256"][:16]
    assert told["signatures"][0]["name"] == str(key)
    assert bundle.seal.signatures[0].key in run("verify", signed, "--key", key).stdout


def test_verify_without_a_word_of_whom_to_trust(run: Run, signed: Path) -> None:
    """Whole it is; whose, nobody can say, and that is said."""
    done = run("verify", signed)
    assert done.exit_code == 0
    assert "not trusted, not verified" in done.stdout
    plain = run("verify", GOLDEN)
    assert plain.exit_code == 0
    assert "signed    by nobody" in plain.stdout


def test_any_of_several_keys(run: Run, signed: Path, tmp_path: Path) -> None:
    run("keygen", "-o", tmp_path / "other")
    other, own = tmp_path / "other.pub", tmp_path / "studio.pub"
    assert run("verify", signed, "--key", other, "--key", own).exit_code == 0
    refused = run("verify", signed, "--key", other)
    assert (refused.exit_code, refused.stdout) == (5, "")
    assert "unknown keys only" in line_of(refused.stderr)


def test_a_policy_by_its_file(run: Run, signed: Path, tmp_path: Path) -> None:
    made = run("keygen", "-o", tmp_path / "boss")
    policy = tmp_path / "policy.toml"
    policy.write_text("require_signature = true\n" + made.stdout)
    assert run("verify", signed, "--policy", policy).exit_code == 5
    run("sign", signed, "--key", tmp_path / "boss.key")
    done = run("verify", signed, "--policy", policy, "--json")
    assert done.exit_code == 0
    assert sorted(s["name"] or "" for s in json.loads(done.stdout)["signatures"]) == ["", "boss"]
    both = run("verify", signed, "--policy", policy, "--key", tmp_path / "boss.pub")
    assert both.exit_code == 2
    policy.write_text("require_signature = maybe")
    assert run("verify", signed, "--policy", policy).exit_code == 4


def test_a_damaged_bundle_is_five_and_is_not_signed(run: Run, signed: Path) -> None:
    data = bytearray(signed.read_bytes())
    data[len(data) // 2] ^= 1
    signed.write_bytes(data)
    assert run("verify", signed).exit_code == 5
    assert run("sign", signed, "--key", signed.parent / "studio.key").exit_code == 5
    assert signed.read_bytes() == data
    assert run("verify", signed.parent / "none.c3b").exit_code == 2


def test_without_the_library_is_four(
    run: Run, signed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.ed25519", None)
    done = run("verify", signed, "--key", signed.parent / "studio.pub")
    assert done.exit_code == 4
    assert "c3d-export[sign]" in line_of(done.stderr)
    assert run("verify", signed).exit_code == 0


def test_a_passphrase(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.c3b"
    path.write_bytes(GOLDEN.read_bytes())
    typed = b"open sesame\nopen sesame\n"
    assert run("keygen", "-o", tmp_path / "me", "--passphrase", stdin=typed).exit_code == 0
    nobody = run("sign", path, "--key", tmp_path / "me.key")
    assert nobody.exit_code == 2
    assert "C3D_KEY_PASSPHRASE" in line_of(nobody.stderr)
    monkeypatch.setenv("C3D_KEY_PASSPHRASE", "open sesame")
    assert run("sign", path, "--key", tmp_path / "me.key").exit_code == 0
    monkeypatch.setenv("C3D_KEY_PASSPHRASE", "another")
    assert run("sign", path, "--key", tmp_path / "me.key").exit_code == 2


def test_coding_under_a_policy(
    run: Run, signed: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = run("keygen", "-o", tmp_path / "boss")
    policy = tmp_path / "policy.toml"
    policy.write_text("require_signature = true\n" + made.stdout)
    monkeypatch.setenv("C3D_POLICY", str(policy))
    encode = "encode", images / "a.png", "-o", tmp_path / "a.c3s", "--codec", signed
    refused = run(*encode)
    assert refused.exit_code == 5
    assert "boss" in line_of(refused.stderr)
    for command in (("doctor", "--codec", signed), ("validate", signed)):
        assert run(*command).exit_code == 5
    run("sign", signed, "--key", tmp_path / "boss.key")
    assert run(*encode).exit_code == 0
