"""Milliseconds a frame at 720p, by `c3d-export bench`, at the rate point nearest to RATE."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from c3d_export.core.digest import sha256_file
from c3d_export.runtime.images import read_image
from catalogue.commands import Runner
from catalogue.frames import Frames
from catalogue.host import hardware
from catalogue.ledger import Json, Ledger, make_folder

if TYPE_CHECKING:
    from catalogue.evaluate import Codec

RATE: Final = 0.35
SIZE: Final = "720p"
REPEAT: Final = 100


def speeds(
    codecs: Sequence[Codec],
    frames: Frames,
    state: Path,
    runner: Runner,
    say: Callable[[str], None],
) -> dict[str, Json]:
    """Bundle -> {"bpp", "encode_ms", ...}, each on the first test frame of its (first) game.

    Measured once a bundle and machine. Other work on the machine falsifies it: remove the folder
    `speed` of the state to measure again.
    """
    folder = state / "speed"
    make_folder(folder)
    ledger, found = Ledger(folder), {}
    for codec in codecs:
        frame = frames.paths(codec.games[0], "test")[0]
        inputs = {
            "bundle": sha256_file(codec.path),
            "frame": f"{frame.parent.name}/{frame.name}",
            "hardware": hardware(),
            "effort": codec.effort,
        }

        def measure(_: str, codec: Codec = codec, frame: Path = frame) -> Json:
            say(f"{codec.name}: milliseconds a frame")
            return _measure(codec, frame, runner, folder)

        found[codec.name] = {**ledger.once(codec.name, inputs, measure), "frame": inputs["frame"]}
    return found


def _measure(codec: Codec, frame: Path, runner: Runner, folder: Path) -> Json:
    bundle = codec.path
    quality = str(_quality(bundle, frame))
    options = ["--size", SIZE, "--quality", quality, "--repeat", str(REPEAT)]
    arguments = ["bench", "--codec", str(bundle), "--frame", str(frame), *options]
    row: dict[str, Any] = runner.run(arguments, folder, folder / "log.txt")["rows"][0]
    looking = {}
    if codec.effort:
        arguments += ["--effort", str(codec.effort)]
        slow = runner.run(arguments, folder, folder / "log.txt")["rows"][0]
        looking = {"looking_encode_ms": round(slow["encode"]["median_ms"], 2)}
    return {
        "bpp": round(row["bpp"], 4),
        "encode_ms": round(row["encode"]["median_ms"], 2),
        "decode_ms": round(row["decode"]["median_ms"], 2),
        **looking,
    }


def _quality(bundle: Path, frame: Path) -> int:
    from c3d_export import open_codec
    from c3d_export.evaluate.metrics import bpp

    codec, image = open_codec(bundle), read_image(frame)
    height, width = image.shape[:2]

    def miss(quality: int) -> float:
        return abs(bpp(len(codec.encode(image, quality)), width, height) - RATE)

    return min(codec.qualities, key=miss)
