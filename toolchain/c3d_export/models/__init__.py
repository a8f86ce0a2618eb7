"""The networks: the own family of small codecs, and the published ones.

Importing this loads no torch; making a network does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def model_names() -> tuple[str, ...]:
    """All that `build_model` makes: `xsmall` to `large`, `c2f-xsmall` and the like (also
    `-without-z1`), `mbt2018-mean` and `mbt2018` (quality 4; also `-1` to `-8`)."""
    from . import c2f, mbt
    from .spec import SIZES

    return (*SIZES, *c2f.MODELS, *mbt.MODELS)


def build_model(name: str) -> nn.Module:
    """A network of a registered name with fresh weights; raises OptionError for another name."""
    from ..core.errors import OptionError
    from . import c2f, mbt

    published = {**c2f.MODELS, **mbt.MODELS}
    if name in published:
        return published[name]()
    from .spec import SIZES

    if name not in SIZES:
        raise OptionError(f"no model {name!r}; choose one of {', '.join(model_names())}")
    from .network import build_network

    return build_network(SIZES[name])
