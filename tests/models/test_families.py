"""Names to networks, and files to networks, for all families."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from c3d_export.core.errors import CheckpointError, OptionError  # noqa: E402
from c3d_export.models import build_model, model_names  # noqa: E402
from c3d_export.models.c2f import saving as c2f_saving  # noqa: E402
from c3d_export.models.c2f.network import CoarseToFine  # noqa: E402
from c3d_export.models.families import Network  # noqa: E402
from c3d_export.models.mbt import network as mbt_network  # noqa: E402
from c3d_export.models.mbt import saving as mbt_saving  # noqa: E402
from c3d_export.models.mbt.network import MeanScaleHyperprior  # noqa: E402
from c3d_export.models.mbt.spec import uniform_spec  # noqa: E402
from c3d_export.models.network import Codec  # noqa: E402
from c3d_export.models.saving import is_published, load, save  # noqa: E402
from c3d_export.train.checkpoint import save_model  # noqa: E402

from .c2f.specs import SMALL  # noqa: E402


def test_every_name_is_of_one_family() -> None:
    names = model_names()
    assert len(set(names)) == len(names) == 4 + 12 + 18
    assert {"xsmall", "large", "c2f-small", "c2f-small-without-z1", "mbt2018-8"} <= set(names)


@pytest.mark.parametrize(
    ("name", "kind", "called"),
    [
        ("xsmall", Codec, "xsmall"),
        ("c2f-xsmall-without-z1", CoarseToFine, "c2f-xsmall-without-z1"),
        ("mbt2018-mean-1", MeanScaleHyperprior, "mbt2018-mean-1"),
        ("mbt2018", MeanScaleHyperprior, "mbt2018"),
    ],
)
def test_a_name_makes_its_network(name: str, kind: type, called: str) -> None:
    network = build_model(name)
    assert isinstance(network, kind)
    assert network.spec.name == called


def test_another_name_is_answered_with_all_names() -> None:
    with pytest.raises(OptionError, match=r"no model 'vgg'.*xsmall, .*c2f-large, .*mbt2018-mean-8"):
        build_model("vgg")


def test_importing_the_names_loads_no_torch() -> None:
    code = "import c3d_export.models as m, sys; m.model_names(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def _c2f() -> Network:
    return CoarseToFine(SMALL)


def _mbt() -> Network:
    return mbt_network.build_network(uniform_spec("tiny", "mbt2018", 8, 12))


@pytest.mark.parametrize(("make", "name"), [(_c2f, "c2f"), (_mbt, "mbt")])
def test_a_file_says_its_family(make, name: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path, network = tmp_path / "model.safetensors", make()
    save(path, network, {"name": "mine"})
    saved = load(path)
    assert (saved.family.name, saved.state) == (name, {"name": "mine", "family": name})
    assert saved.network.spec == network.spec
    for key, tensor in network.state_dict().items():
        assert torch.equal(saved.network.state_dict()[key], tensor)
    own, other = (c2f_saving, mbt_saving) if name == "c2f" else (mbt_saving, c2f_saving)
    assert own.load(path)[0].spec == network.spec
    with pytest.raises(CheckpointError, match=r"is not a.* but a"):
        other.load(path)


def test_a_network_of_the_own_family_is_none_of_these(tiny_model: Codec, tmp_path: Path) -> None:
    save_model(tmp_path / "own.safetensors", tiny_model, {})
    assert not is_published(tmp_path / "own.safetensors")
    with pytest.raises(CheckpointError, match="of a published family"):
        load(tmp_path / "own.safetensors")


def test_a_file_that_contradicts_itself(tmp_path: Path) -> None:
    path, network = tmp_path / "model.safetensors", _mbt()
    network.spec = uniform_spec("tiny", "mbt2018", 8, 13)  # type: ignore[assignment]
    save(path, network, {})
    with pytest.raises(CheckpointError, match="does not fit its own spec"):
        load(path)
