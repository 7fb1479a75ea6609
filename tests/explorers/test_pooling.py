"""The pooling and the receptive field explorer: what they say is what NumPy, poking and the formula say."""

import io
import time

import numpy as np
import pytest
from PIL import Image

from helpers.explorers.pooling import REACH, PoolingExplorer, change
from helpers.explorers.receptive import NETWORK, ReceptiveFieldExplorer, paths
from helpers.filters import convolve
from helpers.plots.style import png


@pytest.fixture
def tool():
    return PoolingExplorer({"noise": np.random.default_rng(5).random((12, 16))})


@pytest.fixture
def fields():
    return ReceptiveFieldExplorer(np.random.default_rng(6).random((28, 28)))


def same_pictures(explorer):
    shown, whole = (
        np.asarray(Image.open(io.BytesIO(d)).convert("RGB")).astype(int)
        for d in (bytes(explorer.image.value), png(explorer.figure, fast=True))
    )
    return np.abs(shown - whole).mean() < 0.5


def test_change_is_a_share():
    assert change(np.ones(4), np.ones(4)) == 0
    assert change(np.array([1.0, 0]), np.array([0.0, 1])) == 1
    assert change(np.array([2.0, 2]), np.array([2.0, 0])) == pytest.approx(1 / 3)
    assert change(np.zeros(3), np.zeros(3)) == 0


@pytest.mark.parametrize("activation", ["none", "ReLU", "tanh"])
@pytest.mark.parametrize("pooling", ["max", "average"])
def test_a_global_pool_does_not_notice_a_shift_and_a_map_does(tool, activation, pooling):
    for right, down in ((1, 0), (-REACH, REACH), (3, -2)):
        tool.set(activation=activation, pooling=pooling, right=right, down=down, size=4)
        assert tool.changes["map"] > 0.2
        assert tool.changes["global pool"] == pytest.approx(0, abs=1e-4)
        assert 0 < tool.changes["pooled map"] < 1
    tool.set(right=0, down=0)
    assert max(tool.changes.values()) == 0


def test_a_pooling_of_one_pixel_changes_as_the_map_does(tool):
    tool.set(size=1, right=2)
    assert tool.changes["pooled map"] == pytest.approx(tool.changes["map"])


def test_a_shift_by_the_pool_size_moves_the_pooled_map_by_one_cell(tool):
    tool.set(size=4)
    np.testing.assert_allclose(tool._looks(4, 0)[2], np.roll(tool._looks(0, 0)[2], 1, axis=1), atol=1e-6)


def test_dots_and_percentages_are_those_of_the_present_shift(tool):
    tool.set(right=-3, down=2, activation="tanh", size=3)
    for dot, text, (_, value) in zip(tool._dots, tool._shares, tool.changes.items(), strict=True):
        assert dot.get_xdata() == [-3]
        assert dot.get_ydata()[0] == pytest.approx(value, abs=1e-6)
        assert text.get_text() == f"{value:.0%}"


def test_the_quick_pictures_are_the_whole_pictures(tool, fields):
    for values in ({"right": 4}, {"activation": "tanh"}, {"down": -3, "size": 5}):
        tool.set(**values)
        assert same_pictures(tool), values
    for values in (
        {"row": 2},
        {"layer": "pool2", "weigh": True},
        {"layer": "output"},
        {"layer": "conv1", "weigh": False},
    ):
        fields.set(**values)
        assert same_pictures(fields), values


def test_a_map_that_is_no_gray_image_is_named():
    with pytest.raises(ValueError, match="'color' has shape"):
        PoolingExplorer({"color": np.zeros((3, 8, 8))})
    with pytest.raises(ValueError, match=r"takes \(28, 28\)"):
        ReceptiveFieldExplorer(np.zeros((32, 32)))


# -- receptive fields --------------------------------------------------------------------------------------------------


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


def test_redraws_are_quick(tool, fields):
    for explorer, name in ((tool, "right"), (fields, "row")):
        times = []
        for value in range(8):
            begin = time.process_time()
            explorer._controls[name].value = value
            times.append(time.process_time() - begin)
        assert sorted(times)[4] < 0.1, name
