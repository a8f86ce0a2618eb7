"""Everything that the catalogue tells, as one JSON value: all bundles on all test frames.

Nothing in here decides anything. Each curve is measured once (`measure`), so that a cut
evaluation goes on where it was, and another one measures what is new only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from c3d_export.core.digest import sha256_file
from c3d_export.core.errors import LibraryMissingError, MissingDataError, MissingModelError
from c3d_export.evaluate.metrics import DEFINITIONS
from c3d_export.runtime.bundle import Bundle, read_bundle
from c3d_export.runtime.shipped import bundles_in
from catalogue.baselines import ANCHORS
from catalogue.commands import Runner
from catalogue.frames import Frames
from catalogue.host import hardware
from catalogue.ledger import Json, read
from catalogue.measure import RATES, Curve, Meter, distance
from catalogue.restore import stages
from catalogue.speed import speeds
from catalogue.tree import GENERIC

PLAIN: Final = "plain"
# Of an encoder that may take some 40 ms for the small ones and 100 for the others.
EFFORTS: Final = {"xsmall": 2, "small": 2, "median": 3, "large": 3}


@dataclass(frozen=True)
class Codec:
    """A bundle of the catalogue. games: on whose test frames it is measured."""

    path: Path
    bundle: Bundle
    games: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def size(self) -> str:
        return self.name.rpartition("-")[2]

    @property
    def generic(self) -> bool:
        return not self.bundle.manifest.get("game")

    @property
    def effort(self) -> int | None:
        """What it is measured with besides 1; a generic codec with nothing else."""
        return None if self.generic else EFFORTS.get(self.size)


@dataclass(frozen=True)
class Evaluator:
    frames: Frames
    exported: Path
    state: Path
    meter: Meter
    runner: Runner
    say: Callable[[str], None]

    def run(self, games: Sequence[str], command: str) -> Json:
        """The catalogue. games: on which generic codecs are measured.

        Raises MissingModelError where there are no bundles, MissingDataError without test frames.
        """
        codecs = self._codecs(games)
        used = tuple(dict.fromkeys(game for codec in codecs for game in codec.games))
        anchors = {game: self._anchors(game) for game in used}
        curves = {codec.name: self._curves(codec) for codec in codecs}
        looking = {
            codec.name: self._curves(codec, codec.effort) for codec in codecs if codec.effort
        }
        timed = speeds(codecs, self.frames, self.state, self.runner, self.say)
        return {
            "command": command,
            "hardware": hardware(),
            "definitions": {**DEFINITIONS, "bd_rate": f"percent, {RATES[0]} to {RATES[1]} bpp"},
            "frames": self.frames.facts(used, ["test"]),
            "baselines": anchors,
            "bundles": {
                codec.name: {
                    **self._facts(codec),
                    "curves": curves[codec.name],
                    "bd_rate": _distances(codec, curves, anchors),
                    "speed": timed.get(codec.name),
                    "looking": codec.effort
                    and {
                        "effort": codec.effort,
                        "curves": looking[codec.name],
                        "bd_rate": _looking(codec, curves, looking, anchors),
                    },
                }
                for codec in codecs
            },
        }

    def _codecs(self, games: Sequence[str]) -> list[Codec]:
        found = [self._codec(path, tuple(games)) for path in bundles_in(self.exported)]
        codecs = [codec for codec in found if codec is not None]
        if not codecs:
            raise MissingModelError(f"no bundle to evaluate in {self.exported}; train some first")
        return codecs

    def _codec(self, path: Path, games: tuple[str, ...]) -> Codec | None:
        bundle = read_bundle(path)
        game = bundle.manifest.get("game")
        codec = Codec(path, bundle, (game,) if game else games)
        try:
            for each in codec.games:
                self.frames.paths(each, "test")
        except MissingDataError as error:
            self.say(f"{codec.name} is left out: {error}")
            return None
        return codec

    def _anchors(self, game: str) -> dict[str, Curve]:
        found = {}
        for name, _, qualities in ANCHORS:
            try:
                frames = self.frames.paths(game, "test")
                found[name] = self.meter.baseline(name, qualities, frames)
            except LibraryMissingError as error:
                self.say(f"{name} is left out: {error}")
        return found

    def _curves(self, codec: Codec, effort: int = 1) -> dict[str, Curve]:
        return {
            game: self.meter.bundle(codec.path, self.frames.paths(game, "test"), effort)
            for game in codec.games
        }

    def _facts(self, codec: Codec) -> Json:
        history = stages(codec.bundle.manifest)
        digest = sha256_file(codec.path)
        return {
            "codec_id": codec.bundle.id.hex(),
            "sha256": digest,
            "bytes": codec.path.stat().st_size,
            "game": codec.bundle.manifest.get("game") or None,
            "size": codec.size,
            "licence": codec.bundle.manifest.get("licence"),
            "steps": sum(stage.get("steps", 0) for stage in history),
            "stages": history,
            "round": self._round_of(codec.name, digest),
        }

    def _round_of(self, name: str, digest: str) -> Json | None:
        """What the round that made this bundle wrote down, here or in the catalogue before."""
        for path in sorted(self.state.glob(f"rounds/*/{name}/outcome.json"), reverse=True):
            result: Json = read(path)["result"]
            if result.get("candidate") == digest:
                return result
        before = read(self.exported / "CATALOGUE.json") or {}
        entry = before.get("bundles", {}).get(name, {})
        kept: Json | None = entry.get("round") if entry.get("sha256") == digest else None
        return kept


def _distances(
    codec: Codec,
    curves: Mapping[str, Mapping[str, Curve]],
    anchors: Mapping[str, Mapping[str, Curve]],
) -> dict[str, Json]:
    """Game -> anchor -> BD-rate; of a game's codec also against the generic one of its size."""
    found = {}
    for game in codec.games:
        ours = curves[codec.name][game]
        found[game] = {name: distance(curve, ours) for name, curve in anchors[game].items()}
        generic = curves.get(f"{GENERIC}-{codec.size}", {}).get(game)
        if generic is not None and not codec.generic:
            found[game][GENERIC] = distance(generic, ours)
    return found


def _looking(
    codec: Codec,
    curves: Mapping[str, Mapping[str, Curve]],
    looking: Mapping[str, Mapping[str, Curve]],
    anchors: Mapping[str, Mapping[str, Curve]],
) -> dict[str, Json]:
    """The same of an encoder that looks at what it would send; PLAIN: against one that does not."""
    found = _distances(codec, {**curves, codec.name: looking[codec.name]}, anchors)
    for game, measured in found.items():
        measured[PLAIN] = distance(curves[codec.name][game], looking[codec.name][game])
    return found
