"""Which of the frames that were found are new: equal ones, near-duplicates and taken names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from c3d_export.data.facts import Facts
from c3d_export.data.frames import Skipped, scene
from c3d_export.data.holdings import Holdings
from c3d_export.data.index import Record
from c3d_export.data.near import Kept, cached_luma
from c3d_export.data.scan import Found


@dataclass
class Choice:
    """What is to be done with everything that was found.

    `readable` counts what could be read. `chosen`, in the order of the source, are to be placed;
    `confirmed` are records of frames that are there already, with their source; `unchanged` counts
    what is there under the same name; `duplicates` have the pixels of another frame (the second
    path), `near` nearly so.
    """

    chosen: list[Found] = field(default_factory=list)
    confirmed: list[Record] = field(default_factory=list)
    readable: int = 0
    unchanged: int = 0
    duplicates: list[tuple[str, Path]] = field(default_factory=list)
    near: list[tuple[str, Path]] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


class Chooser:
    """Decides on one frame after the other; what was kept before decides on what comes.

    Equal pixels are never taken twice. Near-duplicates of a kept frame of the same scene are left
    out, unless `keep_near`; between splits that the source names they are left to the report.
    """

    def __init__(self, held: Holdings, game: str, keep_near: bool) -> None:
        self.choice = Choice()
        self._game, self._keep_near = game, keep_near
        self._files = held.files
        self._pixels: dict[str, tuple[Record | None, Path]] = {}
        self._kept, self._luma = Kept(), cached_luma()
        self._told: dict[Path, Path] = {}
        self._names: set[tuple[str, str]] = set()
        self._home = {key.split("/", 1)[1]: key for key in held.files}
        for key, record in held.records.items():
            split = key.split("/", 1)[0]
            self._pixels[record.facts.pixels] = record, held.files[key]
            self._keep({"", split}, scene(held.files[key]), record.facts, held.files[key])

    def add(self, found: Found | Skipped) -> None:
        if isinstance(found, tuple):
            self.choice.skipped.append(found)
            return
        self.choice.readable += 1
        if (twin := self._pixels.get(found.facts.pixels)) is not None:
            self._known(found, *twin)
        elif taken := self._taken(found):
            self.choice.skipped.append((Path(found.source), taken))
        elif near := self._near(found):
            self.choice.near.append((found.source, near))
        else:
            self._take(found)

    def _known(self, found: Found, record: Record | None, path: Path) -> None:
        if record is None:
            self.choice.duplicates.append((found.source, path))
            return
        if not record.source:
            facts = replace(record.facts, lossy=found.facts.lossy)
            record = Record(record.key, found.source, facts)
            self._pixels[found.facts.pixels] = record, path
            self.choice.confirmed.append(record)
        split, rest = record.key.split("/", 1)
        if rest == target_name(found, self._game) and found.split in ("", split):
            self.choice.unchanged += 1
        else:
            self.choice.duplicates.append((found.source, path))

    def _taken(self, found: Found) -> str:
        """Why the name of a frame cannot be had, or nothing."""
        name = target_name(found, self._game)
        home = f"{found.split}/{name}" if found.split else self._home.get(name, "")
        if home in self._files:
            return f"{home.split('/')[0]} has another {found.name}; rename it"
        if (found.split, name) in self._names:
            return f"another file of the source becomes {name}; rename it"
        return ""

    def _near(self, found: Found) -> Path | None:
        if self._keep_near:
            return None
        group = (found.split, scene(Path(found.name)))
        near = self._kept.near(group, found.facts, found.path, self._luma)
        return self._told.get(near, near) if near else None

    def _take(self, found: Found) -> None:
        self.choice.chosen.append(found)
        self._names.add((found.split, target_name(found, self._game)))
        self._pixels[found.facts.pixels] = None, Path(found.source)
        self._told[found.path] = Path(found.source)  # which is staged under a name of its own
        self._keep({"", found.split}, scene(Path(found.name)), found.facts, found.path)

    def _keep(self, splits: Iterable[str], name: str, facts: Facts, path: Path) -> None:
        for split in splits:
            self._kept.add((split, name), facts, path)


def target_name(found: Found, game: str) -> str:
    """`folder/name` of a frame in its split."""
    return f"{found.folder or f'{game}-{found.facts.height}p'}/{found.name}"
