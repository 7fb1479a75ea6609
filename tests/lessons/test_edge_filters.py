"""Plausible wrong answers and the hints they earn, and the claims its prose makes."""

import numpy as np
import pytest

from helpers import data
from helpers.exercises import check
from helpers.filters import convolve, kernels

LEFT = np.array([[1, 1, -1, -1]] * 4, dtype=np.float32)


def slide(image, weights, stride, *, stop=1, flip=False, swap=False, step=None):
    k, (height, width), step = len(weights), image.shape, stride if step is None else step
    weights = weights[::-1, ::-1] if flip else weights
    tops, lefts = range(0, height - k + stop, step), range(0, width - k + stop, step)
    result = np.array([[(image[y : y + k, x : x + k] * weights).sum() for x in lefts] for y in tops])
    return result.T if swap else result


WRONG = {
    "edge_filters/response": [
        (lambda: (lambda p, w: (p @ w).sum(),), "rows with columns"),
        (lambda: (lambda p, w: p * w,), "one number: add them up"),
        (lambda: (lambda p, w: (p * w).mean(),), "plain sum"),
        (lambda: (lambda p, w: np.abs(p * w).sum(),), "leave out `abs`"),
        (lambda: (lambda p, w: p @ w,), "one number"),
        (lambda: (lambda p, w: (p + w).sum(),), "Multiply what lies on each other"),
        (lambda: (lambda p, w: p.nonsense,), "AttributeError"),
        (lambda: (3.0,), "should be a function"),
    ],
    "edge_filters/four-edges": [
        (lambda: (LEFT, LEFT, LEFT.T, -LEFT.T), "Negate it"),
        (lambda: (LEFT, -LEFT, -LEFT.T, LEFT.T), "bright on the other"),
        (lambda: (LEFT, LEFT.T, LEFT.T, -LEFT.T), "transpose it"),
        (lambda: (LEFT, -LEFT, LEFT[::-1], -LEFT), "`bright_top`"),
        (lambda: (LEFT, -LEFT, np.ones((2, 2)), -LEFT.T), "4×4"),
    ],
    "edge_filters/feature-map": [
        (lambda: (lambda i, w, s: slide(i, w, s, stop=0),), "range stops before its end"),
        (lambda: (lambda i, w, s: slide(i, w, s, step=1),), "jumps 2 at a time"),
        (lambda: (lambda i, w, s: slide(i, w, s, flip=True),), "flip the filter"),
        (lambda: (lambda i, w, s: slide(i, w, s, swap=True),), "exchanged"),
        (lambda: (lambda i, w, s: slide(i, w, s) + 1,), "numbers are not"),
        (lambda: (lambda i, w, s: (i[: len(w), : len(w)] * w).sum(),), "has shape"),
    ],
    "edge_filters/only-blue": [
        (lambda: ([0, 0, 1],), "White is (1, 1, 1)"),
        (lambda: ([1, 0, -1],), "at least 1"),
        (lambda: ([1, -2, 1],), "Pure red"),
        (lambda: ([-3, 2, 1],), "Pure green"),
        (lambda: (["blue", 0, 0],), "Three numbers"),
        (lambda: ([[-1, 0, 1], [0, 0, 0]],), "Three weights"),
    ],
}


@pytest.mark.parametrize(
    "answer",
    [
        lambda p, w: float(np.sum(np.multiply(p, w))),
        lambda p, w: p.ravel() @ w.ravel(),
        lambda p, w: np.trace(p @ w.T),
        lambda p, w: sum(p[i, j] * w[i, j] for i in range(len(p)) for j in range(len(p))),
    ],
)
def test_other_ways_to_the_response_are_right_too(answer):
    assert check("edge_filters/response", answer).status == "right"


@pytest.mark.parametrize("answer", [[-0.5, -0.5, 1], [-1, 0, 1], np.array([-2, -1, 3.0]).reshape(3, 1, 1)])
def test_every_filter_that_obeys_the_rules_of_only_blue_is_right(answer):
    assert check("edge_filters/only-blue", answer).status == "right"


@pytest.mark.parametrize("key", ["edge_filters/response", "edge_filters/feature-map"])
def test_a_function_that_returns_nothing_is_not_attempted(key):
    assert check(key, lambda *_: None).status == "not attempted yet"


def test_the_filter_of_the_lesson_scores_its_patches_as_the_predictions_say():
    falling = kernels.diagonal(7)
    above = (falling > 0) * 1.0
    assert (np.ones((7, 7)) * falling).sum() == 0
    assert (above * falling).sum() == 21
    assert (above.T * falling).sum() == -21
    assert (above @ falling).sum() == -56


def test_ones_on_top_answer_to_horizontal_and_not_to_vertical_edges():
    step = np.zeros((9, 9))
    step[:4] = 1.0  # bright above: a horizontal edge
    kernel = kernels.get("horizontal edges")
    assert convolve.correlate2d(step, kernel).max() == 3
    assert not convolve.correlate2d(np.ascontiguousarray(step.T), kernel).any()


def test_the_strongest_horizontal_edges_of_the_photograph_are_dark_above_bright():
    gray = data.photo("china")[20:420, 40:440].mean(axis=2)
    photo = convolve.pool2d(gray, 2, kind="average")
    response = convolve.correlate2d(photo, kernels.get("horizontal edges"))
    row, column = np.unravel_index(np.abs(response).argmax(), response.shape)
    nine = photo[row : row + 3, column : column + 3]
    assert response[row, column] < 0
    assert nine[0].max() < nine[2].min()
