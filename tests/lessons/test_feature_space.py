"""Right and wrong answers to its exercises, and the claims of its prose and its predictions."""

import numpy as np
import pytest
import torch
from scipy.spatial import distance as scipy_distance
from scipy.stats import spearmanr
from sklearn.decomposition import PCA

from helpers import data
from helpers.inside import features
from helpers.network import checkpoints, running
from helpers.network.models import ConvNet
from tests.lessons.common import endless, printing


def rulers(l1=None, mse=None, cosine=None):
    """The three distances, with mistakes to choose."""

    def distances(a, b):
        angle = (a * b).sum() / (np.linalg.norm(a) * np.linalg.norm(b))
        return (
            np.abs(a - b).sum() if l1 is None else l1(a, b),
            ((a - b) ** 2).mean() if mse is None else mse(a, b),
            1 - angle if cosine is None else cosine(a, b, angle),
        )

    return distances


def looped_rulers(a, b):
    """The three distances, number by number."""
    l1 = mse = product = aa = bb = 0.0
    for x, y in zip(a.tolist(), b.tolist(), strict=True):
        l1 += abs(x - y)
        mse += (x - y) ** 2 / len(a)
        product, aa, bb = product + x * y, aa + x * x, bb + y * y
    return [l1, mse, 1 - product / (aa * bb) ** 0.5]


def torch_rulers(a, b):
    """The three distances in PyTorch and float32."""
    a, b = torch.tensor(a, dtype=torch.float32), torch.tensor(b, dtype=torch.float32)
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=0)
    return torch.nn.functional.l1_loss(a, b, reduction="sum"), torch.nn.functional.mse_loss(a, b), 1 - cosine


def writes(a, b):
    """The three distances, after writing into the first vector."""
    a -= b
    return np.abs(a).sum(), (a**2).mean(), 1.0


def rms(a, b):
    """The root of the mean square."""
    return np.sqrt(((a - b) ** 2).mean())


def by_row(a, b):
    """The mean of the roots of the rows."""
    return np.sqrt(((a - b) ** 2).mean(1)).mean()


def enough(rows, share, center=True, power=2, more=1, axis=0, scale=False):
    """How many principal directions hold a share, with mistakes to choose."""
    x = rows - rows.mean(axis, keepdims=True) if center else rows
    x = x / rows.std(0) if scale else x
    values = np.linalg.svd(x, compute_uv=False) ** power
    return int((np.cumsum(values) / values.sum() < share).sum()) + more


def using(**mistakes):
    """:func:`enough` with these mistakes."""
    return lambda rows, share: enough(rows, share, **mistakes)


def by_eigenvalues(rows, share):
    """The eigenvalues of the covariance, the largest first."""
    values = np.linalg.eigvalsh(np.cov(rows.T))[::-1]
    return np.searchsorted(np.cumsum(values) / values.sum(), share) + 1


def looped(rows, share):
    """One direction after the other, until it is enough."""
    values = np.linalg.svd(rows - rows.mean(0))[1] ** 2
    held = 0.0
    for count, value in enumerate(values, start=1):
        held += value / values.sum()
        if held >= share:
            return count


def by_sklearn(rows, share):
    """The scikit-learn way."""
    return PCA(float(share), svd_solver="full").fit(rows).n_components_


def torch_enough(rows, share):
    """In PyTorch and float32."""
    x = torch.tensor(rows, dtype=torch.float32)
    values = torch.linalg.svdvals(x - x.mean(0)) ** 2
    return ((values.cumsum(0) / values.sum()) < share).sum() + 1


def squares_twice(rows, share):
    """Squares of variances."""
    values = np.sort(np.linalg.eigvalsh(np.cov(rows.T)))[::-1] ** 2
    return np.searchsorted(np.cumsum(values) / values.sum(), share) + 1


def narrowest_first(rows, share):
    """eigh sorts the other way round."""
    values = np.linalg.eigvalsh(np.cov(rows.T))
    return np.searchsorted(np.cumsum(values) / values.sum(), share) + 1


