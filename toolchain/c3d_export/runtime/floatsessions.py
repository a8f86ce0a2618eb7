"""The networks of a bundle with float transforms as sessions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from .bundle import Bundle
from .providers import import_runtime, open_session
from .sessions import SessionOptions, Sessions

FLAVOUR: Final = "float"
"""Of all graphs in these bundles."""


class FloatSessions(Sessions):
    """As Sessions, of the float transforms that a flavour needs. Safe to share by threads."""

    def __init__(self, bundle: Bundle, options: SessionOptions, graphs: Iterable[str]) -> None:
        """graphs: those that ONNX Runtime computes. Raises OptionError and what sessions raise."""
        self.flavour, self.options = options.resolved_flavour(), options
        ort = import_runtime()
        self._sessions = {
            graph: open_session(
                ort,
                bundle.graphs[graph, FLAVOUR],
                options.device,
                threads=options.threads,
                level=options.level,
            )
            for graph in graphs
        }
