"""Right and wrong answers to its exercises, and the claims of its prose and its predictions."""

import functools
import statistics

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d, interpolate

from helpers import data
from helpers.data import download, strokes
from helpers.filters import convolve, kernels
from helpers.inside import features, teach
from helpers.network import checkpoints, photonet, running
from tests.lessons.common import endless, printing, said

needs_the_file = pytest.mark.skipif(download.find_network().arrays is None, reason="the file is not at hand")


# -- right answers, written differently ------------------------------------------------------------------------------


def looped_average(maps):
    return [[one.mean() for one in image] for image in maps]


def summed(maps):
    return maps.sum(-1).sum(-1) / (maps.shape[2] * maps.shape[3])


def all_512(maps):
    features = np.zeros((len(maps), 512))
    for image in range(len(maps)):
        for k in range(512):
            features[image, k] = maps[image, k].mean()
    return features


def center(rows, labels, others):
    centers = np.stack([rows[labels == k].mean(axis=0) for k in range(labels.max() + 1)])
    return ((others[:, None] - centers) ** 2).sum(axis=2).argmin(axis=1)


def looped_center(rows, labels, others):
    found = []
    for other in others:
        best = {}
        for k in sorted(set(labels.tolist())):
            mean = sum(row for row, label in zip(rows, labels, strict=True) if label == k) / (labels == k).sum()
            best[k] = np.sqrt(((other - mean) ** 2).sum())
        found.append(min(best, key=best.get))
    return found


def center_by_torch(rows, labels, others):
    one_hot = torch.eye(int(labels.max()) + 1, dtype=torch.float64)[torch.from_numpy(labels)]
    centers = one_hot.T @ torch.from_numpy(rows) / one_hot.sum(0)[:, None]
    return torch.cdist(torch.from_numpy(others), centers).argmin(1)


def center_by_scores(rows, labels, others):
    """Distance squared without what is equal for all classes: a linear classifier."""
    centers = np.stack([rows[labels == k].mean(axis=0) for k in np.unique(labels)])
    return (others @ centers.T - (centers**2).sum(axis=1) / 2).argmax(axis=1)


def careful(known, said, away, keep):
    return np.where(away <= np.quantile(known, keep), said, -1)


def careful_by_sorting(known, said, away, keep):
    limit = sorted(known)[int(np.ceil(keep * len(known))) - 1]
    return [k if d <= limit else -1 for k, d in zip(said, away, strict=True)]


def careful_in_a_copy(known, said, away, keep):
    answers = said.copy()
    answers[away > np.percentile(known, 100 * keep)] = -1
    return answers


def careful_by_torch(known, said, away, keep):
    limit = torch.from_numpy(known).quantile(keep)
    return torch.from_numpy(said).masked_fill(torch.from_numpy(away) > limit, -1)


RIGHT = {
    "yours/average": [
        lambda: (lambda maps: maps.mean((2, 3)),),
        lambda: (lambda maps: torch.as_tensor(maps).flatten(2).mean(2),),
        lambda: (looped_average,),
        lambda: (summed,),
        lambda: (lambda maps: np.einsum("nchw->nc", maps) / maps[0, 0].size,),
        lambda: (all_512,),
        lambda: (lambda maps: maps.mean(dim=(2, 3)),),  # the task names neither arrays nor tensors
    ],
    "yours/center": [
        lambda: (center,),
        lambda: (looped_center,),
        lambda: (center_by_torch,),
        lambda: (center_by_scores,),
    ],
    "yours/careful": [
        lambda: (careful,),
        lambda: (careful_by_sorting,),
        lambda: (careful_in_a_copy,),
        lambda: (careful_by_torch,),
    ],
}


# -- wrong ones ------------------------------------------------------------------------------------------------------


def centers_of(rows, labels, mean=np.mean):
    return np.stack([mean(rows[labels == k], axis=0) for k in range(labels.max() + 1)])


def gaps(a, b):
    return np.linalg.norm(b[:, None] - a[None], axis=2)


def by(compare, mean=np.mean):
    """A classifier that compares centers and others in its own way."""
    return lambda rows, labels, others: compare(centers_of(rows, labels, mean), others)


def by_limit(limit, silent=-1):
    """A careful function with its own limit."""
    return lambda known, said, away, keep: np.where(away <= limit(known, away, keep), said, silent)


