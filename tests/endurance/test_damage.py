"""The damage itself: streams whose checksums hold again, and what counts as a flip behind them."""

from __future__ import annotations

import pytest
from endurance.damage import flipped, resealed, sealed_bits
from endurance.golden import NAMES, all_golden, golden

from c3d_export.core.errors import StreamChecksumError
from c3d_export.runtime.stream import HEADER_BYTES, parse_stream


def test_there_are_twenty_over_all_formats() -> None:
    streams = [(each, parse_stream(each.stream)) for each in all_golden()]
    assert len(streams) == len(set(NAMES)) == 20
    assert len({each.bundle for each, _ in streams}) == 5
    assert len({(s.header.width, s.header.height) for _, s in streams}) == 5
    assert {s.header.quality for _, s in streams} == {1, 2, 3}
    assert sum(s.header.has_overlay for _, s in streams) == 6
    assert {len(s.slices) for _, s in streams} == {1, 2}


def test_overlays_show_whole_groups_and_parts_of_them() -> None:
    flags = {}
    for name in ("all", "group", "part"):
        each = golden(f"v5/104x72-{name}-q{2 if name == 'part' else 1}")
        overlay = each.codec.overlay
        assert overlay is not None
        shown = overlay.unpack(parse_stream(each.stream).overlay, 72, 104)
        groups = {int(g): shown[overlay.group == g] for g in overlay.group}
        flags[name] = {g for g, tiles in groups.items() if tiles.any() and not tiles.all()}
    assert flags["group"] == set()
    assert flags["part"]


@pytest.mark.parametrize("name", NAMES)
def test_a_whole_stream_is_sealed_already(name: str) -> None:
    stream = golden(name).stream
    assert resealed(stream) == stream


@pytest.mark.parametrize("name", ["v4/1x1-q1", "v5/104x72-part-q2", "families/c2f/31x17"])
def test_a_flip_is_a_stream_of_its_own_unless_it_is_in_a_checksum(name: str) -> None:
    data = golden(name).stream
    sealed = set(sealed_bits(data))
    for bit in range(8 * len(data)):
        assert (resealed(flipped(data, bit)) != data) == (bit in sealed), bit


def test_payloads_are_reached_behind_the_checksums() -> None:
    data = golden("v5/104x72-part-q2").stream
    first = data.index(parse_stream(data).slices[0])
    for bit in range(8 * first, 8 * len(data)):
        damaged = flipped(data, bit)
        with pytest.raises(StreamChecksumError):
            parse_stream(damaged)
        parse_stream(resealed(damaged))


def test_a_list_that_does_not_fit_is_left_as_it_is() -> None:
    data = bytearray(golden("v4/1x1-q1").stream)
    data[HEADER_BYTES + 1] = 255
    assert resealed(bytes(data))[HEADER_BYTES:] == data[HEADER_BYTES:]
