"""Codecs that change while frames go by: no frame waits for a new one, none is lost.

A change of the store is noticed by `stat` before a frame, a new codec is opened beside, and frames
go on with the old one until it is ready. A stream names its codec by id, so that decoders need to
know nothing of when encoders switch.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Collection
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...core.errors import C3DError, C3DWarning, MissingModelError, OptionError, StreamForeignError
from ..stream import Data, peek_header
from .records import read_record

if TYPE_CHECKING:
    from ..codec import Codec
    from ..images import Frame
    from .store import Store

RACY: Final = 2_000_000_000
"""Nanoseconds for which a changed file is read again: clocks of file systems tick in milliseconds,
so that a file may change twice and show one time."""


class Watch:
    """Which codec of a name is active, at the price of a `stat`; for one thread at a time."""

    def __init__(self, record: Path) -> None:
        self._path = record
        self._seen: tuple[int, int, int] | None = None
        self._until = 0
        self._active: bytes | None = None

    def look(self) -> bytes:
        """The id of the active codec; raises MissingModelError or BundleManifestError."""
        now = time.time_ns()
        try:
            status = self._path.stat()
            state = status.st_ino, status.st_mtime_ns, status.st_size
        except OSError:
            state = None
        if self._active is None or state is None or state != self._seen or now < self._until:
            self._active, self._seen = None, None
            self._active = read_record(self._path).active
            self._seen, self._until = state, (state[1] if state else now) + RACY
        return self._active


class LiveEncoder:
    """Encodes with the active codec of a name, whichever that is when a frame comes.

    Safe to share by threads. A codec that does not open here (damaged, not allowed, other numbers),
    or that lacks rate points that the one in use has, is not switched to: a C3DWarning says so once
    and `fault` as long as it lasts, and frames go on with the old one.
    """

    def __init__(self, store: Store, name: str, device: str = "cpu", **options: Any) -> None:
        """device, options: as `open_codec` has them. Opens the codec that is active now.

        Raises MissingModelError and as `open_codec`.
        """
        self.name = name
        self._open: Callable[[bytes], Codec] = lambda codec: store.open(codec, device, **options)
        self._watch = Watch(store.layout.record(name))
        self._lock = threading.Lock()
        self._codec = store.open(name, device, **options)
        self._wanted: bytes | None = self._codec.id
        self._opener: threading.Thread | None = None
        self._fault: C3DError | None = None
        self._told: C3DError | None = None

    @property
    def codec(self) -> Codec:
        """The codec for the next frame; costs a `stat`, and starts the opening of another one."""
        return self._next()

    def _next(self) -> Codec:
        with self._lock:
            self._look()
            codec, fault = self._codec, self._fault
            news, self._told = fault is not self._told, fault
        if news and fault is not None:
            text = f"{self.name} stays with codec {codec.id.hex()}: {fault}"
            warnings.warn(text, C3DWarning, stacklevel=3)
        return codec

    @property
    def fault(self) -> C3DError | None:
        """Why the active codec is not the one in use, None where it is or is being opened."""
        return self._fault

    def encode(self, frame: Frame, quality: int | None = None, effort: int | None = None) -> bytes:
        """As `Codec.encode`; the stream says which codec made it."""
        return self._next().encode(frame, quality, effort)

    def settle(self, timeout: float | None = None) -> bool:
        """Looks, and waits until no codec is being opened; False after `timeout` seconds."""
        with self._lock:
            self._look()
            opener = self._opener
        if opener is not None:
            opener.join(timeout)
        return opener is None or not opener.is_alive()

    def _look(self) -> None:
        try:
            active = self._watch.look()
        except C3DError as error:  # the name was removed, or its record damaged
            if self._wanted is not None:
                self._fault, self._wanted = error, None
            return
        if active == self._wanted:
            return
        self._wanted, self._fault = active, None
        if active != self._codec.id and self._opener is None:
            self._opener = threading.Thread(target=self._work, name=f"c3d-open-{self.name}")
            self._opener.start()

    def _work(self) -> None:
        """Opens what is wanted until nothing else is wanted."""
        while True:
            with self._lock:
                wanted = self._wanted
                if wanted is None or wanted == self._codec.id or self._fault is not None:
                    self._opener = None
                    return
            codec, fault = self._try(wanted)
            with self._lock:
                if self._wanted == wanted:
                    self._codec, self._fault = codec or self._codec, fault

    def _try(self, wanted: bytes) -> tuple[Codec | None, C3DError | None]:
        try:
            codec = self._open(wanted)
        except C3DError as error:
            return None, error
        except Exception as error:  # a thread has nobody who would see it
            return None, C3DError(f"codec {wanted.hex()} does not open: {error}")
        have, has = len(self._codec.qualities), len(codec.qualities)
        if has < have:
            fault = f"codec {wanted.hex()} has {has} rate points and the one in use {have}"
            return None, OptionError(f"{fault}; make an encoder anew where that is meant")
        return codec, None


class LiveDecoder:
    """Decodes streams of all stored codecs, each found by the id in the stream.

    Safe to share by threads. The codecs that were used last stay open.
    """

    def __init__(
        self,
        store: Store,
        device: str = "cpu",
        *,
        keep: int = 4,
        names: Collection[str] = (),
        **options: Any,
    ) -> None:
        """keep: how many codecs stay open, at least 1. names: their active codecs are opened now,
        and beside whenever they change, so that the first stream of one need not wait. device,
        options: as `open_codec` has them. Raises OptionError, and for names as `LiveEncoder`.
        """
        if not isinstance(keep, int) or keep < 1:
            raise OptionError(f"keep is {keep!r}; choose at least 1")
        self._keep = max(keep, len(names))
        self._open: Callable[[bytes], Codec] = lambda codec: store.open(codec, device, **options)
        self._root = store.layout.root
        self._codecs: OrderedDict[bytes, Future[Codec]] = OrderedDict()
        self._lock = threading.Lock()
        self._watches = {Watch(store.layout.record(name)): store.active(name) for name in names}
        for codec in self._watches.values():
            self.codec(codec)

    def decode(self, data: Data) -> Frame:
        """A stream -> uint8 (H, W, 3) RGB.

        Raises a leaf of StreamError, StreamForeignError where its codec is not installed; and as
        `open_codec` where that does not open.
        """
        if self._watches:
            self._prepare()
        return self.codec(peek_header(data).codec_id).decode(data)

    def codec(self, codec: bytes) -> Codec:
        """The open codec of an id; opens it once, whoever asks at the same time."""
        with self._lock:
            known = self._codecs.get(codec)
            future = known or Future()
            self._codecs[codec] = future
            self._codecs.move_to_end(codec)
            while len(self._codecs) > self._keep:
                self._codecs.popitem(last=False)
        if known is None:
            self._fill(codec, future)
        try:
            return future.result()
        except MissingModelError as error:
            raise StreamForeignError(
                f"the stream was made by codec {codec.hex()}, which is not installed in"
                f" {self._root}; run c3d-export install with its bundle"
            ) from error

    def _fill(self, codec: bytes, future: Future[Codec]) -> None:
        try:
            future.set_result(self._open(codec))
        except BaseException as error:
            with self._lock:  # the next stream tries again: it may be installed then
                if self._codecs.get(codec) is future:
                    del self._codecs[codec]
            future.set_exception(error)

    def _prepare(self) -> None:
        with self._lock:
            for watch, last in self._watches.items():
                try:
                    active = watch.look()
                except C3DError:
                    continue
                if active != last:
                    self._watches[watch] = active
                    threading.Thread(target=self._ahead, args=(active,)).start()

    def _ahead(self, codec: bytes) -> None:
        try:
            self.codec(codec)
        except C3DError:
            return  # raised again where a stream needs it