def as_if_normal(known, away, keep):
    return statistics.NormalDist(known.mean(), known.std()).inv_cdf(keep)


def in_place(known, said, away, keep):
    said[away > np.quantile(known, keep)] = -1
    return said


def always_three(rows, labels, others):
    return gaps(np.stack([rows[labels == k].mean(axis=0) for k in range(3)]), others).argmin(axis=1)


def only_one_center(rows, labels, others):
    return gaps(rows.mean(axis=0)[None], others).argmin(axis=1)


WRONG = {
    "yours/average": [
        (lambda: (lambda maps: maps.sum((2, 3)),), "You add up"),
        (lambda: (lambda maps: maps.max((2, 3)),), "largest value"),
        (lambda: (lambda maps: maps.mean(3),), "columns only"),
        (lambda: (lambda maps: maps.mean(2),), "rows only"),
        (lambda: (lambda maps: maps.mean((1, 2, 3)),), "over the 512 maps too"),
        (lambda: (lambda maps: maps.mean((0, 2, 3)),), "over the images too"),
        (lambda: (lambda maps: maps.mean(1),), "You average over the maps"),
        (lambda: (lambda maps: maps.mean((2, 3)).T,), "should be a row"),
        (lambda: (lambda maps: maps.mean((2, 3), keepdims=True),), "two axes too many"),
        (lambda: (lambda maps: maps.reshape(len(maps), -1),), "not their means"),
        (lambda: (lambda maps: np.median(maps, axis=(2, 3)),), "the median"),
        (lambda: (lambda maps: maps[:, :, 0, 0],), "The mean of each map"),
        (lambda: (lambda maps: np.abs(maps).mean((2, 3)),), "The mean of each map"),
        (lambda: (lambda maps: maps.mean((2, 3))[0],), "The shape should be"),
        (lambda: (printing,), "is there a `return`"),
        (lambda: (512,), "should be a function"),
    ],
    "yours/center": [
        (lambda: (lambda rows, labels, others: labels[gaps(rows, others).argmin(1)],), "nearest example"),
        (lambda: (lambda rows, labels, others: gaps(rows, others).argmin(1),), "number of the nearest example"),
        (lambda: (by(lambda c, o: gaps(c, o).argmax(1)),), "farthest away"),
        (lambda: (by(lambda c, o: (o @ c.T).argmax(1)),), "Dot products"),
        (lambda: (by(lambda c, o: (o @ c.T / np.linalg.norm(c, axis=1)).argmax(1)),), "compare angles"),
        (lambda: (by(lambda c, o: gaps(c, o).argmin(1), np.sum),), "Your centers are sums"),
        (lambda: (by(lambda c, o: gaps(c, o).argmin(1), np.median),), "medians"),
        (lambda: (by(lambda c, o: np.abs(o[:, None] - c).sum(2).argmin(1)),), "absolute differences"),
        (lambda: (by(lambda c, o: np.abs((o[:, None] - c).sum(2)).argmin(1)),), "cancel"),
        (lambda: (by(lambda c, o: gaps(c, o)),), "These are the distances"),
        (lambda: (by(lambda c, o: gaps(c, o).min(1)),), "smallest distances"),
        (lambda: (by(lambda c, o: c),), "These are the centers"),
        (lambda: (by(lambda c, o: gaps(c, o).argmin(0)),), "Turn the axis around"),
        (lambda: (lambda *a: center(*a) + 1,), "counted from 0"),
        (lambda: (lambda *a: np.eye(9)[center(*a)][:, : a[1].max() + 1],), "not a row of zeros"),
        (lambda: (only_one_center,), "For each class the mean"),
        (lambda: (always_three,), "There may be more than three classes"),
        (lambda: (lambda *a: center(*a)[:-1],), "The shape should be"),
        (lambda: (lambda rows, labels: labels,), "cannot be called with 3 arguments"),
        (lambda: (printing,), "is there a `return`"),
        (lambda: (endless,), "still running"),
    ],
    "yours/careful": [
        (lambda: (by_limit(lambda known, away, keep: np.quantile(known, 1 - keep)),), "the share 1 − `keep`"),
        (lambda: (by_limit(lambda known, away, keep: keep),), "not a distance"),
        (lambda: (by_limit(lambda known, away, keep: keep * known.max()),), "the largest distance"),
        (lambda: (by_limit(lambda known, away, keep: keep * known.mean()),), "not of a distance"),
        (lambda: (by_limit(lambda known, away, keep: np.quantile(away, keep)),), "not from those to be judged"),
        (lambda: (by_limit(lambda known, away, keep: np.percentile(known, keep)),), "counts from 0 to 100"),
        (lambda: (by_limit(lambda known, away, keep: known.mean() + known.std()),), "at most the limit"),
        (lambda: (by_limit(as_if_normal),), "at most the limit"),
        (lambda: (by_limit(lambda known, away, keep: int(np.quantile(known, keep))),), "at most the limit"),
        (lambda: (by_limit(lambda known, away, keep: np.sort(known)[round(keep * len(known)) - 3]),), "at most the"),
        (lambda: (by_limit(lambda known, away, keep: known.max()),), "all known pictures keep"),
        (lambda: (by_limit(lambda known, away, keep: known.mean()),), "about half"),
        (lambda: (by_limit(lambda known, away, keep: np.quantile(known, keep), 0),), "0 is a class"),
        (lambda: (lambda k, s, a, keep: np.where(a > np.quantile(k, keep), s, -1),), "silence the near ones"),
        (lambda: (lambda k, s, a, keep: np.where(a <= np.quantile(k, keep), a, -1),), "not the distances"),
        (lambda: (lambda k, s, a, keep: a <= np.quantile(k, keep),), "This is the mask."),
        (lambda: (lambda k, s, a, keep: a > np.quantile(k, keep),), "mask of the silenced"),
        (lambda: (lambda k, s, a, keep: s[a <= np.quantile(k, keep)],), "Keep the place"),
        (lambda: (lambda k, s, a, keep: np.where(k <= np.quantile(k, keep), 1, -1),), "They only set the limit"),
        (lambda: (lambda k, s, a, keep: s,), "Nobody is silenced"),
        (lambda: (lambda k, s, a, keep: -np.ones(len(s)),), "Everybody is silenced"),
        (lambda: (lambda k, s, a, keep: np.quantile(k, keep),), "Is it the limit"),
        (lambda: (in_place,), "changed its argument"),
        (lambda: (printing,), "is there a `return`"),
    ],
}