def columns(rows, share, ordered=True):
    """Variances of the columns."""
    values = np.sort(rows.var(0))[::-1] if ordered else rows.var(0)
    return np.searchsorted(np.cumsum(values) / values.sum(), share) + 1


def held_by(rows):
    """What the directions hold, added up."""
    values = np.linalg.svd(rows - rows.mean(0), compute_uv=False) ** 2
    return np.cumsum(values) / values.sum()


def centers_in_place(rows, share):
    """Centers the rows it is given."""
    rows -= rows.mean(0)
    return enough(rows, share)


RIGHT = {
    "feature_space/distances": [
        lambda: (rulers(),),
        lambda: (looped_rulers,),
        lambda: (torch_rulers,),
        lambda: (lambda a, b: np.array(rulers()(a.astype(np.float32), b.astype(np.float32))),),
        lambda: (rulers(cosine=lambda a, b, angle: scipy_distance.cosine(a, b)),),
        lambda: (rulers(l1=lambda a, b: np.linalg.norm(a - b, 1), mse=lambda a, b: (a - b) @ (a - b) / len(a)),),
    ],
    "feature_space/moved": [
        lambda: (lambda a, b: (rms(a, b), rms(a[:-1], a[1:])),),
        lambda: (lambda a, b: [rms(a.astype(np.float32), b), rms(a[1:].astype(np.float32), a[:-1])],),
        lambda: (lambda a, b: (((a - b) ** 2).mean() ** 0.5, (np.diff(a, axis=0) ** 2).mean() ** 0.5),),
        lambda: (lambda a, b: tuple(np.linalg.norm(d) / d.size**0.5 for d in (a - b, a[1:] - a[:-1])),),
        lambda: (lambda a, b: (torch.tensor(a - b).square().mean().sqrt(), torch.tensor(rms(a[1:], a[:-1]))),),
    ],
    "feature_space/directions": [
        lambda: (enough,),
        lambda: (by_eigenvalues,),
        lambda: (looped,),
        lambda: (by_sklearn,),
        lambda: (torch_enough,),
        lambda: (lambda rows, share: float(np.argmax(held_by(rows) >= share) + 1),),
        lambda: (lambda rows, share: [int((held_by(rows.astype(np.float32)) < share).sum() + 1)],),
    ],
}

