"""The store itself: adding, switching, going back, opening."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.atomic import make_folders, remove_file, write_bytes_atomic
from ...core.errors import (
    BundleError,
    MissingInputError,
    MissingModelError,
)
from ..bundle import MANIFEST, Bundle, parse_manifest
from ..codec import Codec, open_codec
from .layout import RECORD_SUFFIX, Layout, check_name, parse_id, store_root
from .locking import locked
from .reading import (
    Parts,
    blobs_of,
    read_manifest,
    read_signatures,
    read_stored,
    take_apart,
)
from .records import Record, first_record, read_record
from .writing import write_codec

if TYPE_CHECKING:
    from .live import LiveDecoder, LiveEncoder
    from .pruning import Pruned


@dataclass(frozen=True)
class Version:
    """An installed codec. size: bytes of its members; those of several codecs may be shared."""

    id: bytes
    size: int


@dataclass(frozen=True)
class Installed:
    """A name of a store. active: the codec that encoders use. versions: those that are stored, the
    newest first."""

    name: str
    active: bytes
    versions: tuple[Version, ...]


class Store:
    """Installed codecs of a host; any number of processes and threads may use one folder.

    root: the folder; it need not exist, and is made when something is written. None for
    C3D_STORE, else `c3d-export/store` in XDG_DATA_HOME or ~/.local/share.
    """

    def __init__(self, root: str | os.PathLike[str] | None = None) -> None:
        self.layout = Layout(store_root(os.environ) if root is None else Path(root))

    def add(self, data: bytes) -> bytes:
        """Stores a bundle without making it active; returns the codec's id.

        data: the bytes of a `.c3b`. What is there already is left, what is damaged is replaced.
        Raises a leaf of BundleError, DiskError, or what the host's policy raises; then nothing
        that a reader would find has changed.
        """
        return self.add_parts(take_apart(data))

    def add_parts(self, parts: Parts) -> bytes:
        """As `add`, of a bundle that was taken apart already."""
        with self.changing():
            write_codec(self.layout, parts)
        return parts.bundle.id

    def activate(self, name: str, codec: bytes) -> bool:
        """Makes a stored codec the active one of a name; returns whether it was another before.

        Everything of the codec is read and checked before. Raises OptionError for the name,
        MissingInputError where the codec is not stored, a leaf of BundleError where it is damaged.
        """
        with self.changing():
            return self._activate(check_name(name), codec)

    def _activate(self, name: str, codec: bytes) -> bool:
        self.bundle(codec)
        path = self.layout.record(name)
        record = read_record(path) if path.exists() else None
        if record is not None and record.active == codec:
            return False
        self._record(name, record.activated(codec) if record else first_record(codec))
        return True

    def _record(self, name: str, record: Record) -> None:
        make_folders(self.layout.names)
        write_bytes_atomic(self.layout.record(name), record.to_bytes())

    def rollback(self, name: str) -> bytes:
        """Makes the version before the active one active, and returns its id; it is checked.

        Raises MissingModelError for an unknown name, OptionError where none is before it.
        """
        with self.changing():
            record = read_record(self.layout.record(name)).rolled_back(name)
            self.bundle(record.active)
            self._record(name, record)
        return record.active

    def forget(self, name: str) -> None:
        """Removes a name; its codecs stay until `prune`. Raises MissingModelError."""
        with self.changing():
            read_record(self.layout.record(name))
            remove_file(self.layout.record(name))

    def active(self, name: str) -> bytes:
        """The id of the active codec of a name; raises MissingModelError."""
        return read_record(self.layout.record(name)).active

    def names(self) -> list[str]:
        """Every installed name, sorted."""
        if not self.layout.names.is_dir():
            return []
        found = (path for path in self.layout.names.iterdir() if path.name[0] != ".")
        return sorted(path.stem for path in found if path.suffix == RECORD_SUFFIX)

    def codecs(self) -> list[bytes]:
        """The ids of all stored codecs, those that no name keeps among them, sorted."""
        if not self.layout.codecs.is_dir():
            return []
        folders = (p for p in self.layout.codecs.iterdir() if (p / MANIFEST).is_file())
        return sorted(codec for p in folders if (codec := parse_id(p.name)) is not None)

    def installed(self, name: str) -> Installed:
        """Raises MissingModelError, or a leaf of BundleError for a damaged record or manifest."""
        record = read_record(self.layout.record(name))
        stored = [codec for codec in record.history if self.has(codec)]
        return Installed(name, record.active, tuple(self._version(codec) for codec in stored))

    def _version(self, codec: bytes) -> Version:
        return Version(codec, sum(blob.size for blob in blobs_of(self.manifest(codec)).values()))

    def blobs(self) -> list[Path]:
        """The files of all stored members."""
        if not self.layout.blobs.is_dir():
            return []
        return sorted(path for path in self.layout.blobs.iterdir() if path.name[0] != ".")

    def has(self, codec: bytes) -> bool:
        """Whether a codec is stored; its contents are not looked at."""
        return (self.layout.codec(codec) / MANIFEST).is_file()

    def manifest(self, codec: bytes) -> Mapping[str, Any]:
        """The manifest of a stored codec; raises MissingInputError or a leaf of BundleError."""
        return parse_manifest(read_manifest(self.layout.codec(codec)))

    def signatures(self, codec: bytes) -> bytes | None:
        """signatures.json of a stored codec, None where it has none."""
        return read_signatures(self.layout.codec(codec))

    def bundle(self, codec: bytes) -> Bundle:
        """A stored codec, every byte of it checked, allowed by the host's policy.

        Raises MissingInputError, a leaf of BundleError, or what the policy raises.
        """
        return read_stored(self.layout.codec(codec))

    def find(self, name_or_id: str | bytes) -> bytes:
        """The codec of a name (the active one), or that of an id: bytes or 16 hexadecimal digits.

        Raises MissingModelError where neither is there.
        """
        if isinstance(name_or_id, bytes):
            codec: bytes | None = name_or_id
        elif self.layout.record(name_or_id).exists():
            return self.active(name_or_id)
        else:
            codec = parse_id(name_or_id)
        if codec is None or not self.has(codec):
            text = name_or_id if isinstance(name_or_id, str) else name_or_id.hex()
            raise MissingModelError(
                f"no codec {text} is installed in {self.layout.root}; look at `c3d-export list`,"
                " or run c3d-export install TARGET"
            )
        return codec

    def open(self, name_or_id: str | bytes, device: str = "cpu", **options: Any) -> Codec:
        """The codec of a name or of an id, its known answers checked; see `open_codec` for device,
        options and errors. Raises MissingModelError too."""
        while True:
            codec = self.find(name_or_id)
            try:
                return open_codec(self.layout.codec(codec), device, **options)
            except (BundleError, MissingInputError):
                # Between the two calls the name may have moved on, and the old codec been pruned.
                if isinstance(name_or_id, bytes) or self.find(name_or_id) == codec:
                    raise

    def encoder(self, name: str, device: str = "cpu", **options: Any) -> LiveEncoder:
        """An encoder that always uses the active codec of a name; see `LiveEncoder`."""
        from .live import LiveEncoder

        return LiveEncoder(self, name, device, **options)

    def decoder(self, device: str = "cpu", **options: Any) -> LiveDecoder:
        """A decoder of the streams of all stored codecs; see `LiveDecoder`."""
        from .live import LiveDecoder

        return LiveDecoder(self, device, **options)

    def prune(self) -> Pruned:
        """Removes codecs that no name keeps, blobs that no codec uses, and what killed processes
        left; see `pruning.py`."""
        from .pruning import prune

        return prune(self)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Holds the lock of the store; not to be nested. Raises DiskError."""
        with locked(self.layout.lock):
            yield

    def list(self) -> list[Installed]:
        """What is installed, sorted by name; raises a leaf of BundleError for a damaged record."""
        return [self.installed(name) for name in self.names()]


def open_store(root: str | os.PathLike[str] | None = None) -> Store:
    """The store of this host, or the one in `root`; see `Store`."""
    return Store(root)


def activate_all(store: Store, codecs: Iterable[tuple[str, bytes]]) -> dict[str, bool]:
    """Activates codecs of several names without another writer in between: name -> was another."""
    with store.changing():
        return {name: store._activate(check_name(name), codec) for name, codec in codecs}
