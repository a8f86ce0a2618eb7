"""Reads the files of a source: facts of each frame, and why a file cannot be taken."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from c3d_export.core.atomic import make_folders
from c3d_export.core.digest import sha256_bytes, sha256_file
from c3d_export.core.errors import ImageError, MissingInputError
from c3d_export.data.facts import Facts, pixel_digest
from c3d_export.data.frames import Skipped
from c3d_export.data.holdings import is_plain
from c3d_export.data.parallel import in_order
from c3d_export.data.reading import Stamp, decode, is_bmp, read_steady
from c3d_export.data.sources import Candidate
from c3d_export.data.video import Video
from c3d_export.runtime.images import Frame, write_image


@dataclass(frozen=True)
class Found:
    """A frame that may be taken.

    `source`: where it is from, as it is told; `path`: the file that is to be placed, as it was at
    `stamp` where that may change; `name`, `split` and `folder` as of the candidate. `read`: facts
    of the source file, under whose digest they are kept; `facts`: those of the file to be placed.
    """

    source: str
    path: Path
    stamp: Stamp | None
    name: str
    split: str
    folder: str
    read: Facts
    facts: Facts


@dataclass(frozen=True)
class Scan:
    """Reads candidates.

    known: facts that need not be found out again, by the digest of the file or of the pixels.
    present: pixels that need no file any more. staged: folder for frames that lie in no image
    file. lossy: also takes JPEG and lossy WebP. every: so many-th frame of a video.
    """

    known: Mapping[str, Facts]
    present: Container[str]
    staged: Path
    lossy: bool
    every: int

    def read(self, candidates: Iterable[Candidate]) -> Iterator[Found | Skipped]:
        """In order, with all cores. Raises DiskError, LibraryMissingError (videos)."""
        return in_order(lambda job: job(), self._jobs(candidates))

    def _jobs(self, candidates: Iterable[Candidate]) -> Iterator[Callable[[], Found | Skipped]]:
        for candidate in candidates:
            if candidate.is_video:
                yield from self._video(candidate)
            else:
                yield partial(self._image, candidate)

    def _image(self, candidate: Candidate) -> Found | Skipped:
        path = candidate.path
        try:
            _check_name(candidate.name)
            data, stamp = read_steady(path)
            facts = self.known.get(sha256_bytes(data)) or Facts.of_file(data)
            if facts.lossy and not self.lossy:
                raise ImageError(
                    f"it was coded with loss ({facts.lossy}), and what a codec is measured by must"
                    " not be; give PNG or lossless WebP, or allow it with --lossy"
                )
            if is_bmp(data):  # what the workspace holds is read everywhere, and BMP is not
                name = str(Path(candidate.name).with_suffix(".png"))
                frame = partial(decode, data)
                return self._stage(replace(candidate, name=name), str(path), facts, frame)
        except (ImageError, MissingInputError) as error:
            return path, str(error)
        place = (candidate.name, candidate.split, candidate.folder)
        return Found(printable(path), path, stamp, *place, facts, facts)

    def _video(self, candidate: Candidate) -> Iterator[Callable[[], Found | Skipped]]:
        path = candidate.path
        video = Video(path, self.every)
        try:
            _check_name(candidate.name)
            before = Stamp.of(path.stat())
            for number, frame in video.frames():
                yield partial(self._frame, candidate, video.lossy, number, frame)
            if Stamp.of(path.stat()) != before:
                raise ImageError("it changed while it was read; import it again")
            if video.fault:
                raise ImageError(f"{video.fault}; the frames before that are taken")
        except (ImageError, OSError) as error:
            fault = (path, str(error))
            yield lambda: fault

    def _frame(self, candidate: Candidate, lossy: str, number: int, frame: Frame) -> Found:
        facts = self.known.get(pixel_digest(frame)) or Facts.of_frame(frame, lossy)
        facts = replace(facts, lossy=lossy)
        named = replace(candidate, name=f"{candidate.name}_{number:06d}.png")
        return self._stage(named, f"{candidate.path}#{number}", facts, lambda: frame)

    def _stage(
        self, candidate: Candidate, source: str, read: Facts, frame: Callable[[], Frame]
    ) -> Found:
        """Writes a frame as PNG, unless a killed run has, or nobody will ask for it."""
        place = (candidate.name, candidate.split, candidate.folder)
        path = self.staged / f"{read.pixels}.png"
        if read.pixels in self.present:
            return Found(printable(source), path, None, *place, read, read)
        if not path.exists():
            make_folders(self.staged)
            write_image(path, frame())
        facts = replace(read, digest=sha256_file(path), size=path.stat().st_size)
        return Found(printable(source), path, None, *place, read, facts)


def printable(path: str | Path) -> str:
    """A path as text that is UTF-8; bytes that are none appear as escapes."""
    return str(path).encode("utf-8", "backslashreplace").decode("utf-8")


def _check_name(name: str) -> None:
    if not is_plain(name):
        raise ImageError("its name is no UTF-8; rename it")
    if any(character < " " or character == "\x7f" for character in name):
        raise ImageError("its name holds control characters; rename it")
