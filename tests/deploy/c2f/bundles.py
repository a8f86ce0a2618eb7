"""Bundles of small coarse-to-fine networks with random weights, each made once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from c3d_export.deploy.bundle import Provenance
from c3d_export.deploy.c2f.bundle import C2FExport, build_bundle, export_network
from c3d_export.quantize.post.c2f_tables import predicted_tables
from c3d_export.quantize.tables import TableBank
from c3d_export.runtime.bundle import Bundle, parse_bundle
from c3d_export.runtime.c2f.codec import CoarseToFineCodec
from c3d_export.runtime.sessions import SessionOptions

from ...models.c2f.specs import SMALL, lively
from ..hyperprior.conftest import picture

ONE_THREAD = SessionOptions(flavour="float", threads=1)
PROVENANCE = Provenance("tiny", "synthetic", "CC0-1.0")
Constants = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Made:
    """An export and its finished bundle; read only."""

    export: C2FExport
    data: bytes

    @cached_property
    def bundle(self) -> Bundle:
        return parse_bundle(self.data)

    @property
    def codec(self) -> CoarseToFineCodec:
        """A fresh one, that a test may change."""
        return CoarseToFineCodec(self.bundle, ONE_THREAD)

    @cached_property
    def graph_codec(self) -> CoarseToFineCodec:
        """Its levels are computed by ONNX Runtime, as on GPUs; read only."""
        return CoarseToFineCodec(self.bundle, ONE_THREAD, native=False)


@cache
def made_of(coarse: bool) -> Made:
    """coarse: with z1."""
    network = lively(SMALL if coarse else SMALL.without_z1())
    export = export_network(network, [picture(128, 128, seed) for seed in range(2)])
    return Made(export, build_bundle(export, PROVENANCE))


@cache
def gaussian_tables() -> TableBank:
    """Of the predicted latents, fitted to no frames."""
    return predicted_tables()


def with_constants(graph: bytes, edit: Callable[[Constants], object]) -> bytes:
    """The graph with other constants; edit: changes them in place, by name."""
    model = onnx.load_model_from_string(graph)
    constants: Constants = {
        tensor.name: np.array(numpy_helper.to_array(tensor)) for tensor in model.graph.initializer
    }
    edit(constants)
    del model.graph.initializer[:]
    model.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(array, order="C"), name)
        for name, array in constants.items()
    )
    data: bytes = model.SerializeToString(deterministic=True)
    return data
