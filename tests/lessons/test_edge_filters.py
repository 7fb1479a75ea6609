"""Right and wrong answers to the exercises of "Hand-crafted edge filters", and the claims its prose makes."""

import numpy as np
import pytest
import scipy.signal
import torch
from numpy.lib.stride_tricks import sliding_window_view

from helpers import data
from helpers.filters import convolve, kernels
from tests.lessons.common import printing, right, said

LEFT = np.array([[1, 1, -1, -1]] * 4, dtype=np.float32)


def slide(image, weights, stride, *, stop=1, down=None, right=None, pair=np.multiply, total=np.sum):
    k, (height, width) = len(weights), image.shape
    tops, lefts = range(0, height - k + stop, down or stride), range(0, width - k + stop, right or stride)
    return np.array([[total(pair(image[y : y + k, x : x + k], weights)) for x in lefts] for y in tops])


def torch_slide(image, weights, stride):
    tensors = (torch.tensor(array)[None, None] for array in (image, weights))
    return torch.nn.functional.conv2d(*tensors, stride=stride)[0, 0]


def filled(image, weights, stride=1, kind=float, scale=None):
    k = weights.shape[0]
    rows, columns = (image.shape[0] - k) // stride + 1, (image.shape[1] - k) // stride + 1
    result = np.zeros((rows, columns), dtype=kind)
    scale = stride if scale is None else scale
    for row in range(rows):
        for column in range(columns):
            top, left = row * scale, column * scale
            result[row, column] = (image[top : top + k, left : left + k] * weights).sum()
    return result


def four_loops(image, weights, stride=1):
    k = len(weights)
    rows = []
    for y in range(0, len(image) - k + 1, stride):
        rows.append([])
        for x in range(0, len(image[0]) - k + 1, stride):
            total = 0.0
            for i in range(k):
                for j in range(k):
                    total += image[y + i][x + j] * weights[i][j]
            rows[-1].append(total)
    return rows


def looped(patch, weights):
    total = 0
    for row in range(patch.shape[0]):
        for column in range(patch.shape[1]):
            total += patch[row, column] * weights[row, column]
    return total


def last_only(patch, weights):
    for row in range(patch.shape[0]):
        for column in range(patch.shape[1]):
            total = patch[row, column] * weights[row, column]
    return total


def in_place(patch, weights):
    patch *= weights
    return patch.sum()


def centered(image, weights, stride=1):
    weights -= weights.mean()
    return slide(image, weights, stride)


def width_first(image, weights, stride=1):
    k, (width, height) = len(weights), image.shape
    tops, lefts = range(0, height - k + 1, stride), range(0, width - k + 1, stride)
    return np.array([[(image[y : y + k, x : x + k] * weights).sum() for x in lefts] for y in tops])


def as_large_as_the_image(image, weights, stride=1, step=1):
    result, k = np.zeros_like(image), len(weights)
    for r, y in enumerate(range(0, image.shape[0] - k + 1, stride)):
        for c, x in enumerate(range(0, image.shape[1] - k + 1, stride)):
            result[r * step, c * step] = (image[y : y + k, x : x + k] * weights).sum()
    return result


def remembering():
    first = []

    def responses(image, weights, stride=1):
        if not first:
            first.append(slide(image, weights, stride))
        return first[0]

    return (responses,)


def as_in_the_lesson(image, weights, stride=1):
    result = np.zeros((11, 11))
    for row in range(11):
        for column in range(11):
            patch = image[2 * row : 2 * row + 7, 2 * column : 2 * column + 7]
            result[row, column] = (patch * weights).sum()
    return result


