"""The receptive field explorer: its frames are what poking a network of ones and the formula say."""

import numpy as np
import pytest

from helpers.explorers.receptive import ReceptiveFieldExplorer
from helpers.filters import convolve
from helpers.filters.fields import NETWORK, paths


@pytest.fixture
def fields():
    return ReceptiveFieldExplorer(np.random.default_rng(6).random((28, 28)))


@pytest.mark.parametrize("layer", list(NETWORK))
def test_the_frame_holds_exactly_the_pixels_that_reach_the_unit(fields, layer):
    """Poked with the network of ones: a pixel counts when the unit notices it."""
    pokes = np.eye(784).reshape(784, 1, 28, 28)
    for name, (kernel, stride, _) in NETWORK.items():
        pokes = convolve.conv_layer(pokes, np.ones((1, 1, kernel, kernel)), stride=stride)
        if name == layer:
            break
    size = pokes.shape[-1]
    assert size == fields.sizes[layer]
    for row, column in {(0, 0), (size // 2, size // 3), (size - 1, size - 1)}:
        noticed = pokes[:, 0, row, column].reshape(28, 28)
        fields.set(layer=layer, row=row, column=column)
        inside = np.zeros((28, 28), bool)
        inside[fields.seen(layer, row, column)["image"]] = True
        np.testing.assert_array_equal(noticed > 0, inside)
        np.testing.assert_array_equal(paths(layer, row, column), noticed)
        y, x, tall = fields._box.get_y(), fields._box.get_x(), fields._box.get_height()
        framed = np.flatnonzero(inside.any(axis=1))
        assert (y + 0.5, tall) == (framed[0], len(framed))
        assert x + 0.5 == np.flatnonzero(inside.any(axis=0))[0]


def test_the_orange_border_is_what_no_unit_of_the_layer_sees(fields):
    for layer in NETWORK:
        fields.set(layer=layer)
        lost = sum(patch.get_width() * patch.get_height() for patch in fields._lost)
        assert lost == (108 if layer in ("pool2", "hidden", "output") else 0), layer


def test_every_map_on_the_way_is_framed(fields):
    fields.set(layer="pool2", row=1, column=3)
    assert {name: patch.get_width() for name, patch in fields._seen.items()} == {
        "conv1": 8, "pool1": 4, "conv2": 2, "pool2": 1,
    }  # fmt: skip
    fields.set(layer="pool1")
    assert [patch.get_visible() for patch in fields._seen.values()] == [True, True, False, False]
    assert "sees 4×4 pixels" in fields._words.get_text()


def test_another_layer_keeps_the_unit_at_about_its_place(fields):
    fields.set(layer="conv1", row=25, column=0)
    fields._controls["layer"].value = "pool2"
    assert (fields.values["row"], fields.values["column"]) == (4, 0)
    fields._controls["layer"].value = "hidden"
    assert (fields.values["row"], fields._row.max) == (0, 0)
    fields._controls["layer"].value = "conv2"
    assert fields.values["row"] <= fields._row.max == 10


def test_an_image_of_another_size_is_named():
    with pytest.raises(ValueError, match=r"takes \(28, 28\)"):
        ReceptiveFieldExplorer(np.zeros((32, 32)))
