"""A Triton model repository of a codec: its float graphs, one model each (docs/triton.md).

The models of a codec are called NAME-ID-GRAPH, with its id: another codec of the name is served
beside it, and a client takes the models of the id that a stream says.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..core.atomic import write_bytes_atomic
from ..core.errors import DiskError
from ..data.workspace import check_name
from ..runtime.bundle import Bundle, read_bundle
from ..runtime.known import GRID, integer_noise, known_frame, noise_feeds
from ..runtime.sessions import Feed, SessionOptions, Sessions
from .folders import new_folder
from .tritonconfig import VERSION, WARMUP, Model, Port

FLAVOUR: Final = "float"
_OPTIONS: Final = SessionOptions(flavour=FLAVOUR, threads=1)


def write_repository(path: Path, repository: Path) -> list[Path]:
    """Adds the models of a bundle to a repository, made where there is none; returns their folders.

    Each appears whole or not at all; one that is there already is left as it is. Raises
    MissingInputError, OptionError for a name that is none, DiskError (also for a folder that is
    there with other contents), or a leaf of BundleError.
    """
    bundle = read_bundle(path)
    models = {
        repository / model_name(bundle, graph): files
        for graph, files in repository_files(bundle).items()
    }
    there = {folder: files for folder, files in models.items() if folder.exists()}
    for folder, files in there.items():  # all of them before the first is made
        _require_same(folder, files)
    for folder, files in models.items():
        if folder in there:
            continue
        with new_folder(folder, _scratch(repository)) as made:
            for name, data in files.items():
                (made / name).parent.mkdir(parents=True, exist_ok=True)
                write_bytes_atomic(made / name, data)
    return list(models)


def model_name(bundle: Bundle, graph: str) -> str:
    """What Triton calls a graph of a codec."""
    return f"{check_name(bundle.name, 'codec')}-{bundle.id.hex()}-{graph}"


def repository_files(bundle: Bundle) -> dict[str, dict[str, bytes]]:
    """Graph -> files of its model by their path; equal bundles give equal files."""
    feeds = warmup_feeds(bundle)
    facts = {"codec": bundle.name, "codec_id": bundle.id.hex()}
    files = {}
    for graph, feed in feeds.items():
        data = bundle.graphs[graph, FLAVOUR]
        inputs, outputs = _ports(data)
        facts = {**facts, "graph": graph}
        model = Model(model_name(bundle, graph), inputs, outputs, feed, facts)
        files[graph] = {
            "config.pbtxt": model.config().encode(),
            f"{VERSION}/model.onnx": data,
            **{f"{WARMUP}/{name}": value.tobytes() for name, value in feed.items()},
        }
    return files


def _ports(data: bytes) -> tuple[list[Port], list[Port]]:
    """Inputs and outputs of a graph, in its order."""
    import onnx

    graph = onnx.load_from_string(data).graph
    inputs, outputs = ([_port(value) for value in side] for side in (graph.input, graph.output))
    return inputs, outputs


def _port(value: Any) -> Port:
    tensor = value.type.tensor_type
    dims = tuple(d.dim_value if d.HasField("dim_value") else -1 for d in tensor.shape.dim)
    return Port(value.name, tensor.elem_type, dims)


def warmup_feeds(bundle: Bundle) -> dict[str, dict[str, NDArray[Any]]]:
    """Graph -> inputs of the known answers' sizes, with the batch; the same on every host."""
    feeds = _sized_noise(bundle) if bundle.family else noise_feeds(bundle, GRID)
    return {
        graph: {name: np.asarray(x)[np.newaxis] for name, x in feed.items()}
        for graph, feed in feeds.items()
    }


def _sized_noise(bundle: Bundle) -> dict[str, dict[str, NDArray[Any]]]:
    """Of a bundle that has a family: as coding the known frame feeds each graph. What is float
    there differs from host to host, and noise stands in its place."""
    from ..runtime.c2f.codec import CoarseToFineCodec
    from ..runtime.hyperprior.codec import HyperpriorCodec

    kind = {"mbt": HyperpriorCodec, "c2f": CoarseToFineCodec}[bundle.family]
    # Without the layers in C, so that every graph has something to do.
    codec = kind(bundle, _OPTIONS, native=False)
    recorder = _Recorder(codec.sessions)
    codec.sessions = recorder
    codec.decode(codec.encode(known_frame()))
    return {
        graph: {name: _steady(x, seed) for name, x in feed.items()}
        for seed, (graph, feed) in enumerate(sorted(recorder.feeds.items()))
    }


def _steady(x: NDArray[Any], seed: int) -> NDArray[Any]:
    return integer_noise(x.shape, seed).astype(x.dtype) if x.dtype.kind == "f" else x


class _Recorder(Sessions):
    """Sessions that keep the first feed of every graph."""

    def __init__(self, sessions: Sessions) -> None:
        self.flavour, self.options, self._inner = sessions.flavour, sessions.options, sessions
        self.feeds: dict[str, Feed] = {}

    def run(self, graph: str, feed: Feed) -> dict[str, NDArray[Any]]:
        self.feeds.setdefault(graph, {name: np.array(x) for name, x in feed.items()})
        return self._inner.run(graph, feed)


def _scratch(repository: Path) -> Path:
    """Where a model is made: a server that polls the repository would try to load half of one."""
    repository = Path(os.path.abspath(repository))
    try:
        repository.mkdir(parents=True, exist_ok=True)
        # What is renamed must be on the same file system.
        same = repository.stat().st_dev == repository.parent.stat().st_dev
    except OSError as error:
        raise DiskError(f"cannot make the folder {repository}: {error.strerror}") from error
    return repository.parent if same else repository


def _require_same(folder: Path, files: Mapping[str, bytes]) -> None:
    try:
        same = all((folder / name).read_bytes() == data for name, data in files.items())
    except OSError:
        same = False
    if not same:
        raise DiskError(f"{folder} is there with other contents; remove it, and try again")
