"""The networks of a codec as ONNX graphs, in two flavours with shared weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import onnx
from onnx import GraphProto, ModelProto, TensorProto, helper

from ..models.network import Codec
from ..models.spec import BLOCK_CHANNELS, PATCH_CHANNELS, PLANES, CodecSpec
from ..models.transforms import EntropyParameters
from .emit import CONTRIB, Emitter, FloatEmitter, QLinearEmitter, Value

OPSET = 17
IR_VERSION = 8
"""Old enough for every supported ONNX Runtime."""
FLAVOURS: dict[str, type[Emitter]] = {"qlinear": QLinearEmitter, "float": FloatEmitter}


@dataclass(frozen=True)
class Port:
    """A graph input or output: name, element type, channels; rows and columns are free."""

    name: str
    kind: int
    channels: int
    scale: int = 1


@dataclass(frozen=True)
class GraphSpec:
    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    write: Callable[[Emitter, Codec], None]


def _blocks(e: Emitter, name: str, blocks: object, x: Value) -> Value:
    for i, block in enumerate(blocks):  # type: ignore[arg-type, var-annotated]
        inner = e.conv(f"{name}.{i}.conv1", block.conv1, x)
        inner = e.conv(f"{name}.{i}.spatial", block.spatial, inner)
        branch = e.conv(f"{name}.{i}.conv2", block.conv2, inner)
        x = e.add(f"{name}.{i}.add", x, branch)
    return x


def _write_g_a(e: Emitter, net: Codec) -> None:
    g = net.g_a
    x = e.conv("patch", g.patch, e.enter("patches", True))
    x = e.conv("down", g.down, _blocks(e, "high", g.high, x))
    e.product("head", g.head, _blocks(e, "low", g.low, x), "head_sum")
    e.product("linear", g.linear, e.enter("blocks", True), "linear_sum")


def _write_h_a(e: Emitter, net: Codec) -> None:
    x = e.conv("conv1", net.h_a.conv1, e.enter("activity", True))
    e.leave(e.conv("conv2", net.h_a.conv2, x), "z")


def _write_h_s(e: Emitter, net: Codec) -> None:
    h, spec = net.h_s, net.spec
    x = e.depth_to_space("up1", e.conv("conv1", h.conv1, e.enter("z_hat", True)), spec.h_s[0])
    x = e.depth_to_space("up2", e.conv("conv2", h.conv2, x), spec.h_s[1])
    x = e.conv("conv3", h.conv3, x)
    e.leave(x, "features")
    e.leave(e.conv("mean", h.mean, x), "mean")
    e.leave(e.conv("index", h.index, x), "index")


def _write_g_cp(e: Emitter, net: Codec) -> None:
    _write_parameters(e, net.g_cp)


def _write_g_ep(e: Emitter, net: Codec) -> None:
    _write_parameters(e, net.g_ep)


def _write_parameters(e: Emitter, g: EntropyParameters) -> None:
    inputs = [
        e.conv("known_features", g.features, e.enter("features", False)),
        e.conv("known_latents", g.latents, e.enter("known", True)),
    ]
    x = e.conv("conv2", g.conv2, e.conv("conv1", g.conv1, e.concat("inputs", inputs)))
    e.leave(e.conv("mean", g.mean, x), "mean")
    e.leave(e.conv("index", g.index, x), "index")


def _write_g_s(e: Emitter, net: Codec) -> None:
    g, spec = net.g_s, net.spec
    x = e.conv("enter", g.enter, e.enter("v", True))
    x = e.conv("up", g.up, _blocks(e, "low", g.low, x))
    x = _blocks(e, "high", g.high, e.depth_to_space("shuffle", x, spec.g_s.high))
    e.leave(e.conv("correction", g.correction, x), "correction_out")
    e.product("pixels", g.pixels, e.enter("spread", True), "pixels_sum")


def graph_specs(spec: CodecSpec) -> list[GraphSpec]:
    """The six graphs of the family, in the order in which an encoder and a decoder use them."""
    byte, integer = TensorProto.UINT8, TensorProto.INT32
    latents, features = spec.latents, spec.h_s[2]
    base, known = spec.base, Port("known", byte, 2 * spec.base + PLANES)
    sums = (Port("linear_sum", integer, latents), Port("head_sum", integer, latents))
    pixels = (
        Port("pixels_sum", integer, BLOCK_CHANNELS),
        Port("correction_out", byte, PATCH_CHANNELS, 2),
    )
    return [
        GraphSpec(
            "g_a",
            (Port("patches", byte, PATCH_CHANNELS, 2), Port("blocks", byte, BLOCK_CHANNELS)),
            sums,
            _write_g_a,
        ),
        GraphSpec(
            "h_a",
            (Port("activity", byte, base + latents + PLANES, 4),),
            (Port("z", byte, spec.hyper),),
            _write_h_a,
        ),
        GraphSpec(
            "h_s",
            (Port("z_hat", byte, spec.hyper + PLANES),),
            (Port("features", byte, features, 4), *_prior(base, 4)),
            _write_h_s,
        ),
        GraphSpec("g_cp", (Port("features", byte, features), known), _prior(base), _write_g_cp),
        GraphSpec(
            "g_ep", (Port("features", byte, features), known), _prior(latents - base), _write_g_ep
        ),
        GraphSpec(
            "g_s",
            (Port("v", byte, latents + PLANES), Port("spread", byte, spec.spread)),
            pixels,
            _write_g_s,
        ),
    ]


def _prior(channels: int, scale: int = 1) -> tuple[Port, Port]:
    byte = TensorProto.UINT8
    return Port("mean", byte, channels, scale), Port("index", byte, channels, scale)


def _info(port: Port) -> onnx.ValueInfoProto:
    prefix = "" if port.scale == 1 else f"{port.scale}x"
    shape: list[str | int | None] = [1, f"{prefix}h", f"{prefix}w", port.channels]
    return helper.make_tensor_value_info(port.name, port.kind, shape)


@dataclass(frozen=True)
class Graph:
    """nodes: a serialised ModelProto without the shared weights; weights: one with nothing else.

    nodes + weights, concatenated, is the complete model (protobuf merges repeated messages).
    """

    nodes: bytes
    weights: bytes


def build_graph(frozen: Codec, spec: GraphSpec, flavour: str) -> Graph:
    """flavour: "qlinear" or "float"; frozen: from `quantize.freeze`."""
    emitter = FLAVOURS[flavour]()
    spec.write(emitter, frozen)
    graph = helper.make_graph(
        emitter.nodes,
        spec.name,
        [_info(p) for p in spec.inputs],
        [_info(p) for p in spec.outputs],
        list(emitter.own.values()),
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)]
    model = helper.make_model(
        graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="c3d-export"
    )
    weights = ModelProto(graph=GraphProto(initializer=emitter.shared.values()))
    return Graph(_bytes(model), _bytes(weights))


def _bytes(model: ModelProto) -> bytes:
    data: bytes = model.SerializeToString(deterministic=True)
    return data
