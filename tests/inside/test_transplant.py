"""Transplants are projections onto the nearest line of a bank, and nothing else changes."""

import numpy as np
import pytest
import torch

from helpers.inside import transplant
from helpers.network.models import ConvNet


def test_cosines_are_those_of_torch():
    a, b = torch.randn(5, 3, 3), torch.randn(4, 3, 3)
    wanted = torch.nn.functional.cosine_similarity(a.flatten(1)[:, None], b.flatten(1)[None], dim=2)
    torch.testing.assert_close(transplant.cosines(a, b), wanted)
    assert (transplant.cosines(torch.zeros(1, 3, 3), b) == 0).all()


def test_the_nearest_multiple_is_that_of_least_squares():
    w, bank = torch.randn(6, 1, 3, 3), np.random.default_rng(0).normal(size=(4, 3, 3)).astype(np.float32)
    found = transplant.projected(w, bank)
    for i in range(6):
        residuals = [np.linalg.lstsq(b.reshape(9, 1), w[i].numpy().reshape(9), rcond=None)[1][0] for b in bank]
        assert float(((found[i] - w[i]) ** 2).sum()) == pytest.approx(min(residuals), rel=1e-3)


def test_a_bank_that_holds_the_filters_changes_nothing_and_the_model_stays():
    torch.manual_seed(0)
    model = ConvNet(filters=(4, 6), hidden=8).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    own = -3 * model.features.conv1.weight.detach()[:, 0]
    same, other = transplant.transplant(model, own), transplant.transplant(model, torch.randn(2, 3, 3))
    x = torch.rand(2, 1, 28, 28)
    torch.testing.assert_close(same(x), model(x), atol=1e-5, rtol=1e-4)
    changed = {n for n, v in other.state_dict().items() if not torch.equal(v, before[n])}
    assert changed == {"features.conv1.weight"}
    assert all(torch.equal(v, before[n]) for n, v in model.state_dict().items())


def test_what_does_not_fit_is_refused_in_a_sentence():
    model = ConvNet()
    with pytest.raises(ValueError, match="Filters of 9 and of 25"):
        transplant.transplant(model, torch.randn(2, 5, 5))
    with pytest.raises(ValueError, match="only be put into"):
        transplant.transplant(model, torch.randn(2, 3, 3), "features.relu1")