# -- what the prose says: three draws of squares ---------------------------------------------------------------------

NAMES, DRAWS = ("brick", "grass", "gravel"), (1, 2, 3)


def squares(count, half, seed, side=96):
    """Squares of each texture out of one half, (N, 3, side, side), and their classes."""
    rng, cut = np.random.default_rng(seed), []
    for name in NAMES:
        texture = data.photo(name)
        rows = rng.integers(0, 512 - side, count)
        columns = rng.integers(0, 256 - side, count) + 256 * (half == "right")
        cut += [texture[r : r + side, c : c + side] for r, c in zip(rows, columns, strict=True)]
    return photonet.batch(cut), np.repeat(range(3), count)


def by_hand(images):
    """The mean size of the response of each hand-made filter."""
    return np.stack([
        [np.abs(convolve.correlate2d(image, kernels.get(name))).mean() for name in kernels.NAMES]
        for image in images[:, 0].numpy()
    ])  # fmt: skip


@functools.cache
def drawn(seed):
    """Examples, new squares and what was learned from the examples' features, and these features."""
    (x, y), (new, y_new) = squares(10, "left", seed), squares(30, "right", 100 + seed)
    rows = features.vectors(photonet.load(), x)
    return x, y, new, y_new, rows, teach.learn(rows, y, NAMES)


def share(turn, x, y, new, y_new):
    """How many new squares are right with some numbers."""
    return (teach.learn(turn(x), y).logits(turn(new)).argmax(1) == y_new).mean()


@needs_the_file
@pytest.mark.parametrize("seed", DRAWS)
def test_hand_made_filters_tie_with_the_trained_network_and_pixels_do_not(seed):
    x, y, new, y_new, _, taught = drawn(seed)
    assert (taught.logits(features.vectors(photonet.load(), new)).argmax(1) == y_new).mean() > 0.98
    assert share(by_hand, x, y, new, y_new) > 0.97
    assert 0.55 < share(lambda images: features.pixels(images[:, :1]), x, y, new, y_new) < 0.75
    control = photonet.untrained(seed)
    assert 0.7 < share(lambda images: features.vectors(control, images), x, y, new, y_new) < 0.99


