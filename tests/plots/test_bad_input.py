"""What cannot be drawn is refused in one sentence that says what to pass instead."""

import numpy as np
import pytest

from helpers import plots
from helpers.data import Dataset, Split

GRAY = np.random.default_rng(0).random((4, 6, 6))
SPLIT = Split(GRAY[:, None], np.arange(4))
WHOLE = Dataset("mnist", SPLIT, SPLIT, tuple("0123"), "noise", real=False)

NO_PICTURES = {
    "nothing": (None, "not NoneType"),
    "one number": (3, "not int"),
    "a name": ("china", "not str"),
    "split": (SPLIT, "Give the images alone"),
    "data set": (WHOLE, "Give the images alone"),
    "none of them": ([], "at least one"),
    "empty": (GRAY[:0], "at least one"),
    "words": (["a", "b"], "One picture is"),
    "one row": (GRAY[0, 0], "One picture is"),
    "two channels": (np.zeros((2, 6, 6, 2)), "One picture is"),
}
SETTINGS = {
    "columns=0": ({"columns": 0}, "columns is how many pictures"),
    "columns=1.5": ({"columns": 1.5}, "columns is how many pictures"),
    "side=0": ({"side": 0}, "side is a number of inches above 0"),
    "kind": ({"kind": "photo"}, "kind is one of"),
    "too few titles": ({"titles": ["a"]}, "4 pictures, 1 titles"),
    "too many rows": ({"rows": ["a", "b"]}, "Every row needs a name"),
    "box of no picture": ({"boxes": {9: [(0, 0, 1, 1)]}}, "pictures from 0 to 3"),
    "box of two numbers": ({"boxes": {0: [(0, 0)]}}, r"\(top, left, height, width\)"),
    "boxes without pictures": ({"boxes": [(0, 0, 1, 1)]}, "boxes is a dictionary"),
}
NO_LINES = {
    "nothing": ((None, {}), "have names"),
    "no names": (([1, 2], {}), "have names"),
    "words": (({"a": "bc"}, {}), "'a' is a list of numbers"),
    "one number": (({"a": 3}, {}), "'a' is a list of numbers"),
    "too few x": (({"a": [1, 2, 3]}, {"x": [1]}), "needs its x"),
    "no height": (({"a": [1, 2]}, {"height": -1}), "height is a number of inches"),
    "mark without a name": (({"a": [1, 2]}, {"mark": 3}), "have names"),
}


@pytest.mark.parametrize(("bad", "words"), NO_PICTURES.values(), ids=NO_PICTURES)
def test_what_is_no_list_of_pictures(bad, words):
    with pytest.raises((TypeError, ValueError), match=words):
        plots.images(bad)


@pytest.mark.parametrize(("settings", "words"), SETTINGS.values(), ids=SETTINGS)
def test_settings_of_a_grid_that_make_no_sense(settings, words):
    with pytest.raises((TypeError, ValueError), match=words):
        plots.images(GRAY, **settings)


@pytest.mark.parametrize(("call", "words"), NO_LINES.values(), ids=NO_LINES)
def test_what_is_no_set_of_lines(call, words):
    with pytest.raises((TypeError, ValueError), match=words):
        plots.curves(call[0], **call[1])
