"""Right and wrong answers to its exercises, and the claims of its prose and its predictions."""

import numpy as np
import torch
from scipy.spatial import distance as scipy_distance
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier

from helpers import data
from helpers.inside import features
from helpers.network import checkpoints, models
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


def by(pick, label=True, ruler=lambda d: (d**2).mean(axis=1), part=slice(None)):
    """The label of a row for each query, with mistakes to choose."""

    def nearest_label(bank, labels, queries):
        rows = [pick(ruler(bank[:, part] - q[part])) for q in queries]
        return labels[rows] if label else np.array(rows)

    return nearest_label


def by_cosine(bank, labels, queries):
    """The label of the row at the smallest angle."""
    unit = bank / np.linalg.norm(bank, axis=1, keepdims=True)
    return labels[(queries @ unit.T).argmax(1)]


def by_product(bank, labels, queries):
    """The label of the row with the largest product."""
    return labels[(queries @ bank.T).argmax(1)]


def by_expansion(bank, labels, queries):
    """The nearest rows by a matrix product, in float32."""
    bank, queries = bank.astype(np.float32), queries.astype(np.float32)
    return labels[((bank**2).sum(1) - 2 * queries @ bank.T).argmin(1)]


def by_votes(bank, labels, queries, k=3):
    """The label that most of some neighbors have."""
    return KNeighborsClassifier(k).fit(bank, labels).predict(queries)


def by_means(bank, labels, queries):
    """The label of the nearest mean row."""
    classes = np.unique(labels)
    means = np.array([bank[labels == c].mean(0) for c in classes])
    return classes[((means[None] - queries[:, None]) ** 2).mean(2).argmin(1)]


def rms(a, b):
    """The root of the mean square."""
    return np.sqrt(((a - b) ** 2).mean())


def by_row(a, b):
    """The mean of the roots of the rows."""
    return np.sqrt(((a - b) ** 2).mean(1)).mean()


def project(center=True, center_points=True, rows=slice(0, 2), scale=False):
    """PCA, with mistakes to choose."""

    def pca(x):
        centered = x - x.mean(0)
        u, _, vt = np.linalg.svd(centered if center else x, full_matrices=False)
        return u[:, :2] if scale else (centered if center_points else x) @ vt[rows].T

    return pca


def by_covariance(x):
    """PCA by the eigenvectors of the covariance."""
    centered = x - x.mean(0)
    _, vectors = np.linalg.eigh(np.cov(centered.T))
    return centered @ vectors[:, ::-1][:, :2]


def by_u(x):
    """PCA by the left singular vectors."""
    u, s, _ = np.linalg.svd(x - x.mean(0))
    return (u[:, :2] * s[:2]).tolist()


def torch_pca(x):
    """PCA in PyTorch and float32."""
    centered = torch.tensor(x, dtype=torch.float32)
    centered = centered - centered.mean(0)
    return centered @ torch.linalg.svd(centered, full_matrices=False).Vh[:2].T


def standardized(x):
    """PCA of rows that are divided by their spread."""
    x = (x - x.mean(0)) / x.std(0)
    return x @ np.linalg.svd(x, full_matrices=False)[2][:2].T


def centers_in_place(x):
    """PCA that centers the rows it is given."""
    x -= x.mean(0)
    return x @ np.linalg.svd(x, full_matrices=False)[2][:2].T


def centers_rows(x):
    """PCA that subtracts the mean of each row."""
    x = x - x.mean(1, keepdims=True)
    return x @ np.linalg.svd(x, full_matrices=False)[2][:2].T