RIGHT = {
    "edge_filters/response": [
        lambda: (lambda p, w: (p * w).sum(),),
        lambda: (lambda p, w: float(np.sum(np.multiply(p, w))),),
        lambda: (lambda p, w: p.ravel() @ w.ravel(),),
        lambda: (lambda p, w: np.trace(p @ w.T),),
        lambda: (lambda p, w: np.einsum("ij,ij->", p, w),),
        lambda: (lambda p, w: np.tensordot(p, w),),
        lambda: (lambda p, w: np.float32((p.astype(np.float32) * w.astype(np.float32)).sum()),),
        lambda: (lambda p, w: (torch.tensor(p, requires_grad=True) * torch.tensor(w)).sum(),),
        lambda: (lambda p, w: (p * w).sum(keepdims=True),),
        lambda: (lambda p, w: sum(x * y for a, b in zip(p, w, strict=True) for x, y in zip(a, b, strict=True)),),
        lambda: (looped,),
    ],
    "edge_filters/feature-map": [
        lambda: (slide,),
        lambda: (torch_slide,),
        lambda: (filled,),
        lambda: (lambda i, w, s: filled(i, w, s, np.float32),),
        lambda: (four_loops,),
        lambda: (lambda i, w, s: convolve.correlate2d(i, w, stride=s).tolist(),),
        lambda: (lambda i, w, s: np.einsum("yxij,ij->yx", sliding_window_view(i, w.shape)[::s, ::s], w),),
        lambda: (lambda i, w, s: scipy.signal.correlate2d(i, w, mode="valid")[::s, ::s],),
    ],
    "edge_filters/only-blue": [
        lambda: ([-0.5, -0.5, 1],),
        lambda: ([-1, 0, 1],),
        lambda: ((0, -1, 1),),
        lambda: (np.array([-2, -1, 3.0]).reshape(3, 1, 1),),
        lambda: (torch.tensor([-1 / 3, -2 / 3, 1.0], requires_grad=True),),
        lambda: (np.array([-0.1, -0.9, 1.0], dtype=np.float32),),
        lambda: (np.array([-1e4 / 3, -2e4 / 3, 1e4], dtype=np.float32)[None, :, None, None],),
    ],
}

