"""`encode` and `decode`: files, folders, raw frames in pipes, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export.runtime.codec import open_codec
from c3d_export.runtime.images import read_image

from .conftest import Run, make_bundle

Frame = NDArray[np.uint8]


def line_of(text: str) -> str:
    """The one line that an error is."""
    (line,) = text.splitlines()
    assert line.startswith("error: ")
    return line


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_an_image_comes_back_as_the_codec_decodes_it(
    run: Run, bundle: Path, images: Path, tmp_path: Path, suffix: str
) -> None:
    stream, image = tmp_path / "new" / "a.c3s", tmp_path / f"a.{suffix}"
    done = run("encode", images / "a.png", "-o", stream, "--codec", bundle, "--quality", 2)
    assert done.exit_code == 0
    assert done.stdout == ""
    assert "bpp" in done.stderr
    assert run("decode", stream, "-o", image, "--codec", bundle).exit_code == 0
    codec = open_codec(bundle)
    expected = codec.decode(codec.encode(read_image(images / "a.png"), 2))
    assert np.array_equal(read_image(image), expected)


def test_effort_is_the_encoders(run: Run, bundle: Path, images: Path, tmp_path: Path) -> None:
    stream = tmp_path / "a.c3s"
    done = run("encode", images / "a.png", "-o", stream, "--codec", bundle, "--effort", 2)
    assert done.exit_code == 0
    assert stream.read_bytes() == open_codec(bundle).encode(read_image(images / "a.png"), effort=2)


def test_raw_frames_pass_through_pipes(run: Run, bundle: Path, frame: Frame) -> None:
    raw = frame.tobytes() * 2
    coded = run("encode", "-", "--size", "64x48", "-o", "-", "--codec", bundle, stdin=raw)
    assert coded.exit_code == 0
    decoded = run("decode", "-", "-o", "-", "--codec", bundle, stdin=coded.stdout_bytes)
    assert decoded.exit_code == 0
    codec = open_codec(bundle)
    assert decoded.stdout_bytes == codec.decode(codec.encode(frame)).tobytes() * 2


def test_raw_frames_become_numbered_files(
    run: Run, bundle: Path, frame: Frame, tmp_path: Path
) -> None:
    args = "encode", "-", "--size", "64x48", "--codec", bundle
    assert run(*args, "-o", tmp_path / "s", stdin=frame.tobytes() * 2).exit_code == 0
    names = [path.name for path in sorted((tmp_path / "s").iterdir())]
    assert names == ["frame_000000.c3s", "frame_000001.c3s"]
    several = run(*args, "-o", tmp_path / "one.c3s", stdin=frame.tobytes() * 2)
    assert (several.exit_code, "name a folder" in line_of(several.stderr)) == (2, True)
    assert not (tmp_path / "one.c3s").exists()


def test_one_bad_image_among_several_is_skipped(
    run: Run, bundle: Path, images: Path, tmp_path: Path
) -> None:
    (images / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    done = run("encode", images, "-o", tmp_path / "s", "--codec", bundle, "--json")
    assert done.exit_code == 3
    assert "1 of 3 images were skipped" in done.stderr.splitlines()[-1]
    report = json.loads(done.stdout)
    assert (len(report["done"]), len(report["skipped"])) == (2, 1)
    assert {path.name for path in (tmp_path / "s").iterdir()} == {"a.c3s", "b.c3s"}


def test_one_bad_stream_among_several_is_skipped(
    run: Run, bundle: Path, images: Path, tmp_path: Path
) -> None:
    streams = tmp_path / "s"
    assert run("encode", images, "-o", streams, "--codec", bundle).exit_code == 0
    (streams / "a.c3s").write_bytes(b"nothing of the kind")
    done = run("decode", streams, "-o", tmp_path / "d", "--codec", bundle)
    assert done.exit_code == 3
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["b.png"]


def test_a_stream_finds_its_bundle_in_the_workspace(
    run: Run, workspace: Path, bundle_data: bytes, images: Path, tmp_path: Path
) -> None:
    (workspace / "bundles").mkdir(parents=True)
    (workspace / "bundles" / "tiny.c3b").write_bytes(bundle_data)
    (workspace / "bundles" / "also.c3b").write_bytes(b"no bundle")
    stream = tmp_path / "a.c3s"
    assert run("encode", images / "a.png", "-o", stream, "--codec", "tiny").exit_code == 0
    assert run("decode", stream, "-o", tmp_path / "a.png").exit_code == 0
    (workspace / "bundles" / "tiny.c3b").unlink()
    lost = run("decode", stream, "-o", tmp_path / "b.png")
    assert lost.exit_code == 5
    assert "--codec BUNDLE" in line_of(lost.stderr)


def test_a_stream_of_another_bundle_is_refused(
    run: Run, bundle: Path, frame: Frame, images: Path, tmp_path: Path
) -> None:
    other, stream = tmp_path / "other.c3b", tmp_path / "a.c3s"
    other.write_bytes(make_bundle(frame, "other"))
    assert run("encode", images / "a.png", "-o", stream, "--codec", bundle).exit_code == 0
    done = run("decode", stream, "-o", tmp_path / "a.png", "--codec", other)
    assert done.exit_code == 5
    assert "made by bundle" in line_of(done.stderr)


def test_two_inputs_of_one_name_are_refused(
    run: Run, bundle: Path, images: Path, tmp_path: Path
) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a.png").write_bytes((images / "a.png").read_bytes())
    done = run("encode", images, tmp_path / "more", "-o", tmp_path / "s", "--codec", bundle)
    assert done.exit_code == 2
    assert "would both become" in line_of(done.stderr)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("encode", "missing.png", "-o", "x.c3s"), "missing.png"),
        (("encode", "-", "-o", "x.c3s"), "--size"),
        (("encode", "-", "a.png", "-o", "x.c3s"), "stands alone"),
        (("encode", "-", "--size", "64", "-o", "x.c3s"), "write it like 1280x720"),
        (("encode", "-", "--size", "6x4", "-o", "-", "--json"), "stdout cannot carry"),
        (("decode", "missing.c3s", "-o", "x.png"), "missing.c3s"),
    ],
)
def test_wrong_usage_is_told_in_one_line(
    run: Run, bundle: Path, args: tuple[str, ...], said: str
) -> None:
    done = run(*args, "--codec", bundle)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in line_of(done.stderr)


def test_without_any_bundle_the_command_that_makes_one_is_named(
    run: Run, images: Path, tmp_path: Path
) -> None:
    done = run("encode", images / "a.png", "-o", tmp_path / "a.c3s")
    assert done.exit_code == 2
    assert "`c3d-export bundle --model small`" in line_of(done.stderr)
