"""The four networks of a bundle with float transforms, as sessions."""

from __future__ import annotations

from collections.abc import Iterable

from ..bundle import Bundle
from ..providers import import_runtime, open_session
from ..sessions import SessionOptions, Sessions
from .bundle import FLAVOUR


class HyperpriorSessions(Sessions):
    """As Sessions; the one flavour is float. Safe to share by threads."""

    def __init__(self, bundle: Bundle, options: SessionOptions, graphs: Iterable[str]) -> None:
        """graphs: those that run here."""
        self.flavour, self.options = FLAVOUR, options
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
