"""Images of few pixels: the same as Matplotlib's, only sooner."""

import numpy as np
import pytest

from helpers.plots.pixels import pixels
from helpers.plots.style import colormap, figure

CHANCE = np.random.default_rng(0)


def drawn(add, axis=None):
    """The pixels of a figure whose axes hold an image."""
    made = figure(3, 2, layout=None)
    axes = made.add_axes((0.07, 0.05, 0.61, 0.83))
    add(axes)
    made.canvas.draw()
    return np.asarray(made.canvas.buffer_rgba()).astype(int)


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (9, 7), (7, 9), (28, 28), (81, 79), (400, 300)])
@pytest.mark.parametrize("kind", ["image", "response", "activation"])
def test_numbers_are_drawn_as_imshow_draws_them(kind, shape):
    array = 4 * CHANCE.random(shape) - 2
    array.flat[:1] = np.nan
    low = -1.5 if kind == "response" else 0.0
    ours = drawn(lambda axes: pixels(axes, kind, 1.5, array))
    theirs = drawn(lambda axes: axes.imshow(array, cmap=colormap(kind), vmin=low, vmax=1.5, interpolation="nearest"))
    assert (np.abs(ours - theirs).max(2) > 0).mean() < 0.01  # where a border falls on the middle of a screen pixel


@pytest.mark.parametrize("channels", [3, 4])
def test_colors_are_drawn_as_imshow_draws_them(channels):
    array = CHANCE.integers(0, 256, (9, 11, channels)).astype(np.uint8)
    ours = drawn(lambda axes: pixels(axes, data=array))
    assert np.abs(ours - drawn(lambda axes: axes.imshow(array, interpolation="nearest"))).max() <= 1


def test_the_limits_follow_the_shape_until_they_are_set():
    axes = figure(2, 2, layout=None).add_subplot()
    artist = pixels(axes)
    artist.set_data(np.zeros((5, 8)))
    assert (axes.get_xlim(), axes.get_ylim()) == ((-0.5, 7.5), (4.5, -0.5))
    axes.set(xlim=(-0.5, 11.5), ylim=(11.5, -0.5))
    artist.set_data(np.zeros((2, 2)))
    assert (axes.get_xlim(), axes.get_ylim()) == ((-0.5, 11.5), (11.5, -0.5))
