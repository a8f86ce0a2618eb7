"""`encode`: images to streams."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.atomic import write_bytes_atomic
from ..core.errors import FrameShapeError, ImageError, MissingInputError, OptionError
from .files import (
    STANDARD,
    Tally,
    collect,
    is_single,
    make_folder,
    targets,
    wants_folder,
    write_standard,
)
from .lookup import bundle_path
from .opening import open_allowed
from .output import note, print_json, progress
from .settings import (
    device_option,
    effort_option,
    find_workspace,
    flavour_option,
    shared,
    threads_option,
)

if TYPE_CHECKING:
    from ..runtime.codec import Codec
    from ..runtime.images import Frame

SUFFIX = ".c3s"


@click.command()
@click.argument("inputs", metavar="IN...", nargs=-1, required=True)
@click.option("-o", "--out", required=True, metavar="OUT", help="File, folder, or - for stdout.")
@click.option("--codec", metavar="BUNDLE", help="File or name; the one that is shipped otherwise.")
@click.option("--quality", type=int, metavar="Q", help="Rate point, 1 the smallest files.")
@click.option("--size", metavar="WxH", help="Size of the raw RGB frames on stdin.")
@device_option
@flavour_option
@threads_option
@effort_option
@shared()
def encode(
    inputs: tuple[str, ...],
    out: str,
    codec: str | None,
    quality: int | None,
    size: str | None,
    device: str,
    flavours: tuple[str, ...],
    threads: int,
    effort: int,
    as_json: bool,
) -> None:
    """Encode images (PNG, WebP, JPEG; files or folders), or raw RGB frames on stdin as `-`.

    One file goes to one file, several into a folder. Frames on stdin go to OUT/frame_000000.c3s
    and on, one frame to OUT.c3s, and with `-o -` one stream follows the other on stdout.
    Images that cannot be read are skipped; the exit code is 3 then.

    \b
    Example: c3d-export encode frames/ -o streams/ --codec supertuxkart-small.c3b --quality 4
    """
    _check(inputs, out, size, as_json)
    raw = inputs == (STANDARD,)
    files = [] if raw else _images(inputs)
    opened = open_allowed(bundle_path(find_workspace(), codec), device, flavours, threads, effort)
    job = _Job(opened, quality, out)
    if raw:
        job.frames(_raw_frames(size or ""))
    elif is_single(inputs, Path(out)) or (out == STANDARD and len(files) == 1):
        job.one(files[0])
    else:
        job.many(files)
    job.tell(as_json)
    job.tally.require_all("images")


def _check(inputs: tuple[str, ...], out: str, size: str | None, as_json: bool) -> None:
    if STANDARD in inputs:
        if len(inputs) > 1:
            raise OptionError("`-` stands alone: encode files and stdin one after the other")
        if size is None:
            raise OptionError("raw frames on stdin need their size; give --size WxH")
    elif size is not None:
        raise OptionError("--size is for raw frames on stdin (`-`) only; images know their own")
    if out == STANDARD and as_json:
        raise OptionError("stdout cannot carry streams and JSON; choose another -o")


def _images(inputs: tuple[str, ...]) -> list[Path]:
    from ..runtime.images import list_images

    return collect(inputs, list_images)


def _raw_frames(size: str) -> Iterator[Frame]:
    from ..core.sizes import parse_size
    from ..runtime.images import read_raw

    return read_raw(sys.stdin.buffer, *parse_size(size))


class _Job:
    """Encodes with one codec at one quality, and remembers what it did."""

    def __init__(self, codec: Codec, quality: int | None, out: str) -> None:
        self.codec, self.quality, self.out = codec, quality, out
        self.tally, self.pixels, self.total = Tally(), 0, 0

    def one(self, source: Path) -> None:
        """One image to one file or to stdout; what is wrong with it is the command's error."""
        from ..runtime.images import read_image

        if not wants_folder(self.out) and self.out != STANDARD:
            make_folder(Path(self.out).parent)
        self._write(str(source), read_image(source), self.out)

    def many(self, sources: list[Path]) -> None:
        """Images into a folder (or one after the other to stdout); unreadable ones are skipped."""
        from ..runtime.images import read_image

        pairs = [(source, STANDARD) for source in sources]
        if self.out != STANDARD:
            folder = Path(self.out)
            pairs = [(source, str(path)) for source, path in targets(sources, folder, SUFFIX)]
            make_folder(folder)
        with progress("encoding", len(pairs)) as advance:
            for index, (source, target) in enumerate(pairs):
                try:
                    self._write(str(source), read_image(source), target)
                except (ImageError, FrameShapeError, MissingInputError) as error:
                    self.tally.skip(str(source), error)
                advance(index + 1, source.name)

    def frames(self, frames: Iterator[Frame]) -> None:
        """Raw frames; a single file takes one only, which is looked at before it is written."""
        if self.out == STANDARD:
            for index, frame in enumerate(frames):
                self._write(f"frame {index}", frame, STANDARD)
        elif Path(self.out).suffix == SUFFIX and not wants_folder(self.out):
            self._only_frame(frames)
        else:
            make_folder(Path(self.out))
            for index, frame in enumerate(frames):
                target = Path(self.out) / f"frame_{index:06}{SUFFIX}"
                self._write(f"frame {index}", frame, str(target))
        if not self.tally.done:
            raise MissingInputError("there is no frame on stdin; check what writes it")

    def _only_frame(self, frames: Iterator[Frame]) -> None:
        first = next(frames, None)
        if next(frames, None) is not None:
            raise OptionError(f"stdin has several frames and {self.out} holds one; name a folder")
        if first is not None:
            make_folder(Path(self.out).parent)
            self._write("frame 0", first, self.out)

    def _write(self, source: str, frame: Frame, target: str) -> None:
        stream = self.codec.encode(frame, self.quality)
        if target == STANDARD:
            write_standard(stream)
        else:
            write_bytes_atomic(target, stream)
        height, width = frame.shape[:2]
        self.pixels += width * height
        self.total += len(stream)
        entry = {"input": source, "output": target, "width": width, "height": height}
        bpp = 8 * len(stream) / (width * height)
        self.tally.done.append({**entry, "bytes": len(stream), "bpp": bpp})

    def tell(self, as_json: bool) -> None:
        name, identity = self.codec.bundle.name, self.codec.id.hex()
        if as_json:
            codec = {"name": name, "id": identity}
            print_json({"codec": codec, "done": self.tally.done, "skipped": self.tally.skipped})
        if self.pixels:
            bpp = 8 * self.total / self.pixels
            count = len(self.tally.done)
            note(f"{count} encoded with {name}: {self.total} bytes, {bpp:.3f} bpp")