@needs_the_file
@pytest.mark.parametrize("seed", DRAWS)
def test_only_the_trained_network_bears_all_three_changes(seed):
    x, y, new, y_new, _, taught = drawn(seed)
    few, y_few = new[::3], y_new[::3]
    noise = 0.1 * torch.randn(few.shape, generator=torch.Generator().manual_seed(seed))
    larger = interpolate(few[:, :, 24:72, 24:72], size=(96, 96), mode="bilinear")
    changed = {"darker": 0.6 * few, "noisy": (few + noise).clamp(0, 1), "larger": larger}
    control, hand = photonet.untrained(seed), {}
    for images in changed.values():
        assert (taught.logits(features.vectors(photonet.load(), images)).argmax(1) == y_few).mean() > 0.9
    for name, images in changed.items():
        hand[name] = share(by_hand, x, y, images, y_few)
    assert max(hand.values()) < 0.8
    assert hand["noisy"] < 0.5
    rest = [share(lambda i: features.vectors(control, i), x, y, images, y_few) for images in changed.values()]
    assert min(rest) < 0.6


def even(images):
    """The same images with contrast divided out."""
    return (images - images.mean((1, 2, 3), keepdim=True)) / images.std((1, 2, 3), keepdim=True)


def larger(images, middle):
    """What lies in the middle, as large as the whole."""
    side, edge = images.shape[-1], (images.shape[-1] - middle) // 2
    inner = images[:, :, edge : edge + middle, edge : edge + middle]
    return interpolate(inner, size=(side, side), mode="bilinear")


def noisy(images, seed):
    """With noise of standard deviation 0.1."""
    noise = 0.1 * torch.randn(images.shape, generator=torch.Generator().manual_seed(seed))
    return (images + noise).clamp(0, 1)


@needs_the_file
@pytest.mark.parametrize("seed", DRAWS)
def test_one_number_nearly_reads_the_squares_and_dark_gravel_is_brick(seed):
    x, y, new, y_new, *_ = drawn(seed)
    one = [by_hand(even(images)).mean(axis=1, keepdims=True) for images in (x, new)]
    assert (teach.learn(one[0], y).logits(one[1]).argmax(1) == y_new).mean() > 0.93
    brick, grass, gravel = (one[1][y_new == k].mean() for k in range(3))
    assert brick < gravel < grass  # "lowest for brick, highest for grass"
    dark = teach.learn(by_hand(x), y).logits(by_hand(0.6 * new)).argmax(1)
    assert (dark[y_new != 1] == 0).all()  # brick stays brick, gravel is taken for it
    assert share(lambda images: by_hand(even(images)), x, y, 0.6 * new, y_new) > 0.97


@needs_the_file
@pytest.mark.parametrize("seed", DRAWS)
def test_changes_that_are_listed_help_the_filters_and_training_has_limits(seed):
    x, y, new, y_new, _, taught = drawn(seed)
    copies = torch.cat([x, 0.6 * x, larger(x, 48), noisy(x, 50 + seed)])
    helped = teach.learn(by_hand(even(copies)), np.tile(y, 4))
    dark, large, grainy = (
        (helped.logits(by_hand(even(images))).argmax(1) == y_new).mean()
        for images in (0.6 * new, larger(new, 48), noisy(new, seed))
    )
    assert min(dark, grainy) > 0.9
    assert 0.65 < large < 0.9  # "about four in five"
    huge = features.vectors(photonet.load(), larger(new, 32))
    assert 0.6 < (taught.logits(huge).argmax(1) == y_new).mean() < 0.88  # "miss about one in four"


@needs_the_file
@pytest.mark.parametrize("seed", DRAWS)
def test_distances_need_no_training_and_doubt_too_much(seed):
    x, _, new, y_new, rows, taught = drawn(seed)
    strange = photonet.batch([data.square(data.photo(name), side=96) for name in data.PHOTOS if name not in NAMES])
    far, near = (teach.distances(by_hand(x), by_hand(images)) for images in (strange, new))
    assert (far[:, None] > near).mean() > 0.95
    grainy = features.vectors(photonet.load(), noisy(new, seed))
    assert (taught.logits(grainy).argmax(1) == y_new).mean() > 0.97
    assert teach.distances(rows, grainy).min() > teach.distances(rows, features.vectors(photonet.load(), new)).max()