RIGHT = {
    "feature_space/distances": [
        lambda: (rulers(),),
        lambda: (looped_rulers,),
        lambda: (torch_rulers,),
        lambda: (lambda a, b: np.array(rulers()(a.astype(np.float32), b.astype(np.float32))),),
        lambda: (rulers(cosine=lambda a, b, angle: scipy_distance.cosine(a, b)),),
        lambda: (rulers(l1=lambda a, b: np.linalg.norm(a - b, 1), mse=lambda a, b: (a - b) @ (a - b) / len(a)),),
    ],
    "feature_space/nearest-label": [
        lambda: (by(np.argmin),),
        lambda: (by(np.argmin, ruler=lambda d: np.linalg.norm(d, axis=1)),),
        lambda: (by_expansion,),
        lambda: (lambda bank, labels, queries: labels[features.nearest(bank, queries, 1).indices[:, 0]],),
        lambda: (lambda bank, labels, queries: by_votes(bank, labels, queries, 1),),
        lambda: (lambda bank, y, q: y[((bank[None] - q[:, None]) ** 2).mean(-1).argmin(-1)].tolist(),),
        lambda: (lambda bank, y, q: torch.tensor(y)[torch.cdist(torch.tensor(q), torch.tensor(bank)).argmin(1)],),
    ],
    "feature_space/moved": [
        lambda: (lambda a, b: (rms(a, b), rms(a[:-1], a[1:])),),
        lambda: (lambda a, b: [rms(a.astype(np.float32), b), rms(a[1:].astype(np.float32), a[:-1])],),
        lambda: (lambda a, b: (((a - b) ** 2).mean() ** 0.5, (np.diff(a, axis=0) ** 2).mean() ** 0.5),),
        lambda: (lambda a, b: tuple(np.linalg.norm(d) / d.size**0.5 for d in (a - b, a[1:] - a[:-1])),),
        lambda: (lambda a, b: (torch.tensor(a - b).square().mean().sqrt(), torch.tensor(rms(a[1:], a[:-1]))),),
    ],
    "feature_space/pca-by-hand": [
        lambda: (project(),),
        lambda: (lambda x: PCA(2).fit_transform(x),),
        lambda: (lambda x: features.pca(x).points,),
        lambda: (lambda x: project()(x.astype(np.float32)),),
        lambda: (by_covariance,),
        lambda: (by_u,),
        lambda: (torch_pca,),
        lambda: (lambda x: project()(x) * [1, -1],),
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
    "feature_space/nearest-label": [
        (lambda: (by(np.argmin, label=False),), "row numbers"),
        (lambda: (by(np.argmax),), "farthest"),
        (lambda: (by(np.argmin, ruler=lambda d: np.abs(d).mean(1)),), "absolute differences"),
        (lambda: (by(np.argmin, ruler=lambda d: np.abs(d).max(1)),), "the largest difference alone"),
        (lambda: (by(np.argmin, ruler=lambda d: d.mean(1)),), "Negative differences win"),
        (lambda: (by(np.argmin, ruler=lambda d: abs(d.mean(1))),), "Ups and downs cancel"),
        (lambda: (by_cosine,), "You measure angles"),
        (lambda: (by_product,), "long rows win"),
        (lambda: (by(np.argmin, part=slice(0, 2)),), "a part of the numbers"),
        (lambda: (by(np.argmin, part=slice(0, 1)),), "a part of the numbers"),
        (lambda: (by(np.argmin, part=slice(1, None)),), "label"),
        (lambda: (by(lambda d: d.argsort()[1]),), "second nearest"),
        (lambda: (by_votes,), "a vote of several"),
        (lambda: (by_means,), "the mean row of each class"),
        (lambda: (lambda b, y, q: y[: len(q)],), "the first labels of the bank"),
        (lambda: (lambda b, y, q: y[0],), "The shape should be"),
        (lambda: (lambda b, y, q: by(np.argmin)(b, y, q)[:, None],), "The shape should be"),
        (lambda: (lambda b, y, q: by(np.argmin)(b, y, q) * np.nan,), "NaN"),
        (lambda: (lambda b, y, q: y.sort() or y[: len(q)],), "changed its argument `y`"),
        (lambda: (endless,), "still running after"),
    ],
    "feature_space/moved": [
        (lambda: (lambda a, b: (rms(a, b) ** 2, rms(a[:-1], a[1:]) ** 2),), "root is missing"),
        (lambda: (lambda a, b: (rms(a, b), rms(a[:-1], a[1:]) ** 2),), "root is missing in `others`"),
        (lambda: (lambda a, b: (rms(a[:-1], a[1:]), rms(a, b)),), "exchanged"),
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
        (lambda: (lambda a, b: rms(a, b),), "the shape of yours is ()"),
        (lambda: (lambda a, b: (np.nan, 1.0),), "NaN"),
        (lambda: (printing,), "is there a `return`"),
    ],
    "feature_space/pca-by-hand": [
        (lambda: (project(center=False, center_points=False),), "Center the rows first"),
        (lambda: (project(center=False),), "give these to the svd"),
        (lambda: (project(center_points=False),), "centered too"),
        (lambda: (project(rows=[1, 0]),), "widest comes first"),
        (lambda: (project(rows=slice(-2, None)),), "narrowest"),
        (lambda: (project(rows=slice(1, 3)),), "leave out the widest"),
        (lambda: (project(rows=slice(0, 3)),), "The shape should be"),
        (lambda: (project(scale=True),), "singular values"),
        (lambda: (lambda x: PCA(2, whiten=True).fit_transform(x),), "the same width"),
        (lambda: (lambda x: project()(x).T,), "transposed"),
        (lambda: (standardized,), "Center only"),
        (lambda: (centers_rows,), "Center each column"),
        (lambda: (centers_in_place,), "changed its argument `x`"),
        (lambda: (lambda x: x[:, :2] - x[:, :2].mean(0),), "two directions of all"),
        (lambda: (lambda x: PCA(2).fit(x).components_.T,), "the directions themselves"),
        (lambda: (lambda x: np.abs(project()(x)),), "first two rows of `vt`"),
        (lambda: (lambda x: project()(x) * np.nan,), "NaN"),
        (lambda: (lambda x: x @ np.ones((x.shape[1], 3)),), "The shape should be"),
        (lambda: (printing,), "is there a `return`"),
    ],
}


# -- what the options of its predictions say -------------------------------------------------------------------------


def test_features_are_128_numbers_and_an_untrained_networks_neighbors_are_like_those_of_pixels():
    mnist = data.load("mnist")
    bank, queries = mnist.train[:1000], mnist.test[:200]
    torch.manual_seed(0)
    untrained, trained, share = models.ConvNet().eval(), checkpoints.load("mnist"), {}
    for name, rows in {
        "pixels": features.pixels,
        "untrained": lambda images: features.vectors(untrained, images),
        "trained": lambda images: features.vectors(trained, images),
    }.items():
        known, new = rows(bank.images), rows(queries.images)
        assert known.shape[1] == (784 if name == "pixels" else 128)
        share[name] = features.knn_accuracy(known, bank.labels, new, queries.labels, k=5, metric="mse")
    assert share["untrained"] > 0.5, "far better than guessing"
    assert abs(share["untrained"] - share["pixels"]) < 0.1
    assert share["trained"] >= max(share["untrained"], share["pixels"])
