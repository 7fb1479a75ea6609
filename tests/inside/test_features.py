"""The feature space: the right vectors, and neighbors and maps as scikit-learn and small closed forms have them."""

import numpy as np
import pytest
import torch
from torch import nn

from helpers.inside import features
from helpers.network import checkpoints
from helpers.network.hooks import activations
from helpers.network.models import ConvNet


@pytest.fixture(scope="module")
def blobs():
    """Three well separated groups of 40 rows with 60 numbers each, and their labels."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(3, 60)) * 10
    labels = np.repeat(np.arange(3), 40)
    return (centers[labels] + rng.normal(size=(120, 60))).astype(np.float32), labels


def test_vectors_are_what_the_last_dense_layer_sees():
    torch.manual_seed(0)
    model = ConvNet(dropout=0.5).train()
    x = torch.rand(7, 1, 28, 28)
    got = features.vectors(model, x, batch_size=3)
    assert got.shape == (7, 128)
    assert got.dtype == np.float32
    expected = activations(model.eval(), x, "classifier.relu3")["classifier.relu3"]
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(features.vectors(model, x.numpy()), got, rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match=r"no nn\.Linear"):
        features.vectors(model.features, x)
    with pytest.raises(ValueError, match=r"a batch of images \(N, C, H, W\)"):
        features.vectors(model, x[0])
    assert features.pixels(x).shape == (7, 784)
    assert (features.pixels(x)[2] == x[2].flatten().numpy()).all()


@pytest.mark.parametrize("metric", list(features.METRICS))
def test_nearest_by_the_formula(metric):
    rng = np.random.default_rng(1)
    bank, queries = rng.normal(size=(50, 9)), rng.normal(size=(8, 9))
    difference = queries[:, None] - bank[None]
    all_distances = {
        "l1": np.abs(difference).sum(2),
        "l2": np.sqrt((difference**2).sum(2)),
        "mse": (difference**2).mean(2),
        "cosine": 1 - (queries @ bank.T) / np.outer(np.linalg.norm(queries, axis=1), np.linalg.norm(bank, axis=1)),
    }[metric]
    got = features.nearest(bank, queries, k=4, metric=metric)
    assert (got.indices == all_distances.argsort(1)[:, :4]).all()
    np.testing.assert_allclose(got.distances, np.sort(all_distances, 1)[:, :4], rtol=1e-6, atol=1e-9)


def test_knn_accuracy_is_a_majority_vote_with_the_nearest_breaking_ties():
    bank, labels = np.array([[0.0], [1.0], [2.0], [10.0]]), np.array([7, 3, 3, 5])
    queries = np.array([[0.2], [0.2], [9.0]])
    assert features.knn_accuracy(bank, labels, queries, [7, 7, 5], k=1) == 1.0
    assert features.knn_accuracy(bank, labels, queries, [3, 7, 5], k=3) == pytest.approx(1 / 3)
    assert features.knn_accuracy(bank, labels, queries, [7, 7, 5], k=2) == 1.0
    from sklearn.neighbors import KNeighborsClassifier

    rng = np.random.default_rng(0)
    bank, labels = rng.normal(size=(200, 5)), rng.integers(0, 2, 200)
    queries, truth = rng.normal(size=(60, 5)), rng.integers(0, 2, 60)
    expected = KNeighborsClassifier(5).fit(bank, labels).score(queries, truth)  # two labels, odd k: no ties
    assert features.knn_accuracy(bank, labels, queries, truth, k=5) == pytest.approx(expected)


def test_pca_keeps_distances_and_orders_axes(blobs):
    rows, _ = blobs
    full = features.pca(rows.astype(np.float64), 60)
    distances = np.linalg.norm(rows[:20, None].astype(np.float64) - rows[None, :20], axis=2)
    np.testing.assert_allclose(
        np.linalg.norm(full.points[:20, None] - full.points[None, :20], axis=2), distances, atol=1e-6
    )
    assert full.explained.sum() == pytest.approx(1)
    assert (np.diff(full.explained) <= 1e-12).all()
    np.testing.assert_allclose((rows - rows.mean(0)) @ full.axes.T, full.points, atol=1e-3)
    assert features.pca(rows).points.shape == (120, 2)


@pytest.mark.parametrize("init", ["pca", "random"])
def test_tsne_keeps_groups_together(blobs, init):
    rows, labels = blobs
    points = features.tsne(rows, perplexity=10, init=init)
    assert points.shape == (120, 2)
    assert features.knn_accuracy(points, labels, points, labels, k=5) == 1.0
    assert (points == features.tsne(rows, perplexity=10, init=init)).all(), "the same seed, the same picture"


def test_another_seed_moves_only_a_random_start(blobs):
    rows, _ = blobs
    same = [features.tsne(rows, 10, "pca", seed) for seed in (0, 1)]
    np.testing.assert_allclose(*same, atol=1e-2)
    moved = [features.tsne(rows, 10, "random", seed) for seed in (0, 1)]
    assert np.abs(moved[0] - moved[1]).max() > 1


def test_what_does_not_fit_is_named(blobs):
    rows, labels = blobs
    with pytest.raises(ValueError, match="metric has to be one of l1, l2, mse, cosine"):
        features.nearest(rows, rows, metric="manhattan")
    with pytest.raises(ValueError, match="k has to be from 1 to 120"):
        features.knn_accuracy(rows, labels, rows, labels, k=121)
    with pytest.raises(ValueError, match="different spaces, of 60 and 59 numbers"):
        features.nearest(rows, rows[:, 1:])
    with pytest.raises(ValueError, match=r"one row of numbers for each image, \(N, D\), got shape \(2, 3, 4\)"):
        features.pca(np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match="components has to be from 1 to 60"):
        features.pca(rows, 61)
    with pytest.raises(ValueError, match="perplexity has to be at least 1 and less than 120"):
        features.tsne(rows, 120)
    with pytest.raises(ValueError, match="init has to be 'pca' or 'random'"):
        features.tsne(rows, 10, "spectral")


def test_neighbors_in_feature_space_are_right_more_often_than_in_pixel_space():
    from helpers import data

    digits = data.load("mnist")
    bank, queries = digits.test[:1500], digits.test[1500:2000] if digits.real else digits.train[:500]
    model = checkpoints.load("mnist")
    in_pixels = features.knn_accuracy(
        features.pixels(bank.images), bank.labels, features.pixels(queries.images), queries.labels
    )
    inside = features.knn_accuracy(
        features.vectors(model, bank.images), bank.labels, features.vectors(model, queries.images), queries.labels
    )
    torch.manual_seed(0)
    untrained = ConvNet()
    control = features.knn_accuracy(
        features.vectors(untrained, bank.images),
        bank.labels,
        features.vectors(untrained, queries.images),
        queries.labels,
    )
    assert inside > in_pixels
    if digits.real:
        assert inside > 0.98
        assert in_pixels < 0.96
        assert control < in_pixels + 0.02


def test_a_network_may_end_in_any_dense_layer():
    model = nn.Sequential(nn.Flatten(), nn.Linear(8, 3))
    x = torch.rand(2, 2, 2, 2)
    assert (features.vectors(model, x) == x.flatten(1).numpy()).all()
