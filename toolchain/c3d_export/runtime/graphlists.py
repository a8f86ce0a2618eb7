"""What a graph of a bundle may hold: the lists that `graphcheck.py` goes by.

They are what `deploy/emit.py` and `deploy/graphs.py` write, and nothing more; a test holds that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .wire import message

IR_VERSION: Final = 8
PRODUCER: Final = b"c3d-export"
OPSETS: Final = {b"": 17, b"com.microsoft": 1}

# Element types of ONNX, with the bytes of one element.
FLOAT, UINT8, INT8, INT16, INT32, INT64 = 1, 2, 3, 5, 6, 7
ELEMENT_BYTES: Final = {FLOAT: 4, UINT8: 1, INT8: 1, INT16: 2, INT32: 4, INT64: 8}

Ports = Mapping[bytes, int]

# Graph -> element types of its inputs and of its outputs.
PORTS: Final[Mapping[str, tuple[Ports, Ports]]] = {
    "g_a": ({b"patches": UINT8, b"blocks": UINT8}, {b"linear_sum": INT32, b"head_sum": INT32}),
    "h_a": ({b"activity": UINT8}, {b"z": UINT8}),
    "h_s": ({b"z_hat": UINT8}, {b"features": UINT8, b"mean": UINT8, b"index": UINT8}),
    "g_cp": ({b"features": UINT8, b"known": UINT8}, {b"mean": UINT8, b"index": UINT8}),
    "g_ep": ({b"features": UINT8, b"known": UINT8}, {b"mean": UINT8, b"index": UINT8}),
    "g_s": ({b"v": UINT8, b"spread": UINT8}, {b"pixels_sum": INT32, b"correction_out": UINT8}),
}

# The same for bundles with float transforms (`deploy/hyperprior/graphs.py`).
HYPERPRIOR_PORTS: Final[Mapping[str, tuple[Ports, Ports]]] = {
    "g_a": ({b"pixels": UINT8}, {b"y": FLOAT}),
    "h_a": ({b"y": FLOAT}, {b"z": FLOAT}),
    "h_s": ({b"z": FLOAT}, {b"out": FLOAT}),
    "g_s": ({b"y_hat": FLOAT}, {b"pixels": UINT8}),
}


def c2f_ports(has_z1: bool) -> Mapping[str, tuple[Ports, Ports]]:
    """The same for bundles of coarse-to-fine networks (`deploy/c2f/graphs.py`)."""
    side = {b"z": FLOAT}, {b"h": FLOAT, b"index": FLOAT, b"mean": FLOAT}
    latents = [b"z3", b"z2"] + [b"z1"] * has_z1
    read = [b"z3", b"h2"] + [b"h1"] * has_z1
    bands = {b"y": FLOAT, b"side": FLOAT}
    sides = {"side2": side, "side3": side} if has_z1 else {"side3": side}
    return {
        "g_a": ({b"pixels": UINT8}, dict.fromkeys(latents, FLOAT)),
        **sides,
        "features": (dict.fromkeys(read, FLOAT), bands),
        "picture": ({**bands, b"first": INT64, b"last": INT64}, {b"pixels": UINT8}),
    }


# Types of attributes, as ONNX numbers them, and the field that holds the value.
REAL, INT, STRING, INTS = 1, 2, 3, 7
VALUE_FIELDS: Final = {REAL: "f", INT: "i", STRING: "s", INTS: "ints"}

Attributes = Mapping[bytes, int]
Operators = Mapping[tuple[bytes, bytes], Attributes]
"""(operator, domain) -> its attributes."""
_NONE: Final[Attributes] = {}
_CONV: Final[Attributes] = {
    b"group": INT,
    b"kernel_shape": INTS,
    b"pads": INTS,
    b"strides": INTS,
}
OPTIONAL: Final = frozenset([b"group"])
"""Attributes that depthwise convolutions have and others have not."""
_BOTH: Final[Operators] = {
    (b"Add", b""): _NONE,
    (b"Concat", b""): {b"axis": INT},
    (b"Mul", b""): _NONE,
    (b"Reshape", b""): _NONE,
    (b"Transpose", b""): {b"perm": INTS},
}

# Flavour -> (operator, domain) -> its attributes: what `deploy/emit.py` writes, and nothing more.
OPERATORS: Final[Mapping[str, Operators]] = {
    "qlinear": {
        **_BOTH,
        (b"Identity", b""): _NONE,
        (b"MatMulInteger", b""): _NONE,
        (b"QLinearAdd", b"com.microsoft"): _NONE,
        (b"QLinearConv", b"com.microsoft"): {**_CONV, b"channels_last": INT},
        (b"Shape", b""): _NONE,
    },
    "float": {
        **_BOTH,
        (b"Cast", b""): {b"to": INT},
        (b"Clip", b""): _NONE,
        (b"Conv", b""): _CONV,
        (b"DepthToSpace", b""): {b"blocksize": INT, b"mode": STRING},
        (b"MatMul", b""): _NONE,
        (b"Round", b""): _NONE,
        (b"Sub", b""): _NONE,
    },
}

HYPERPRIOR_OPERATORS: Final[Mapping[tuple[bytes, bytes], Attributes]] = {
    **{(name, b""): _NONE for name in (b"Add", b"Clip", b"Div", b"Max", b"Min", b"Mul")},
    **{(name, b""): _NONE for name in (b"Round", b"Sqrt", b"Sub")},
    (b"Cast", b""): {b"to": INT},
    (b"Concat", b""): {b"axis": INT},
    (b"Conv", b""): _CONV,
    (b"DepthToSpace", b""): {b"blocksize": INT},
    (b"LeakyRelu", b""): {b"alpha": REAL},
    (b"Slice", b""): _NONE,
    (b"ConvTranspose", b""): {
        b"kernel_shape": INTS,
        b"output_padding": INTS,
        b"pads": INTS,
        b"strides": INTS,
    },
    (b"Transpose", b""): {b"perm": INTS},
}

C2F_OPERATORS: Final[Operators] = {
    **{key: form for key, form in HYPERPRIOR_OPERATORS.items() if key[0] != b"ConvTranspose"},
    (b"Pad", b""): _NONE,
    (b"SpaceToDepth", b""): {b"blocksize": INT},
}

# The messages of ONNX: the fields that we write, and by name some of those that we do not.
MODEL = message(
    "the model",
    integers={"ir_version": 1},
    texts={"producer_name": 2, "graph": 7, "opset_import": 8},
    refused={14: "metadata", 20: "training information", 25: "local functions"},
)
OPSET = message("an opset", integers={"version": 2}, texts={"domain": 1})
GRAPH = message(
    "the graph",
    texts={"node": 1, "name": 2, "initializer": 5, "input": 11, "output": 12},
    refused={14: "quantisation annotations", 15: "sparse initialisers"},
)
NODE = message(
    "a node",
    texts={"input": 1, "output": 2, "name": 3, "op_type": 4, "attribute": 5, "domain": 7},
    refused={8: "an overload of a function"},
)
ATTRIBUTE = message(
    "an attribute",
    integers={"i": 3, "ints": 8, "type": 20},
    texts={"name": 1, "s": 4},
    floats={"f": 2},
    refused={
        5: "a tensor",
        6: "a subgraph",
        10: "tensors",
        11: "subgraphs",
        21: "a reference to a function",
    },
)
TENSOR = message(
    "an initialiser",
    integers={"dims": 1, "data_type": 2},
    texts={"name": 8, "raw_data": 9},
    refused={3: "a segment", 13: "external data", 14: "a place of its data"},
)
VALUE_INFO = message("an input or output", texts={"name": 1, "type": 2})
TYPE = message("a type", texts={"tensor_type": 1}, refused={4: "a sequence", 5: "a map"})
TENSOR_TYPE = message("a tensor type", integers={"elem_type": 1}, texts={"shape": 2})
SHAPE = message("a shape", texts={"dim": 1})
DIMENSION = message("a dimension", integers={"dim_value": 1}, texts={"dim_param": 2})
