"""The limits hold together, and the size of a frame is judged at its borders."""

from __future__ import annotations

import pytest

from c3d_export.core import limits


def test_a_member_fits_a_bundle_and_a_manifest_fits_its_members() -> None:
    assert limits.MAX_MEMBER_BYTES < limits.MAX_BUNDLE_BYTES
    assert limits.MAX_MEMBERS * 256 < limits.MAX_JSON_BYTES


def test_the_longest_stream_is_the_largest_raw_frame() -> None:
    assert 0 <= limits.MAX_STREAM_BYTES - 3 * limits.MAX_PIXELS < 3


@pytest.mark.parametrize("size", [(1, 1), (16384, 1), (1, 16384), (16384, 5461)])
def test_sizes_within_the_limits(size: tuple[int, int]) -> None:
    assert limits.size_fault(*size) == ""


@pytest.mark.parametrize("size", [(0, 1), (1, 0), (-1, 1), (16385, 1), (16384, 5462)])
def test_sizes_beyond_the_limits(size: tuple[int, int]) -> None:
    assert f"{size[0]}x{size[1]}" in limits.size_fault(*size)
