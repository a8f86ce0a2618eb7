"""The two profiles of an installation: a host, which codes, and a build host with torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from c3d_export.core.digest import sha256_bytes
from c3d_export.runtime.images import read_image, write_image

from .conftest import BUNDLE, GOLDEN, Host

STREAM = BUNDLE.with_name("31x17-q2.c3s")
WANTED = json.loads((GOLDEN / "v4" / "frames.json").read_text())[STREAM.name]

# What a host never has to load, whether it is installed or not.
HEAVY = {"torch", "onnx", "matplotlib", "cryptography", "scipy", "distributed"}


def test_a_host_decodes_to_the_golden_pixels(host: Host, tmp_path: Path) -> None:
    out = tmp_path / "frame.png"
    host.command("decode", STREAM, "-o", out, "--codec", BUNDLE)
    assert sha256_bytes(read_image(out).tobytes()) == WANTED


def test_a_host_encodes_with_the_codec_inside(host: Host, frame: object, tmp_path: Path) -> None:
    image, stream, out = (tmp_path / f"a.{kind}" for kind in ("png", "c3s", "out.png"))
    write_image(image, np.asarray(frame))
    host.command("encode", image, "-o", stream)
    host.command("decode", stream, "-o", out)
    assert read_image(out).shape == np.asarray(frame).shape


def test_a_host_is_healthy(host: Host) -> None:
    found = json.loads(host.command("doctor", "--codec", BUNDLE, "--json").stdout)
    assert found["healthy"]
    texts = {finding["what"]: finding["text"] for finding in found["findings"]}
    assert texts["torch"] == texts["onnx"] == "not installed; only training needs it"
    assert "as exported" in texts["known answers, cpu qlinear"]


@pytest.mark.parametrize(
    "command",
    [
        ("train", "--model", "small"),
        ("validate", "generic-small"),
        ("import", "a.pth", "--family", "c2f", "-o", "a"),
    ],
)
def test_a_host_says_what_the_other_commands_need(host: Host, command: tuple[str, ...]) -> None:
    done = host.command(*command, exit_code=4)
    assert done.stderr == "error: torch is not installed; run pip install 'c3d-export[train]'\n"


def test_a_host_measures_with_what_it_has(host: Host, frame: object, tmp_path: Path) -> None:
    """`eval` needs no torch; metrics and codecs that are not there are named."""
    (tmp_path / "frames").mkdir()
    write_image(tmp_path / "frames" / "a.png", np.asarray(frame))
    options = ("--data", tmp_path / "frames", "--out", tmp_path / "out", "--qualities", "2")
    done = host.command("eval", "--codec", BUNDLE, *options, "--json")
    assert json.loads(done.stdout)["frames"] == 1
    assert "pip install 'c3d-export[baselines]'" in done.stderr


def test_a_host_has_help_for_every_command(host: Host) -> None:
    code = (
        "from click.testing import CliRunner\n"
        "from c3d_export.cli.main import main\n"
        "for name in main.commands:\n"
        "    done = CliRunner().invoke(main, [name, '--help'])\n"
        "    assert done.exit_code == 0, done.output\n"
        "    print(name)\n"
    )
    assert {"encode", "decode", "train", "package"} <= set(host.run("-c", code).stdout.split())


@pytest.fixture(scope="module")
def build_host(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Host:
    """An environment with the wheel, and with torch and onnx as they are installed here."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("build") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    made = Host(folder)
    (theirs,) = host.folder.glob("lib/python*/site-packages")
    (own,) = folder.glob("lib/python*/site-packages")
    # In this order: c3d_export is the wheel's. A path file in a folder that is named by one does
    # not count, so that an editable installation here is not seen.
    (own / "both.pth").write_text(f"{theirs}\n{sysconfig.get_path('purelib')}\n")
    return made


def test_a_build_host_finds_torch_and_validates(build_host: Host, tiny_path: Path) -> None:
    code = "import c3d_export, torch; print(c3d_export.__file__, torch.__version__)"
    assert "/host" in build_host.run("-c", code).stdout
    done = build_host.run("-m", "c3d_export", "validate", tiny_path, "--json")
    assert json.loads(done.stdout)["exact"]


def test_a_build_host_lacks_nothing_that_training_asks_for(build_host: Host) -> None:
    code = (
        "from importlib.metadata import requires, version\n"
        "from packaging.requirements import Requirement\n"
        "for text in requires('c3d-export'):\n"
        "    need = Requirement(text)\n"
        "    if need.marker is None or need.marker.evaluate({'extra': 'train'}):\n"
        "        assert need.specifier.contains(version(need.name), prereleases=True), text\n"
        "        print(need.name)\n"
    )
    assert {"torch", "torch-pruning", "onnx", "numpy"} <= set(
        build_host.run("-c", code).stdout.split()
    )


LOADED = "\nimport sys\nprint('LOADED', *{name.split('.')[0] for name in sys.modules})"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("encode", "{image}", "-o", "{out}.c3s", "--codec", str(BUNDLE)),
        ("decode", str(STREAM), "-o", "{out}.png", "--codec", str(BUNDLE)),
        ("doctor", "--codec", str(BUNDLE)),
        ("bench", "--codec", str(BUNDLE), "--size", "64x48"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_runtime_commands_load_no_training_library(
    arguments: tuple[str, ...], frame: object, tmp_path: Path
) -> None:
    """In this environment, which has them all."""
    image = tmp_path / "in.png"
    write_image(image, np.asarray(frame))
    words = [word.format(image=image, out=tmp_path / "out") for word in arguments]
    code = (
        "import contextlib\nfrom c3d_export.cli.main import main\n"
        f"with contextlib.suppress(SystemExit):\n    main({words!r})"
    )
    loaded = _loaded(code)
    assert "click" in loaded
    assert not loaded & HEAVY


def test_importing_loads_no_training_library() -> None:
    loaded = _loaded("import c3d_export\nassert c3d_export.open_codec")
    assert "numpy" in loaded
    assert not loaded & HEAVY


def _loaded(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", code + LOADED],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONWARNINGS": "default"},
    )
    return set(done.stdout.rsplit("LOADED ", 1)[1].split())
