"""`rcan`: a trained network on a host, through ONNX Runtime alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from ..core.errors import BundleGraphError, MissingModelError, OptionError
from ..runtime.images import Frame
from ..runtime.providers import import_runtime, open_session
from ..runtime.shipped import shipped_folders
from .bundle import NETWORK, SUFFIX, SrBundle, read_bundle
from .resample import check_low, thousandths
from .spec import STRIDE

DEFAULT_NAME: Final = f"generic-x2{SUFFIX}"


class RcanUpscaler:
    """An up-scaler of one factor, that of its network. Safe to share by threads."""

    name: Final = "rcan"

    def __init__(self, bundle: SrBundle, *, threads: int = 0) -> None:
        """threads: 0 for all cores. Raises what `providers.open_session` raises."""
        self.bundle = bundle
        ort = import_runtime()
        self._session: Any = open_session(ort, bundle.graph, "cpu", threads=threads)

    def __repr__(self) -> str:
        """Names the network, so that rows of an evaluation of another one are not taken for its."""
        return f"rcan {self.bundle.manifest['members'][NETWORK]['sha256']}"

    def check(self, factor: float) -> None:
        own = self.bundle.spec.factor
        if thousandths(factor) != thousandths(own):
            raise OptionError(
                f"rcan {self.bundle.name} enlarges {own} times, not {factor:g}; choose factor"
                f" {own}, another up-scaler, or train one with `c3d-export train --task sr`"
            )

    def __call__(self, low: Frame, shape: tuple[int, int], factor: float) -> Frame:
        self.check(factor)
        check_low(low, shape, factor)
        # Repeated edges make the sides even, and are cut off again.
        rows, columns = low.shape[0] % STRIDE, low.shape[1] % STRIDE
        even = np.pad(low, ((0, rows), (0, columns), (0, 0)), "edge")
        try:
            (high,) = self._session.run(["high"], {"low": even[np.newaxis]})
        except Exception as error:  # layers that do not fit one another, or too little memory
            raise BundleGraphError(
                f"rcan {self.bundle.name} cannot enlarge {low.shape[1]}x{low.shape[0]}; take"
                f" another up-scaler, or get the file again: {error}"
            ) from error
        wanted = tuple(side * self.bundle.spec.factor for side in even.shape[:2])
        if high.shape != (1, *wanted, 3):
            raise BundleGraphError(
                f"the network of {self.bundle.name} gives {high.shape} instead of"
                f" {(1, *wanted, 3)}; get the file again"
            )
        return np.ascontiguousarray(high[0, : shape[0], : shape[1]])


def open_rcan(path: Path | None = None, *, threads: int = 0) -> RcanUpscaler:
    """The network at `path`, else the one that is shipped.

    Raises MissingInputError, MissingModelError where none is shipped, a leaf of BundleError.
    """
    return RcanUpscaler(read_bundle(path or _shipped()), threads=threads)


def _shipped() -> Path:
    for folder in shipped_folders():
        if (folder / DEFAULT_NAME).is_file():
            return folder / DEFAULT_NAME
    raise MissingModelError(
        f"no {DEFAULT_NAME} is shipped here; train one with `c3d-export train --task sr`, and name"
        " it with --sr-model"
    )
