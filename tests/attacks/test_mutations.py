"""`scripts/mutate-bundle`, some hundred mutations of it: none is accepted, and a control is."""

from __future__ import annotations

import importlib.util
import itertools
import random
import sys
from pathlib import Path
from types import ModuleType

import pytest

from c3d_export.runtime.policy import Policy

ROOT = Path(__file__).parents[2]
GOOD = (ROOT / "tests" / "golden" / "v4" / "tiny.c3b").read_bytes()


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = ROOT / "scripts" / "mutate_bundle.py"
    spec = importlib.util.spec_from_file_location("mutate_bundle", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


WANTED = {
    "file": "BundleFormatError",
    "packed": "BundleHashError",
    "forged": "SignatureMismatchError",
}


@pytest.mark.parametrize("way", WANTED)
def test_no_mutation_is_accepted(script: ModuleType, way: str) -> None:
    if way == "forged":
        pytest.importorskip("cryptography")
    outcome = script.run(GOOD, way, 200, seed=1)
    assert outcome.errors.total() == outcome.count == 200
    assert not outcome.accepted
    assert not outcome.strange
    assert outcome.errors[WANTED[way]] > 50
    assert set(script.WAYS) == WANTED.keys()


def test_what_is_accepted_or_ends_otherwise_is_counted(script: ModuleType) -> None:
    """Without a policy a forger's bundle is a bundle like any other: hashes prove no maker."""
    pytest.importorskip("cryptography")
    from c3d_export.deploy.signing import new_key, sign_bundle

    mutations = script.forged(sign_bundle(GOOD, new_key()), random.Random(2))
    outcome = script.try_all(mutations, 60, Policy())
    assert 10 < len(outcome.accepted) < 60
    assert not outcome.strange
    odd = script.try_all(itertools.repeat((None, "nothing")), 2, Policy())
    assert [text.split(":")[0] for text in odd.strange] == ["nothing", "nothing"]
