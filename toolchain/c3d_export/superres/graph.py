"""An RCAN as one ONNX graph: rows and columns are free, pixels go in and come out.

low: uint8 (1, h, w, 3) with h and w even; high: uint8 (1, factor h, factor w, 3). It holds the
operators of `bundle.OPERATORS` and no others, so that a reader can refuse what we did not write.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor, nn

from ..runtime.graphlists import IR_VERSION, OPSETS, PRODUCER
from .bundle import GRAPH
from .network import TAPS, Attention, Block, Group, Rcan
from .spec import STRIDE


class _Writer:
    """Nodes and initialisers in the order in which they are asked for."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.weights: dict[str, TensorProto] = {}

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], output, **attributes))
        return output

    def constant(self, name: str, value: NDArray[Any] | np.generic) -> str:
        self.weights[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def tensor(self, name: str, value: Tensor) -> str:
        return self.constant(name, value.detach().float().numpy())

    def conv(self, name: str, layer: nn.Conv2d, x: str) -> str:
        assert layer.bias is not None
        weight = self.tensor(f"{name}.weight", layer.weight)
        bias = self.tensor(f"{name}.bias", layer.bias)
        (size, _), (stride, _) = layer.kernel_size, layer.stride
        pad = (size - stride + 1) // 2
        shape = {"kernel_shape": [size] * 2, "pads": [pad] * 4, "strides": [stride] * 2}
        return self.node("Conv", [x, weight, bias], name, **shape)

    def attention(self, name: str, layer: Attention, x: str) -> str:
        mean = self.node("GlobalAveragePool", [x], f"{name}.mean")
        squeezed = self.conv(f"{name}.squeeze", layer.squeeze, mean)
        active = self.node("Relu", [squeezed], f"{name}.relu")
        excited = self.conv(f"{name}.excite", layer.excite, active)
        return self.node("Mul", [x, self.node("Sigmoid", [excited], f"{name}.gain")], name)

    def block(self, name: str, block: Block, x: str) -> str:
        active = self.node("Relu", [self.conv(f"{name}.conv1", block.conv1, x)], f"{name}.relu")
        branch = self.conv(f"{name}.conv2", block.conv2, active)
        return self.node("Add", [x, self.attention(f"{name}.attention", block.attention, branch)],
                         name)  # fmt: skip

    def group(self, name: str, group: Group, x: str) -> str:
        y = x
        for index, block in enumerate(group.blocks):
            assert isinstance(block, Block)
            y = self.block(f"{name}.{index}", block, y)
        return self.node("Add", [x, self.conv(f"{name}.end", group.end, y)], name)

    def shuffle(self, name: str, x: str, size: int) -> str:
        return self.node("DepthToSpace", [x], name, blocksize=size, mode="CRD")


def build_graph(network: Rcan, *, rounded: bool = True) -> ModelProto:
    """The checked model. rounded: without it, `high` is float32 in 0..255 as the network gives it,
    neither rounded nor clipped, to be compared with PyTorch.
    """
    w = _Writer()
    floats = w.node("Cast", ["low"], "floats", to=TensorProto.FLOAT)
    planes = w.node("Transpose", [floats], "planes", perm=[0, 3, 1, 2])
    low = w.node("Mul", [planes, w.constant("unit", np.float32(1 / 255))], "unit_low")
    high = w.node("Add", [_bicubic(w, network, low), _residual(w, network, low)], "unit_high")
    levels = w.node("Mul", [high, w.constant("levels", np.float32(255))], "levels_high")
    if rounded:
        ends = [w.constant("black", np.float32(0)), w.constant("white", np.float32(255))]
        clipped = w.node("Clip", [w.node("Round", [levels], "whole_high"), *ends], "clipped_high")
        levels = w.node("Cast", [clipped], "bytes_high", to=TensorProto.UINT8)
    w.node("Transpose", [levels], "high", perm=[0, 2, 3, 1])
    return _model(w, TensorProto.UINT8 if rounded else TensorProto.FLOAT)


def _bicubic(w: _Writer, network: Rcan, low: str) -> str:
    reach = TAPS // 2
    pads = w.constant("reach", np.array([0, 0, reach, reach, 0, 0, reach, reach], np.int64))
    around = w.node("Pad", [low, pads], "around", mode="edge")
    kernels = w.tensor("bicubic.weight", network.bicubic)
    shape = {"kernel_shape": [TAPS] * 2, "pads": [0] * 4, "strides": [1] * 2}
    phases = w.node("Conv", [around, kernels], "phases", group=3, **shape)
    return w.shuffle("bicubic", phases, network.spec.factor)


def _residual(w: _Writer, network: Rcan, low: str) -> str:
    centered = w.node("Sub", [low, w.constant("grey", np.float32(0.5))], "centered")
    head = w.conv("head", network.head, centered)
    x = head
    for index, group in enumerate(network.groups):
        assert isinstance(group, Group)
        x = w.group(f"group{index}", group, x)
    x = w.node("Add", [head, w.conv("end", network.end, x)], "features")
    return w.shuffle("residual", w.conv("tail", network.tail, x), STRIDE * network.spec.factor)


def _model(w: _Writer, kind: int) -> ModelProto:
    low = helper.make_tensor_value_info("low", TensorProto.UINT8, [1, "h", "w", 3])
    high = helper.make_tensor_value_info("high", kind, [1, "H", "W", 3])
    graph = helper.make_graph(w.nodes, GRAPH, [low], [high], list(w.weights.values()))
    opsets = [helper.make_opsetid(domain.decode(), version) for domain, version in OPSETS.items()]
    model = helper.make_model(
        graph, producer_name=PRODUCER.decode(), opset_imports=opsets, ir_version=IR_VERSION
    )
    onnx.checker.check_model(model)
    return model
