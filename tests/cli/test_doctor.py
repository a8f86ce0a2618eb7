"""`doctor`: what is missing is named with what brings it; `--flavour` and what is refused."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from c3d_export import _arith
from c3d_export.cli import doctor, host_facts
from c3d_export.core.errors import ProviderMissingError
from c3d_export.runtime import cuda, probe
from c3d_export.runtime.sessions import Sessions

from .conftest import Run
from .test_coding import line_of

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
Break = Callable[..., None]


def findings(done: Any) -> dict[str, dict[str, Any]]:
    return {finding["what"]: finding for finding in json.loads(done.stdout)["findings"]}


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A host without nvidia-smi and without CUDA's libraries."""
    monkeypatch.setattr(doctor, "gpu_driver", lambda: None)
    monkeypatch.setattr(cuda.Library, "read_version", lambda *_: None)
    return monkeypatch


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> Break:
    """wrong(*flavours): these compute one output of g_s wrongly."""

    def install(*flavours: str) -> None:
        run = Sessions.run

        def off_by_one(self: Sessions, graph: str, feed: Any) -> dict[str, Any]:
            outputs = run(self, graph, feed)
            if self.flavour in flavours and graph == "g_s":
                outputs["pixels_sum"] = outputs["pixels_sum"] + np.uint8(1)
            return outputs

        monkeypatch.setattr(Sessions, "run", off_by_one)

    return install


def test_a_host_without_a_gpu_is_healthy(
    run: Run, bundle: Path, no_gpu: pytest.MonkeyPatch
) -> None:
    no_gpu.setattr(onnxruntime, "get_available_providers", lambda: [CPU])
    done = run("doctor", "--codec", bundle, "--json")
    assert done.exit_code == 0
    found = findings(done)
    assert found["gpu"]["text"].startswith("nvidia-smi is absent")
    assert "libcudnn.so.9" in found["cuda libraries"]["text"]
    assert found["provider, cpu"]["verdict"] == "ok"
    assert found["provider, cuda"]["verdict"] == "absent"
    assert "pip install 'c3d-export[gpu]'" in found["provider, cuda"]["text"]
    assert found["provider, cpu"]["milliseconds"] > 0


def test_known_answers_are_told_with_their_milliseconds(run: Run, bundle: Path) -> None:
    found = findings(run("doctor", "--codec", bundle, "--json"))
    for flavour in ("qlinear", "float"):
        answers = found[f"known answers, cpu {flavour}"]
        assert answers["verdict"] == "ok"
        assert 0 < answers["milliseconds"] < 60_000
    assert " ms" in run("doctor", "--codec", bundle).stdout


def test_cuda_that_is_listed_and_does_not_load(
    run: Run, bundle: Path, no_gpu: pytest.MonkeyPatch
) -> None:
    """The real InferenceSession of a wheel without CUDA."""
    no_gpu.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    with pytest.warns(UserWarning, match="not in available provider names"):
        done = run("doctor", "--codec", bundle, "--json")
    assert done.exit_code == 4
    found = findings(done)
    for what in ("cuda libraries", "provider, cuda"):
        assert found[what]["verdict"] == "problem"
        for library in ("libcuda.so.1", "libcudart.so", "libcublas.so", "libcudnn.so.9"):
            assert library in found[what]["text"]
        assert cuda.INSTALL_LIBRARIES in found[what]["text"]
    assert found["gpu"]["verdict"] == "warning"
    # The CPU is not to blame, and what CUDA would compute is not asked.
    assert found["known answers, cpu qlinear"]["verdict"] == "ok"
    assert "known answers, cuda float" not in found
    assert "2 problems; the first: cuda libraries" in line_of(done.stderr)