WRONG = {
    "edge_filters/response": [
        (lambda: (lambda p, w: (p @ w).sum(),), "rows by columns"),
        (lambda: (lambda p, w: (p @ w.T).sum(),), "rows by columns"),
        (lambda: (lambda p, w: p * w,), "one number: add them up"),
        (lambda: (lambda p, w: (p * w).mean(),), "plain sum"),
        (lambda: (lambda p, w: np.abs(p * w).sum(),), "leave out `abs`"),
        (lambda: (lambda p, w: abs((p * w).sum()),), "leave out `abs`"),
        (lambda: (lambda p, w: max((p * w).sum(), 0),), "ReLU"),
        (lambda: (lambda p, w: -(p * w).sum(),), "wrong sign"),
        (lambda: (lambda p, w: (p * w[::-1, ::-1]).sum(),), "flip"),
        (lambda: (lambda p, w: p @ w,), "one number"),
        (lambda: (lambda p, w: (p * w).sum(axis=0),), "Python's own `sum`"),
        (lambda: (lambda p, w: sum(p * w),), "Python's own `sum`"),
        (lambda: (lambda p, w: (p * w).sum(axis=1),), "Leave out `axis`"),
        (lambda: (lambda p, w: np.dot(p, w),), "one number"),
        (lambda: (lambda p, w: sum(p[i, j] * w[i, j] for i in range(7) for j in range(7)),), "not always 7×7"),
        (lambda: (lambda p, w: (p + w).sum(),), "in the same position"),
        (lambda: (lambda p, w: (p * w).prod(),), "Add them up"),
        (lambda: (lambda p, w: (p * w).max(),), "largest product"),
        (lambda: (lambda p, w: sum((p * w)[0]),), "first row"),
        (lambda: (last_only,), "`+=`"),
        (lambda: (lambda p, w: (p * w)[:5, :5].sum(),), "Not the sum of the"),
        (lambda: (lambda p, w: (p * w).sum() + 1,), "Not the sum of the 25 products"),
        (lambda: (lambda p, w: np.round((p * w).sum()),), "Not the sum of the 25 products"),
        (lambda: (lambda p, w: (p.astype(int) * w).sum(),), "Not the sum of the 25 products"),
        (lambda: (lambda p, w: (p * w).sum() * np.nan,), "NaN"),
        (lambda: (lambda p, w: str((p * w).sum()),), "a string"),
        (lambda: (lambda p, w: p.nonsense,), "AttributeError"),
        (lambda: (in_place,), "changed its argument"),
        (lambda: (printing,), "is there a `return`?"),
        (lambda: (3.0,), "should be a function"),
    ],
    "edge_filters/feature-map": [
        (lambda: (lambda i, w, s: slide(i, w, s, stop=0),), "range stops before its end"),
        (lambda: (lambda i, w, s: slide(i, w, 1, stop=0),), "the stride is missing"),
        (lambda: (lambda i, w, s: filled(i, w, s)[:-1, :-1],), "one more than steps"),
        (lambda: (as_large_as_the_image,), "as large as the image"),
        (lambda: (lambda i, w, s: as_large_as_the_image(i, w, s, s),), "as large as the image"),
        (lambda: (as_in_the_lesson,), "ask `len(weights)`"),
        (lambda: (lambda i, w, s: slide(i, w, 1),), "by one pixel"),
        (lambda: (lambda i, w, s: slide(i, w, len(w)),), "by its own size"),
        (lambda: (lambda i, w, s: slide(i, w, s, down=1),), "Downward"),
        (lambda: (lambda i, w, s: slide(i, w, s, right=1),), "To the right"),
        (lambda: (lambda i, w, s: filled(i, w, s, scale=1),), "row · stride"),
        (lambda: (lambda i, w, s: slide(i, w[::-1, ::-1], s),), "flip the filter"),
        (lambda: (lambda i, w, s: slide(i, w.T, s),), "transposed"),
        (lambda: (lambda i, w, s: slide(i, w, s).T,), "exchanged"),
        (lambda: (lambda i, w, s: slide(i, w, s, total=np.mean),), "plain sum"),
        (lambda: (lambda i, w, s: np.abs(slide(i, w, s)),), "leave out `abs`"),
        (lambda: (lambda i, w, s: np.maximum(slide(i, w, s), 0),), "ReLU"),
        (lambda: (lambda i, w, s: -slide(i, w, s),), "wrong sign"),
        (lambda: (lambda i, w, s: filled(i, w, s, int),), "integer type"),
        (lambda: (lambda i, w, s: slide(i, w, s, total=np.max),), "largest product"),
        (lambda: (lambda i, w, s: slide(i, w, s, pair=np.matmul),), "not `@`"),
        (lambda: (lambda i, w, s: slide(i, w, s, pair=np.add),), "adds the weights"),
        (lambda: (lambda i, w, s: slide(i, np.ones_like(w), s),), "leaves out the weights"),
        (lambda: (lambda i, w, s: slide(i, w, s) + 1,), "numbers are not"),
        (lambda: (lambda i, w, s: slide(i / i.max(), w, s),), "numbers are not"),
        (lambda: (lambda i, w, s: slide(i, w, s).ravel(),), "Keep the grid"),
        (lambda: (lambda i, w, s: (i[: len(w), : len(w)] * w).sum(),), "has the shape"),
        (lambda: (lambda i, w, s=2: slide(i, w, s),), "left out"),
        (lambda: (lambda i, w, s: slide(i, w, s)[0],), "has the shape"),
        (lambda: (lambda i, w, s: slide(np.pad(i, 1), w, s),), "has the shape"),
        (lambda: (lambda i, w, s: slide(i, w, s) * np.inf,), "infinity"),
        (lambda: (lambda i, w, s: slide(i[: min(i.shape), : min(i.shape)], w, s),), "Right on square images"),
        (remembering, "has the shape"),
        (lambda: (centered,), "changed its argument"),
        (lambda: (width_first,), "runs off the image"),
        (lambda: (printing,), "is there a `return`?"),
    ],
    "edge_filters/only-blue": [
        (lambda: ([0, 0, 1],), "White is (1, 1, 1)"),
        (lambda: ([-1, -1, 1],), "White is (1, 1, 1)"),
        (lambda: ([-0.5, -0.5, 1.001],), "White is (1, 1, 1)"),
        (lambda: ([1, 0, -1],), "at least 1"),
        (lambda: ([-0.25, -0.25, 0.5],), "at least 1"),
        (lambda: ([0, 0, 0],), "at least 1"),
        (lambda: ([1, -2, 1],), "Pure red"),
        (lambda: ([-3, 2, 1],), "Pure green"),
        (lambda: (["blue", 0, 0],), "three numbers"),
        (lambda: ("[-1, 0, 1]",), "a string"),
        (lambda: ([np.nan, -1, 1],), "NaN"),
        (lambda: ([-np.inf, -np.inf, np.inf],), "infinity"),
        (lambda: ([[-1, 0, 1], [0, 0, 0]],), "Three weights"),
        (lambda: (1,), "Three weights"),
        (lambda: ([[-1, 0], [1]],), "three numbers"),
    ],
}  # fmt: skip


