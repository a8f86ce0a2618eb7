"""Published checkpoints: what they compute is what the imported network computes."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from c3d_export.core.errors import CheckpointError, MissingInputError  # noqa: E402
from c3d_export.models.c2f.importing import build, rename, widths_of  # noqa: E402
from c3d_export.models.c2f.network import CoarseToFine  # noqa: E402
from c3d_export.models.c2f.saving import load, save  # noqa: E402
from c3d_export.models.c2f.spec import SIZES, C2FSpec  # noqa: E402

from .legacy import Network, State, checkpoint, shapes  # noqa: E402
from .specs import SMALL  # noqa: E402


def imported(state: State) -> CoarseToFine:
    renamed = rename(state)
    network = build(widths_of(renamed))
    network.load_state_dict(renamed)
    assert isinstance(network, CoarseToFine)
    return network.eval()


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@torch.no_grad()
def test_imported_networks_compute_what_the_published_do(spec: C2FSpec, training: bool) -> None:
    state = checkpoint(spec, training=training)
    ours, theirs = imported(state), Network(state)
    x = torch.rand(2, 3, 128, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    sent = ours.analyse(x)
    side = ours.side(sent)
    z3 = theirs.z3(x)
    torch.testing.assert_close(ours.latents(x).z3, z3, rtol=1e-5, atol=1e-5)
    assert len(z3.round().unique()) > 5
    torch.testing.assert_close(sent.z2, theirs.analysis("2", z3.round()).round())
    h1 = None
    if spec.coarse is not None:
        torch.testing.assert_close(sent.z1, theirs.analysis("1", sent.z2).round())
        h1 = theirs.synthesis("1", sent.z1)
        _close(side.z2, theirs.gaussian("2", h1))
    scale = state["get_h1_sigma" if spec.coarse else "z2_sigma"].abs()
    torch.testing.assert_close(ours.top().scale, scale)
    h2 = theirs.synthesis("2", sent.z2)
    _close(side.z3, theirs.gaussian("3", h2))
    picture = theirs.picture(sent.z3, h2, h1)
    # Relative to the picture, which is far beyond -1..1 with random weights.
    error = (ours.synthesise(sent) - picture).abs().max()
    assert error <= 1e-5 * picture.abs().max()


def _close(gaussian, expected) -> None:  # type: ignore[no-untyped-def]
    torch.testing.assert_close(gaussian.mean, expected[0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gaussian.scale, expected[1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("z1", [True, False], ids=["z1", "without-z1"])
def test_published_sizes_are_recognised(name: str, z1: bool) -> None:
    spec = SIZES[name] if z1 else SIZES[name].without_z1()
    with torch.device("meta"):
        state = {key: torch.empty(shape) for key, shape in shapes(spec)}
        state.pop("h1_sigma", None)
        state.pop("v_z2_sigma", None)
        found = widths_of(rename(state))
    assert found == spec.renamed(found.name)
    # Two papers have one large network; it goes by its first name.
    assert found.name == ("c2f-large" + "-without-z1" * (not z1) if "high" in name else spec.name)


def test_a_dead_predictor_is_left_out() -> None:
    spec = SMALL.without_z1()
    dead = {"prediction_model_2.transform.1.weight": torch.zeros(4, 4, 3, 3)}
    state = checkpoint(spec)
    assert rename({**state, **dead}).keys() == rename(state).keys()


def test_published_counts_of_the_checkpoint_without_z1() -> None:
    """7,033,571 parameters, 2,950,400 of them in a predictor that nothing calls."""
    small = SIZES["c2f-small"]
    alive = dict(shapes(small.without_z1()))
    dead = {k: v for k, v in shapes(small) if k.startswith("prediction_model_2.")}
    count = {
        name: torch.Size(shape).numel()
        for name, shape in {**alive, **dead}.items()
        if not name.endswith(("pedestal", "v_z2_sigma"))
    }
    assert sum(count.values()) == 7_033_571
    assert sum(count[name] for name in dead) == 2_950_400


def test_other_families_are_named(spec: C2FSpec) -> None:
    with pytest.raises(CheckpointError, match=r"no coarse-to-fine network: no a_model\..* more$"):
        widths_of(rename({"g_a.0.weight": torch.zeros(192, 3, 5, 5)}))
    state = checkpoint(spec)
    del state["side_recon_model.layer_4.1.weight"]
    with pytest.raises(CheckpointError, match=r"no side_recon_model\.layer_4\.1\.weight"):
        widths_of(rename(state))
    state = checkpoint(spec)
    state["a_model.transform.4.weight"] = torch.zeros(8)
    with pytest.raises(CheckpointError, match=r"g_a\.2\.weight has shape"):
        widths_of(rename(state))


def test_one_parameter_with_two_values(spec: C2FSpec) -> None:
    state = checkpoint(spec)
    name = "h1_sigma" if spec.coarse else "v_z2_sigma"
    state[name] = state[name] + 1
    with pytest.raises(CheckpointError, match="one parameter, but differ"):
        rename(state)


def test_networks_survive_a_file(model: CoarseToFine, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save(path, model, {"name": "mine", "stage": "import"})
    again, state = load(path)
    assert again.spec == model.spec
    assert state["name"] == "mine"
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor)
    with pytest.raises(MissingInputError):
        load(tmp_path / "none.safetensors")


def test_files_that_contradict_their_spec(model: CoarseToFine, tmp_path: Path) -> None:
    from c3d_export.train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint

    path = tmp_path / "model.safetensors"
    save(path, model, {})
    good = load_checkpoint(path)
    for change in ({"spec": {}}, {"spec": {**good.state["spec"], "latents": 8}}, {"family": "mbt"}):
        save_checkpoint(path, Checkpoint({**good.state, **change}, good.tensors))
        with pytest.raises(CheckpointError):
            load(path)
