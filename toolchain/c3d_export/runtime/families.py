"""The families of codecs with float transforms: how their bundles are read and opened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..core.errors import BundleManifestError
from .bundle import Bundle
from .c2f.bundle import c2f_bundle
from .hyperprior.bundle import has_integer_synthesis, hyperprior_bundle
from .sessions import SessionOptions

if TYPE_CHECKING:
    from .codec import Codec

_READERS = {"mbt": hyperprior_bundle, "c2f": c2f_bundle}


def bundle_of(codec: bytes, manifest: Mapping[str, Any], members: Mapping[str, bytes]) -> Bundle:
    """members: hashes checked. Raises a leaf of BundleError."""
    family = manifest["family"]
    if not isinstance(family, str) or family not in _READERS:
        raise BundleManifestError(
            f"the bundle is of family {str(family)[:40]!r}, which this program does not know;"
            " update c3d-export"
        )
    return _READERS[family](codec, manifest, members)


def flavours_of(bundle: Bundle, device: str) -> tuple[str, ...]:
    """Of a bundle that has a family, the best first: "qlinear" where synthesis is integer, too."""
    exact = has_integer_synthesis(bundle.manifest) and device == "cpu"
    return ("qlinear", "float") if exact else ("float",)


def family_codec(bundle: Bundle, options: SessionOptions) -> Codec:
    """The codec of a bundle that has a family, without known answers."""
    from .c2f.codec import CoarseToFineCodec
    from .hyperprior.codec import HyperpriorCodec

    return {"mbt": HyperpriorCodec, "c2f": CoarseToFineCodec}[bundle.family](bundle, options)


def check_family(codec: Codec) -> None:
    """The known answers of a codec of `family_codec`; raises as `open_codec` says."""
    from .c2f import known as c2f
    from .c2f.codec import CoarseToFineCodec
    from .hyperprior import known as hyperprior
    from .hyperprior.codec import HyperpriorCodec

    if isinstance(codec, CoarseToFineCodec):
        c2f.check_known_answers(codec)
    elif isinstance(codec, HyperpriorCodec):
        hyperprior.check_known_answers(codec)


def open_family(bundle: Bundle, options: SessionOptions) -> Codec:
    """The codec of a bundle, its known answers checked."""
    codec = family_codec(bundle, options)
    check_family(codec)
    return codec