WRONG = {
    "feature_space/distances": [
        (lambda: (rulers(l1=lambda a, b: np.abs(a - b).mean()),), "not their mean"),
        (lambda: (rulers(l1=lambda a, b: (a - b).sum()),), "must not cancel"),
        (lambda: (rulers(l1=lambda a, b: abs((a - b).sum())),), "must not cancel"),
        (lambda: (rulers(l1=lambda a, b: np.linalg.norm(a - b)),), "the root of the sum of squares"),
        (lambda: (rulers(l1=lambda a, b: np.abs(a - b).max()),), "the largest difference"),
        (lambda: (rulers(l1=lambda a, b: np.abs(a - b)[0]),), "L1"),
        (lambda: (rulers(mse=lambda a, b: ((a - b) ** 2).sum()),), "divide by the number"),
        (lambda: (rulers(mse=lambda a, b: rms(a, b)),), "leave it squared"),
        (lambda: (rulers(mse=lambda a, b: np.abs(a - b).mean()),), "are squared"),
        (lambda: (rulers(mse=lambda a, b: (a - b).mean() ** 2),), "square each difference first"),
        (lambda: (rulers(mse=lambda a, b: (a - b).var()),), "do not subtract their mean"),
        (lambda: (rulers(mse=lambda a, b: ((a - b) ** 2).sum() / 12),), "The MSE of a test pair"),
        (lambda: (rulers(cosine=lambda a, b, angle: angle),), "1 minus it"),
        (lambda: (rulers(cosine=lambda a, b, angle: 1 - (a * b).sum()),), "both lengths"),
        (lambda: (rulers(cosine=lambda a, b, angle: 1 - abs(angle)),), "without the absolute value"),
        (lambda: (rulers(cosine=lambda a, b, angle: 1 + angle),), "not added"),
        (lambda: (rulers(cosine=lambda a, b, angle: angle - 1),), "sign is turned around"),
        (lambda: (rulers(cosine=lambda a, b, angle: np.arccos(angle)),), "That is the angle"),
        (lambda: (rulers(cosine=lambda a, b, angle: 1 - np.corrcoef(a, b)[0, 1]),), "the correlation"),
        (lambda: (rulers(cosine=lambda a, b, angle: 1 - a @ b / (a @ a) / (b @ b)),), "the root is missing"),
        (lambda: (rulers(cosine=lambda a, b, angle: np.nan),), "NaN"),
        (lambda: (lambda a, b: rulers()(a, b)[::-1],), "mind the order"),
        (lambda: (lambda a, b: np.abs(a - b).sum(),), "the shape of yours is ()"),
        (lambda: (writes,), "changed its argument `a`"),
        (lambda: (printing,), "is there a `return`"),
        (lambda: (lambda a, b: ("l1", "mse", "cosine"),), "it asks for three numbers"),
    ],
    "feature_space/moved": [
        (lambda: (lambda a, b: (rms(a, b) ** 2, rms(a[:-1], a[1:]) ** 2),), "root is missing"),
        (lambda: (lambda a, b: (rms(a, b), rms(a[:-1], a[1:]) ** 2),), "root is missing in `others`"),
        (lambda: (lambda a, b: (rms(a[:-1], a[1:]), rms(a, b)),), "comes first"),
        (lambda: (lambda a, b: (rms(a, b), rms(a[:-1], b[1:])),), "of the same set"),
        (lambda: (lambda a, b: (np.abs(a - b).mean(), 1.0),), "then the root"),
        (lambda: (lambda a, b: (by_row(a, b), by_row(a[1:], a[:-1])),), "the mean of the roots"),
        (lambda: (lambda a, b: (np.linalg.norm(a - b), 1.0),), "the root of the sum of squares"),
        (lambda: (lambda a, b: (rms(a, b), rms(a, a.mean(0))),), "with the mean of all"),
        (lambda: (lambda a, b: (rms(a, b), rms(a, np.roll(a, -1, 0))),), "The last row has no next one"),
        (lambda: (lambda a, b: (rms(a, b), rms(a[:, 1:], a[:, :-1])),), "neighboring numbers of one row"),
        (lambda: (lambda a, b: (rms(a, b), rms(b[1:], b[:-1])),), "the shifted rows with each other"),
        (lambda: (lambda a, b: (rms(a, b), rms(a[0], a[1])),), "first two rows only"),
        (lambda: (lambda a, b: (rms(a[0], b[0]), rms(a[1:], a[:-1])),), "all at once"),
        (lambda: (lambda a, b: (abs((a - b).mean()), 1.0),), "Ups and downs cancel"),
        (lambda: (lambda a, b: (rms(a, b), rms(a[2:], a[:-2])),), "with the next one"),
        (lambda: (lambda a, b: (rms(a, b), rms(a, b)),), "repeats the distance"),
        (lambda: (lambda a, b: rms(a, b),), "the shape of yours is ()"),
        (lambda: (lambda a, b: (np.nan, 1.0),), "NaN"),
        (lambda: (printing,), "is there a `return`"),
    ],
    "feature_space/directions": [
        (lambda: (using(center=False),), "Center the rows first"),
        (lambda: (using(power=1),), "SQUARE of its singular value"),
        (lambda: (using(power=4),), "square twice"),
        (lambda: (squares_twice,), "square twice"),
        (lambda: (using(more=0),), "One too few"),
        (lambda: (using(more=2),), "One too many"),
        (lambda: (narrowest_first,), "the widest comes first"),
        (lambda: (using(scale=True),), "Center only"),
        (lambda: (columns,), "variances of the columns"),
        (lambda: (lambda rows, share: columns(rows, share, ordered=False),), "variances of the columns"),
        (lambda: (using(axis=1),), "Center each column"),
        (lambda: (lambda rows, share: int((held_by(rows) >= share).sum()),), "after the share is reached"),
        (lambda: (lambda rows, share: rows.shape[1],), "how many numbers a row has"),
        (lambda: (lambda rows, share: held_by(rows)[1],), "That is a share"),
        (lambda: (lambda rows, share: held_by(rows),), "One number is asked for"),
        (lambda: (lambda rows, share: held_by(rows) < share,), "One number is asked for"),
        (lambda: (lambda rows, share: share * rows.shape[1] + 0.123,), "is whole"),
        (lambda: (lambda rows, share: 2,), "are enough: the first directions"),
        (lambda: (lambda rows, share: np.nan,), "NaN"),
        (lambda: (centers_in_place,), "changed its argument `rows`"),
        (lambda: (endless,), "still running after"),
        (lambda: (printing,), "is there a `return`"),
    ],
}


