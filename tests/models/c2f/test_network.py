"""The coarse-to-fine networks: sizes, dataflow, and that nobody computes what is not needed."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from c3d_export.models.c2f import MODELS  # noqa: E402
from c3d_export.models.c2f.cost import Cost, cost_of  # noqa: E402
from c3d_export.models.c2f.frames import from_network, padding_of, to_network  # noqa: E402
from c3d_export.models.c2f.network import CoarseToFine, build_network  # noqa: E402
from c3d_export.models.c2f.spec import SIZES, C2FSpec  # noqa: E402

from .specs import SMALL  # noqa: E402

PARAMETERS = {
    "c2f-large": 72_694_659,
    "c2f-median": 20_189_763,
    "c2f-small": 8_204_387,
    "c2f-xsmall": 5_117_619,
    "c2f-sota-low": 21_142_979,
    "c2f-sota-high": 72_694_659,
    # Published with 2,950,400 parameters more, of a predictor that nothing calls.
    "c2f-small-without-z1": 7_033_571 - 2_950_400,
}
# Of the published table, kMAC a pixel: what an encoder needs, what a decoder does.
PUBLISHED_KMACS = {
    "c2f-large": (647, 3236),
    "c2f-median": (182, 828),
    "c2f-small": (67, 227),
    "c2f-xsmall": (37, 77),
    "c2f-sota-low": (183, 829),
    "c2f-sota-high": (647, 3236),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_as_many_as_published(name: str) -> None:
    with torch.device("meta"):
        model = MODELS[name]()
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[name]


def test_every_size_is_there_twice() -> None:
    assert set(MODELS) == {*SIZES, *(f"{name}-without-z1" for name in SIZES)}


@pytest.mark.parametrize("name", PUBLISHED_KMACS)
def test_cost_with_the_predictors_as_published(name: str) -> None:
    spec, cost = SIZES[name], cost_of(SIZES[name])
    # 225 + 81 + 81 products of d x d over a patch and 18 of the linear layer, not 165.
    published = 405 * (spec.fine.predictor[0] ** 2 / 16**2 + spec.coarse.predictor[0] ** 2 / 32**2)
    parts = {**cost.parts, "predictor3": published, "predictor2": 0.0}
    encoder, decoder = PUBLISHED_KMACS[name]
    assert Cost(parts).encoder / 1e3 == pytest.approx(encoder, rel=0.01)
    assert Cost(parts).decoder / 1e3 == pytest.approx(decoder, rel=0.01)
    dense = cost.parts["predictor3"] + cost.parts["predictor2"]
    assert dense < 0.44 * published


def test_cost_without_the_coarse_level() -> None:
    full, less = (cost_of(s).parts for s in (SIZES["c2f-small"], SIZES["c2f-small"].without_z1()))
    assert set(full) - set(less) == {"h_a1", "h_s1", "predictor2"}
    assert less["g_a"] == full["g_a"]
    assert less["reconstruction"] < full["reconstruction"]


@pytest.mark.parametrize("name", MODELS)
def test_specs_survive_json(name: str) -> None:
    size = SIZES[name.removesuffix("-without-z1")]
    spec = size.without_z1() if name.endswith("-without-z1") else size
    assert spec.name == name
    assert C2FSpec.from_json(spec.to_json()) == spec
    assert spec.without_z1().without_z1() == size.without_z1()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("latents", 0),
        ("latents", 10_000),
        ("latents", "6"),
        ("g_a", [7, 8]),
        ("fine", {"latents": 5}),
        ("fine.h_s", [9, 10, 13]),
        ("coarse.features", 6),
    ],
)
def test_specs_with_broken_laws_are_refused(field: str, value: object) -> None:
    data = SMALL.to_json()
    part, _, name = field.rpartition(".")
    (data[part] if part else data)[name] = value
    with pytest.raises((ValueError, TypeError)):
        C2FSpec.from_json(data)


@torch.no_grad()
def test_a_decoder_gets_what_the_encoder_had(model: CoarseToFine) -> None:
    x = torch.rand(2, 3, 64, 128) * 2 - 1
    sent = model.analyse(x)
    side = model.side(sent)
    assert sent.z3.shape == (2, 6, 4, 8)
    assert sent.z2.shape == (2, 5, 2, 4)
    assert len(sent.z3.unique()) > 5
    if sent.z1 is None:
        assert torch.equal(model.top().scale, side.z2.scale)
        h1 = None
    else:
        assert sent.z1.shape == (2, 3, 1, 2)
        h1, of_z2 = model.from_z1(sent.z1)
        assert torch.equal(of_z2.mean, side.z2.mean)
    h2, of_z3 = model.from_z2(sent.z2)
    assert torch.equal(of_z3.scale, side.z3.scale)
    assert of_z3.mean.shape == of_z3.scale.shape == sent.z3.shape
    decoded = model.reconstruct(sent.z3, h2, h1)
    assert decoded.shape == x.shape
    torch.testing.assert_close(decoded, model.synthesise(sent))
    torch.testing.assert_close(decoded, model(x).x_hat)


@torch.no_grad()
def test_only_what_is_needed_is_computed(model: CoarseToFine) -> None:
    called: list[str] = []
    for name, part in model.named_children():
        part.register_forward_hook(lambda *_, name=name: called.append(name))
    coarse = model.spec.coarse is not None
    latents = model.analyse(torch.zeros(1, 3, 64, 64))
    assert called == ["g_a", "h_a2", *(["h_a1"] if coarse else [])]
    called.clear()
    model.side(latents)
    assert set(called) == {"h_s2", "predictor3", *(["h_s1", "predictor2"] if coarse else [])}
    called.clear()
    model.reconstruction.up1.register_forward_hook(lambda *_: called.append("reconstruction"))
    model.synthesise(latents)
    assert set(called) == {"h_s2", "g_s", "reconstruction", *(["h_s1"] if coarse else [])}


@torch.no_grad()
def test_rates_are_those_of_the_gaussians(model: CoarseToFine) -> None:
    out = model(torch.rand(2, 3, 64, 64) * 2 - 1)
    rounded = out.latents.z3.round()
    normal = torch.distributions.Normal(out.side.z3.mean.double(), out.side.z3.scale.double())
    likelihood = normal.cdf(rounded.double() + 0.5) - normal.cdf(rounded.double() - 0.5)
    expected = -torch.log2(likelihood.clamp_min(1e-8)).sum((1, 2, 3))
    torch.testing.assert_close(out.bits[0].double(), expected, rtol=1e-4, atol=1e-3)
    assert len(out.bits) == (2 if out.latents.z1 is None else 3)


def test_training_adds_noise_and_passes_gradients(model: CoarseToFine) -> None:
    x = torch.rand(1, 3, 64, 64) * 2 - 1
    model.train()
    first, second = model(x), model(x)
    # Transforms see rounded latents: the picture has no noise, the rate has.
    assert torch.equal(first.x_hat, second.x_hat)
    assert not torch.equal(first.bits[0], second.bits[0])
    (first.x_hat.square().sum() + sum(b.sum() for b in first.bits)).backward()
    without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


def test_inference_equals_training_mode_numbers(model: CoarseToFine) -> None:
    """The ways in place and the ways with gradients are one function."""
    x = torch.rand(1, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        without = model(x)
    torch.testing.assert_close(model(x).x_hat, without.x_hat)


@torch.no_grad()
@pytest.mark.parametrize("rows", [2, 8, 10])
def test_bands_of_rows_give_the_whole_picture(model: CoarseToFine, rows: int) -> None:
    spec = model.spec
    y = torch.randn(1, spec.g_s[2], 8 * rows, 16)  # up to one band and a quarter
    h2 = torch.randn(1, spec.fine.features, rows, 2)
    h1 = torch.randn(1, spec.coarse.features, rows // 2, 1) if spec.coarse else None
    whole = model.reconstruction(y, h2, h1)
    torch.testing.assert_close(model.reconstruction.in_bands(y, h2, h1), whole)


def test_weights_depend_on_the_seed_alone(spec: C2FSpec) -> None:
    first = build_network(spec, 1).state_dict()
    torch.rand(3)
    again, other = build_network(spec, 1).state_dict(), build_network(spec, 2).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["g_a.0.weight"], other["g_a.0.weight"])


@pytest.mark.parametrize(("height", "width"), [(64, 64), (1, 1), (65, 127), (720, 1280)])
def test_frames_are_centred_in_black(height: int, width: int) -> None:
    frame = torch.randint(0, 256, (1, 3, height, width)).float()
    x = to_network(frame)
    assert x.shape[2] % 64 == x.shape[3] % 64 == 0
    left, right, top, bottom = padding_of(height, width)
    assert 0 <= right - left <= 1
    assert 0 <= bottom - top <= 1
    assert (x == -1).sum() >= 3 * (x[0, 0].numel() - height * width)
    assert torch.equal(from_network(x, height, width), frame)
