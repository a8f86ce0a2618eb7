"""Sizes as people write them."""

from __future__ import annotations

import pytest

from c3d_export.core.errors import OptionError
from c3d_export.core.sizes import NAMED_SIZES, parse_size


def test_sizes_by_name_and_by_number() -> None:
    assert [parse_size(name) for name in NAMED_SIZES] == list(NAMED_SIZES.values())
    assert parse_size("1080P") == (1920, 1080)
    assert parse_size("17X5") == (17, 5)


@pytest.mark.parametrize("text", ["", "1080", "0x5", "5x0", "1x2x3", "١x5", "16385x1"])
def test_no_size(text: str) -> None:
    with pytest.raises(OptionError, match="1280x720"):
        parse_size(text)
