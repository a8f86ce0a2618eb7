"""Which ways a validation takes: the full cross product, dealt where frames are large."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from c3d_export.core.errors import ProviderMissingError
from c3d_export.deploy import matrix
from c3d_export.deploy.matrix import (
    GRIDS,
    LARGE_GRID,
    Configuration,
    NamedFrame,
    available,
    cpu_configurations,
    cuda_configurations,
    deal,
    make_plan,
)
from c3d_export.runtime.bundle import FLAVOURS, Bundle
from c3d_export.runtime.sessions import LEVELS

THREADS = (0, 1, 2)
FRAMES = [NamedFrame(name, np.zeros((20, 30, 3), np.uint8)) for name in "ab"]


def _list_cuda(monkeypatch: pytest.MonkeyPatch, opens: bool) -> None:
    """As on a host whose ONNX Runtime lists CUDA."""

    def sessions(bundle: Bundle, options: Any) -> None:
        assert options.device == "cuda"
        if not opens:
            raise ProviderMissingError("no driver")

    providers = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    runtime = SimpleNamespace(get_available_providers=lambda: providers)
    monkeypatch.setattr(matrix, "import_runtime", lambda: runtime)
    monkeypatch.setattr(matrix, "Sessions", sessions)


def test_the_cpu_has_every_flavour_level_and_number_of_threads() -> None:
    found = [(c.flavour, c.level, c.threads) for c in cpu_configurations()]
    assert len(found) == 24
    assert set(found) == set(product(FLAVOURS, LEVELS, THREADS))
    assert {c.device for c in cpu_configurations()} == {"cpu"}


def test_a_configuration_becomes_the_options_of_a_codec() -> None:
    options = Configuration("float", "basic", 2, "cuda").options()
    assert (options.device, options.flavour, options.threads, options.level) == (
        *("cuda", "float", 2, "basic"),
    )


def test_six_large_frames_and_rate_points_make_the_full_cross() -> None:
    every = cpu_configurations()
    hands = [deal(every, unit) for unit in range(6)]
    assert sorted(map(str, (c for hand in hands for c in hand))) == sorted(map(str, every))


@pytest.mark.parametrize("start", range(6))
def test_three_meet_each_flavour_with_every_level_and_number_of_threads(start: int) -> None:
    hand = [c for unit in range(start, start + 3) for c in deal(cpu_configurations(), unit)]
    assert {(c.flavour, c.level) for c in hand} == set(product(FLAVOURS, LEVELS))
    assert {(c.flavour, c.threads) for c in hand} == set(product(FLAVOURS, THREADS))


def test_one_has_both_flavours() -> None:
    for unit in range(12):
        hand = deal(cpu_configurations(), unit)
        assert len(set(hand)) == 4
        assert {c.flavour for c in hand} == set(FLAVOURS)


def test_cuda_is_dealt_beside_the_cpu() -> None:
    hands = [deal((*cpu_configurations(), *cuda_configurations()), unit) for unit in range(4)]
    assert [len(hand) for hand in hands] == [5] * 4
    assert {c.level for hand in hands for c in hand if c.device == "cuda"} == set(LEVELS)


def test_the_default_plan(tiny_bundle: Bundle) -> None:
    plan = make_plan(tiny_bundle, FRAMES)
    assert plan.grids == GRIDS
    assert plan.known_answers
    small = [job for job in plan.jobs if job.frame.name == "known frame"]
    assert {job.configurations for job in small} == {plan.configurations}
    assert {job.frame.size for job in small} == {"1x1", "31x17", "104x72"}
    assert {job.quality for job in small} == {1, 4, 8}
    large = [job for job in plan.jobs if job not in small]
    assert [(job.frame.name, job.quality) for job in large] == list(product("ab", (1, 4, 8)))
    assert {c for job in large for c in job.configurations} == set(plan.configurations)


def test_the_thorough_plan_has_all_rate_points_and_a_large_frame(tiny_bundle: Bundle) -> None:
    plan = make_plan(tiny_bundle, FRAMES, thorough=True)
    assert plan.grids == (*GRIDS, LARGE_GRID)
    assert {job.quality for job in plan.jobs} == set(range(1, 9))
    assert "1920x1080" in {job.frame.size for job in plan.jobs}


def test_without_cuda_in_the_list_there_is_only_the_cpu(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = SimpleNamespace(get_available_providers=lambda: ["CPUExecutionProvider"])
    monkeypatch.setattr(matrix, "import_runtime", lambda: runtime)
    assert available(tiny_bundle) == (cpu_configurations(), ())


def test_cuda_in_the_list_is_validated(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    _list_cuda(monkeypatch, opens=True)
    configurations, skipped = available(tiny_bundle)
    assert not skipped
    assert [c for c in configurations if c.device == "cuda"] == [
        Configuration("float", level, 1, "cuda") for level in LEVELS
    ]


def test_cuda_that_is_listed_and_does_not_load_is_told(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    _list_cuda(monkeypatch, opens=False)
    plan = make_plan(tiny_bundle, [])
    assert {c.device for c in plan.configurations} == {"cpu"}
    assert plan.skipped == ("cuda: no driver",)