@needs_the_file
def test_a_sliding_window_with_filters_is_a_rival_of_the_class_maps():
    for seed in DRAWS:
        (x, y), (quarters, _) = squares(10, "left", seed), squares(1, "right", 7 + seed, side=160)
        brick, grass, gravel = quarters
        collage = torch.cat([torch.cat([brick, grass], dim=2), torch.cat([gravel, brick], dim=2)], dim=1)
        truth = np.kron([[0, 1], [2, 0]], np.ones((160, 160)))
        corners = [(r, c) for r in range(0, 225, 32) for c in range(0, 225, 32)]
        windows = torch.stack([collage[:, r : r + 96, c : c + 96] for r, c in corners])
        read = teach.learn(by_hand(x), y).logits(by_hand(windows)).argmax(1)
        assert 0.8 < np.mean(read == [truth[r + 48, c + 48] for r, c in corners]) < 0.97


@needs_the_file
@pytest.mark.parametrize("seed", DRAWS)
def test_strangers_are_sure_of_a_name_and_far_away(seed):
    network = photonet.load()
    *_, new, y_new, rows, taught = drawn(seed)[1:]
    strange = photonet.batch([data.square(data.photo(name), side=96) for name in data.PHOTOS if name not in NAMES])
    known, others = features.vectors(network, new), features.vectors(network, strange)
    assert teach.distances(rows, others).min() > teach.distances(rows, known).max()
    sure, doubt = taught.chances(others).max(1), 1 - taught.chances(known).max(1)
    assert len(sure) == 12
    assert np.median(sure) > 0.8
    assert (1 - sure[:, None] > doubt).mean() < 0.995  # the probability is the worse alarm
    half = features.vectors(network, avg_pool2d(new, 2))
    assert (taught.logits(half).argmax(1) == y_new).mean() < 0.75
    assert taught.chances(half).max(1).mean() > 0.9
    assert np.median(teach.distances(rows, half)) > teach.distances(rows, known).max()
    centers = np.stack([rows[10 * k : 10 * k + 10].mean(0) for k in range(3)])  # "as good as the linear classifier"
    assert (gaps(centers, known).argmin(1) == y_new).mean() > 0.98


@needs_the_file
def test_for_clothes_trained_features_are_ahead():
    fashion = data.load("fashion", first=(1000, 150)).torch()
    if not fashion.real:
        pytest.skip("the stand-in")
    for start in (0, 10, 20):
        few = np.concatenate([np.flatnonzero(fashion.train.labels == k)[start : start + 10] for k in range(10)])
        x, y = fashion.train.images[few], fashion.train.labels[few].numpy()
        new, y_new = fashion.test.images, fashion.test.labels.numpy()
        large = [interpolate(i, size=(112, 112), mode="bilinear").repeat(1, 3, 1, 1) for i in (x, new)]
        control = photonet.untrained(start)
        trained = share(lambda images: features.vectors(photonet.load(), images), large[0], y, large[1], y_new)
        random = share(lambda images, n=control: features.vectors(n, images), large[0], y, large[1], y_new)
        assert trained > random + 0.1
        assert trained > share(by_hand, x, y, new, y_new) + 0.1
        assert trained > share(features.pixels, x, y, new, y_new) - 0.03  # "though not by much"
    network = checkpoints.load("fashion")
    assert running.accuracy(network, data.load("fashion", first=(1, 1000)).torch().test) > 0.9  # "nine in ten"


def test_a_square_is_a_zero_for_the_network_for_digits():
    assert "More than 99%" in said("yours/drawn")
    corners = [(0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8), (0.2, 0.2)]
    for thickness in (0.07, 0.08, 0.1):
        image = strokes.digit([corners], thickness).image
        chances = running.predict(checkpoints.load("mnist"), image[None, None]).softmax(1)[0]
        assert chances.argmax() == 0
        assert chances[0] > 0.99
