"""Pixel shuffles: channel order against a literal loop, and inverses."""

from __future__ import annotations

import pytest
import torch

from c3d_export.models.layers import depth_to_space, space_to_depth


@pytest.mark.parametrize("r", [2, 3, 8])
def test_the_channel_order_is_row_then_column_then_colour(r: int) -> None:
    x = torch.arange(2 * 3 * 2 * r * 3 * r, dtype=torch.float32).reshape(2, 3, 2 * r, 3 * r)
    out = space_to_depth(x, r)
    assert out.shape == (2, 3 * r * r, 2, 3)
    for dy in range(r):
        for dx in range(r):
            for colour in range(3):
                channel = (dy * r + dx) * 3 + colour
                assert torch.equal(out[:, channel], x[:, colour, dy::r, dx::r])


@pytest.mark.parametrize("r", [1, 2, 8, 16])
def test_one_undoes_the_other(r: int) -> None:
    x = torch.rand(2, 5, 3 * r, 2 * r)
    assert torch.equal(depth_to_space(space_to_depth(x, r), r), x)
    y = torch.rand(2, 3 * r * r, 4, 2)
    assert torch.equal(space_to_depth(depth_to_space(y, r), r), y)


def test_memory_layout_does_not_matter() -> None:
    x = torch.rand(2, 12, 4, 6)
    last = x.contiguous(memory_format=torch.channels_last)
    assert torch.equal(depth_to_space(last, 2), depth_to_space(x, 2))
    assert torch.equal(space_to_depth(last, 2), space_to_depth(x, 2))
