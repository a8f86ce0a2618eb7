"""The measurement of memory: what it finds in seconds, and what it says. Half an hour of it is
scripts/soak's."""

from __future__ import annotations

import json
import mmap
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from endurance import memory, soaking
from endurance.memory import GrowthError, Sample, growth, resident, soak, table
from endurance.subjects import FAMILIES, OVERLAID, opened

from c3d_export.core.errors import C3DError, HostError
from c3d_export.runtime.codec import Codec

TINY = OVERLAID / "tiny.c3b"
SECOND = 1 / 60


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small frames, and samples that are not seconds apart."""
    monkeypatch.setattr(memory, "SIZES", ((1, 1), (72, 104)))
    monkeypatch.setattr(memory, "FAMILY_SIZES", ((1, 1), (48, 64)))
    monkeypatch.setattr(memory, "EVERY", 0.1)


@pytest.fixture
def codec() -> Codec:
    return opened(TINY, 1)


def _none(sample: Sample) -> None:
    pass


def test_round_trips_and_refused_streams_are_counted(codec: Codec) -> None:
    told: list[Sample] = []
    codecs = [codec, opened(FAMILIES / "mbt2018" / "tiny.c3b", 1)]
    samples = soak(codecs, 0.5 * SECOND, told.append)
    assert samples == told
    assert samples[-1].seconds >= 0.5
    assert samples[-1].trips % 4 == 0
    # Each trip has three damaged streams behind it, and a flip in a checksum is sealed over.
    assert 2 <= samples[-1].refused / samples[-1].trips <= 3


def test_memory_that_is_kept_is_found_out(codec: Codec) -> None:
    kept, encode = [], codec.encode

    def leaking(*given: Any) -> bytes:
        # Pages of its own: a process that ran for long has freed memory to take arrays from.
        kept.append(mmap.mmap(-1, 1 << 18))
        kept[-1].write(bytes(1 << 18))
        return encode(*given)

    codec.encode = leaking  # type: ignore[method-assign, assignment]
    samples = soak([codec], 1.0 * SECOND, _none)
    assert growth(samples, 0.1) > memory.TOLERANCE
    assert samples[-1].rss - samples[0].rss > 0.8 * (len(kept) - 6) * (1 << 18) - (8 << 20)


@pytest.mark.parametrize(
    ("method", "answer", "said"),
    [
        ("encode", b"else", "gives other bytes"),
        ("decode", np.zeros((1, 1, 3), np.uint8), "decoded"),
    ],
)
def test_a_codec_that_errs_is_found_out(
    codec: Codec, method: str, answer: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trips = memory.trips_of(codec, ((1, 1),))
    if method == "decode":  # the right picture, whatever is decoded
        answer = np.frombuffer(trips[0].picture, np.uint8).reshape(1, 1, 3)
    monkeypatch.setattr(codec, method, lambda *_: answer)
    with pytest.raises(C3DError, match=said):
        memory.cycle(codec, trips, random.Random(0))


def _samples(*rss: float) -> list[Sample]:
    """One a minute, in MiB."""
    return [Sample(60.0 * n, int(size * 2**20), n, 0) for n, size in enumerate(rss)]


def test_growth_is_that_after_the_warm_up() -> None:
    assert growth(_samples(50, 100, 100, 101)) == pytest.approx(0.01)
    assert growth(_samples(50, 100, 104, 100)) == pytest.approx(0.04)
    assert growth(_samples(50, 100, 98, 98)) == pytest.approx(2 / 98)
    with pytest.raises(GrowthError, match="longer"):
        growth(_samples(50))


def test_the_table_has_the_figures_of_the_marks_and_the_end() -> None:
    lines = table(_samples(*range(100, 132))).splitlines()
    assert [line.split()[0] for line in lines] == ["1.0", "5.0", "10.0", "20.0", "30.0", "31.0"]
    assert lines[0].split()[2] == "101.00"
    assert len(table(_samples(100, 101, 102)).splitlines()) == 2


def test_a_kernel_that_does_not_say_is_an_error_of_the_host(monkeypatch: Any) -> None:
    assert 10 << 20 < resident() < 1 << 40
    monkeypatch.setattr(memory, "STATM", Path("/proc/none"))
    with pytest.raises(HostError, match="Linux"):
        resident()


def test_the_command_says_whether_memory_is_flat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    curve = tmp_path / "curve.jsonl"
    command = ["memory", "--give-back", "--minutes", "0.01", "--curve", str(curve), str(TINY)]
    monkeypatch.setattr(memory, "TOLERANCE", 1.0)
    assert soaking.main(command) == 0
    assert "after warm-up: within" in capsys.readouterr().out
    rows = [json.loads(line) for line in curve.read_text().splitlines()]
    assert rows[-1].keys() == {"seconds", "rss", "trips", "refused"}
    monkeypatch.setattr(memory, "TOLERANCE", -1.0)
    assert soaking.main(command) == 3
    assert "not flat" in capsys.readouterr().err


def test_the_command_refuses_what_it_cannot_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert soaking.main(["threads", str(TINY), "--trips", "4", "--threads", "2"]) == 0
    assert "all bytes equal" in capsys.readouterr().out
    for wrong in (["--trips", "0"], ["--threads", "0"], ["--workers", "-1"]):
        assert soaking.main(["threads", str(TINY), *wrong]) == 2
    assert soaking.main(["memory", "--minutes", "0", str(TINY)]) == 2
    assert soaking.main(["memory", "no-such.c3b"]) == 2
    assert "no-such.c3b" in capsys.readouterr().err
