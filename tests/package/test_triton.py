"""A model repository for Triton, without Triton: its structure, and the client of docs/triton.md
against a server that runs what is in it."""

from __future__ import annotations

import re
import shutil
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from c3d_export.core.errors import BundleError, DiskError, KnownAnswerError
from c3d_export.deploy.triton import repository_files, write_repository
from c3d_export.deploy.tritonconfig import TYPES
from c3d_export.runtime.bundle import Bundle, read_bundle
from c3d_export.runtime.codec import open_codec
from c3d_export.runtime.providers import CUDA_OPTIONS

from ..deploy.c2f.bundles import made_of
from ..deploy.hyperprior.conftest import (
    Provenance,
    build_bundle,
    export_network,
    picture,
    random_network,
)
from .conftest import BUNDLE, OTHER
from .textproto import Message, cuda_options, pairs, parse, ports

PAGE = Path(__file__).parents[2] / "docs" / "triton.md"
NUMPY = {
    **{"TYPE_FP32": np.float32, "TYPE_UINT8": np.uint8, "TYPE_INT8": np.int8},
    **{"TYPE_INT16": np.int16, "TYPE_INT32": np.int32, "TYPE_INT64": np.int64},
}


def _mbt() -> bytes:
    frames = [picture(128, 128, seed) for seed in range(2)]
    export = export_network(random_network("mbt2018-mean", frames[0]), frames)
    return build_bundle(export, Provenance("tiny", "synthetic", "CC0-1.0"))


@pytest.fixture(scope="module", params=["own", "mbt", "c2f", "c2f-without-z1"])
def bundle_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    make = {
        "own": BUNDLE.read_bytes,
        "mbt": _mbt,
        "c2f": lambda: made_of(True).data,
        "c2f-without-z1": lambda: made_of(False).data,
    }
    path = tmp_path_factory.mktemp("bundle") / "codec.c3b"
    path.write_bytes(make[request.param]())
    return path


@pytest.fixture(scope="module")
def bundle(bundle_file: Path) -> Bundle:
    return read_bundle(bundle_file)