# -- what its prose and its predictions say ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mnist():
    found = data.load("mnist", first=(2000, 3000))
    if not found.real:
        pytest.skip("about the real digits")
    return found


def by_network(seed=None):
    """Feature vectors of the reference network, or of an untrained one."""
    if seed is None:
        network = checkpoints.load("mnist")
    else:
        with running.seeded(seed):
            network = ConvNet().eval()
    return lambda images: features.vectors(network, images)


def vote(known, queries, describe):
    return features.knn_accuracy(
        describe(known.images), known.labels, describe(queries.images), queries.labels, 5, "cosine"
    )


def test_thirty_of_the_first_fours_have_a_nine_as_their_nearest_neighbor(mnist):
    fours = mnist.test.images[mnist.test.labels == 4][:318]
    near = features.nearest(features.pixels(mnist.train.images), features.pixels(fours), 1, "mse").indices[:, 0]
    assert len(fours) == 318, "of the first 318 test 4s"
    assert (mnist.train.labels[near] == 9).sum() == 30, "30 have a 9"


def test_the_cosines_of_three_thousand_digits_and_of_five_untrained_networks(mnist):
    def cosines(rows):
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        fours, nines = (unit[mnist.test.labels == digit] for digit in (4, 9))
        own = [((u @ u.T).sum() - len(u)) / (len(u) ** 2 - len(u)) for u in (fours, nines)]
        return np.array([*own, (fours @ nines.T).mean()])

    pixels, trained = cosines(features.pixels(mnist.test.images)), cosines(by_network()(mnist.test.images))
    assert pixels[0] - pixels[2] < 0.02, "by pixels a 4 is as close to a 9 as to another 4"
    assert (trained[:2] > 0.7).all(), "equals near 0.77"
    assert trained[2] < 0.4
    for seed in range(5):
        assert np.ptp(cosines(by_network(seed)(mnist.test.images))) < 0.04, "one that nobody trained leaves them equal"


def test_random_networks_vote_like_pixels_and_trained_on_the_same_labels_they_win(mnist):
    queries = mnist.test[:1000]
    pixels = vote(mnist.train, queries, features.pixels)
    untrained = [vote(mnist.train, queries, by_network(seed)) for seed in range(5)]
    assert 0.86 < min(untrained) <= max(untrained) < pixels < 0.9, "five of five do no better than the pixels"
    mse = features.knn_accuracy(
        features.pixels(mnist.train.images),
        mnist.train.labels,
        features.pixels(queries.images),
        queries.labels,
        5,
        "mse",
    )
    assert round(mse, 2) == 0.87, "with squared differences they get 87%"


def test_with_all_60000_known_digits_pixels_get_97_percent(mnist):
    everything = data.load("mnist", first=(60_000, 1000))
    assert round(vote(everything.train, everything.test, features.pixels), 2) == 0.97


