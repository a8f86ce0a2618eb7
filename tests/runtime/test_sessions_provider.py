"""Providers: what is listed must load, options must be taken, and nothing else may run."""

from __future__ import annotations

import ctypes
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from c3d_export.core.errors import HostError, ProviderMissingError, RuntimeOptionError
from c3d_export.runtime import cuda, providers
from c3d_export.runtime.bundle import GRAPHS, Bundle
from c3d_export.runtime.probe import probe, probe_model
from c3d_export.runtime.providers import CUDA_OPTIONS, SESSION_KEYS, open_session, session_entries
from c3d_export.runtime.sessions import SessionOptions, Sessions

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"

# Options of ONNX Runtime's CUDA provider, as its documentation lists them.
KNOWN_CUDA_OPTIONS = {
    "arena_extend_strategy",
    "cudnn_conv1d_pad_to_nc1d",
    "cudnn_conv_algo_search",
    "cudnn_conv_use_max_workspace",
    "device_id",
    "do_copy_in_default_stream",
    "enable_cuda_graph",
    "enable_skip_layer_norm_strict_mode",
    "fuse_conv_bias",
    "gpu_mem_limit",
    "prefer_nhwc",
    "sdpa_kernel",
    "tunable_op_enable",
    "tunable_op_max_tuning_duration_ms",
    "tunable_op_tuning_enable",
    "use_ep_level_unified_stream",
    "use_tf32",
    "user_compute_stream",
}


class FakeSession:
    """What a session on a GPU tells of itself; `run` is a convolution without cuDNN."""

    got: tuple[str, ...] = (CUDA, CPU)
    taken: dict[str, str] = dict(CUDA_OPTIONS)  # noqa: RUF012
    made: list[dict[str, Any]] = []  # noqa: RUF012

    def __init__(self, model: bytes, options: Any, **rest: Any) -> None:
        self.made.append({"options": options, **rest})

    def get_providers(self) -> list[str]:
        return list(self.got)

    def get_provider_options(self) -> dict[str, dict[str, str]]:
        return {CUDA: self.taken, CPU: {}}

    def get_outputs(self) -> list[Any]:
        return []

    def run(self, *_: Any) -> list[Any]:
        raise RuntimeError("CUDNN_FE failure 11: CUDNN_BACKEND_API_FAILED\nmore")


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A host whose ONNX Runtime lists CUDA; its libraries are there."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(cuda, "missing", lambda *_: [])
    return monkeypatch