def test_a_convolution_that_fails_is_a_problem(
    run: Run, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(device: str) -> None:
        raise ProviderMissingError(f"{device}: missing: libcudnn.so.9 (cuDNN)")

    monkeypatch.setattr(probe, "probe", fails)
    done = run("doctor", "--codec", bundle, "--json")
    assert done.exit_code == 4
    found = findings(done)
    assert found["provider, cpu"]["verdict"] == "problem"
    assert not any(what.startswith("known answers") for what in found)


def test_both_runtimes_are_a_problem_and_nothing_else_is_asked(
    run: Run, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = metadata.version
    monkeypatch.setattr(
        metadata, "version", lambda name: "1.28.0" if "onnxruntime" in name else real(name)
    )
    done = run("doctor", "--codec", bundle, "--json")
    assert done.exit_code == 4
    found = findings(done)
    assert found["onnxruntime"]["verdict"] == "problem"
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in found["onnxruntime"]["text"]
    assert "provider, cpu" not in found


def test_a_flavour_that_computes_wrongly_is_named(run: Run, bundle: Path, wrong: Break) -> None:
    wrong("float")
    done = run("doctor", "--codec", bundle, "--json")
    assert done.exit_code == 4
    found = findings(done)
    assert found["known answers, cpu qlinear"]["verdict"] == "ok"
    assert found["known answers, cpu float"]["verdict"] == "problem"
    assert "graph g_s" in found["known answers, cpu float"]["text"]


def test_the_kernel_of_the_coder_is_the_one_that_tables_get(
    run: Run, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from c3d_export.runtime.bundle import read_bundle

    arrays = read_bundle(bundle).arrays
    used = _arith.Tables(arrays["frequencies"], arrays["shapes"]).kernel
    names = {
        _arith.KERNEL_AVX512: "AVX-512",
        _arith.KERNEL_AVX2: "AVX2",
        _arith.KERNEL_PORTABLE: "portable",
    }
    assert host_facts.coder_kernel() == names[used]
    found = findings(run("doctor", "--codec", bundle, "--json"))
    assert f"its {names[used]} kernel" in found["entropy coder and passes"]["text"]


@pytest.mark.parametrize(
    ("available", "wanted"),
    [((1, 2, 3), "AVX-512"), ((1, 2), "AVX2"), ((1,), "portable")],
)
def test_the_widest_kernel_is_told(
    monkeypatch: pytest.MonkeyPatch, available: tuple[int, ...], wanted: str
) -> None:
    assert (_arith.KERNEL_PORTABLE, _arith.KERNEL_AVX2, _arith.KERNEL_AVX512) == (1, 2, 3)
    monkeypatch.setattr(_arith, "kernel_available", lambda kernel: kernel in available)
    assert host_facts.coder_kernel() == wanted


@pytest.mark.parametrize(
    ("cpuinfo", "wanted"),
    [
        (
            "model name\t: Xeon\nflags\t\t: sse4_1 avx2 avx512_vnni amx_int8 fpu\n",
            "Xeon: sse4_1 avx2 avx512_vnni amx_int8",
        ),
        ("model name\t: Haswell\nflags\t: fpu sse4_1 avx2\n", "Haswell: sse4_1 avx2"),
        ("model name : old\nflags : fpu\n", "old: no int8 features"),
        ("Features\t: fp asimd asimddp i8mm\nmodel name: arm\n", "arm: asimddp i8mm"),
    ],
)
def test_features_of_processors(tmp_path: Path, cpuinfo: str, wanted: str) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(cpuinfo)
    assert host_facts.cpu_features(path) == wanted


def _smi(code: int, out: str) -> Callable[..., Any]:
    return lambda *_, **__: SimpleNamespace(returncode=code, stdout=out)


def _hangs(*_: object, **__: object) -> None:
    raise subprocess.TimeoutExpired("nvidia-smi", 10)


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (_smi(0, "NVIDIA H100, 580.65.06\n"), "NVIDIA H100, 580.65.06"),
        (_smi(0, "A, 1\nB, 1\n"), "A, 1; B, 1"),
        (_smi(9, "NVIDIA-SMI has failed because it couldn't communicate\n"), None),
        (_smi(0, ""), None),
        (_hangs, None),
    ],
)
def test_what_nvidia_smi_says(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[..., Any], wanted: str | None
) -> None:
    monkeypatch.setattr(host_facts.shutil, "which", lambda _: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(host_facts.subprocess, "run", answer)
    assert host_facts.gpu_driver() == wanted


def test_nvidia_smi_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_facts.shutil, "which", lambda _: None)
    assert host_facts.gpu_driver() is None


def test_versions_of_libraries_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"libcudart.so.13": "13.0", "libcudnn.so.9": "9.8.3", "libcublas.so.13": ""}
    monkeypatch.setattr(cuda.Library, "read_version", lambda self: versions.get(self.file))
    found, absent = host_facts.cuda_libraries(13)
    assert found == "CUDA runtime 13.0, cuDNN 9.8.3, cuBLAS"
    assert "libcuda.so.1" in {library.file for library in absent}


