"""The command line of scripts/train-catalogue; needs nothing but Python, so that --help works."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

_DESCRIPTION = """\
Trains, prunes, tunes, quantises, exports, validates, bundles and evaluates the codecs of
exported/, all from frames. Goes on from the bundles that are there, and replaces one only where
the new one is better on validation frames. A command that was cut goes on where it was."""

_EPILOG = """\
exit codes: 0 done (also where nothing got better), 1 a network could not be made, 2 wrong usage,
3 a codec was not exact and was not taken, 4 this machine lacks something

examples:
  scripts/train-catalogue --frames FRAMES --minutes 600
  scripts/train-catalogue --frames FRAMES --device cuda --steps 40000
  scripts/train-catalogue --frames FRAMES --evaluate
  scripts/train-catalogue --frames FRAMES -- --average 0.999 --decay linear"""


@dataclass(frozen=True)
class Training:
    """What a round is: as long as it is unfinished, it can only be continued with the same.

    minutes: of training, all in all; else `steps` for each network. further: options that `train`
    and `finetune` get as they stand.
    """

    games: tuple[str, ...]
    sizes: tuple[str, ...]
    only: tuple[str, ...]
    minutes: float | None
    steps: int
    derive: str
    teacher: bool
    fresh: bool
    learning_rate: float
    quantize_from: float
    batch: int
    crop: int
    seed: int
    device: str
    further: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {key: _plain(value) for key, value in asdict(self).items()}

    def schedule(self, minutes: float | None) -> list[str]:
        """The options of `train` and `finetune`; minutes: the share of one network."""
        length = ["--steps", str(self.steps)] if minutes is None else ["--minutes", f"{minutes:g}"]
        return [*length, *self.settings()]

    def settings(self) -> list[str]:
        """Those that a resumed run takes too."""
        named = {
            "learning-rate": self.learning_rate,
            "quantize-from": self.quantize_from,
            "batch": self.batch,
            "crop": self.crop,
            "seed": self.seed,
            "device": self.device,
        }
        ours = [part for name, value in named.items() for part in (f"--{name}", f"{value}")]
        return [*ours, *self.further]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


@dataclass(frozen=True)
class Options:
    """frames: folder of train/, validation/ and test/. exported: of the bundles. state: of what
    was done. command: the line as it goes into reports, with no path in it."""

    training: Training
    frames: Path
    exported: Path
    state: Path
    jobs: int | None
    show_plan: bool
    new_round: bool
    train: bool
    evaluate: bool
    command: str


def parse(arguments: Sequence[str]) -> Options:
    """Ends the process with exit code 2 for wrong usage."""
    words = list(arguments)
    end = words.index("--") if "--" in words else len(words)
    given = _parser().parse_args(words[:end])
    names = ("minutes", "steps", "derive", "fresh", "learning_rate", "quantize_from", "batch",
             "crop", "seed", "device")  # fmt: skip
    training = Training(
        games=_words(given.games),
        sizes=_words(given.sizes),
        only=_words(given.only),
        teacher=not given.no_teacher,
        further=tuple(words[end + 1 :]),
        **{name: getattr(given, name) for name in names},
    )
    return Options(
        training,
        given.frames,
        given.exported,
        given.state,
        given.jobs,
        given.plan,
        given.new_round,
        train=not given.evaluate,
        evaluate=not given.no_evaluate,
        command=_command(arguments),
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _command(arguments: Sequence[str]) -> str:
    """The line without paths: they are of no use on another machine."""
    words = ["scripts/train-catalogue"]
    for word in arguments:
        hidden = words[-1] in ("--frames", "--exported", "--state")
        name, equals, value = word.partition("=")
        words.append("DIR" if hidden else f"{name}=DIR" if equals and "/" in value else word)
    return " ".join(words)


def workspace() -> Path:
    return Path(os.environ.get("C3D_WORKSPACE") or "c3d-work")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/train-catalogue",
        usage="%(prog)s [OPTIONS] [-- OPTIONS OF c3d-export train AND finetune]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_what(parser.add_argument_group("what"))
    _add_training(parser.add_argument_group("training"))
    _add_rounds(parser.add_argument_group("rounds"))
    _add_places(parser.add_argument_group("places"))
    return parser


def _add_what(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--games", default="supertuxkart,openarena,0ad", metavar="A,B,C")
    group.add_argument("--sizes", default="median,small,xsmall", metavar="A,B,C")
    group.add_argument("--only", default="", metavar="NAME,...", help="such as generic-small")
    group.add_argument("--plan", action="store_true", help="show what would be done, and stop")
    group.add_argument("--evaluate", action="store_true", help="no training, only the catalogue")
    group.add_argument("--no-evaluate", action="store_true", help="no catalogue, only training")


def _add_training(group: argparse._ArgumentGroup) -> None:
    length = group.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=_positive, metavar="M", help="of training, all in all")
    length.add_argument("--steps", type=_count, default=7000, metavar="N",
                        help="of each network [7000]")  # fmt: skip
    group.add_argument("--jobs", type=_count, metavar="N",
                       help="trainings at a time [one a core; with cuda one]")  # fmt: skip
    group.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    group.add_argument("--derive", choices=("tune", "prune"), default="tune",
                       help="a game's smaller networks from the generic ones, or from its larger"
                       " ones [tune]")  # fmt: skip
    group.add_argument("--no-teacher", action="store_true", help="no larger network teaches")
    group.add_argument("--learning-rate", type=_positive, default=0.02, metavar="X")
    group.add_argument("--quantize-from", type=float, default=0.65, metavar="SHARE")
    group.add_argument("--batch", type=_count, default=16, metavar="N")
    group.add_argument("--crop", type=_count, default=256, metavar="N")
    group.add_argument("--seed", type=int, default=0, metavar="N")


def _add_rounds(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--fresh", action="store_true",
                       help="start from nothing, not from the bundles that are there")  # fmt: skip
    group.add_argument("--new-round", action="store_true", help="drop a round that is unfinished")


def _add_places(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--frames", type=Path, default=workspace() / "data", metavar="DIR",
                       help="has train/, validation/ and test/ [C3D_WORKSPACE/data]")  # fmt: skip
    group.add_argument("--exported", type=Path, default=ROOT / "exported", metavar="DIR")
    group.add_argument("--state", type=Path, default=workspace() / "catalogue", metavar="DIR",
                       help="what was done so far [C3D_WORKSPACE/catalogue]")  # fmt: skip


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return value
