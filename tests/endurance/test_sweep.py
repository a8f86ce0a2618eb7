"""Damaged golden streams through the whole decoder: all cuts of the small ones, some flips of all.

All flips of all of them are what scripts/flip-streams does, in minutes.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from endurance import sweeping
from endurance.damage import flipped, resealed, sealed_bits
from endurance.golden import NAMES, golden
from endurance.subjects import OWN, frame_of, opened
from endurance.sweep import Clock, Tally, flips, forged, judge, prefixes
from endurance.verdict import FORGED, OTHER_FRACTIONS, OTHER_SIZE, OTHER_TILES, SAME, Whole, outcome

from c3d_export.runtime.codec import Codec
from c3d_export.runtime.stream import pack_stream, parse_stream

SMALLEST = ("v4/1x1-q1", "v5/1x1-q3", "families/mbt2018/1x1", "families/mbt2018-mean/31x17")
FEW = ("v4/31x17-q3", "v5/104x72-part-q2", "families/mbt2018/104x72", "families/c2f/31x17")


def whole_of(name: str) -> Whole:
    return Whole.of(golden(name).codec, golden(name).stream)


def leaves(tally: Tally) -> set[str]:
    return set(tally.kinds) - set(FORGED)


@pytest.mark.parametrize("name", SMALLEST)
def test_every_prefix_is_an_error(name: str) -> None:
    whole = whole_of(name)
    tally = judge(whole, Clock(whole), prefixes(whole.data))
    assert (tally.count, tally.faults) == (len(whole.data), [])
    assert leaves(tally) == {"StreamTruncatedError"}


@pytest.mark.parametrize("name", NAMES)
def test_some_flipped_bits_are_errors(name: str) -> None:
    whole = whole_of(name)
    bits = random.Random(name).sample(range(8 * len(whole.data)), 64)
    tally = judge(whole, Clock(whole), flips(whole.data, bits))
    assert (tally.count, tally.faults) == (64, [])
    assert "StreamChecksumError" in tally.kinds


@pytest.mark.parametrize("name", FEW)
def test_some_flips_behind_the_checksums_never_show_a_wrong_picture(name: str) -> None:
    whole = whole_of(name)
    tally = judge(whole, Clock(whole), forged(whole.data, 48), FORGED)
    assert (tally.count, tally.faults) == (48, [])
    assert "LatentsChecksumError" in tally.kinds


def test_forged_sizes_cut_a_picture_and_forged_flags_show_other_tiles() -> None:
    """What no checksum can stop, and nothing worse."""
    whole = whole_of("v5/104x72-part-q2")
    bits = sealed_bits(whole.data)
    flags = [bit for bit in bits if bit >= 8 * (len(whole.data) - len(whole.stream.overlay))]
    cases = [(str(bit), resealed(flipped(whole.data, bit))) for bit in flags]
    assert OTHER_TILES in judge(whole, Clock(whole), cases, FORGED).kinds
    plain = whole_of("v4/31x17-q3")
    cases = [(str(bit), resealed(flipped(plain.data, bit))) for bit in range(64, 69)]
    tally = judge(plain, Clock(plain), cases, FORGED)
    assert (tally.kinds[OTHER_SIZE], tally.faults) == (4, [])


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Whole]:
    """shown(decode): a stream whose codec decodes so; the stream itself is what it was."""

    def install(decode: Any) -> Whole:
        whole = whole_of("v4/1x1-q1")
        monkeypatch.setattr(whole.codec, "decode", decode)
        return whole

    return install


def test_a_decoder_that_shows_anything_is_found_out(shown: Callable[[Any], Whole]) -> None:
    grey = np.full((1, 1, 3), 7, np.uint8)
    whole = shown(lambda data: grey)
    assert not np.array_equal(grey, whole.picture)
    some = [("as it was", whole.data)]
    assert "a wrong picture" in judge(whole, _Patient(), some, FORGED).faults[0]
    whole.codec.decode = lambda data: whole.picture  # type: ignore[method-assign]
    assert SAME in judge(whole, _Patient(), some).faults[0]
    assert judge(whole, _Patient(), some, FORGED).faults == []


def _with_other_fractions(codec: Codec) -> Iterator[tuple[bytes, bytes]]:
    """A stream, and what a forger may make of it: one symbol is another, and what it rounds to may
    be the same."""
    quality, frame = codec.qualities[-1], frame_of(72, 104, 0)
    data, latents = codec.encode(frame, quality), codec.latents(frame, quality)
    header = parse_stream(data).header
    first = latents.symbols[0].reshape(-1)
    for place in range(0, len(first), len(first) // 60):
        first[place] += 1
        yield (
            data,
            pack_stream(
                quality=quality,
                width=104,
                height=72,
                codec_id=codec.id,
                slices=codec._code(latents, quality - 1),
                latents_crc=header.latents_crc,
            ),
        )
        first[place] -= 1


def test_a_forged_symbol_can_change_what_no_checksum_is_over() -> None:
    """The checksum of the latents is over whole units, and a forger may change fractions of them:
    some grey levels, which is told apart from a wrong picture."""
    codec = opened(OWN, 1)
    kinds = set()
    for data, changed in _with_other_fractions(codec):
        kinds.add(outcome(Whole.of(codec, data), changed).kind)
    assert OTHER_FRACTIONS in kinds
    assert kinds <= {OTHER_FRACTIONS, SAME, "LatentsChecksumError"}


def test_an_error_of_no_leaf_is_found_out(shown: Callable[[Any], Whole]) -> None:
    def broken(data: bytes) -> Any:
        raise IndexError("no such latent")

    (fault,) = judge(shown(broken), _Patient(), [("cut", b"")]).faults
    assert "no leaf" in fault
    assert "no such latent" in fault


class _Patient(Clock):
    """Decodes of an hour are good ones."""

    def __init__(self) -> None:
        pass

    def good(self, data: bytes) -> float:
        return 3600.0


def test_a_slow_refusal_is_found_out_and_a_pause_is_not(shown: Callable[[Any], Whole]) -> None:
    whole = whole_of("v4/1x1-q1")
    decode, clock, calls = whole.codec.decode, Clock(whole), itertools.count()

    def slow(data: bytes) -> Any:
        _work(3 * clock.good(whole.data))
        return decode(data)

    def once(data: bytes) -> Any:
        return slow(data) if next(calls) == 0 else decode(data)

    cut = [("cut", whole.data[:-1])]
    (fault,) = judge(shown(slow), clock, cut).faults
    assert "times as long" in fault
    tally = judge(shown(once), clock, cut)
    assert (tally.faults, tally.retimed) == ([], 1)


def _work(seconds: float) -> None:
    begin = time.thread_time()
    while time.thread_time() < begin + seconds:
        pass


def test_the_command_counts_and_names_faults(capsys: pytest.CaptureFixture[str]) -> None:
    assert sweeping.main(["--list"]) == 0
    assert capsys.readouterr().out.split() == list(NAMES)
    assert sweeping.main(["v9/1x1"]) == 2
    assert "no golden stream v9/1x1" in capsys.readouterr().err


def test_the_commands_table_and_json_have_every_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally(3, longest=0.5, retimed=1, faults=["bit 7 flipped: a wrong picture"])
    tally.kinds.update({"StreamChecksumError": 2, "a wrong picture": 1})
    found = {"v4/1x1-q1": dict.fromkeys(("prefixes", "flips", "forged"), tally)}
    assert sweeping.faults_of(found)[0] == "v4/1x1-q1: bit 7 flipped: a wrong picture"
    assert "prefixes: 3 of 1 streams, 1 faults, at most 0.50 times" in sweeping.table(found)
    assert '"StreamChecksumError": 2' in sweeping.as_json(found)