@pytest.mark.parametrize("command", ["encode", "bench"])
def test_an_allowed_fallback_is_a_note_on_stderr(
    run: Run, bundle: Path, images: Path, tmp_path: Path, wrong: Break, command: str
) -> None:
    wrong("qlinear")
    allowed = ["--flavour", "qlinear", "--flavour", "float", "--json", "--codec", bundle]
    rest = {
        "encode": [images / "a.png", "-o", tmp_path / "a.c3s"],
        "bench": ["--size", "64x48", "--repeat", "1"],
    }
    done = run(command, *rest[command], *allowed)
    assert done.exit_code == 0
    json.loads(done.stdout)
    notes = [line for line in done.stderr.splitlines() if line.startswith("note: ")]
    assert len(notes) == 1
    assert "flavour qlinear computes other numbers on this host" in notes[0]
    assert "float is used" in notes[0]


def test_without_permission_the_commands_end_with_four(
    run: Run, bundle: Path, images: Path, tmp_path: Path, wrong: Break
) -> None:
    wrong("qlinear")
    stream = tmp_path / "a.c3s"
    done = run("encode", images / "a.png", "-o", stream, "--codec", bundle)
    assert done.exit_code == 4
    assert "flavour qlinear" in line_of(done.stderr)
    assert not stream.exists()


def test_both_flavours_decode_what_either_wrote(
    run: Run, bundle: Path, images: Path, tmp_path: Path
) -> None:
    stream = tmp_path / "a.c3s"
    codec = "--codec", bundle
    args = "encode", images / "a.png", "-o", stream, *codec, "--flavour", "float"
    assert run(*args).exit_code == 0
    decoded = []
    for flavour in ("qlinear", "float"):
        target = tmp_path / f"{flavour}.png"
        assert run("decode", stream, "-o", target, *codec, "--flavour", flavour).exit_code == 0
        decoded.append(target.read_bytes())
    assert decoded[0] == decoded[1]


def test_decoding_tells_of_a_refused_flavour_once(
    run: Run, bundle: Path, images: Path, tmp_path: Path, wrong: Break
) -> None:
    codec = "--codec", bundle
    assert run("encode", images, "-o", tmp_path / "s", *codec).exit_code == 0
    wrong("qlinear")
    allowed = "--flavour", "qlinear", "--flavour", "float"
    done = run("decode", tmp_path / "s", "-o", tmp_path / "d", *codec, *allowed)
    assert done.exit_code == 0
    assert done.stderr.count("note: flavour qlinear") == 1


@pytest.mark.parametrize(
    "arguments",
    [("--flavour", "int4"), ("--flavour", "float", "--flavour", "float")],
)
def test_flavours_that_cannot_be(
    run: Run, bundle: Path, images: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    args = "encode", images / "a.png", "-o", tmp_path / "a.c3s", "--codec", bundle
    assert run(*args, *arguments).exit_code == 2
