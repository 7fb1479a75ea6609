"""The neighbor explorer: its neighbors are those that the library finds."""

import numpy as np
import pytest

from helpers.explorers.neighbors import NeighborExplorer
from helpers.inside import features


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
    found = features.nearest(rows[10:], rows[3:4], 7, "mse")
    shown = [name.get_text().split("\n") for _, name in tool._panels[1:8]]
    assert [label for label, _ in shown] == [str(labels[10:][i]) for i in found.indices[0]]
    np.testing.assert_allclose([float(distance) for _, distance in shown], found.distances[0], rtol=0.005)
    assert tool._panels[0][1].get_text() == "3"
    for name, value in (("image", 5), ("metric", "cosine")):
        before = tool.image.value
        tool.set(**{name: value})
        assert tool.image.value != before, name


def test_the_neighbor_explorer_wants_a_row_for_every_image(digits):
    images, labels = digits
    rows = features.pixels(images)
    with pytest.raises(ValueError, match="one row"):
        NeighborExplorer({"pixels": (rows, rows[:3])}, (images, labels), (images[:5], labels[:5]), range(10))
