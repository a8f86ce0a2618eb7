"""Where the milliseconds of one encode or decode go, without a line of it in the codec itself.

The three things a codec calls are its networks, the entropy coder and the C passes. While a
`Stopwatch` watches, thin wrappers stand in their place.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..runtime.codec import Codec

CODER = "coder"
PASSES = "passes"
OTHER = "other"
_PULLS = ("pull", "finish")


class Stopwatch:
    """Sums seconds by stage; `take` reads and clears them."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    def take(self) -> dict[str, float]:
        taken, self._seconds = self._seconds, {}
        return taken

    def timed(self, stage: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            begin = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                spent = time.perf_counter() - begin
                self._seconds[stage] = self._seconds.get(stage, 0.0) + spent

        return wrapper

    @contextlib.contextmanager
    def watch(self, codec: Codec) -> Iterator[None]:
        """Times this codec's networks and passes, and every codec's coder, inside the block."""
        from ..runtime.passes import NAMES

        # The names that the codec's module has imported, and looks up at every call.
        names = vars(sys.modules[type(codec).__module__])
        kept = {name: names[name] for name in ("encode_slices", "SliceDecoder")}
        # A codec with float transforms has no passes, and networks in C besides those in sessions.
        sessions, passes = codec.sessions, getattr(codec, "passes", None)
        native: dict[str, Callable[..., Any]] = getattr(codec, "native", {})
        codec.sessions = _Sessions(sessions, self)  # type: ignore[assignment]
        untimed = dict(native)
        native.update({graph: self.timed(graph, call) for graph, call in untimed.items()})
        names["encode_slices"] = self.timed(CODER, kept["encode_slices"])
        names["SliceDecoder"] = lambda *args: _Timed(
            self.timed(CODER, kept["SliceDecoder"])(*args), self, dict.fromkeys(_PULLS, CODER)
        )
        if passes is not None:
            timed = _Timed(passes, self, dict.fromkeys(NAMES, PASSES))
            codec.passes = timed  # type: ignore[assignment]
        try:
            yield
        finally:
            codec.sessions = sessions
            native.update(untimed)
            if passes is not None:
                codec.passes = passes
            names.update(kept)


class _Sessions:
    """Sessions whose runs are timed under the name of their graph."""

    def __init__(self, inner: Any, watch: Stopwatch) -> None:
        self._inner, self._watch = inner, watch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def run(self, graph: str, feed: Any) -> Any:
        return self._watch.timed(graph, self._inner.run)(graph, feed)


class _Timed:
    """A module or object some of whose functions are timed; the rest is itself."""

    def __init__(self, inner: Any, watch: Stopwatch, stages: dict[str, str]) -> None:
        self._inner = inner
        for name, stage in stages.items():
            setattr(self, name, watch.timed(stage, getattr(inner, name)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
