"""Pen strokes become digits as MNIST's became."""

import numpy as np
import pytest

from helpers import data
from helpers.data import strokes
from helpers.network import checkpoints, running


def apart(a, b):
    """Mean difference of two images when one may be moved by a pixel: centers are rounded to whole pixels."""
    return min(np.abs(np.roll(a, (y, x), (0, 1)) - b).mean() for y in (-1, 0, 1) for x in (-1, 0, 1))


@pytest.mark.parametrize("name", strokes.DIGITS)
@pytest.mark.parametrize("thickness", [0.05, 0.08, 0.11])
def test_a_digit_fills_the_box_and_its_mass_is_in_the_middle(name, thickness):
    image, box, center = strokes.digit(strokes.DIGITS[name], thickness)
    assert image.shape == (28, 28)
    assert image.dtype == np.float32
    assert image.min() >= 0
    assert 0.8 < image.max() <= 1
    top, left, bottom, right = box
    assert max(bottom - top, right - left) == 20
    assert center == pytest.approx((14, 14), abs=0.51)
    outside = image.copy()
    outside[top:bottom, left:right] = 0
    assert not outside.any()


def test_real_digits_obey_the_same_rule():
    """The oracle is the data set itself: longest side 20 pixels, center of mass within a pixel of the middle."""
    digits = data.load("mnist")
    if not digits.real:
        pytest.skip("the rule is that of the real MNIST")
    for image in digits.train.images[:200, 0]:
        rows, columns = np.flatnonzero(image.max(1)), np.flatnonzero(image.max(0))
        assert 18 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 20
        assert strokes.mass_center(image) == pytest.approx((14, 14), abs=1.0)


def test_a_real_digit_that_is_placed_anew_stays_where_it_was():
    digits = data.load("mnist")
    if not digits.real:
        pytest.skip("the rule is that of the real MNIST")
    image = digits.train.images[0, 0]
    again = strokes.place(np.pad(image, ((30, 5), (2, 33)))).image
    assert apart(again, image) < 0.02


def test_size_and_place_of_the_drawing_do_not_matter():
    small = [[(0.1 + 0.5 * x, 0.45 + 0.5 * y) for x, y in stroke] for stroke in strokes.DIGITS["5"]]
    large, moved = strokes.digit(strokes.DIGITS["5"], 0.08).image, strokes.digit(small, 0.04).image
    assert apart(large, moved) < 0.02


def test_proportions_are_kept():
    wide = strokes.digit([[(0.1, 0.5), (0.9, 0.5)]], 0.08)
    assert wide.box[3] - wide.box[1] == 20
    assert wide.box[2] - wide.box[0] == 2


def test_edges_are_gray():
    image = strokes.digit(strokes.DIGITS["0"]).image
    assert ((image > 0.05) & (image < 0.95)).sum() > 40


def test_no_stroke_is_a_blank_image_and_a_dot_is_ink():
    nothing = strokes.digit([])
    assert not nothing.image.any()
    assert nothing.box is None
    assert nothing.center is None
    dot = strokes.digit([[(0.2, 0.2)]], 0.1)
    assert dot.box == (4, 4, 24, 24)
    assert dot.image[14, 14] == 1
    assert dot.image[4, 4] < 0.1


def test_fill_inks_what_is_enclosed():
    ring = strokes.paint(strokes.DIGITS["0"])
    disk = strokes.paint(strokes.DIGITS["0"], fill=True)
    assert ring[140, 140] == 0
    assert disk[140, 140] == 1
    assert (disk >= ring).all()


def test_a_garment_fills_the_picture():
    image, box, _ = strokes.garment(strokes.GARMENTS["trouser"])
    assert box[0] == 0
    assert box[2] == 28
    assert image[14, 14 - 3] == pytest.approx(0.8)


def test_the_shipped_network_reads_the_stored_digits():
    images = np.stack([strokes.digit(s).image for s in strokes.DIGITS.values()])[:, None]
    assert running.predict(checkpoints.load("mnist"), images).argmax(1).tolist() == list(range(10))


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (lambda: strokes.paint([[(0, 0)]], 0), "above 0"),
        (lambda: strokes.paint([[0.1, 0.2]]), "list of points"),
        (lambda: strokes.paint([[(0.1, np.nan)]]), "list of points"),
        (lambda: strokes.place(np.zeros((3, 3, 3))), "one gray picture"),
        (lambda: strokes.place(np.zeros((3, 3)), box=30), "box of 1 to 28"),
    ],
)
def test_what_cannot_be_drawn_is_named(action, words):
    with pytest.raises(ValueError, match=words):
        action()


def test_turned_strokes_are_the_turned_picture():
    ink = strokes.paint(strokes.DIGITS["4"])
    np.testing.assert_allclose(strokes.paint(strokes.turned(strokes.DIGITS["4"], 0)), ink)
    for quarter in (1, 2, 3):
        found = strokes.paint(strokes.turned(strokes.DIGITS["4"], 90 * quarter))
        assert np.abs(found - np.rot90(ink, quarter)).mean() < 0.01
    assert strokes.turned([], 30) == []
