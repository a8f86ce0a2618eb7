"""The four networks of mbt2018-mean and mbt2018 as ONNX graphs.

    g_a: pixels uint8 (1, H, W, 3) -> y float32 (1, h, w, M)          H = 16 h
    h_a: y (1, h, w, M), h and w multiples of 4 -> z (1, h/4, w/4, N), distances from the medians
    h_s: z (1, hz, wz, N + 1) whole, the last plane ones -> out (1, 4 hz, 4 wz, 2 M) whole
    g_s: y_hat (1, h, w, M) -> pixels uint8 (1, H, W, 3)

g_a, h_a and g_s are float, and differ a little from host to host. h_s is integers held in float32:
exact, whatever the order of the sums. Channels are first inside, which ONNX Runtime's kernels want.
"""

from __future__ import annotations

from torch import nn

from ...models.mbt.gdn import GDN
from ...models.mbt.network import MeanScaleHyperprior
from ...quantize.post.layer import IntegerChain
from ..floatgraph import BYTE, FLOAT, Graph


def build_graphs(network: MeanScaleHyperprior, h_s: IntegerChain) -> dict[str, bytes]:
    """Graph -> a complete serialised model. h_s: of `quantize/post/mbt.py`, ones plane included."""
    spec = network.spec
    m, n = spec.latents, spec.hyper
    return {
        "g_a": _analysis(network, m),
        "h_a": _hyper_analysis(network, m, n),
        "h_s": _hyper_synthesis(h_s, m, n),
        "g_s": _synthesis(network, m),
    }


def _analysis(network: MeanScaleHyperprior, m: int) -> bytes:
    g = Graph("g_a")
    x = g.node("Div", [g.enter("pixels", BYTE, 3), g.number(255)], "unit")
    g.leave(_chain(g, "g_a", network.g_a, x), "y", FLOAT, m)
    return g.serialised()


def _hyper_analysis(network: MeanScaleHyperprior, m: int, n: int) -> bytes:
    g = Graph("h_a")
    z = _chain(g, "h_a", network.h_a, g.enter("y", FLOAT, m))
    medians = network.entropy_bottleneck.medians()[None, :, None, None]
    g.leave(g.node("Sub", [z, g.constant("medians", medians)], "distance"), "z", FLOAT, n)
    return g.serialised()


def _hyper_synthesis(h_s: IntegerChain, m: int, n: int) -> bytes:
    g = Graph("h_s")
    x = g.enter("z", FLOAT, n + 1)
    for number, layer in enumerate(h_s.layers()):
        x = g.integer_layer(f"h_s.{number}", layer, x)
    g.leave(x, "out", FLOAT, 2 * m)
    return g.serialised()


def _synthesis(network: MeanScaleHyperprior, m: int) -> bytes:
    g = Graph("g_s")
    x = _chain(g, "g_s", network.g_s, g.enter("y_hat", FLOAT, m))
    x = g.node("Round", [g.node("Mul", [x, g.number(255)], "grey")], "whole")
    x = g.node("Clip", [x, g.number(0), g.number(255)], "clipped")
    g.leave(x, "pixels", BYTE, 3)
    return g.serialised()


def _chain(g: Graph, name: str, layers: nn.Sequential, x: str) -> str:
    for number, layer in enumerate(layers):
        here = f"{name}.{number}"
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            x = g.affine(here, layer, x)
        elif isinstance(layer, GDN):
            x = g.normalised(here, *layer.coefficients(), layer.inverse, x)
        elif isinstance(layer, nn.LeakyReLU):
            x = g.leaky(x, layer.negative_slope)
        else:
            raise TypeError(f"no ONNX form of {layer}")
    return x