@pytest.fixture(scope="module")
def repository(bundle_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("triton") / "models"
    write_repository(bundle_file, folder)
    return folder


def _configs(repository: Path) -> dict[str, Message]:
    return {p.name: parse((p / "config.pbtxt").read_text()) for p in repository.iterdir()}


def test_there_is_a_model_for_every_float_graph(repository: Path, bundle: Bundle) -> None:
    graphs = {graph for graph, flavour in bundle.graphs if flavour == "float"}
    prefix = f"{bundle.name}-{bundle.id.hex()}-"
    assert {folder.name for folder in repository.iterdir()} == {prefix + graph for graph in graphs}
    for folder in repository.iterdir():
        served = (folder / "1" / "model.onnx").read_bytes()
        assert served == bundle.graphs[folder.name.removeprefix(prefix), "float"]


def test_a_configuration_says_what_its_graph_has(repository: Path, bundle: Bundle) -> None:
    for name, config in _configs(repository).items():
        assert (config["name"], config["backend"]) == ([name], ["onnxruntime"])
        assert config["max_batch_size"] == [0]
        model = onnx.load(repository / name / "1" / config["default_model_filename"][0])
        onnx.checker.check_model(model, full_check=True)
        for side, values in (("input", model.graph.input), ("output", model.graph.output)):
            wanted = [
                (v.name, TYPES[t.elem_type], [d.dim_value or -1 for d in t.shape.dim])
                for v in values
                for t in [v.type.tensor_type]
            ]
            assert [(p.name, p.data_type, p.dims) for p in ports(config, side)] == wanted
        facts = {k: v["string_value"][0] for k, v in pairs(config["parameters"]).items()}
        assert facts["codec_id"] == bundle.id.hex()
        assert config["instance_group"] == [{"kind": ["KIND_GPU"], "count": [1]}]


def test_the_one_version_is_there(repository: Path) -> None:
    for name, config in _configs(repository).items():
        (versions,) = config["version_policy"][0]["specific"]
        numbered = {p.name for p in (repository / name).iterdir() if p.name.isdigit()}
        assert {str(version) for version in versions["versions"]} == numbered == {"1"}


def test_cuda_gets_what_exactness_rests_on(repository: Path) -> None:
    for config in _configs(repository).values():
        assert cuda_options(config) == CUDA_OPTIONS


def test_what_a_model_is_warmed_up_with_fits_and_runs(repository: Path) -> None:
    for name, config in _configs(repository).items():
        (warmup,) = config["model_warmup"]
        assert warmup["batch_size"] == [1]
        entries = pairs(warmup["inputs"])
        inputs = {port.name: port for port in ports(config, "input")}
        assert set(entries) == set(inputs)
        feed = {}
        for key, entry in entries.items():
            port, shape = inputs[key], tuple(entry["dims"])
            assert (entry["data_type"], port.fits(shape)) == ([port.data_type], True)
            file = repository / name / "warmup" / entry["input_data_file"][0]
            feed[key] = np.frombuffer(file.read_bytes(), NUMPY[port.data_type]).reshape(shape)
        session = _session(repository / name / "1" / "model.onnx")
        made = session.run(None, feed)
        for port, value in zip(ports(config, "output"), made, strict=True):
            assert port.fits(value.shape)
            assert value.dtype == NUMPY[port.data_type]


def test_equal_bundles_give_equal_files(bundle: Bundle, bundle_file: Path) -> None:
    assert repository_files(bundle) == repository_files(read_bundle(bundle_file))


def test_what_is_there_is_kept_and_another_codec_stands_beside_it(tmp_path: Path) -> None:
    folders = write_repository(BUNDLE, tmp_path / "models")
    before = {path: path.stat().st_mtime_ns for path in folders}
    assert write_repository(BUNDLE, tmp_path / "models") == folders
    assert {path: path.stat().st_mtime_ns for path in folders} == before
    others = write_repository(OTHER, tmp_path / "models")
    assert not {*folders} & {*others}
    assert [p.name for p in tmp_path.iterdir()] == ["models"]


def test_what_was_changed_there_is_not_taken_for_ours(tmp_path: Path) -> None:
    first, _, folder, *_ = write_repository(BUNDLE, tmp_path)
    with (folder / "config.pbtxt").open("a") as file:
        file.write("# by hand\n")
    shutil.rmtree(first)
    with pytest.raises(DiskError, match="is there with other contents"):
        write_repository(BUNDLE, tmp_path)
    assert not first.exists(), "none is made where another cannot be"
    (tmp_path / "file").write_text("x")
    with pytest.raises(DiskError, match="cannot make the folder"):
        write_repository(BUNDLE, tmp_path / "file" / "models")
    (tmp_path / "bad.c3b").write_bytes(b"no bundle")
    with pytest.raises(BundleError):
        write_repository(tmp_path / "bad.c3b", tmp_path / "models")
    assert not (tmp_path / "models").exists()


def _session(model: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options)


class Server:
    """What `tritonclient.grpc` is to a client, over a repository; checks what Triton checks."""

    def __init__(self, repository: Path) -> None:
        self.configs = _configs(repository)
        self.sessions = {
            name: _session(repository / name / "1" / "model.onnx") for name in self.configs
        }
        self.asked: list[str] = []

    def infer(self, name: str, inputs: list[Input]) -> Result:
        self.asked.append(name)
        declared = {port.name: port for port in ports(self.configs[name], "input")}
        assert {item.name for item in inputs} == set(declared)
        for item in inputs:
            port = declared[item.name]
            assert port.data_type == f"TYPE_{item.datatype}"
            assert port.fits(tuple(item.shape))
        session = self.sessions[name]
        names = [output.name for output in session.get_outputs()]
        feed = {item.name: item.data for item in inputs}
        return Result(dict(zip(names, session.run(names, feed), strict=True)))


class Input:
    def __init__(self, name: str, shape: Any, datatype: str) -> None:
        self.name, self.shape, self.datatype = name, shape, datatype

    def set_data_from_numpy(self, data: NDArray[Any]) -> None:
        assert tuple(self.shape) == data.shape
        assert data.flags.c_contiguous
        self.data = data


class Result:
    def __init__(self, values: dict[str, NDArray[Any]]) -> None:
        self.values = values

    def as_numpy(self, name: str) -> NDArray[Any]:
        return self.values[name]

    def get_response(self) -> Any:
        outputs = [types.SimpleNamespace(name=name) for name in self.values]
        return types.SimpleNamespace(outputs=outputs)


def _datatype(dtype: Any) -> str:
    kind, size = np.dtype(dtype).kind, 8 * np.dtype(dtype).itemsize
    return {"f": "FP", "u": "UINT", "i": "INT"}[kind] + str(size)


@pytest.fixture
def client(repository: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Server]:
    """The functions of the page's first block of Python, and the server that they talk to."""
    server = Server(repository)
    grpc: Any = types.ModuleType("tritonclient.grpc")
    grpc.InferInput, grpc.InferenceServerClient = Input, lambda url: server
    utils: Any = types.ModuleType("tritonclient.utils")
    utils.np_to_triton_dtype = _datatype
    root: Any = types.ModuleType("tritonclient")
    root.grpc, root.utils = grpc, utils
    for module in (root, grpc, utils):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    block = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[0]
    page = types.ModuleType("page")
    exec(compile(block, str(PAGE), "exec"), page.__dict__)
    return page, server


def test_the_client_of_the_page_codes_with_the_server(
    client: tuple[Any, Server], bundle_file: Path, bundle: Bundle, make_frame: Any
) -> None:
    page, server = client
    codec = page.open_on_triton(bundle_file, "localhost:8001")
    local = open_codec(bundle_file, flavour="float", threads=1)
    frame = make_frame(70, 90)
    server.asked.clear()
    stream = codec.encode(frame)
    encoding = [name.rsplit("-", 1)[1] for name in server.asked]
    server.asked.clear()
    shown = codec.decode(stream)
    decoding = [name.rsplit("-", 1)[1] for name in server.asked]
    assert stream == local.encode(frame)
    assert np.array_equal(shown, local.decode(stream))
    if not bundle.family:  # as the page counts them
        assert encoding == ["g_a", "h_a", "h_s", "g_cp", "g_ep"]
        assert decoding == ["h_s", "g_cp", "g_ep", "g_s"]


def test_many_frames_at_a_time_use_the_server_too(
    client: tuple[Any, Server], bundle_file: Path, make_frame: Any
) -> None:
    page, server = client
    codec = page.open_on_triton(bundle_file, "localhost:8001")
    frames = [make_frame(40, 50, seed) for seed in range(3)]
    server.asked.clear()
    streams = codec.encode_batch(frames)
    assert server.asked
    assert streams == [codec.encode(frame) for frame in frames]


def test_a_server_that_computes_other_numbers_is_found(
    client: tuple[Any, Server], bundle_file: Path, bundle: Bundle
) -> None:
    page, server = client
    graph = "picture" if bundle.family == "c2f" else "g_s"
    (name,) = (n for n in server.sessions if n.endswith(f"-{graph}"))
    right = server.sessions[name]

    class Wrong:
        def get_outputs(self) -> Any:
            return right.get_outputs()

        def run(self, names: Any, feed: Any) -> Any:
            return [value + value.dtype.type(100) for value in right.run(names, feed)]

    server.sessions[name] = Wrong()
    with pytest.raises(KnownAnswerError):
        page.open_on_triton(bundle_file, "localhost:8001")


def test_the_reader_of_the_tests_reads_strictly() -> None:
    text = 'a: 1 a: [2, -3]\nb { c: "x\\"y" d { } }  e: TYPE_X'
    wanted = {"a": [1, 2, -3], "b": [{"c": ['x\\"y'], "d": [{}]}], "e": ["TYPE_X"]}
    assert parse(text) == wanted
    for wrong in ("a", "a: {", "a 1", "a: 1 }", "$: 1", "1: a"):
        with pytest.raises((ValueError, IndexError)):
            parse(wrong)
