"""Teaching new classes: what is learned agrees with scikit-learn, and is a map at each place."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from helpers.inside import features, teach
from helpers.network import hooks, photonet


def blobs(classes, each, size=6, seed=0, spread=4.0):
    """Rows around the centers of some classes, and their labels in mixed order."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(classes), each))
    return 50 + 10 * rng.normal(size=(classes, size))[labels] + spread * rng.normal(size=(len(labels), size)), labels


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_probabilities_are_those_of_scikit_learn_on_rows_of_one_scale(classes):
    rows, labels = blobs(classes, 8, spread=9.0)
    others, _ = blobs(classes, 20, seed=1)
    taught = teach.learn(rows, labels, [f"c{i}" for i in range(classes)])
    scale = (rows - rows.mean(0)).std()
    # For two classes scikit-learn learns one set of weights, their difference, which costs twice as much.
    rival = LogisticRegression(C=2 if classes == 2 else 1, max_iter=5000, tol=1e-10)
    rival.fit((rows - rows.mean(0)) / scale, labels)
    np.testing.assert_allclose(taught.chances(others), rival.predict_proba((others - rows.mean(0)) / scale), atol=1e-4)
    np.testing.assert_allclose(taught.chances(others).sum(axis=1), 1)
    assert taught.weight.shape == (classes, 6)
    assert taught.classes == tuple(f"c{i}" for i in range(classes))


def test_the_distance_is_that_to_the_nearest_example():
    examples, rows = blobs(2, 5)[0], blobs(3, 4, seed=1)[0]
    np.testing.assert_allclose(teach.distances(examples, rows), features.nearest(examples, rows, 1).distances[:, 0])
    with pytest.raises(ValueError, match=r"\(N, 6\)"):
        teach.distances(examples, rows[:, :5])


def test_learning_leaves_no_trace_and_works_where_gradients_are_off():
    rows, labels = blobs(2, 3)
    before = torch.random.get_rng_state()
    with torch.inference_mode():
        inside = teach.learn(rows, labels)
    assert torch.equal(before, torch.random.get_rng_state())
    np.testing.assert_array_equal(inside.weight, teach.learn(rows, labels).weight)


def test_neither_the_scale_nor_the_zero_of_the_rows_matters():
    rows, labels = blobs(3, 7)
    chances = teach.learn(rows, labels).chances(rows)
    np.testing.assert_allclose(teach.learn(rows / 1000 - 5, labels).chances(rows / 1000 - 5), chances, atol=1e-6)


def test_the_mean_of_a_map_is_the_logit_of_the_averaged_features():
    network, images = photonet.untrained(), torch.rand(4, 3, 67, 67, generator=torch.Generator().manual_seed(0))
    rows = features.vectors(network, images)
    taught = teach.learn(rows, [0, 1, 1, 0], ["a", "b"])
    maps = taught.maps(hooks.activations(network, images, "fire9")["fire9"])
    assert maps.shape[:2] == (4, 2)
    np.testing.assert_allclose(maps.mean(axis=(2, 3)), taught.logits(rows), atol=1e-3)


def test_held_out_rows_are_judged_by_what_did_not_see_them():
    """Labels by the toss of a coin: what is learned knows them by heart, and guesses when they are held out."""
    rng = np.random.default_rng(0)
    rows, labels = rng.normal(size=(40, 200)), rng.permutation(np.repeat([0, 1], 20))
    assert (teach.learn(rows, labels).logits(rows).argmax(1) == labels).all()
    assert 0.2 < (teach.held_out(rows, labels) == labels).mean() < 0.8
    rows, labels = blobs(3, 5, spread=0.1)
    assert (teach.held_out(rows, labels) == labels).all()
    assert (teach.held_out(*blobs(2, 2, spread=0.1)) == blobs(2, 2)[1]).all()


@pytest.mark.parametrize(
    ("rows", "labels", "words"),
    [
        (np.zeros((4, 3)), [0, 0, 0, 0], "at least two"),
        (np.zeros((4, 3)), [0, 1, 1], "Each of the 4 rows"),
        (np.zeros((4, 3)), [0.0, 1.0, 0.0, 1.0], "number of its class"),
        (np.zeros((4, 3)), [0, 1, -1, 1], "from 0"),
        (np.zeros((4, 3)), [0, 1, 3, 1], "Every class needs an example"),
        (np.zeros(4), [0, 1, 0, 1], "one row of numbers for each image"),
        (np.full((2, 3), np.nan), [0, 1], "NaN"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_in_a_sentence(rows, labels, words):
    with pytest.raises(ValueError, match=words):
        teach.learn(rows, np.array(labels))


def test_other_misfits_are_refused_too():
    rows, labels = blobs(2, 3)
    with pytest.raises(ValueError, match="3 names, labels up to 1"):
        teach.learn(rows, labels, ["a", "b", "c"])
    with pytest.raises(ValueError, match="one picture only"):
        teach.held_out(rows[:3], np.array([0, 0, 1]))
    taught = teach.learn(rows, labels)
    assert taught.classes == ("class 0", "class 1")
    with pytest.raises(ValueError, match=r"\(N, 6\)"):
        taught.chances(rows[:, :5])
    with pytest.raises(ValueError, match=r"\(N, 6, h, w\)"):
        taught.maps(np.zeros((1, 5, 2, 2)))


def test_equal_pictures_are_no_reason_to_stop():
    taught = teach.learn(np.ones((4, 3)), np.array([0, 1, 0, 1]))
    np.testing.assert_allclose(taught.chances(np.ones((1, 3))), [[0.5, 0.5]], atol=1e-6)
