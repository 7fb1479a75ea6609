"""The map explorer: the chosen point, its image, and its neighbors on the map belong together."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from helpers.explorers.map import BEHIND, CONFUSED, MapExplorer
from helpers.plots.clouds import color_of


@pytest.fixture
def digits():
    chance = np.random.default_rng(0)
    images, labels = chance.random((40, 1, 28, 28), dtype=np.float32), np.arange(40) % 10
    return images, labels


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
    assert tool._panels[0][1].get_text() == "7, read as 3"
    x, y = tool._chosen.get_data()
    assert (x[0], y[0]) == tuple(maps["b"][7])
    distance = ((maps["b"] - maps["b"][7]) ** 2).sum(1)
    assert [name.get_text() for _, name in tool._panels[1:]] == [str(labels[i]) for i in distance.argsort()[1:6]]


def test_a_class_is_brought_forward_in_its_color_and_misread_ones_carry_a_cross(digits):
    images, labels = digits
    points = np.random.default_rng(0).normal(size=(40, 2))
    said = labels.copy()
    said[[7, 14]] = 3
    tool = MapExplorer({"a": points}, images, labels, range(10), said=said)
    assert len(tool._crosses.get_xdata()) == 2
    tool.set(group=4)
    assert (tool._crosses.get_xdata(), tool._crosses.get_ydata()) == (points[14, 0], points[14, 1])
    behind = (tool._dots.get_facecolors()[:, :3] == np.array(BEHIND)).all(1)
    assert behind.tolist() == [True] * 36 + [False] * 4  # drawn last, at their own points
    assert (np.asarray(tool._dots.get_offsets())[36:] == points[labels == 4]).all()
    assert to_hex(tool._dots.get_facecolors()[-1]).upper() == color_of(4).upper()
    assert "misread" in [text.get_text() for text in tool.figure.legends[0].get_texts()]
    trusted = MapExplorer({"a": points}, images, labels, range(10))
    assert "misread" not in [text.get_text() for text in trusted.figure.legends[0].get_texts()]