def test_the_filter_of_the_lesson_scores_its_patches_as_the_predictions_say():
    falling = kernels.diagonal(7)
    above = (falling > 0) * 1.0
    assert (np.ones((7, 7)) * falling).sum() == 0
    assert (above * falling).sum() == 21
    assert (above.T * falling).sum() == -21
    assert (above @ falling).sum() == -56


def test_the_numbers_of_the_predictions_are_those_of_the_filter():
    falling = kernels.diagonal(7)
    text = said("edge_filters/all-ones")
    assert f"{(falling == -1).sum()} of its weights are −1 and {(falling == 0).sum()} are 0" in text
    assert right("edge_filters/all-ones") == ["0"]
    assert right("edge_filters/reversed-edge") == ["As low as a patch can"]
    assert "21 for the matching edge, −21 for this one" in said("edge_filters/reversed-edge")
    assert falling.clip(min=0).sum() == 21  # as high as a patch can score
    assert (falling[falling < 0]).sum() == -21  # ink under the purple half only


def test_the_response_that_is_computed_by_hand():
    patch, weights = np.array([[1, 1, 0]] * 3), np.array([[1, 0, -1]] * 3)
    assert right("edge_filters/by-hand") == [f"{(patch * weights).sum()}"]
    assert patch.sum() == 6
    assert (np.ones((3, 3)) * weights).sum() == 0


def test_the_map_of_the_three_is_most_positive_where_paper_lies_to_the_lower_left():
    mnist, falling = data.load("mnist"), kernels.diagonal(7)
    three = mnist.train.images[mnist.train.labels == 3][0, 0]
    windows, response = convolve.patches(three, 7, 2), convolve.correlate2d(three, falling, stride=2)
    best, worst = (np.unravel_index(place, response.shape) for place in (response.argmax(), response.argmin()))
    assert (windows[best] * (falling > 0)).sum() > 2 * (windows[best] * (falling < 0)).sum()
    assert (windows[worst] * (falling < 0)).sum() > 2 * (windows[worst] * (falling > 0)).sum()
    assert not response[windows.max(axis=(2, 3)) == 0].any()  # the empty corners
    assert right("edge_filters/where-on-the-three") == ["Where ink has empty paper to its lower left"]


def test_opposite_weights_give_opposite_responses_in_the_same_places():
    image = np.random.default_rng(0).random((28, 28))
    falling = kernels.diagonal(7)
    np.testing.assert_allclose(convolve.correlate2d(image, -falling), -convolve.correlate2d(image, falling))


def test_a_filter_as_deep_as_its_color_image_draws_one_map():
    weights = np.ones((1, 3, 3, 3))
    assert f"{weights.size} products" in said("edge_filters/depth")
    assert convolve.conv_layer(np.ones((1, 3, 200, 200)), weights).shape == (1, 1, 198, 198)
    assert weights[0, 0].size == 9


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


def directions(kernel, aside=0.0):
    """Angles, in degrees, that a kernel and its transpose read on straight edges of 0° to 90°, less the true ones.

    The edges run past the middle of the window, ``aside`` pixels away from it.
    """
    fine = 40  # samples a pixel
    y, x = np.mgrid[: 3 * fine, : 3 * fine] / fine - 1.5
    for degrees in range(91):
        turn = np.deg2rad(degrees)
        edge = np.cos(turn) * x + np.sin(turn) * y > aside
        pixels = edge.astype(float).reshape(3, fine, 3, fine).mean(axis=(1, 3))
        yield abs(np.rad2deg(np.arctan2((pixels * kernel.T).sum(), (pixels * kernel).sum())) - degrees)


def test_sobel_reads_directions_more_truly_than_plain_edges():
    """The lesson's figures; Sobel is not less shaken by noise, so that it must not say so."""
    sobel, plain = kernels.get("sobel x"), -kernels.get("vertical edges")
    assert max(directions(sobel)) == pytest.approx(1.45, abs=0.05)
    assert max(directions(plain)) == pytest.approx(7.44, abs=0.05)
    assert max(directions(sobel, aside=0.5)) == pytest.approx(3.1, abs=0.05)
    assert max(directions(plain, aside=0.5)) == pytest.approx(3.8, abs=0.05)
    assert np.linalg.norm(sobel) / sobel.clip(0).sum() > np.linalg.norm(plain) / plain.clip(0).sum()
