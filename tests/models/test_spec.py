"""Specs: plain JSON and back, and what is no spec."""

from __future__ import annotations

import json
from typing import Any

import pytest

from c3d_export.models.spec import SIZES, CodecSpec

XSMALL = SIZES["xsmall"]


@pytest.mark.parametrize("name", SIZES)
def test_json_and_back(name: str) -> None:
    text = json.dumps(SIZES[name].to_json())
    assert CodecSpec.from_json(json.loads(text)) == SIZES[name]


@pytest.mark.parametrize("name", SIZES)
def test_a_size_is_named_as_it_is_found_and_obeys_the_laws(name: str) -> None:
    spec = SIZES[name]
    assert spec.name == name
    assert 1 <= spec.base < spec.latents
    assert spec.latents % 2 == 0, "each position codes half of its latents in each step"


def test_all_sizes_have_the_same_latents() -> None:
    widths = {(s.latents, s.base, s.hyper, s.qualities) for s in SIZES.values()}
    assert len(widths) == 1


def test_reading_does_not_change_the_data() -> None:
    data = XSMALL.to_json()
    before = json.dumps(data)
    CodecSpec.from_json(data)
    assert json.dumps(data) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"g_a": None},
        {"g_a": "text"},
        {"g_s": [1, 2]},
        {"g_s": {"high": 1}},
        {"g_a": {**XSMALL.to_json()["g_a"], "high_inner": 3}},
        {"g_a": {**XSMALL.to_json()["g_a"], "more": 3}},
        {"h_s": 5},
        {"unknown": 1},
    ],
)
def test_foreign_fields(changes: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError)):
        CodecSpec.from_json(XSMALL.to_json() | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"latents": 0},
        {"latents": 447},
        {"latents": 80},
        {"latents": 1 << 40},
        {"latents": 448.0},
        {"base": 79},
        {"base": -2},
        {"hyper": "64"},
        {"qualities": 0},
        {"qualities": 256},
        {"h_a": None},
        {"h_s": [64, 64]},
        {"h_s": [64, 64, 0]},
        {"g_a": {**XSMALL.to_json()["g_a"], "high": 4097}},
        {"g_s": {**XSMALL.to_json()["g_s"], "low_inner": [64] * 40}},
    ],
)
def test_laws(changes: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        CodecSpec.from_json(XSMALL.to_json() | changes)


@pytest.mark.parametrize("field", XSMALL.to_json())
def test_every_field_is_needed(field: str) -> None:
    data = XSMALL.to_json()
    del data[field]
    with pytest.raises((KeyError, TypeError)):
        CodecSpec.from_json(data)


@pytest.mark.parametrize("data", [None, [], "spec", 3, {}])
def test_foreign_values(data: Any) -> None:
    with pytest.raises((KeyError, TypeError)):
        CodecSpec.from_json(data)


def test_renamed() -> None:
    other = XSMALL.renamed("mine")
    assert other.name == "mine"
    assert other.renamed("xsmall") == XSMALL
