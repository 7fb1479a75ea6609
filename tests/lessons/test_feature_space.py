"""Plausible wrong answers and the hints they earn, and its two tools."""

import numpy as np
import pytest

from helpers import plots
from helpers.explorers.map import CONFUSED, MapExplorer
from helpers.explorers.neighbors import NeighborExplorer
from helpers.inside import features
from helpers.plots.clouds import canvas


def rulers(l1=None, mse=None, cosine=None):
    def distances(a, b):
        angle = (a * b).sum() / (np.linalg.norm(a) * np.linalg.norm(b))
        return (
            np.abs(a - b).sum() if l1 is None else l1(a, b),
            ((a - b) ** 2).mean() if mse is None else mse(a, b),
            1 - angle if cosine is None else cosine(a, b, angle),
        )

    return distances


def by(pick, label=True):
    def nearest_label(bank, labels, queries):
        rows = [pick(((bank - q) ** 2).mean(axis=1)) for q in queries]
        return labels[rows] if label else np.array(rows)

    return nearest_label


def rms(a, b):
    return np.sqrt(((a - b) ** 2).mean())


def project(center=True, center_points=True, rows=slice(0, 2), scale=False):
    def pca(x):
        centered = x - x.mean(0)
        u, _, vt = np.linalg.svd(centered if center else x, full_matrices=False)
        return u[:, :2] if scale else (centered if center_points else x) @ vt[rows].T

    return pca


WRONG = {
    "feature_space/distances": [
        (lambda: (rulers(l1=lambda a, b: np.abs(a - b).mean()),), "not their mean"),
        (lambda: (rulers(l1=lambda a, b: (a - b).sum()),), "must not cancel"),
        (lambda: (rulers(mse=lambda a, b: ((a - b) ** 2).sum()),), "divide by the number"),
        (lambda: (rulers(mse=lambda a, b: rms(a, b)),), "leave it squared"),
        (lambda: (rulers(cosine=lambda a, b, angle: angle),), "1 minus it"),
        (lambda: (rulers(cosine=lambda a, b, angle: 1 - (a * b).sum()),), "both lengths"),
        (lambda: (lambda a, b: np.abs(a - b).sum(),), "shape"),
    ],
    "feature_space/nearest-label": [
        (lambda: (by(np.argmin, label=False),), "row numbers"),
        (lambda: (by(np.argmax),), "farthest"),
        (lambda: (lambda b, y, q: y[: len(q)],), "compare each query"),
        (lambda: (lambda b, y, q: y[0],), "shape"),
    ],
    "feature_space/moved": [
        (lambda: (lambda a, b: (rms(a, b) ** 2, rms(a[:-1], a[1:]) ** 2),), "root is missing"),
        (lambda: (lambda a, b: (rms(a[:-1], a[1:]), rms(a, b)),), "exchanged"),
        (lambda: (lambda a, b: (rms(a, b), rms(a[:-1], b[1:])),), "of the same set"),
        (lambda: (lambda a, b: (np.abs(a - b).mean(), 1.0),), "then the root"),
        (lambda: (lambda a, b: (rms(a, b), rms(a, a.mean(0))),), "with the next one"),
        (lambda: (lambda a, b: rms(a, b),), "shape"),
    ],
    "feature_space/pca-by-hand": [
        (lambda: (project(center=False, center_points=False),), "Center the rows first"),
        (lambda: (project(center_points=False),), "centered too"),
        (lambda: (project(rows=[1, 0]),), "widest comes first"),
        (lambda: (project(rows=slice(-2, None)),), "narrowest"),
        (lambda: (project(scale=True),), "singular values"),
        (lambda: (lambda x: x[:, :2] - x[:, :2].mean(0),), "two directions of all"),
        (lambda: (lambda x: x @ np.ones((x.shape[1], 3)),), "shape"),
    ],
}


@pytest.fixture
def digits():
    chance = np.random.default_rng(0)
    images, labels = chance.random((40, 1, 28, 28), dtype=np.float32), np.arange(40) % 10
    return images, labels


def test_the_neighbor_explorer_shows_the_librarys_neighbors(digits):
    images, labels = digits
    rows = features.pixels(images)
    spaces = {"pixels": (rows[10:], rows[:10]), "halves": (rows[10:, :300], rows[:10, :300])}
    tool = NeighborExplorer(spaces, (images[10:], labels[10:]), (images[:10], labels[:10]), range(10), image=3)
    found = features.nearest(rows[10:], rows[3:4], 7, "mse").indices[0]
    assert [name.get_text() for name in tool._names[1:8]] == [str(labels[10:][i]) for i in found]
    for name, value in (("image", 5), ("metric", "cosine")):
        before = tool.image.value
        tool.set(**{name: value})
        assert tool.image.value != before, name


def test_the_neighbor_explorer_wants_a_row_for_every_image(digits):
    images, labels = digits
    rows = features.pixels(images)
    with pytest.raises(ValueError, match="one row"):
        NeighborExplorer({"pixels": (rows, rows[:3])}, (images, labels), (images[:5], labels[:5]), range(10))


def test_the_map_explorer_picks_points_classes_and_confusions(digits):
    images, labels = digits
    maps = {name: np.random.default_rng(i).normal(size=(40, 2)) for i, name in enumerate("ab")}
    said = labels.copy()
    said[7] = 3
    tool = MapExplorer(maps, images, labels, range(10), said=said)
    for name, value in (("point", 11), ("map", "b"), ("group", 4)):
        before = tool.image.value
        tool.set(**{name: value})
        assert tool.image.value != before, name
    tool.set(group=CONFUSED, point=0)
    assert tool._names[0].get_text() == "7, read as 3"
    x, y = tool._chosen.get_data()
    assert (x[0], y[0]) == tuple(maps["b"][7])
    distance = ((maps["b"] - maps["b"][7]) ** 2).sum(1)
    assert [n.get_text() for n in tool._names[1:]] == [str(labels[i]) for i in distance.argsort()[1:6]]


def test_a_map_of_pictures_puts_each_in_its_place_and_color():
    points, images = np.array([[0.0, 0.0], [1.0, 1.0]]), np.ones((2, 4, 4))
    sheet = canvas(points, images, np.array([6, 6]), side=20)
    assert (sheet[16:, :4] == 0).all()  # lower left, class 6 is black
    assert (sheet[:4, 16:] == 0).all()
    assert sheet[4:16].min() == 1


def test_a_map_with_a_missing_point_is_named():
    with pytest.raises(ValueError, match="one point"):
        plots.cloud([np.zeros((3, 2))], np.zeros((4, 8, 8)), np.zeros(4, int), "ab")