@pytest.mark.parametrize("seed", range(3))
def test_tsne_draws_tight_and_wide_alike_and_far_hardly_farther(seed):
    rng = np.random.default_rng(seed)
    middles, spreads = np.array([[0, 0], [12, 0], [60, 0]]), np.array([0.3, 3, 1])
    group = np.repeat([0, 1, 2], 60)
    toy = middles[group] + spreads[group, None] * rng.normal(size=(180, 2))
    wider, farther = {}, {}
    for perplexity in (30, 90):
        points = features.tsne(toy, perplexity)
        centers = np.array([np.median(points[group == g], 0) for g in range(3)])
        size = [np.median(np.linalg.norm(points[group == g] - centers[g], axis=1)) for g in range(3)]
        wider[perplexity] = size[1] / size[0]
        gaps = np.linalg.norm(centers[1:] - centers[0], axis=1)
        farther[perplexity] = gaps[1] / gaps[0]
        assert features.knn_accuracy(points, group, points, group, 6) > 0.98, "who belongs together is right"
    assert wider[30] < 1.25 < wider[90] < 3, "of about the same size; at 90 sizes begin to come back"
    assert farther[30] < 2 < 3 < farther[90] < 4, "less than twice as far; at 90 three times"


def test_another_perplexity_moves_the_islands_more_than_another_start(mnist):
    network, apart = by_network(), {"start": [], "perplexity": []}
    for part in range(2):
        digits = mnist.test[300 * part : 300 * part + 300]
        rows = network(digits.images)

        def gaps(points, labels=digits.labels):
            centers = np.array([points[labels == digit].mean(0) for digit in range(10)])
            return np.linalg.norm(centers[:, None] - centers, axis=2)[np.triu_indices(10, 1)]

        usual = gaps(features.tsne(rows))
        apart["perplexity"].append(spearmanr(usual, gaps(features.tsne(rows, 5)))[0])
        apart["start"].append(spearmanr(usual, gaps(features.tsne(rows, init="random", seed=1)))[0])
        if part == 0:
            centers = np.array([rows[digits.labels == digit].mean(0) for digit in range(10)])
            assert np.linalg.norm(centers - centers[4], axis=1).argsort()[1] == 9, "the 9s are closest to the 4s"
    assert max(apart["perplexity"]) < 0.5 < 0.7 < min(apart["start"]), "another random start often only turns it"


def test_mistakes_lie_at_borders_more_often_as_a_rate(mnist):
    fashion, network = data.load("fashion", first=(1, 2000)).test, checkpoints.load("fashion")
    for part in range(2):
        clothes = fashion[1000 * part : 1000 * part + 1000]
        says = running.predict(network, clothes.images).argmax(1).numpy()
        points, wrong = features.tsne(features.vectors(network, clothes.images)), says != clothes.labels
        near = features.nearest(points, points, k=11).indices[:, 1:]
        inside = (says[near] == says[:, None]).sum(1) >= 9
        if part == 0:
            assert wrong.sum() == 68, "misreads 68 of 1,000"
            assert 33 < inside.sum() / wrong[inside].sum() < 48, "inside one in forty"
        assert wrong[inside].mean() < 0.05 < 0.25 < wrong[~inside].mean() < 0.45, "at a border every third"
        assert wrong[inside].sum() > 0.25 * wrong.sum(), "every third mistake still lies inside"


def test_a_shift_moves_a_digit_less_by_features_and_training_flattens_the_cloud(mnist):
    images = mnist.test.images[:1000]
    shifted, ratio, needed = np.roll(images, 2, axis=3), {}, {}
    for name, describe in {"pixels": features.pixels, "untrained": by_network(0), "trained": by_network()}.items():
        rows = describe(images)
        ratio[name] = round(rms(rows, describe(shifted)) / rms(rows[:-1], rows[1:]), 2)
        needed[name] = enough(rows, 0.9)
    assert ratio == {"pixels": 0.84, "untrained": 0.66, "trained": 0.29}
    assert needed == {"pixels": 79, "untrained": 39, "trained": 21}
