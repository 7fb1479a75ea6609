"""Right and wrong answers to the exercises of the lesson "Images are numbers", and the claims its prose makes."""

import math

import numpy as np
import pytest
import torch
from matplotlib import pyplot
from numpy.lib.stride_tricks import as_strided, sliding_window_view

from helpers import data
from helpers.filters import convolve
from tests.lessons.common import printing, right, said

VIEWS = {
    "image[4:11, 4:11]": True,
    "image[::2, ::2]": True,
    "image.T": True,
    "image[[4, 5, 6]]": False,
    "image[image > 0.5]": False,
    "image + 0": False,
}


def cut(image, size, stride, *, stop=1, down=None, right=None):
    tops = range(0, image.shape[0] - size + stop, down or stride)
    lefts = range(0, image.shape[1] - size + stop, right or stride)
    return np.array([[image[y : y + size, x : x + size] for x in lefts] for y in tops])


def collected(image, size, stride):
    rows = []
    for y in range(0, image.shape[0] - size + 1, stride):
        row = []
        for x in range(0, image.shape[1] - size + 1, stride):
            row.append(image[y : y + size, x : x + size])
        rows.append(row)
    return rows


def filled(image, size, stride):
    rows, columns = ((n - size) // stride + 1 for n in image.shape)
    grid = np.zeros((rows, columns, size, size), dtype=np.float32)
    for r in range(rows):
        for c in range(columns):
            top, left = r * stride, c * stride
            grid[r, c] = image[top : top + size, left : left + size]
    return grid


def by_steps(image, size, stride):
    rows, columns = ((n - size) // stride + 1 for n in image.shape)
    down, right = image.strides
    return as_strided(image, (rows, columns, size, size), (stride * down, stride * right, down, right))


def running_off(image, size, stride):
    height, width = image.shape
    return np.array(
        [[image[y : y + size, x : x + size] for x in range(0, width, stride)] for y in range(0, height, stride)]
    )


def running_off_in_lists(image, size, stride):
    height, width = image.shape
    return [[image[y : y + size, x : x + size] for x in range(0, width, stride)] for y in range(0, height, stride)]


def exchanged(image, size, stride):
    height, width = image.shape
    return np.array(
        [
            [image[x : x + size, y : y + size] for x in range(0, width - size + 1, stride)]
            for y in range(0, height - size + 1, stride)
        ]
    )


def width_first(image, size, stride):
    width, height = image.shape
    tops, lefts = range(0, height - size + 1, stride), range(0, width - size + 1, stride)
    return np.array([[image[y : y + size, x : x + size] for x in lefts] for y in tops])


def brightened(image, size, stride):
    image -= image.mean()
    return cut(image, size, stride)


def by_formula(places):
    def cut(image, size, stride):
        rows, columns = (places(n, size, stride) for n in image.shape)
        grid = np.zeros((rows, columns, size, size))
        for r in range(rows):
            for c in range(columns):
                patch = image[r * stride : r * stride + size, c * stride : c * stride + size]
                grid[r, c, : patch.shape[0], : patch.shape[1]] = patch
        return grid

    return cut


def remembering():
    first = []

    def patches(image, size, stride):
        if not first:
            first.append(cut(image, size, stride))
        return first[0]

    return (patches,)


def square_scan(scan):
    ink = scan.astype(float)
    for row in range(len(scan)):
        for column in range(min(scan.shape)):
            ink[row, column] = 1 - scan[row, column] / 255
    return ink


def write_into(scan):
    scan[:] = 255 - scan
    return scan / 255


def along(n, k, s):
    return (n - k) // s + 1


def books(n, k, s, u, o):
    return (k * k + 1) * u + (along(n, k, s) ** 2 * u + 1) * o


def counting(side, window, stride, units, outputs):
    total = 0
    for _ in range(units):
        total += window * window + 1
    for _ in range(outputs):
        total += len(range(0, side - window + 1, stride)) ** 2 * units + 1
    return total


RIGHT = {
    "images/ink": [
        lambda: (lambda s: 1 - s / 255,),
        lambda: (lambda s: (255 - s) / 255,),
        lambda: (lambda s: 1 - s.astype("float32") / 255,),
        lambda: (lambda s: 1 - (s / 255).astype(np.float16),),
        lambda: (lambda s: ~s / 255.0,),
        lambda: (lambda s: 1 - torch.from_numpy(s) / 255,),
        lambda: (lambda s: [[(255 - int(p)) / 255 for p in row] for row in s],),
        lambda: (lambda s: np.linspace(1, 0, 256)[s],),
        lambda: (lambda s: np.subtract(255.0, s) * (1 / 255),),
    ],
    "images/views": [
        lambda: (VIEWS,),
        lambda: (dict(reversed(VIEWS.items())),),
        lambda: ({name: np.bool_(view) for name, view in VIEWS.items()},),
        lambda: ({name: int(view) for name, view in VIEWS.items()},),
        lambda: ({name: np.shares_memory(eval(name), image) for name in VIEWS for image in [np.eye(28)]},),
    ],
    "images/cut": [
        lambda: (cut,),
        lambda: (collected,),
        lambda: (filled,),
        lambda: (by_steps,),
        lambda: (lambda i, k, s: sliding_window_view(i, (k, k))[::s, ::s],),
        lambda: (lambda i, k, s: convolve.patches(i, k, s),),
        lambda: (lambda i, k, s: torch.from_numpy(i).unfold(0, k, s).unfold(1, k, s),),
        lambda: (lambda image, size, stride: np.float64(cut(image, size, stride)).tolist(),),
        lambda: (lambda image, size, stride: cut(image, size, stride).astype(np.float16),),
    ],
    "images/ledger": [
        lambda: (books,),
        lambda: (counting,),
        lambda: (lambda side, window, stride, units, outputs: float(books(side, window, stride, units, outputs)),),
        lambda: (lambda *case: np.array(books(*case)),),
        lambda: (lambda *case: torch.tensor([books(*case)]),),
        lambda: (lambda n, k, s, u, o: u * (k**2 + 1) + o + o * u * int((n - k) / s + 1) ** 2,),
        lambda: (
            lambda n, k, s, u, o: (
                sum(w.numel() for w in torch.nn.Conv2d(1, u, k, s).parameters())
                + sum(w.numel() for w in torch.nn.Linear(u * along(n, k, s) ** 2, o).parameters())
            ),
        ),
    ],
}

WRONG = {
    "images/ink": [
        (lambda: (lambda s: s / 255,), "ink is still dark"),
        (lambda: (lambda s: s.astype(float),), "Nothing has changed"),
        (lambda: (lambda s: 255.0 - s,), "divide"),
        (lambda: (lambda s: ~s,), "divide"),
        (lambda: (lambda s: 1 - s / s.max(),), "its own range"),
        (lambda: (lambda s: (s.max() - s.astype(float)) / (s.max() - s.min()),), "its own range"),
        (lambda: (lambda s: s / 255 - 1,), "all of them negative"),
        (lambda: (lambda s: 1 - s,), "wraps around"),
        (lambda: (lambda s: -s / 255,), "wraps around"),
        (lambda: (lambda s: 1 - s / 256,), "not by 256"),
        (lambda: (lambda s: 1 - s / 254,), "Paper (255)"),
        (lambda: (lambda s: (255 - s) // 255,), "rounded away"),
        (lambda: (lambda s: np.round(1 - s / 255),), "rounded away"),
        (lambda: (lambda s: np.round(1 - s / 255, 2),), "Paper (255)"),
        (lambda: (lambda s: (1 - s / 255).ravel(),), "keeps its shape"),
        (lambda: (lambda s: (1 - s / 255).T,), "keeps its shape"),
        (lambda: (lambda s: (1 - s / 255)[::-1],), "Paper (255)"),
        (lambda: (lambda s: (s / 255) ** 2,), "Paper (255)"),
        (lambda: (square_scan,), "Paper (255)"),
        (lambda: (lambda s: 1 - s / 255 * np.nan,), "NaN"),
        (lambda: (lambda s: 1 - scan / 255,), "NameError"),  # noqa: F821
        (lambda: (printing,), "is there a `return`?"),
        (lambda: (write_into,), "changed its argument"),
    ],
    "images/views": [
        (lambda: (VIEWS | {"image.T": False},), "`image.T`"),
        (lambda: (VIEWS | {"image[::2, ::2]": False},), "`image[::2, ::2]`"),
        (lambda: (VIEWS | {"image[[4, 5, 6]]": True},), "`image[[4, 5, 6]]`"),
        (lambda: (VIEWS | {"image[image > 0.5]": True},), "`image[image > 0.5]`"),
        (lambda: (VIEWS | {"image + 0": True},), "`image + 0`"),
        (lambda: (dict.fromkeys(VIEWS, True),), "2 more to find"),
        (lambda: ({name: not view for name, view in VIEWS.items()},), "wrong way round"),
        (lambda: ({name: str(view) for name, view in VIEWS.items()},), "quotation marks"),
        (lambda: ({name: [view] for name, view in VIEWS.items()},), "True or False"),
        (lambda: (dict.fromkeys(VIEWS, np.nan),), "NaN"),
        (lambda: (VIEWS | {"image.T": 2},), "not 2"),
        (lambda: ([True] * 6,), "Keep the dictionary"),
        (lambda: (VIEWS | {"image - 0": False},), "Keep the dictionary"),
    ],
    "images/cut": [
        (lambda: (lambda i, k, s: cut(i, k, s, stop=0),), "stops before its end"),
        (lambda: (lambda i, k, s: cut(i, k, s, down=1, right=1),), "moves by one pixel"),
        (lambda: (lambda i, k, s: cut(i, k, k),), "by its own size"),
        (lambda: (lambda i, k, s: cut(i, k, s, down=1),), "Downward"),
        (lambda: (lambda i, k, s: cut(i, k, s, right=1),), "To the right"),
        (lambda: (lambda i, k, s: cut(i, k, s).reshape(-1, k, k),), "Keep the grid"),
        (lambda: (lambda i, k, s: cut(i, k, s).transpose(1, 0, 2, 3),), "outer loop"),
        (lambda: (lambda i, k, s: cut(i, k, s).transpose(0, 1, 3, 2),), "transposed"),
        (lambda: (lambda i, k, s: cut(i, k, s).transpose(2, 3, 0, 1),), "axes are in another order"),
        (lambda: (lambda i, k, s: cut(i, k, s)[::-1],), "the pixels are not"),
        (lambda: (lambda i, k, s: cut(i - i.mean(), k, s),), "the pixels are not"),
        (lambda: (lambda i, k, s: cut(i, k, s).astype(int),), "the pixels are not"),
        (lambda: (lambda i, k, s: i[:k, :k],), "one array of shape"),
        (lambda: (lambda i, k, s: cut(i, k, s)[-1],), "one array of shape"),
        (lambda: (lambda i, k, s: cut(i, k, s).mean(axis=(2, 3)),), "one array of shape"),
        (lambda: (lambda i, k, s: cut(i, 7, 2),), "one array of shape"),
        (lambda: (lambda i, k, s: cut(np.pad(i, 1), k, s),), "one array of shape"),
        (lambda: (lambda i, k, s: cut(i, 3, 2),), "one array of shape"),
        (lambda: (lambda i, k, s: cut(i, k, 2),), "one array of shape"),
        (lambda: (lambda i, k, s: cut(i[: min(i.shape), : min(i.shape)], k, s),), "Right on square images"),
        (remembering, "one array of shape"),
        (lambda: (by_formula(lambda n, k, s: round((n - k) / s) + 1),), "one array of shape"),
        (lambda: (by_formula(lambda n, k, s: math.ceil((n - k) / s) + 1),), "one array of shape"),
        (lambda: (exchanged,), "Rows and columns are exchanged"),
        (lambda: (width_first,), "off the edge"),
        (lambda: (running_off,), "different sizes"),
        (lambda: (running_off_in_lists,), "off the edge"),
        (lambda: (brightened,), "changed its argument"),
        (lambda: (printing,), "is there a `return`?"),
    ],
    "images/ledger": [
        (lambda: (lambda n, k, s, u, o: (k * k + 1) * u,), "filters alone"),
        (lambda: (lambda n, k, s, u, o: (along(n, k, s) ** 2 * u + 1) * o,), "next layer alone"),
        (lambda: (lambda n, k, s, u, o: k * k * u + along(n, k, s) ** 2 * u * o,), "in both layers"),
        (lambda: (lambda *case: books(*case) - case[3],), "Every filter has a bias"),
        (lambda: (lambda *case: books(*case) - case[4],), "Every output has a bias"),
        (lambda: (lambda n, k, s, u, o: (k * k + 1) * u + (u + 1) * o,), "for every place"),
        (lambda: (lambda n, k, s, u, o: (k * k + 1) * u + (along(n, k, s) * u + 1) * o,), "two directions"),
        (lambda: (lambda n, k, s, u, o: books(n, k, 1, u, o),), "leave out the stride"),
        (lambda: (lambda n, k, s, u, o: (k * k + 1) * u + (((n - k) / s + 1) ** 2 * u + 1) * o,), "Half a step"),
        (lambda: (lambda n, k, s, u, o: (k * k + 1) * u + (((n - k) // s) ** 2 * u + 1) * o,), "first place counts"),
        (lambda: (lambda n, k, s, u, o: (k * k + 1) * u + ((n // s) ** 2 * u + 1) * o,), "fit whole"),
        (lambda: (lambda n, k, s, u, o: (k + 1) * u + (along(n, k, s) ** 2 * u + 1) * o,), "two sides"),
        (lambda: (lambda n, k, s, u, o: (along(n, k, s) ** 2) * ((k * k + 1) * u + u * o) + o,), "at every place"),
        (lambda: (lambda n, k, s, u, o: (k * k + 1) * u + (along(n, k, s) ** 2 + 1) * o,), "places times units"),
        (lambda: (lambda *case: books(*case) + 1,), "you count"),
        (lambda: (lambda n, k, s, u, o: (k * k + 1) * u + ((round((n - k) / s) + 1) ** 2 * u + 1) * o,), "you count"),
        (lambda: (lambda *case: 74_230,), "you count"),
        (lambda: (lambda n, k, s, u, o: books(n, k, s, o, u),), "you count"),
        (lambda: (lambda *case: [books(*case)],), "a list of 1"),
        (lambda: (lambda *case: f"{books(*case):,}",), "a string"),
        (lambda: (lambda *case: math.inf,), "infinite"),
        (lambda: (lambda *case: (books(*case), 1),), "a tuple of 2"),
        (lambda: (printing,), "is there a `return`?"),
    ],
}  # fmt: skip


def test_blank_paper_is_black_to_matplotlib():
    assert right("images/blank-paper") == ["Black"]
    shown = pyplot.figure().gca().imshow(np.ones((7, 7)), cmap="gray")
    assert shown.to_rgba(np.ones((7, 7)))[0, 0, :3].tolist() == [0, 0, 0]
    pyplot.close("all")


def test_the_average_of_a_3_and_a_5_has_half_of_the_ink_of_each():
    digits = data.load("mnist").train
    three, five = (digits.images[digits.labels == label][0, 0] for label in (3, 5))
    between = (three + five) / 2
    assert between[(three > 0) | (five > 0)].min() > 0  # nothing cancels
    np.testing.assert_allclose(between.sum(), three.sum() / 2 + five.sum() / 2, rtol=1e-5)


def test_eleven_windows_of_seven_fit_at_stride_two():
    starts = range(0, 28 - 7 + 1, 2)
    assert right("images/how-many-fit") == [str(len(starts))] == ["11"]
    text = said("images/how-many-fit")
    assert f"{len(range(0, 28, 7))} That is 28 / 7, windows side by side" in text
    assert f"{len(range(0, 28, 2))} That is 28 / 2, the starting points" in text
    assert f"starts at {range(0, 28, 2)[-1]} would need pixel {range(0, 28, 2)[-1] + 6}" in text
    assert f"room for 7 pixels is {28 - 7}, the last even one {starts[-1]}" in text
    assert len(starts) - 1 == 10  # the steps


def test_what_is_written_later_is_seen_through_a_slice():
    assert right("images/write-after") == ["The white bar"]
    image = np.zeros((28, 28))
    patch = image[7:14, 7:14]
    image[10] = 1
    assert patch[3].all()


def test_the_ledger_of_the_prediction_is_that_of_pytorch():
    def size(*layers):
        return sum(weights.numel() for layer in layers for weights in layer.parameters())

    text = said("images/slid-total")
    places = (28 - 10 + 1) ** 2
    filters, reader = size(torch.nn.Conv2d(1, 20, 10)), size(torch.nn.Linear(20 * places, 10))
    for number in (
        size(torch.nn.Linear(100, 20), torch.nn.Linear(20, 10)),
        size(torch.nn.Linear(784, 20), torch.nn.Linear(20, 10)),
        filters,
        20 * places,
        reader,
    ):
        assert f"{number:,}" in text
    assert filters + reader == books(28, 10, 1, 20, 10) > 15_910
    assert filters // 20 == 101


@pytest.mark.parametrize(("expression", "view"), VIEWS.items())
def test_what_the_lesson_calls_a_view_shares_memory(expression, view):
    image = np.random.default_rng(0).random((28, 28))
    assert np.shares_memory(eval(expression), image) == view


@pytest.mark.parametrize(("height", "width", "size", "stride"), [(28, 28, 7, 2), (19, 11, 4, 3), (7, 9, 7, 1)])
def test_loops_views_unfold_and_the_helper_cut_the_same_patches(height, width, size, stride):
    image = np.random.default_rng(size).random((height, width)).astype(np.float32)
    wanted = cut(image, size, stride)
    down, right = image.strides
    by_hand = as_strided(image, wanted.shape, (stride * down, stride * right, down, right))
    unfolded = torch.nn.functional.unfold(torch.from_numpy(image)[None, None], size, stride=stride)
    for patches in (
        sliding_window_view(image, (size, size))[::stride, ::stride],
        by_hand,
        unfolded[0].T.reshape(wanted.shape).numpy(),
        convolve.patches(image, size, stride),
    ):
        np.testing.assert_array_equal(patches, wanted)
    assert not convolve.patches(image, size, stride).flags.writeable


def test_padding_by_five_keeps_all_196_windows_and_cropping_121():
    image = np.ones((28, 28), dtype=np.float32)
    padded = np.pad(image, ((0, 5), (0, 5)))
    assert convolve.patches(image, 7, 2).shape[:2] == (11, 11)
    assert convolve.patches(padded, 7, 2).shape[:2] == (14, 14)


def test_stride_three_is_the_first_that_brings_the_window_of_ten_below_the_dense_layer():
    totals = {stride: books(28, 10, stride, 20, 10) for stride in range(1, 11)}
    assert [totals[2], totals[3]] == [22_030, 11_830]
    assert min(stride for stride, total in totals.items() if total < 15_910) == 3
    assert {totals[stride] for stride in (7, 8, 9)} == {3_830}


def test_mnist_is_as_its_story_says():
    mnist = data.load("mnist")
    if not mnist.real:
        pytest.skip("the stand-in has a story of its own")
    train, validation = mnist.train.split(50_000)
    assert (len(train), len(validation), len(mnist.test)) == (50_000, 10_000, 10_000)
    ink = mnist.train.images[:, 0]
    assert (ink.max(axis=2) > 0).sum(axis=1).max() == 20
    assert (ink.max(axis=1) > 0).sum(axis=1).max() == 20
    assert ink.min() == 0
    assert ink.max() == 1
