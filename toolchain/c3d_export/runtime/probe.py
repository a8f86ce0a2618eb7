"""Does a provider really work? One convolution, without a bundle.

A listed provider may lack its libraries, and cuDNN is loaded at the first convolution only, so
nothing less than running one tells.
"""

from __future__ import annotations

import struct
from typing import Final

import numpy as np

from ..core.errors import HostError
from .providers import cuda_fault, import_runtime, open_session

_SIDE, _KERNEL = 8, 3
_FLOAT: Final = 1
_INTEGER, _BYTES = 0, 2


def _field(number: int, value: int | bytes) -> bytes:
    """A protobuf field; sizes and numbers stay below 128 here, so that each takes one byte."""
    if isinstance(value, int):
        return bytes([number << 3 | _INTEGER, value])
    return bytes([number << 3 | _BYTES, len(value)]) + value


def _port(name: bytes) -> bytes:
    dims = b"".join(_field(1, _field(1, size)) for size in (1, 1, _SIDE, _SIDE))
    return _field(1, name) + _field(2, _field(1, _field(1, _FLOAT) + _field(2, dims)))


def probe_model() -> bytes:
    """ONNX: y = Conv(x, w), x and y float32 (1, 1, 8, 8), w (1, 1, 3, 3) of 1, 2, ..., 9."""
    weights = struct.pack("<9f", *range(1, 10))
    dims = b"".join(_field(1, size) for size in (1, 1, _KERNEL, _KERNEL))
    tensor = dims + _field(2, _FLOAT) + _field(8, b"w") + _field(9, weights)
    # Attribute pads = [1, 1, 1, 1]; its type, INTS, is field 20, whose tag takes two bytes.
    pads = _field(1, b"pads") + _field(8, 1) * 4 + b"\xa0\x01\x07"
    node = _field(1, b"x") + _field(1, b"w") + _field(2, b"y") + _field(4, b"Conv")
    graph = _field(1, node + _field(5, pads)) + _field(2, b"probe") + _field(5, tensor)
    graph += _field(11, _port(b"x")) + _field(12, _port(b"y"))
    size = bytes([len(graph) & 127 | 128, len(graph) >> 7])
    return _field(1, 8) + b"\x3a" + size + graph + _field(8, _field(2, 17))


def probe(device: str) -> None:
    """Runs the convolution on a device ("cpu" or "cuda") and checks its integers.

    Raises ProviderMissingError, RuntimeOptionError, RuntimeConflictError, LibraryMissingError, or
    HostError for wrong numbers.
    """
    ort = import_runtime()
    session = open_session(ort, probe_model(), device, threads=1)
    x = np.arange(_SIDE * _SIDE, dtype=np.float32).reshape(1, 1, _SIDE, _SIDE)
    try:
        (y,) = session.run(["y"], {"x": x})
    except Exception as error:  # onnxruntime raises a class per status
        if device == "cuda":
            raise cuda_fault(ort, str(error)) from error
        raise HostError(f"ONNX Runtime cannot run a convolution on the CPU: {error}") from error
    padded = np.pad(x[0, 0], 1)
    taps = np.lib.stride_tricks.sliding_window_view(padded, (_KERNEL, _KERNEL))
    wanted = (taps * np.arange(1, 10).reshape(_KERNEL, _KERNEL)).sum((2, 3))
    if not np.array_equal(y[0, 0], wanted):
        raise HostError(f"a convolution of integers on {device} gives wrong numbers; do not use it")
