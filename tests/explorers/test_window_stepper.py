"""The window stepper: what it shows at a place is what the correlation computes there, and every edge case is drawn."""

import numpy as np
import pytest

from helpers.explorers.window_stepper import WindowStepper
from helpers.filters import convolve


@pytest.fixture
def small():
    chance = np.random.default_rng(3)
    images = {"noise": chance.random((9, 7)), "tiny": chance.random((4, 4))}
    filters = {"three": chance.normal(size=(3, 3)), "five": chance.normal(size=(5, 5))}
    return WindowStepper(images, filters)


@pytest.mark.parametrize(
    ("stride", "padding", "dilation"), [(1, 0, 1), (2, 1, 1), (1, 2, 2), (3, 4, 3)], ids=lambda v: str(v)
)
def test_the_map_fills_cell_by_cell_with_the_correlation(small, stride, padding, dilation):
    small.set(stride=stride, padding=padding, dilation=dilation)
    wanted = convolve.correlate2d(small.images["noise"], small.kernels["three"], stride, padding, dilation)
    assert small.grid == wanted.shape
    for position in (0, wanted.size // 2, wanted.size - 1):
        small.set(position=position)
        shown = np.ma.filled(small._map.get_array(), np.nan).ravel()
        np.testing.assert_allclose(shown[: position + 1], wanted.ravel()[: position + 1], atol=1e-5)
        assert np.isnan(shown[position + 1 :]).all()
        patch, products = (np.asarray(small._pictures[i].get_array()) for i in (0, 2))
        np.testing.assert_allclose(products, patch * small.kernels["three"], atol=1e-6)
        assert products.sum() == pytest.approx(wanted.flat[position], abs=1e-4)
        said = f"{wanted.flat[position] + 0.0:+.2f}".replace("-", "−").replace("+0.00", "0")
        assert small._sum.get_text().endswith(said)


def test_the_numbers_in_the_cells_are_those_of_the_panel(small):
    small.set(position=4)
    shown = [float(t.get_text().replace("−", "-")) for t in small._numbers[2] if t.get_visible()]
    np.testing.assert_allclose(shown, np.asarray(small._pictures[2].get_array()).ravel(), atol=0.0051)


def test_another_window_starts_at_the_first_place(small):
    small.set(position=9)
    for name, value in (("kernel", "five"), ("stride", 2), ("padding", 1), ("dilation", 2), ("image", "tiny")):
        small.set(position=small._position.max)
        small._controls[name].value = value
        assert small.values["position"] == small._play.value == 0
        rows, columns = small.grid
        assert small._position.max == small._play.max == max(rows * columns - 1, 0)


def test_playing_moves_the_window_and_stops_when_the_window_changes(small):
    small._play.playing = True
    small._play.value = 5  # what a tick of the browser sends
    assert small.values["position"] == 5
    small._controls["stride"].value = 2
    assert not small._play.playing
    assert small._play.value == 0


def test_a_tick_on_its_way_when_the_window_changes_is_forgotten(small):
    small.set(position=7)
    small._play.playing = True
    small._controls["kernel"].value = "five"
    small._play.value = 8  # the browser had sent it before it heard of the new window
    assert small.values["position"] == small._play.value == 0


def test_stop_goes_to_the_first_place_and_the_last_tick_counts(small):
    last = small._play.max
    small._play.playing = True
    small._play.set_state({"value": last, "playing": False})  # the browser puts both into one message when it is quick
    assert small.values["position"] == last
    small._play.set_state({"value": 0, "playing": False})
    assert small.values["position"] == 0


def test_steps_go_back_and_forward_and_stop_at_both_ends(small):
    small.set(position=1)
    small._play.playing = True
    small._controls["back"].click()
    assert (small.values["position"], small._play.playing) == (0, False)
    small._controls["back"].click()
    assert small.values["position"] == 0
    small.set(position=small._position.max)
    small._controls["forward"].click()
    assert small.values["position"] == small._position.max


def test_the_pace_is_that_of_the_play_button(small):
    small._controls["speed"].value = 500
    assert small._play.interval == 500


def test_a_window_larger_than_the_image_is_drawn_and_explained(small):
    small.set(image="tiny", kernel="five", dilation=2)
    assert small.grid == (0, 0)
    assert small.error.value == ""
    assert "spans 9×9 pixels" in small._verdict.get_text()
    assert "has 4×4" in small._verdict.get_text()
    assert "no window fits" in small._formula.get_text()
    x, y = small._frames[1].get_x(), small._frames[1].get_y()
    assert (x, y, small._frames[1].get_width()) == (-0.5, -0.5, 9)
    assert small._input.get_xlim()[1] > 9  # and there is room to see it stick out
    assert small._position.disabled
    assert small._play.disabled
    small.set(image="noise", dilation=1)
    assert not small._play.disabled
    assert small._verdict.get_text() == ""
    assert small.error.value == ""


def test_pixels_that_no_window_reaches_are_colored_and_counted(small):
    small.set(image="noise", kernel="three", stride=3, padding=0)  # 9 rows fit, of 7 columns one is left
    colors = np.asarray(small._image.get_array())
    assert not np.allclose(colors[:, 6, 0], colors[:, 6, 2])  # orange, not gray
    np.testing.assert_allclose(colors[:, :6, 0], colors[:, :6, 2])
    assert "1 pixel is left over" in small._formula.get_text()
    small.set(stride=1)
    assert "left over" not in small._formula.get_text()


def test_it_starts_in_the_middle_of_its_walk():
    tool = WindowStepper()
    assert 0 < tool.values["position"] < tool._position.max
    assert WindowStepper(kernel="sobel x", stride=2, position=5).values["position"] == 5


def test_an_image_of_the_wrong_kind_is_named():
    with pytest.raises(ValueError, match="'color' has shape"):
        WindowStepper({"color": np.zeros((3, 8, 8))})
    with pytest.raises(ValueError, match="not a possible value"):
        WindowStepper(kernel="sobel z")
