"""Golden streams of the families with float transforms give the same latents on every host, and the
same pixels where synthesis is integer, for ever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from c3d_export.core.errors import LatentsChecksumError
from c3d_export.runtime.bundle import read_bundle
from c3d_export.runtime.c2f.codec import CoarseToFineCodec
from c3d_export.runtime.codec import open_codec
from c3d_export.runtime.hyperprior.codec import HyperpriorCodec
from c3d_export.runtime.sessions import SessionOptions
from c3d_export.runtime.stream import pack_stream, parse_stream

from .families import Answer, answer_of, digest_of, latents_of

FOLDER = Path(__file__).parent / "families"
NAMES = ("c2f", "mbt2018", "mbt2018-mean")
STREAMS = ("104x72.c3s", "1x1.c3s", "31x17.c3s")
SIZES = dict(zip(STREAMS, ((72, 104), (1, 1), (17, 31)), strict=True))
"""(height, width)"""
KERNELS = range(4)


def answers_of(name: str) -> dict[str, Answer]:
    answers: dict[str, Answer] = json.loads((FOLDER / name / "answers.json").read_text())
    return answers


def opened(name: str, flavour: str | None = None) -> CoarseToFineCodec | HyperpriorCodec:
    """With its known answers checked."""
    codec = open_codec(FOLDER / name / "tiny.c3b", flavour=flavour, threads=1)
    assert isinstance(codec, CoarseToFineCodec | HyperpriorCodec)
    return codec


def test_there_is_a_bundle_of_each_family() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(NAMES)
    families = {name: read_bundle(FOLDER / name / "tiny.c3b").family for name in NAMES}
    assert families == {"c2f": "c2f", "mbt2018": "mbt", "mbt2018-mean": "mbt"}
    for name in NAMES:
        answers = answers_of(name)
        assert sorted(answers) == list(STREAMS)
        assert len({part for answer in answers.values() for part in answer.values()}) == 6


@pytest.mark.parametrize("name", NAMES)
def test_every_kernel_gives_the_recorded_latents_and_pixels(name: str) -> None:
    codec, answers = opened(name), answers_of(name)
    assert codec.exact_pixels
    for kernel in KERNELS:
        codec.use_kernel(kernel)
        for stream in STREAMS:
            data = (FOLDER / name / stream).read_bytes()
            assert answer_of(codec, data) == answers[stream], (kernel, stream)


@pytest.mark.parametrize("name", NAMES)
def test_graphs_give_the_recorded_latents(name: str) -> None:
    """As a GPU computes them. Pixels are compared with the bundle's known frame, in grey levels,
    when it is opened for float synthesis."""
    codec = opened(name, "float")
    graphs = type(codec)(codec.bundle, SessionOptions(flavour="float", threads=1), native=False)
    assert not graphs.exact_pixels
    for stream in STREAMS:
        data = (FOLDER / name / stream).read_bytes()
        for each in (codec, graphs):
            assert digest_of(latents_of(each, data)) == answers_of(name)[stream]["latents"]
            assert each.decode(data).shape[:2] == SIZES[stream]


@pytest.mark.parametrize("name", NAMES)
def test_a_latent_that_drifts_is_an_error(name: str) -> None:
    codec = opened(name)
    data = (FOLDER / name / "31x17.c3s").read_bytes()
    stream = parse_stream(data)
    drifted = pack_stream(
        quality=1,
        width=31,
        height=17,
        codec_id=codec.id,
        slices=stream.slices,
        latents_crc=stream.header.latents_crc ^ 1,
    )
    with pytest.raises(LatentsChecksumError):
        codec.decode(drifted)
