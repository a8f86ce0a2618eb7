"""The constants of a graph as arrays, for what computes them without ONNX Runtime."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BundleGraphError
from .graphlists import FLOAT, GRAPH, INT8, INT16, INT32, INT64, MODEL, TENSOR, UINT8
from .wire import Wire, WireError

DTYPES: Final = {FLOAT: "<f4", UINT8: "|u1", INT8: "|i1", INT16: "<i2", INT32: "<i4", INT64: "<i8"}

Constants = dict[str, NDArray[Any]]


def graph_constants(data: bytes, title: str) -> Constants:
    """Initialisers by name: read-only views of the bytes, in the shapes that the graph gives.

    data: a serialised model that `check_model` accepted; of any other, BundleGraphError may be
    raised, too. title: what messages call it.
    """
    try:
        return _constants(Wire(data))
    except (WireError, KeyError, ValueError) as error:
        raise BundleGraphError(
            f"graph {title} of the bundle has constants that cannot be read ({error}); get the"
            " bundle again from its maker"
        ) from error


def _constants(wire: Wire) -> Constants:
    found: Constants = {}
    for graph, begin, end in wire.fields(0, len(wire.data), MODEL):
        if graph != "graph":
            continue
        for field, first, last in wire.fields(begin, end, GRAPH):
            if field == "initializer":
                name, array = _tensor(wire, first, last)
                found[name] = array
    return found


def _tensor(wire: Wire, begin: int, end: int) -> tuple[str, NDArray[Any]]:
    fields = wire.fields(begin, end, TENSOR)
    shape = [value for name, value, _ in fields if name == "dims"]
    single = {entry[0]: entry for entry in fields if entry[0] != "dims"}
    dtype = np.dtype(DTYPES[single["data_type"][1]])
    _, first, last = single["raw_data"]
    values = np.frombuffer(wire.data, dtype, (last - first) // dtype.itemsize, first)
    return wire.text(single["name"]).decode("ascii"), values.reshape(shape)
