"""The measures of a map against answers that are known beforehand."""

import numpy as np
import pytest
import torch
from torch import nn

from helpers.inside import faithfulness as fa
from helpers.network.models import ConvNet


@pytest.fixture
def x():
    return torch.rand(3, 1, 6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.fixture
def linear():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(30, 4)).double()


def test_deletion_of_a_linear_model_is_a_cumulative_sum(linear, x):
    target = torch.tensor([0, 3, 1])
    share_of_score = (linear[1].weight[target].detach().view(3, 1, 6, 5) * x)[:, 0]
    curve = fa.deletion(linear, x, share_of_score, target, steps=30)
    ranked = share_of_score.flatten(1).sort(dim=1, descending=True).values
    start = linear(x).gather(1, target[:, None]).detach()
    expected = start - torch.cat([torch.zeros(3, 1, dtype=torch.float64), ranked.cumsum(1)], 1)
    torch.testing.assert_close(curve.logits, expected)
    torch.testing.assert_close(curve.share, torch.linspace(0, 1, 31))
    assert curve.probabilities.shape == (3, 31)
    torch.testing.assert_close(
        curve.probabilities[:, 0], linear(x).softmax(1).gather(1, target[:, None])[:, 0].detach()
    )


def test_deletion_blackens_and_stops_at_the_share(linear, x):
    maps = torch.rand(3, 1, 6, 5)
    part = fa.deletion(linear, x, maps, 2, steps=1, until=0.5)
    half = maps.flatten(1).argsort(1, descending=True)[:, :15]
    masked = x.flatten(1).scatter(1, half, 0.0).view_as(x)
    torch.testing.assert_close(part.logits[:, 1], linear(masked)[:, 2].detach())


def test_deletion_names_what_does_not_fit(linear, x):
    with pytest.raises(ValueError, match=r"Expected one map \(N, H, W\) for each image, got shape \(3, 5, 6\)"):
        fa.deletion(linear, x, torch.rand(3, 5, 6))
    for wrong in ({"steps": 0}, {"until": 0.0}, {"until": 1.5}):
        with pytest.raises(ValueError, match="steps has to be at least 1"):
            fa.deletion(linear, x, torch.rand(3, 6, 5), **wrong)


def test_rank_correlation_equals_scipy():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 6, (4, 2, 7, 5)), rng.integers(0, 6, (4, 2, 7, 5))  # many ties
    where = rng.random((4, 7, 5)) < 0.6
    got = fa.rank_correlation(torch.from_numpy(a), torch.from_numpy(b), torch.from_numpy(where))
    expected = [spearmanr(a[i][:, where[i]].ravel(), b[i][:, where[i]].ravel()).statistic for i in range(4)]
    torch.testing.assert_close(got, torch.tensor(expected, dtype=torch.float32))
    everywhere = [spearmanr(a[i].ravel(), b[i].ravel()).statistic for i in range(4)]
    torch.testing.assert_close(fa.rank_correlation(*map(torch.from_numpy, (a, b))), torch.tensor(everywhere).float())
    assert fa.rank_correlation(torch.zeros(1, 3, 3), torch.rand(1, 3, 3)).isnan().all()
    with pytest.raises(ValueError, match="Compare maps of one shape"):
        fa.rank_correlation(torch.zeros(1, 3, 3), torch.zeros(2, 3, 3))


def test_randomize_touches_only_the_copy_and_only_what_was_named():
    torch.manual_seed(0)
    model = ConvNet()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    copy = fa.randomize(model, "classifier", seed=4)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert {k for k, v in copy.state_dict().items() if not torch.equal(v, before[k])} == {
        f"classifier.{layer}.{kind}" for layer in ("hidden", "output") for kind in ("weight", "bias")
    }
    again, other = fa.randomize(model, "classifier", seed=4), fa.randomize(model, "classifier", seed=5)
    assert all(torch.equal(a, b) for a, b in zip(copy.parameters(), again.parameters(), strict=True))
    assert not torch.equal(copy.classifier.output.weight, other.classifier.output.weight)
    one = fa.randomize(model, [model.features.conv2])
    assert torch.equal(one.features.conv1.weight, model.features.conv1.weight)
    assert not torch.equal(one.features.conv2.weight, model.features.conv2.weight)
    with pytest.raises(ValueError, match="its layers are"):
        fa.randomize(model, "top")


def test_layers_with_weights_from_the_top():
    assert fa.weighted_layers(ConvNet()) == [
        "classifier.output",
        "classifier.hidden",
        "features.conv2",
        "features.conv1",
    ]


def test_segment_and_overlap_by_hand():
    maps = torch.tensor([[[5.0, 1.0], [3.0, -2.0]], [[0.0, 1.0], [2.0, 3.0]]])
    masks = fa.segment(maps, 0.5)
    assert torch.equal(masks, torch.tensor([[[True, False], [True, False]], [[False, False], [True, True]]]))
    assert torch.equal(fa.segment(maps, torch.tensor([0.25, 0.75])).flatten(1).sum(1), torch.tensor([1, 3]))
    ink = fa.ink(torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]], [[[0.0, 0.0], [0.1, 0.9]]]]))
    torch.testing.assert_close(fa.overlap(masks, ink), torch.tensor([0.5, 1.0]))
    nothing = torch.zeros(1, 2, 2, dtype=torch.bool)
    assert fa.overlap(nothing, nothing) == 1
    with pytest.raises(ValueError, match="two bool masks"):
        fa.overlap(maps, ink)
