"""The documented exit codes, and errors of one line."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

import c3d_export
from c3d_export.core.errors import C3DError

from .conftest import Run
from .test_coding import line_of


def call(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "c3d_export.cli", *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_the_program_runs_as_a_module() -> None:
    done = call("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert c3d_export.__version__ in done.stdout


def test_wrong_usage_ends_the_process_with_two() -> None:
    done = call("prune", "--model", "small")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--game" in line_of(done.stderr)


def test_the_version_is_that_of_the_distribution() -> None:
    pyproject = Path(__file__).parents[2] / "pyproject.toml"
    assert f'\nversion = "{c3d_export.__version__}"\n' in pyproject.read_text(encoding="utf-8")


def test_the_package_hands_out_the_api_when_asked(bundle: Path) -> None:
    codec = c3d_export.open_codec(bundle)
    assert list(codec.qualities) == [1, 2, 3]
    with pytest.raises(AttributeError, match="nothing"):
        _ = c3d_export.nothing  # type: ignore[attr-defined]


def test_no_command_shows_the_help(run: Run) -> None:
    done = run()
    assert done.exit_code == 2
    assert "Commands:" in done.stderr


@pytest.mark.parametrize("args", [("nothing",), ("encode", "--nothing"), ("encode",)])
def test_unknown_commands_and_options_are_one_line(run: Run, args: tuple[str, ...]) -> None:
    done = run(*args)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--help" in line_of(done.stderr)


CODING = (
    "encode",
    "decode",
    "eval",
    "specialise",
    "report",
    "compare",
    "bench",
    "validate",
    "install",
    "rollback",
    "list",
    "prune-old",
    "doctor",
)
MAKING = (
    "train",
    "prune",
    "finetune",
    "sweep",
    "runs",
    "export",
    "bundle",
    "data import",
    "data split",
    "data inspect",
)


@pytest.mark.parametrize("command", [*CODING, *MAKING])
def test_every_command_has_an_example(run: Run, command: str) -> None:
    done = run(*command.split(), "--help")
    assert done.exit_code == 0
    assert f"Example: c3d-export {command}" in done.stdout


def test_a_missing_provider_is_four(run: Run, bundle: Path, images: Path, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this host has CUDA")
    args = "encode", images / "a.png", "-o", tmp_path / "a.c3s", "--codec", bundle
    done = run(*args, "--device", "cuda")
    assert done.exit_code == 4
    assert "CUDAExecutionProvider" in line_of(done.stderr)


def test_two_runtimes_are_four(
    run: Run, bundle: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = {"onnxruntime": "1.28.0", "onnxruntime-gpu": "1.28.0"}
    monkeypatch.setattr("c3d_export.runtime.providers.installed_runtimes", lambda: both)
    done = run("encode", images / "a.png", "-o", tmp_path / "a.c3s", "--codec", bundle)
    assert done.exit_code == 4
    assert "pip uninstall" in line_of(done.stderr)
    examined = run("doctor", "--codec", bundle)
    assert examined.exit_code == 4
    assert "overwrite one another" in line_of(examined.stderr)


def test_a_flipped_byte_in_the_bundle_is_five(
    run: Run, bundle: Path, images: Path, tmp_path: Path
) -> None:
    data = bytearray(bundle.read_bytes())
    data[len(data) // 2] ^= 1
    bundle.write_bytes(data)
    done = run("encode", images / "a.png", "-o", tmp_path / "a.c3s", "--codec", bundle)
    assert done.exit_code == 5
    line_of(done.stderr)
    assert not (tmp_path / "a.c3s").exists()


def test_a_full_disk_is_four(
    run: Run, bundle: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("c3d_export.core.atomic._write_new", full)
    done = run("encode", images, "-o", tmp_path / "s", "--codec", bundle)
    assert done.exit_code == 4
    assert "free some space" in line_of(done.stderr)
    assert not list((tmp_path / "s").iterdir())


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (RuntimeError("odd\nthing"), 1, "error: internal error: RuntimeError: odd thing; run"),
        (C3DError("odd"), 1, "error: odd"),
        (KeyboardInterrupt(), 130, "error: interrupted"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 141, ""),
        (ModuleNotFoundError("none", name="torch.nn"), 4, "error: torch is not installed; run"),
        (ModuleNotFoundError("none", name="c3d_export._arith"), 1, "error: internal error"),
    ],
)
def test_whatever_happens_is_one_line(
    run: Run,
    images: Path,
    monkeypatch: pytest.MonkeyPatch,
    raised: BaseException,
    code: int,
    said: str,
) -> None:
    def fail(*_: object) -> None:
        raise raised

    monkeypatch.setattr("c3d_export.data.inspect.inspect_folder", fail)
    done = run("data", "inspect", images)
    assert (done.exit_code, done.stdout) == (code, "")
    assert done.stderr.startswith(said)
    assert len(done.stderr.splitlines()) == bool(said)


def test_verbose_shows_the_traceback(run: Run) -> None:
    for args in (("-v", "data", "inspect", "none"), ("data", "inspect", "none", "-v")):
        done = run(*args)
        assert done.exit_code == 2
        assert "Traceback" in done.stderr
        assert done.stderr.splitlines()[-1].startswith("error: ")
