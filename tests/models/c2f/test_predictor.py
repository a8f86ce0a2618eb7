"""The predictors over whole frames give the numbers of the published form, patch by patch."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from c3d_export.models.c2f.predictor import Predictor  # noqa: E402
from c3d_export.models.c2f.spec import LevelSpec  # noqa: E402

from .literal import predict  # noqa: E402

# All widths differ, so that no axis can stand for another.
LEVEL = LevelSpec(5, (8, 8, 8), (8, 8, 8), features=6, predictor=(7, 9, 10))


@pytest.fixture
def predictor() -> Predictor:
    torch.manual_seed(3)
    made = Predictor(LEVEL, 11)
    for parameter in made.parameters():  # biases too: padding must not see them
        torch.nn.init.normal_(parameter, std=0.3)
    return made


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 7), (2, 3), (5, 4), (9, 12)])
@torch.no_grad()
def test_dense_is_the_published_form(predictor: Predictor, height: int, width: int) -> None:
    h = torch.randn(2, LEVEL.features, height, width)
    expected = predict(predictor, h)
    for found, wanted in zip(predictor(h), expected, strict=True):
        assert found.shape == (2, 11, height, width)
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_a_patch_alone(predictor: Predictor) -> None:
    """`on_patch` is the centre of a frame that ends with the patch."""
    patch = torch.randn(3, LEVEL.features, 5, 5)
    for found, wanted in zip(predictor.on_patch(patch), predict(predictor, patch), strict=True):
        torch.testing.assert_close(found, wanted[:, :, 2, 2], rtol=1e-5, atol=1e-5)


def test_gradients_are_those_of_the_published_form(predictor: Predictor) -> None:
    h = torch.randn(1, LEVEL.features, 4, 3)
    gradients = []
    for form in (predictor, lambda x: predict(predictor, x)):
        mean, log_scale = form(h)
        loss = (mean.sin() * log_scale.cos()).sum()
        gradients.append(torch.autograd.grad(loss, list(predictor.parameters())))
    for found, wanted in zip(*gradients, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
