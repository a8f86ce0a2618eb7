"""The pictures of a report: which frames, through which codecs, and whether they are the ones that
were evaluated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import MissingInputError, OptionError
from .measuring import find_baselines, find_frames, lower_methods
from .output import note, progress

if TYPE_CHECKING:
    from ..evaluate.baselines import Baseline
    from ..evaluate.equal_bytes import Method
    from ..evaluate.picture import Crop
    from ..evaluate.plan import FurtherOf
    from ..report.pictures import Shot
    from ..report.results import Results
    from ..report.viewer import Viewer
    from ..runtime.codec import Codec


def make_viewer(
    results: Results,
    bundle: Path,
    data: Path,
    *,
    baselines: str | None,
    quality: int | None,
    chosen: Sequence[str],
    count: int,
    crop: Crop | None,
    options: tuple[str, int, int],
    lower: FurtherOf | None = None,
) -> Viewer:
    """Codes the frames of the viewer. options: device, threads, effort. lower: of
    `lower_resolutions`.

    Raises OptionError where the bundle is not the one that was evaluated or a frame is not in the
    results, MissingInputError where none of the frames is there.
    """
    from ..evaluate.equal_bytes import Method, middle
    from ..report.page import room_for_pictures
    from ..report.viewer import Viewer
    from ..runtime.codec import open_codec

    device, threads, effort = options
    codec = open_codec(bundle, device, threads=threads, effort=effort)
    require_same_codec(results, codec, bundle)
    found_others = _others(results, baselines)
    others = [Method(item.name, item) for item in found_others]
    others += lower_methods(codec, found_others, lower)
    found, absent = _locate(results, data)
    wanted = _wanted(results, chosen, count, found)
    shots = _take(
        wanted,
        found,
        Method(results.ours, codec),
        others,
        middle(codec.qualities) if quality is None else quality,
        crop,
        room_for_pictures(results),
    )
    notes = [*_absences(results, absent, data), *_differences(results, shots)]
    for text in notes:
        note(f"note: {text}")
    return Viewer(tuple(shots), tuple(notes))


def require_same_codec(results: Results, codec: Codec, path: Path) -> None:
    """Raises OptionError where the results say that they are of another bundle."""
    from ..core.digest import sha256_file

    known = {"id": codec.id.hex()}
    recorded = {key: str(value) for key, value in results.codec.items()}
    if "sha256" in recorded:
        known["sha256"] = sha256_file(path)
    for key, value in known.items():
        if key in recorded and recorded[key] != value:
            raise OptionError(
                f"{path} is not the codec of these results ({key} {value[:16]}, theirs"
                f" {recorded[key][:16]}); name that one, or run `c3d-export eval` again"
            )


def _others(results: Results, names: str | None) -> list[Baseline]:
    """The baselines that are named, or those of the results that are ones."""
    from ..evaluate.baselines import BASELINES

    if names is None:
        names = ",".join(name for name in results.others() if name in BASELINES)
    return find_baselines(names)


def _locate(results: Results, data: Path) -> tuple[dict[str, Path], list[str]]:
    """The files of the images of the results, and the images that have none.

    By folder and name, or by name alone where only one on either side has it.
    """
    paths = find_frames(data)
    full = {image_name(path): path for path in paths}
    names = Counter(path.name for path in paths)
    short = {path.name: path for path in paths if names[path.name] == 1}
    wanted = Counter(image.rpartition("/")[2] for image in results.images)
    found: dict[str, Path] = {}
    for image in results.images:
        name = image.rpartition("/")[2]
        path = full.get(image) or (short.get(name) if wanted[name] == 1 else None)
        if path:
            found[image] = path
    if not found:
        first = results.images[0] if results.images else "any image"
        raise MissingInputError(f"{data} has none of the images of the results, such as {first}")
    return found, [image for image in results.images if image not in found]


def image_name(path: Path) -> str:
    """What the results call a file: its folder's name and its own."""
    return f"{path.parent.name}/{path.name}".encode("utf-8", "backslashreplace").decode()


def _wanted(
    results: Results, chosen: Sequence[str], count: int, found: dict[str, Path]
) -> list[tuple[str, str]]:
    """(image, why) of what the viewer shows."""
    from ..report.extremes import telling_images

    if not chosen:
        every = telling_images(results, len(results.images))
        there = [pair for pair in telling_images(results, count) if pair[0] in found]
        more = [pair for pair in every if pair[0] in found and pair not in there]
        return [*there, *more][:count]
    wanted = []
    for name in chosen:
        named = [image for image in found if name in (image, image.rpartition("/")[2])]
        if len(named) != 1:
            problem = "several frames are" if named else "no frame of the results and --data is"
            raise OptionError(f"{problem} called {name}; name one such as {next(iter(found))}")
        wanted.append((named[0], ""))
    return wanted


def _take(
    wanted: list[tuple[str, str]],
    found: dict[str, Path],
    ours: Method,
    others: list[Method],
    quality: int,
    crop: Crop | None,
    room: int,
) -> list[Shot]:
    from ..report.pictures import take_shot
    from ..runtime.images import read_image

    shots = []
    with progress("coding", len(wanted)) as advance:
        for index, (image, why) in enumerate(wanted):
            frame = read_image(found[image])
            budget = room // len(wanted)
            shots.append(
                take_shot(
                    image, why, frame, ours, others, quality=quality, crop=crop, budget=budget
                )
            )
            advance(index + 1, image)
    return shots


def _absences(results: Results, absent: list[str], data: Path) -> list[str]:
    if not absent:
        return []
    total = len(results.images)
    return [
        f"{len(absent)} of {total} images of the results, such as {absent[0]}, are not in"
        f" {data.name}, and the viewer could not choose them"
    ]


def _differences(results: Results, shots: list[Shot]) -> list[str]:
    """Files of ours of another size than those that were evaluated: another frame or setting."""
    measured = {
        (row.image, row.quality): row.values.get("file_bytes")
        for row in results.rows
        if row.model == results.ours and row.error is None
    }
    notes = []
    for shot in shots:
        size = measured.get((shot.image, shot.quality))
        if size is not None and size != shot.file_bytes:
            notes.append(
                f"{shot.image} takes {shot.file_bytes:,} bytes here and took {size:,.0f} in the"
                " evaluation: the frame or the effort is another one"
            )
    return notes
