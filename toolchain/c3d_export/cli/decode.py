"""`decode`: streams to images."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.errors import MissingInputError, OptionError, StreamError
from ..core.limits import MAX_STREAM_BYTES
from .encode import SUFFIX
from .files import (
    STANDARD,
    Tally,
    chunks,
    collect,
    is_single,
    listed,
    make_folder,
    targets,
    wants_folder,
)
from .lookup import bundle_of_stream, bundle_path
from .opening import open_allowed
from .output import note, print_json, progress
from .settings import device_option, find_workspace, flavour_option, shared, threads_option

if TYPE_CHECKING:
    from ..runtime.codec import Codec
    from ..runtime.images import Frame

# Streams on stdin are read as a whole; so many of the largest are more than a pipe should carry.
_MAX_STANDARD_BYTES = 4 * MAX_STREAM_BYTES


@click.command()
@click.argument("inputs", metavar="IN...", nargs=-1, required=True)
@click.option("-o", "--out", required=True, metavar="OUT", help="File, folder, or - for raw RGB.")
@click.option("--codec", metavar="BUNDLE", help="The bundle; found by the stream's id otherwise.")
@click.option("--format", "kind", type=click.Choice(["png", "webp"]), help="Of the images.")
@device_option
@flavour_option
@threads_option
@shared()
def decode(
    inputs: tuple[str, ...],
    out: str,
    codec: str | None,
    kind: str | None,
    device: str,
    flavours: tuple[str, ...],
    threads: int,
    as_json: bool,
) -> None:
    """Decode streams (files, folders, or one after the other on stdin as `-`) without loss.

    Writes PNG or WebP, as the suffix of OUT or --format says; with `-o -` raw RGB on stdout.
    Streams that cannot be decoded are skipped where there are several; the exit code is 3 then.

    \b
    Example: c3d-export decode streams/ -o decoded/ --format webp
    """
    _check(inputs, out, as_json)
    job = _Job(_Codecs(codec, device, flavours, threads), out)
    if inputs == (STANDARD,):
        job.streams(_read_standard(), kind)
    else:
        files = collect(inputs, lambda folder: listed(folder.glob(f"*{SUFFIX}")))
        if is_single(inputs, Path(out)) or (out == STANDARD and len(files) == 1):
            job.one(_read(files[0]), str(files[0]), _single_target(out, kind))
        else:
            job.many(files, kind)
    if as_json:
        print_json({"done": job.tally.done, "skipped": job.tally.skipped})
    note(f"{len(job.tally.done)} decoded")
    job.tally.require_all("streams")


def _check(inputs: tuple[str, ...], out: str, as_json: bool) -> None:
    if STANDARD in inputs and len(inputs) > 1:
        raise OptionError("`-` stands alone: decode files and stdin one after the other")
    if out == STANDARD and as_json:
        raise OptionError("stdout cannot carry frames and JSON; choose another -o")


def _single_target(out: str, kind: str | None) -> str:
    """A file name says its format itself; --format must not contradict it."""
    suffix = Path(out).suffix.lower()
    if out == STANDARD or (kind is None and suffix):
        return out
    if not suffix:
        return f"{out}.{kind or 'png'}"
    if suffix != f".{kind}":
        raise OptionError(f"{out} is no name of a {kind}; leave --format out or change the suffix")
    return out


def _read(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(MAX_STREAM_BYTES + 1)
    except OSError as error:
        message = f"cannot open {path}: {error.strerror}; check the path"
        raise MissingInputError(message) from error


def _read_standard() -> bytes:
    data = sys.stdin.buffer.read(_MAX_STANDARD_BYTES + 1)
    if not data:
        raise MissingInputError("there is no stream on stdin; check what writes it")
    if len(data) > _MAX_STANDARD_BYTES:
        raise OptionError(f"stdin has more than {_MAX_STANDARD_BYTES} bytes; decode files instead")
    return data


class _Codecs:
    """The codec of each stream: the one that was named, or found by the stream's id, once."""

    def __init__(
        self, name: str | None, device: str, flavours: tuple[str, ...], threads: int
    ) -> None:
        self._name, self._device, self._flavours = name, device, flavours
        self._threads = threads
        self._opened: dict[bytes, Codec] = {}

    def decode(self, stream: bytes) -> Frame:
        from ..runtime.stream import peek_header

        # A named bundle refuses foreign streams itself.
        key = b"" if self._name else peek_header(stream).codec_id
        if key not in self._opened:
            self._opened[key] = self._open(key)
        return self._opened[key].decode(stream)

    def _open(self, key: bytes) -> Codec:
        workspace = find_workspace()
        named = bundle_path(workspace, self._name) if self._name else None
        path = named or bundle_of_stream(workspace, key)
        return open_allowed(path, self._device, self._flavours, self._threads)


class _Job:
    """Decodes streams and remembers what became of them."""

    def __init__(self, codecs: _Codecs, out: str) -> None:
        self.codecs, self.out, self.tally = codecs, out, Tally()

    def one(self, stream: bytes, source: str, target: str) -> None:
        frame = self.codecs.decode(stream)
        if target != STANDARD:
            make_folder(Path(target).parent)
        self._write(source, frame, target)

    def many(self, sources: list[Path], kind: str | None) -> None:
        """Stream files into a folder, or raw to stdout."""
        pairs = [(source, STANDARD) for source in sources]
        if self.out != STANDARD:
            folder = Path(self.out)
            named = targets(sources, folder, f".{kind or 'png'}")
            pairs = [(source, str(path)) for source, path in named]
            make_folder(folder)
        with progress("decoding", len(pairs)) as advance:
            for index, (source, target) in enumerate(pairs):
                self._try(_read(source), str(source), target)
                advance(index + 1, source.name)

    def streams(self, data: bytes, kind: str | None) -> None:
        """Concatenated streams; one goes to a file, several into a folder or to stdout."""
        from ..runtime.stream import peek_header

        parts = list(chunks(data, lambda rest: peek_header(rest).total_bytes))
        if len(parts) == 1 and not wants_folder(self.out):
            self.one(parts[0], "stream 0", _single_target(self.out, kind))
            return
        if self.out != STANDARD:
            if Path(self.out).suffix:
                text = f"stdin has {len(parts)} streams and {self.out} holds one; name a folder"
                raise OptionError(text)
            make_folder(Path(self.out))
        for index, part in enumerate(parts):
            file = Path(self.out) / f"frame_{index:06}.{kind or 'png'}"
            self._try(part, f"stream {index}", self.out if self.out == STANDARD else str(file))

    def _try(self, stream: bytes, source: str, target: str) -> None:
        try:
            self._write(source, self.codecs.decode(stream), target)
        except StreamError as error:
            self.tally.skip(source, error)

    def _write(self, source: str, frame: Frame, target: str) -> None:
        from ..runtime.images import write_image, write_raw

        if target == STANDARD:
            write_raw(sys.stdout.buffer, frame)
            sys.stdout.buffer.flush()
        else:
            write_image(target, frame)
        height, width = frame.shape[:2]
        entry: dict[str, object] = {
            "input": source,
            "output": target,
            "width": width,
            "height": height,
        }
        self.tally.done.append(entry)
