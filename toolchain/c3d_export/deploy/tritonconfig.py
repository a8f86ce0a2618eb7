"""`config.pbtxt` of one graph: what Triton is told of it, in protobuf's text format.

The schema is Triton's `model_config.proto`; what its ONNX Runtime backend makes of it is in that
backend's README and `src/onnxruntime.cc`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from numpy.typing import NDArray

from ..runtime.graphlists import FLOAT, INT8, INT16, INT32, INT64, UINT8
from ..runtime.providers import CUDA_OPTIONS

VERSION: Final = 1
WARMUP: Final = "warmup"
"""The folder beside the versions that warm-up files lie in."""

TYPES: Final = {
    **{FLOAT: "TYPE_FP32", UINT8: "TYPE_UINT8", INT8: "TYPE_INT8"},
    **{INT16: "TYPE_INT16", INT32: "TYPE_INT32", INT64: "TYPE_INT64"},
}

# The backend passes the options of the accelerator "cuda" on to ONNX Runtime, and does not load a
# model with one that is unknown there. But these two it overwrites with defaults of its own, one of
# them EXHAUSTIVE, where `parameters` does not name them; there the search goes by its number.
_OVERWRITTEN: Final = {
    "cudnn_conv_algo_search": {"EXHAUSTIVE": "0", "HEURISTIC": "1", "DEFAULT": "2"},
    "do_copy_in_default_stream": {"0": "0", "1": "1"},
}


@dataclass(frozen=True)
class Port:
    """An input or output. kind: element type of ONNX. dims: with the batch, -1 where any may be."""

    name: str
    kind: int
    dims: tuple[int, ...]


@dataclass(frozen=True)
class Model:
    """A graph as Triton serves it. feed: the inputs that it is warmed up with, with their batch."""

    name: str
    inputs: Sequence[Port]
    outputs: Sequence[Port]
    feed: Mapping[str, NDArray[Any]]
    facts: Mapping[str, str]

    def config(self) -> str:
        """The text of config.pbtxt."""
        blocks = [
            f"name: {_quoted(self.name)}",
            'backend: "onnxruntime"',
            'default_model_filename: "model.onnx"',
            # The graphs are for one frame: their first dimension is 1, and stands in dims.
            "max_batch_size: 0",
            *(f"input {_port(port)}" for port in self.inputs),
            *(f"output {_port(port)}" for port in self.outputs),
            f"version_policy {{ specific {{ versions: {VERSION} }} }}",
            "instance_group { kind: KIND_GPU count: 1 }",
            _OPTIMIZATION,
            *_parameters(self.facts),
            self._warmup(),
        ]
        return "\n".join([*blocks, ""])

    def _warmup(self) -> str:
        lines = ["model_warmup {", '  name: "known answers"', "  batch_size: 1"]
        for port in self.inputs:
            shape = ", ".join(map(str, self.feed[port.name].shape))
            lines += [
                "  inputs {",
                f"    key: {_quoted(port.name)}",
                "    value {",
                f"      data_type: {TYPES[port.kind]}",
                f"      dims: [ {shape} ]",
                f"      input_data_file: {_quoted(port.name)}",
                "    }",
                "  }",
            ]
        return "\n".join([*lines, "}"])


def _quoted(text: str) -> str:
    """A string of the text format; names of ours are plain ASCII."""
    if not text.isascii() or not text.isprintable() or '"' in text or "\\" in text:
        raise ValueError(f"{text!r} cannot stand in a config.pbtxt")
    return f'"{text}"'


def _port(port: Port) -> str:
    dims = ", ".join(map(str, port.dims))
    name = f"  name: {_quoted(port.name)}\n"
    return f"{{\n{name}  data_type: {TYPES[port.kind]}\n  dims: [ {dims} ]\n}}"


def _options() -> Iterable[str]:
    for key, value in CUDA_OPTIONS.items():
        yield f"      parameters {{ key: {_quoted(key)} value: {_quoted(value)} }}"


_OPTIMIZATION: Final = "\n".join(
    [
        "optimization {",
        "  execution_accelerators {",
        "    gpu_execution_accelerator {",
        '      name: "cuda"',
        *_options(),
        "    }",
        "  }",
        "}",
    ]
)


def _parameters(facts: Mapping[str, str]) -> Iterable[str]:
    values = {key: numbers[CUDA_OPTIONS[key]] for key, numbers in _OVERWRITTEN.items()}
    for key, value in {**values, **facts}.items():
        text = f"value {{ string_value: {_quoted(value)} }}"
        yield f"parameters {{ key: {_quoted(key)} {text} }}"
