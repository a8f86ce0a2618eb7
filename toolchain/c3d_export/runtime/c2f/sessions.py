"""The networks of a coarse-to-fine bundle as sessions."""

from __future__ import annotations

from ..bundle import Bundle
from ..providers import import_runtime, open_session
from ..sessions import SessionOptions, Sessions
from .bundle import FLAVOUR


class C2FSessions(Sessions):
    """As Sessions; the one flavour is float. Safe to share by threads."""

    def __init__(self, bundle: Bundle, options: SessionOptions) -> None:
        self.flavour, self.options = FLAVOUR, options
        ort = import_runtime()
        self._sessions = {
            graph: open_session(
                ort, data, options.device, threads=options.threads, level=options.level
            )
            for (graph, flavour), data in bundle.graphs.items()
        }
