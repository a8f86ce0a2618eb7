"""Streams of version 5: the flags of an overlay behind the slices."""

from __future__ import annotations

import pytest

from c3d_export.core.errors import C3DError, StreamChecksumError, StreamHeaderError
from c3d_export.runtime.stream import parse_stream, peek_header

from .test_stream import GOOD, OVERLAID, _pack, _patched


def test_the_flags_of_an_overlay_are_the_last_payload_of_version_5() -> None:
    """A forger may say that the last slice is flags, or flags a slice: the codec looks at both."""
    assert peek_header(OVERLAID).has_overlay
    assert not peek_header(GOOD).has_overlay
    read = parse_stream(_patched(4, b"\5"))
    assert (read.slices, read.overlay) == ((b"why?",), b"zed")
    read = parse_stream(_patched(4, b"\4", OVERLAID))
    assert (read.slices, read.overlay) == ((b"why?", b"zed", b"\x2b"), b"")


def test_flags_that_are_empty_are_read() -> None:
    """No encoder writes them, and a codec refuses them: `Overlay.unpack`."""
    read = parse_stream(_patched(4, b"\5", _pack(slices=(b"zed", b""))))
    assert (read.header.has_overlay, read.slices, read.overlay) == (True, (b"zed",), b"")


def test_version_5_without_a_slice() -> None:
    with pytest.raises(StreamHeaderError, match="no slice"):
        parse_stream(_patched(4, b"\5", _pack(slices=(b"zed",))))


def test_damaged_flags_are_a_damaged_slice() -> None:
    with pytest.raises(StreamChecksumError, match="slice 3 of 3 is damaged"):
        parse_stream(OVERLAID[:-1] + b"\x2a")


@pytest.mark.parametrize("slices", [(), (b"",) * 255])
def test_flags_are_one_payload_more(slices: tuple[bytes, ...]) -> None:
    with pytest.raises(C3DError) as caught:
        _pack(slices=slices, overlay=b"\1")
    assert caught.type is C3DError
    assert len(parse_stream(_pack(slices=(b"",) * 255)).slices) == 255
