"""What is to be measured: codecs with their qualities, and how another process opens the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from c3d_export.core.errors import OptionError, UnknownQualityError, WorkerError
from c3d_export.evaluate.baselines import Baseline, get_baseline
from c3d_export.evaluate.measure import Codec
from c3d_export.runtime.bundle import read_bundle
from c3d_export.runtime.codec import Codec as BundleCodec
from c3d_export.runtime.codec import open_codec

OURS = "ours"

Further = tuple[str, Codec, tuple[int, ...], str]
"""Name, codec, qualities, and factor and up-scaler ("2 fsr") or an empty string."""

FurtherOf = Callable[[Codec, Sequence[Baseline]], Sequence[Further]]
"""Makes further codecs of the first one and its baselines. It must be picklable."""


class Entry(NamedTuple):
    """One codec of a plan.

    supersampled: factor and up-scaler of a codec at a lower resolution, else empty. identity: all
    that its files and frames depend on, as text; None where nobody knows, so that no row of it
    may be taken from an earlier run.
    """

    name: str
    codec: Codec
    qualities: tuple[int, ...]
    supersampled: str = ""
    identity: str | None = None


@dataclass(frozen=True)
class Source:
    """A bundle as another process finds it: its name in tables, its file, and its id in hex."""

    name: str
    path: Path
    codec_id: str


def source_of(name: str, path: Path) -> Source:
    """The bundle at `path`, called `name`. Raises as `read_bundle`."""
    return Source(name, path.resolve(), read_bundle(path).id.hex())


@dataclass(frozen=True)
class PlanSpec:
    """A plan that can be sent to another process, which opens the same codecs.

    qualities: of the bundles, all of theirs where None. baselines: by name, each at its ladder.
    further: what else is made of the first bundle and the baselines.
    """

    sources: tuple[Source, ...]
    baselines: tuple[str, ...] = ()
    qualities: tuple[int, ...] | None = None
    device: str = "cpu"
    threads: int = 0
    effort: int = 1
    further: FurtherOf | None = None

    def open(self) -> list[Entry]:
        """The entries, ready to run.

        Raises as `open_codec`, `get_baseline` and `entries`; WorkerError where a file is another
        bundle than the one that was named.
        """
        opened = [self._open(source) for source in self.sources]
        baselines = [get_baseline(name) for name in self.baselines]
        found = [
            entry_of(source.name, codec, self.qualities)
            for source, codec in zip(self.sources, opened, strict=True)
        ]
        more = self.further(opened[0], baselines) if self.further else ()
        return checked([*found, *baseline_entries(baselines), *further_entries(more)])

    def _open(self, source: Source) -> BundleCodec:
        codec = open_codec(source.path, self.device, threads=self.threads, effort=self.effort)
        if codec.id.hex() != source.codec_id:
            raise WorkerError(
                f"{source.path} is bundle {codec.id.hex()} here, and not {source.codec_id}; give"
                " every worker the same file"
            )
        return codec


def entry_of(name: str, codec: Codec, qualities: Iterable[int] | None) -> Entry:
    """A codec at these qualities, all of its own where None.

    Raises UnknownQualityError for one that it lacks.
    """
    chosen = tuple(codec.qualities if qualities is None else qualities)
    for quality in chosen:
        if quality not in codec.qualities:
            known = ", ".join(map(str, codec.qualities))
            raise UnknownQualityError(f"{name} has no quality {quality}; choose from {known}")
    return Entry(name, codec, chosen, identity=identity_of(codec))


def baseline_entries(baselines: Iterable[Baseline]) -> list[Entry]:
    """Each at its ladder."""
    return [Entry(b.name, b, b.ladder, identity=identity_of(b)) for b in baselines]


def further_entries(further: Iterable[Further]) -> list[Entry]:
    return [
        Entry(name, codec, qualities, supersampled, identity_of(codec))
        for name, codec, qualities, supersampled in further
    ]


def checked(plan: list[Entry]) -> list[Entry]:
    """Raises OptionError for a name that stands twice."""
    names = [entry.name for entry in plan]
    if len(set(names)) < len(names):
        raise OptionError(f"a codec stands twice in {', '.join(names)}; rename or drop one")
    return plan


def identity_of(codec: Codec) -> str | None:
    """What the files and frames of a codec depend on, versions of libraries apart.

    A codec of another kind may say it in an attribute `identity`.
    """
    said = getattr(codec, "identity", None)
    if isinstance(said, str):
        return said
    if isinstance(codec, BundleCodec):
        return f"bundle {codec.id.hex()} effort {codec.effort}"
    if isinstance(codec, Baseline):
        return repr(codec)
    return None
