"""Bundles of the published families: made from a network, and compared with PyTorch."""

from __future__ import annotations

from collections.abc import Sequence

from ..models.c2f.network import CoarseToFine
from ..models.families import Network
from ..runtime.bundle import Bundle
from ..runtime.images import Frame
from .bundle import Provenance
from .c2f import bundle as c2f
from .c2f.validate import validate_c2f
from .floatreport import ExactnessReport
from .hyperprior import bundle as hyperprior
from .hyperprior.validate import validate_hyperprior


def make_bundle(
    network: Network,
    frames: Sequence[Frame],
    provenance: Provenance,
    *,
    integer_synthesis: bool = True,
) -> bytes:
    """frames: for ranges of the integers and for the tables. Raises OptionError for a network that
    the format has no room for, and CertificateError."""
    if isinstance(network, CoarseToFine):
        c2f_export = c2f.export_network(network, frames, integer_synthesis=integer_synthesis)
        return c2f.build_bundle(c2f_export, provenance)
    export = hyperprior.export_network(network, frames, integer_synthesis=integer_synthesis)
    return hyperprior.build_bundle(export, provenance)


def validate_family(bundle: Bundle, frames: Sequence[tuple[str, Frame]]) -> ExactnessReport:
    """frames: name and pixels. Raises CertificateError where a proof does not hold."""
    return (validate_c2f if bundle.family == "c2f" else validate_hyperprior)(bundle, frames)
