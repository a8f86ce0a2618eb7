"""The six networks of a bundle as sessions: in which flavour, on which device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..core.errors import OptionError
from .bundle import GRAPHS, Bundle
from .providers import LEVELS, cuda_fault, import_runtime, open_session

__all__ = [
    "DEVICE_FLAVOURS",
    "LEVELS",
    "MAX_THREADS",
    "Refusal",
    "SessionOptions",
    "Sessions",
    "import_runtime",
    "session_choices",
]

Feed = Mapping[str, NDArray[Any]]

# Flavours by device, the first being the default.
DEVICE_FLAVOURS: Final = {"cpu": ("qlinear", "float"), "cuda": ("float",)}
MAX_THREADS: Final = 1024


@dataclass(frozen=True)
class SessionOptions:
    """device: "cpu" or "cuda". flavour: None for the device's default. threads: 0 for all cores.

    level: ONNX Runtime's graph optimisation, one of LEVELS (`validate` compares them).
    """

    device: str = "cpu"
    flavour: str | None = None
    threads: int = 0
    level: str = "all"

    def resolved_flavour(self) -> str:
        if not isinstance(self.threads, int) or not 0 <= self.threads <= MAX_THREADS:
            raise OptionError(f"threads is {self.threads!r}; choose 0 (all cores) to {MAX_THREADS}")
        if self.level not in LEVELS:
            raise OptionError(f"unknown level {self.level!r}; known are {', '.join(LEVELS)}")
        if not isinstance(self.device, str) or self.device not in DEVICE_FLAVOURS:
            raise OptionError(f"unknown device {self.device!r}; known are cpu and cuda")
        allowed = DEVICE_FLAVOURS[self.device]
        flavour = allowed[0] if self.flavour is None else self.flavour
        if flavour not in allowed:
            known = ", ".join(allowed)
            raise OptionError(f"device {self.device} has no flavour {flavour!r}, only {known}")
        return flavour


@dataclass(frozen=True)
class Refusal:
    """A flavour that was allowed and is not used; reason: one line."""

    flavour: str
    reason: str


def session_choices(
    device: str, flavour: str | Sequence[str] | None, threads: int
) -> list[SessionOptions]:
    """What may be tried, in order: one flavour each, all of them checked; raises OptionError."""
    if flavour is None or isinstance(flavour, str):
        wanted: list[str | None] = [flavour]
    elif isinstance(flavour, Sequence) and len(flavour) == len(set(map(repr, flavour))) > 0:
        wanted = list(flavour)
    else:
        raise OptionError(f"flavour is {flavour!r}; give one name, or a list of different names")
    choices = [SessionOptions(device, name, threads) for name in wanted]
    return [SessionOptions(device, choice.resolved_flavour(), threads) for choice in choices]


class Sessions:
    """The six networks of a bundle in one flavour on one device. Safe to share by threads."""

    def __init__(self, bundle: Bundle, options: SessionOptions) -> None:
        self.flavour = options.resolved_flavour()
        self.options = options
        ort = import_runtime()
        self._sessions = {
            graph: open_session(
                ort,
                bundle.graphs[graph, self.flavour],
                options.device,
                threads=options.threads,
                level=options.level,
            )
            for graph in GRAPHS
        }

    def run(self, graph: str, feed: Feed) -> dict[str, NDArray[Any]]:
        """Outputs by name, without the batch axis of 1; inputs (1, h, w, C)."""
        session = self._sessions[graph]
        names = [output.name for output in session.get_outputs()]
        batch = {name: x[np.newaxis] for name, x in feed.items()}
        try:
            values = session.run(names, batch)
        except Exception as error:  # cuDNN is loaded at the first convolution, not before
            if self.options.device == "cuda":
                raise cuda_fault(import_runtime(), str(error)) from error
            raise
        return {name: value[0] for name, value in zip(names, values, strict=True)}
