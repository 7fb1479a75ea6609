"""Plausible wrong answers and the hints they earn, and the claims its prose makes."""

import io

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided, sliding_window_view
from PIL import Image

from helpers import data, plots
from helpers.exercises import check
from helpers.filters import convolve
from helpers.plots import style

VIEWS = {
    "image[4:11, 4:11]": True,
    "image[::2, ::2]": True,
    "image.T": True,
    "image[[4, 5, 6]]": False,
    "image[image > 0.5]": False,
    "image + 0": False,
}


def cut(image, size, stride, *, stop=1, step=None):
    step = stride if step is None else step
    tops, lefts = (range(0, n - size + stop, step) for n in image.shape)
    return np.array([[image[y : y + size, x : x + size] for x in lefts] for y in tops])


def ragged(image, size, stride):
    height, width = image.shape
    return np.array([image[y : y + size, x : x + size] for y in range(0, height, stride) for x in range(0, width, 2)])


def write_into(scan):
    scan[:] = 255 - scan
    return scan / 255


def last(n, stride):
    return range(0, n, stride)[-1]


WRONG = {
    "images/ink": [
        (lambda: (lambda s: s / 255,), "ink is still dark"),
        (lambda: (lambda s: 255.0 - s,), "divide"),
        (lambda: (lambda s: 1 - s / s.max(),), "its own range"),
        (lambda: (lambda s: (s.max() - s.astype(float)) / (s.max() - s.min()),), "its own range"),
        (lambda: (lambda s: (255 - s) // 255,), "rounded away"),
        (lambda: (lambda s: (1 - s / 255).ravel(),), "keeps its shape"),
        (lambda: (lambda s: (s / 255) ** 2,), "Paper (255)"),
        (lambda: (write_into,), "changes the picture"),
    ],
    "images/views": [
        (lambda: (VIEWS | {"image.T": False},), "`image.T`"),
        (lambda: (VIEWS | {"image[[4, 5, 6]]": True},), "`image[[4, 5, 6]]`"),
        (lambda: (dict.fromkeys(VIEWS, True),), "2 more to find"),
        (lambda: ({name: not view for name, view in VIEWS.items()},), "wrong way round"),
        (lambda: ([True] * 6,), "Keep the dictionary"),
    ],
    "images/cut": [
        (lambda: (lambda i, k, s: cut(i, k, s, stop=0),), "stops before its end"),
        (lambda: (lambda i, k, s: cut(i, k, s, step=1),), "jumps"),
        (lambda: (lambda i, k, s: cut(i, k, s).reshape(-1, k, k),), "Keep the grid"),
        (lambda: (lambda i, k, s: cut(i, k, s).transpose(1, 0, 2, 3),), "outer loop"),
        (lambda: (lambda i, k, s: cut(i, k, s).transpose(0, 1, 3, 2),), "transposed"),
        (lambda: (ragged,), "different sizes"),
        (lambda: (lambda i, k, s: cut(i, k, s)[::-1],), "the pixels are not"),
        (lambda: (lambda i, k, s: i[:k, :k],), "one array of shape"),
    ],
    "images/padding": [
        (lambda: (lambda n, k, s: k - 1,), "last starting point"),
        (lambda: (lambda n, k, s: last(n, s) + k - n,), "not negative"),
        (lambda: (lambda n, k, s: max(last(n, s) + k - n - 1, 0),), "One off"),
        (lambda: (lambda n, k, s: (s - (n - k) % s) % s,), "EVERY starting point"),
        (lambda: (lambda n, k, s: n / k,), "last window starts"),
        (lambda: (lambda n, k, s: 0.5,), "whole number"),
        (lambda: (lambda n, k, s: 100,), "Where does it end"),
    ],
    "images/ledger": [
        (lambda: (lambda n, k, s, u, o: (k * k + 1) * u,), "filters alone"),
        (lambda: (lambda n, k, s, u, o: (((n - k) // s + 1) ** 2 * u + 1) * o,), "next layer alone"),
        (lambda: (lambda n, k, s, u, o: k * k * u + ((n - k) // s + 1) ** 2 * u * o,), "in both layers"),
        (lambda: (lambda n, k, s, u, o: k * k * u + (((n - k) // s + 1) ** 2 * u + 1) * o,), "Every filter has a bias"),
        (lambda: (lambda n, k, s, u, o: (k * k + 1) * u + ((n - k) // s + 1) ** 2 * u * o,), "Every output has a bias"),
        (lambda: (lambda n, k, s, u, o: (k * k + 1) * u + (u + 1) * o,), "for every place"),
        (lambda: (lambda n, k, s, u, o: (k * k + 1) * u + (((n - k) // s + 1) * u + 1) * o,), "two directions"),
        (lambda: (lambda n, k, s, u, o: (k * k + 1) * u + ((n - k + 1) ** 2 * u + 1) * o,), "Along one axis"),
        (
            lambda: (
                lambda n, k, s, u, o: (k * k + 1) * u * ((n - k) // s + 1) ** 2 + (((n - k) // s + 1) ** 2 * u + 1) * o,
            ),
            "at every place",
        ),
    ],
}


@pytest.mark.parametrize(
    "answer", [lambda s: (255 - s) / 255, lambda s: 1 - s.astype("float32") / 255, lambda s: (~s) / 255.0]
)
def test_other_ways_to_ink_are_right_too(answer):
    assert check("images/ink", answer).status == "right"


def test_a_view_of_all_patches_is_a_right_cut():
    assert check("images/cut", lambda i, k, s: sliding_window_view(i, (k, k))[::s, ::s]).status == "right"
    assert check("images/cut", lambda i, k, s: convolve.patches(i, k, s)).status == "right"


@pytest.mark.parametrize("key", ["images/ink", "images/cut", "images/padding", "images/ledger"])
def test_a_function_that_returns_nothing_is_not_attempted(key):
    assert check(key, lambda *_: None).status == "not attempted yet"


@pytest.mark.parametrize(("expression", "view"), VIEWS.items())
def test_what_the_lesson_calls_a_view_shares_memory(expression, view):
    image = np.random.default_rng(0).random((28, 28))
    assert np.shares_memory(eval(expression), image) == view


@pytest.mark.parametrize(("height", "width", "size", "stride"), [(28, 28, 7, 2), (19, 11, 4, 3), (7, 9, 7, 1)])
def test_loops_views_unfold_and_the_helper_cut_the_same_patches(height, width, size, stride):
    import torch

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


def test_the_stored_photograph_keeps_its_colors_though_only_256_are_left():
    flower = data.photo("flower")[::2, ::2]
    picture = plots.images([flower, *flower.transpose(2, 0, 1)], side=2.2)

    def blurred(png):
        pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=float)
        height, width = (n // 8 * 8 for n in pixels.shape[:2])
        return pixels[:height, :width].reshape(height // 8, 8, width // 8, 8, 3).mean(axis=(1, 3))

    apart = np.abs(blurred(style.png(picture.figure)) - blurred(style.png(picture.figure, fast=True)))
    assert np.percentile(apart, 99) < 5  # of 255, over squares too small to see; bands would leave more than 8
