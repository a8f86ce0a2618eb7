"""A network whose hyper-features have the proportions of c2f-median."""

from __future__ import annotations

import numpy as np

from c3d_export.deploy.bundle import Provenance
from c3d_export.deploy.families import make_bundle
from c3d_export.models.c2f.network import build_network
from c3d_export.prune.published.families import widths_of, with_widths
from c3d_export.runtime.bundle import parse_bundle
from c3d_export.runtime.families import open_family
from c3d_export.runtime.sessions import SessionOptions

from ...models.c2f.specs import SMALL
from ..hyperprior.conftest import picture


def test_float_synthesis_with_equal_buffers() -> None:
    """ONNX Runtime's memory plan must not take h1 for as large as h2."""
    # h2 has three quarters of h1's channels: joined with a quarter of those it is as wide as h1.
    widths = widths_of(SMALL)
    spec = with_widths(SMALL, widths | {"fine.features": 3 * widths["coarse.features"]})
    frame = picture(70, 140)
    data = make_bundle(build_network(spec, 1).eval(), [frame], Provenance("wide"))
    codec = open_family(parse_bundle(data), SessionOptions(flavour="float", threads=1))
    assert np.shape(codec.decode(codec.encode(frame))) == frame.shape