@pytest.fixture
def faked(listed: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The same, with sessions that need no GPU."""
    listed.setattr(onnxruntime, "InferenceSession", FakeSession)
    listed.setattr(FakeSession, "made", [])
    return listed


def without(*files: str) -> Any:
    """A loader that lacks these files and has all others."""

    def load(name: str) -> Any:
        if name in files:
            raise OSError(f"{name}: cannot open shared object file")
        return SimpleNamespace()

    return load


def test_cuda_where_there_is_none(tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CPU])
    with pytest.raises(ProviderMissingError, match=r"pip install 'c3d-export\[gpu\]'"):
        Sessions(tiny_bundle, SessionOptions("cuda"))


def test_this_wheel_lists_cuda_and_cannot_load_it(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The real InferenceSession of a wheel without CUDA: an error, and nothing on stdout."""
    if CUDA in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(cuda, "missing", lambda *_: [cuda.Library("cuDNN", "libcudnn.so.9")])
    wanted = r"libcudnn\.so\.9 \(cuDNN\); run pip install 'onnxruntime-gpu\[cuda,cudnn\]>=1\.28'"
    with (
        pytest.warns(UserWarning, match="not in available provider names"),
        pytest.raises(ProviderMissingError, match=wanted) as caught,
    ):
        Sessions(tiny_bundle, SessionOptions("cuda"))
    assert caught.value.exit_code == 4
    assert capfd.readouterr().out == ""


def test_a_driver_that_is_missing_is_named_with_how_to_get_it(
    tiny_bundle: Bundle, listed: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA failure 35")

    listed.setattr(onnxruntime, "InferenceSession", broken)
    listed.setattr(cuda, "missing", lambda major: [cuda.libraries(major)[0]])
    with pytest.raises(ProviderMissingError, match=r"libcuda\.so\.1 .*install NVIDIA's driver"):
        Sessions(tiny_bundle, SessionOptions("cuda"))


def test_with_all_libraries_there_the_first_line_of_the_runtime_is_told(
    tiny_bundle: Bundle, listed: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA failure 35\nmore lines")

    listed.setattr(onnxruntime, "InferenceSession", broken)
    with pytest.raises(ProviderMissingError, match=r"CUDA failure 35$"):
        Sessions(tiny_bundle, SessionOptions("cuda"))


@pytest.mark.parametrize("got", [(CPU,), (CPU, CUDA), ()])
def test_a_session_that_runs_on_another_provider(
    tiny_bundle: Bundle, faked: pytest.MonkeyPatch, got: tuple[str, ...]
) -> None:
    faked.setattr(FakeSession, "got", got)
    with pytest.raises(ProviderMissingError, match="instead"):
        Sessions(tiny_bundle, SessionOptions("cuda"))


def test_a_cpu_session_on_another_provider(tiny_bundle: Bundle, faked: pytest.MonkeyPatch) -> None:
    with pytest.raises(ProviderMissingError, match="runs on CUDAExecutionProvider"):
        Sessions(tiny_bundle, SessionOptions("cpu"))


def test_a_cuda_session_may_not_fall_back(tiny_bundle: Bundle, faked: pytest.MonkeyPatch) -> None:
    """Neither by ONNX Runtime nor by its Python class, which would try again on the CPU."""
    Sessions(tiny_bundle, SessionOptions("cuda"))
    assert len(FakeSession.made) == len(GRAPHS)
    for made in FakeSession.made:
        entry = made["options"].get_session_config_entry
        assert entry("session.disable_cpu_ep_fallback") == "1"
        assert made["providers"] == [(CUDA, CUDA_OPTIONS)]
        assert made["enable_fallback"] == 0
        assert made["read_config_from_model"] == 0


def test_the_python_class_still_knows_the_switches_that_we_turn() -> None:
    """Unknown keyword arguments are ignored by it, so that a renamed one would do nothing."""
    session = open_session(onnxruntime, probe_model(), "cpu")
    assert session._enable_fallback is False
    assert session._read_config_from_model is False


def test_a_missing_cudnn_shows_at_the_first_convolution(
    tiny_bundle: Bundle, faked: pytest.MonkeyPatch
) -> None:
    made = Sessions(tiny_bundle, SessionOptions("cuda"))
    faked.setattr(cuda, "missing", lambda major: [cuda.libraries(major)[-1]])
    with pytest.raises(ProviderMissingError, match=r"libcudnn\.so\.9"):
        made.run("g_s", {"v": np.zeros((1, 1, 1), np.uint8)})


def test_a_cuda_option_that_the_runtime_does_not_know(
    tiny_bundle: Bundle, listed: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise RuntimeError('Unknown provider option: "fuse_conv_bias".')

    listed.setattr(onnxruntime, "InferenceSession", unknown)
    with pytest.raises(RuntimeOptionError, match=r"does not take .*fuse_conv_bias") as caught:
        Sessions(tiny_bundle, SessionOptions("cuda"))
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("name", CUDA_OPTIONS)
def test_a_cuda_option_that_is_taken_otherwise(
    tiny_bundle: Bundle, faked: pytest.MonkeyPatch, name: str
) -> None:
    faked.setattr(FakeSession, "taken", {**CUDA_OPTIONS, name: "other"})
    with pytest.raises(RuntimeOptionError, match=f"takes {name}=other instead of"):
        Sessions(tiny_bundle, SessionOptions("cuda"))


def test_cuda_options_are_known_ones_and_pin_the_algorithm() -> None:
    assert CUDA_OPTIONS.keys() <= KNOWN_CUDA_OPTIONS
    # EXHAUSTIVE would choose another algorithm in every process.
    assert CUDA_OPTIONS["cudnn_conv_algo_search"] in ("HEURISTIC", "DEFAULT")


def test_session_keys_that_we_set_are_on_the_list() -> None:
    keys = [session_entries(device).keys() for device in ("cpu", "cuda")]
    assert keys[0] | keys[1] == SESSION_KEYS
    assert "session.use_env_allocators" in keys[0], "the host's arena holds no device memory"


def test_sessions_share_one_arena() -> None:
    """Registering another one would leave those that are open with the first."""
    hits = providers.share_memory.cache_info().hits
    for _ in range(2):
        providers._prepare(onnxruntime, "cpu", 1, "all")
    assert providers.share_memory.cache_info().hits >= hits + 1
    assert providers.share_memory.cache_info().misses <= 1


@pytest.mark.parametrize("key", [*sorted(SESSION_KEYS), "session.no_such_key"])
def test_the_installed_runtime_knows_each_session_key(key: str) -> None:
    """It ignores others silently; each that it reads stands in its library as text."""
    folder = Path(onnxruntime.__file__).parent / "capi"
    libraries = list(folder.glob("onnxruntime_pybind11_state*"))
    assert libraries
    known = any(re.search(key.encode() + b"\0", path.read_bytes()) for path in libraries)
    assert known == (key in SESSION_KEYS)


def test_entries_reach_the_session() -> None:
    prepared = providers._prepare(onnxruntime, "cuda", 1, "all")
    for key, value in session_entries("cuda").items():
        assert prepared.get_session_config_entry(key) == value


def test_bytes_of_the_runtimes_own_format_are_not_taken_for_it() -> None:
    """Bytes 4 to 7 say so; it must be read as ONNX, which is what was checked."""
    with pytest.raises(Exception, match=r"INVALID_PROTOBUF"):
        open_session(onnxruntime, b"\x12\x0a..ORTM" + bytes(60), "cpu")


def test_the_probe_runs_a_convolution() -> None:
    probe("cpu")


def test_the_probe_tells_of_wrong_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    run = onnxruntime.InferenceSession.run

    def off_by_one(self: Any, *args: Any) -> list[Any]:
        return [value + 1 for value in run(self, *args)]

    monkeypatch.setattr(onnxruntime.InferenceSession, "run", off_by_one)
    with pytest.raises(HostError, match="wrong numbers"):
        probe("cpu")


def test_the_probe_needs_cudnn(faked: pytest.MonkeyPatch) -> None:
    faked.setattr(cuda, "missing", lambda major: [cuda.libraries(major)[-1]])
    with pytest.raises(ProviderMissingError, match=r"libcudnn\.so\.9"):
        probe("cuda")


@pytest.mark.parametrize("library", cuda.libraries(), ids=lambda library: library.file)
def test_each_missing_library_is_named_with_what_brings_it(library: cuda.Library) -> None:
    absent = cuda.missing(load=without(library.file))
    assert absent == [library]
    text = cuda.describe_missing(absent)
    assert library.file in text
    assert library.install in text


def test_several_missing_libraries_name_each_remedy_once() -> None:
    files = [library.file for library in cuda.libraries()]
    text = cuda.describe_missing(cuda.missing(load=without(*files)))
    assert all(file in text for file in files)
    assert text.count(cuda.INSTALL_LIBRARIES) == text.count(cuda.INSTALL_DRIVER) == 1
    assert cuda.missing(load=without()) == []


def test_the_names_of_libraries_follow_cudas_version() -> None:
    files = {library.file for library in cuda.libraries(12)}
    assert {"libcudart.so.12", "libcublas.so.12", "libcufft.so.11", "libcudnn.so.9"} <= files
    assert cuda.built_with(SimpleNamespace(cuda_version="12.8")) == 12
    assert cuda.built_with(SimpleNamespace(cuda_version="")) == cuda.CUDA_MAJOR
    assert cuda.built_with(SimpleNamespace()) == cuda.CUDA_MAJOR


def test_versions_are_read_from_the_libraries() -> None:
    def runtime_version(pointer: Any) -> int:
        pointer._obj.value = 13_000
        return 0

    by_file = {library.file: library for library in cuda.libraries(13)}
    runtime = SimpleNamespace(cudaRuntimeGetVersion=runtime_version)
    assert by_file["libcudart.so.13"].read_version(lambda _: runtime) == "13.0"

    def cudnn_version() -> int:
        return 90_803

    cudnn = SimpleNamespace(cudnnGetVersion=cudnn_version)
    assert by_file["libcudnn.so.9"].read_version(lambda _: cudnn) == "9.8.3"
    assert by_file["libcublas.so.13"].read_version(lambda _: cudnn) == ""
    # A library that answers with an error has no version, and is there all the same.
    failing = SimpleNamespace(cudaRuntimeGetVersion=lambda _: 35)
    assert by_file["libcudart.so.13"].read_version(lambda _: failing) == ""


@pytest.mark.skipif(sys.platform != "linux", reason="the names are Linux's")
def test_the_loader_is_the_systems() -> None:
    assert cuda.Library("mathematics", "libm.so.6").read_version() == ""
    assert cuda.Library("none", "libno_such_library.so.1").read_version(ctypes.CDLL) is None


def test_preloading_is_silent_whatever_happens(capsys: pytest.CaptureFixture[str]) -> None:
    calls: list[int] = []

    def preload_dlls() -> None:
        calls.append(1)
        print("Failed to load libcudnn.so.9")
        raise RuntimeError("no folder")

    runtime = SimpleNamespace(preload_dlls=preload_dlls)
    cuda.preload.__wrapped__(runtime)
    cuda.preload.__wrapped__(SimpleNamespace())
    assert calls == [1]
    assert capsys.readouterr().out == ""
