"""Plausible wrong answers and the hints they earn, and the claims its prose makes."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from helpers.exercises import check
from helpers.filters import convolve, kernels


def layer_of(kernel, bias=False, change=lambda kernel: kernel, **settings):
    made = nn.Conv2d(1, 1, kernel_size=len(kernel), bias=bias, **settings)
    with torch.no_grad():
        made.weight.copy_(torch.from_numpy(np.ascontiguousarray(change(kernel)))[None, None])
    return made


def conv(image, weights, bias):
    return convolve.conv_layer(image[None], weights, bias)[0]


def gradient_of(image, gradient, size, stride):
    return np.tensordot(gradient, convolve.patches(image, size, stride), axes=2)


def last_place(image, gradient, size, stride):
    return gradient[-1, -1] * convolve.patches(image, size, stride)[-1, -1]


def no_stride(image, gradient, size, stride):
    rows, columns = gradient.shape
    patches = convolve.patches(image, size)[:rows, :columns]
    return np.tensordot(gradient, patches, axes=2)


WRONG = {
    "convolutional_layer/parameters": [
        (lambda: (lambda i, f, k: i * k * k * f,), "Each filter has a bias"),
        (lambda: (lambda i, f, k: (k * k + 1) * f,), "for every map that it reads"),
        (lambda: (lambda i, f, k: k * k * f,), "as deep as its input"),
        (lambda: (lambda i, f, k: i * (k * k + 1) * f,), "not one for each of its grids"),
        (lambda: (lambda i, f, k: i * k * k * f + 1,), "not one for the whole layer"),
        (lambda: (lambda i, f, k: (i * k + 1) * f,), "two sides"),
        (lambda: (lambda i, f, k: 7,), "Count one filter first"),
    ],
    "convolutional_layer/as-layer": [
        (lambda: (lambda k: layer_of(k, bias=True),), "bias=False"),
        (lambda: (lambda k: nn.Conv2d(1, 1, len(k), bias=False),), "copy the kernel"),
        (lambda: (lambda k: layer_of(k, change=lambda k: k[::-1, ::-1]),), "flipped"),
        (lambda: (lambda k: layer_of(k, change=lambda k: k.T),), "transposed"),
        (lambda: (lambda k: layer_of(k, padding=1),), "leave stride and padding"),
        (lambda: (lambda k: layer_of(k).weight,), "Return the layer itself"),
        (lambda: (lambda k: nn.Conv2d(1, 2, len(k)),), "(1, 1, 3, 3)"),
    ],
    "convolutional_layer/conv-layer": [
        (lambda: (lambda i, w, b: conv(i, w, None),), "bias is missing"),
        (lambda: (lambda i, w, b: conv(i, w, b * len(i)),), "once per channel"),
        (lambda: (lambda i, w, b: conv(i, w, b)[0],), "Every filter draws its own"),
        (lambda: (lambda i, w, b: np.maximum(conv(i, w, b), 0),), "ReLU"),
        (lambda: (lambda i, w, b: conv(i, w[:, :, ::-1, ::-1].copy(), b),), "flip"),
        (lambda: (lambda i, w, b: conv(i, w, b).transpose(1, 2, 0),), "come first"),
        (lambda: (lambda i, w, b: conv(i[:1], w[:, :1].copy(), b),), "first channel"),
        (lambda: (lambda i, w, b: conv(i, w, b) * 2,), "numbers are not"),
        (
            lambda: (
                lambda i, w, b: np.stack(
                    [[convolve.correlate2d(i[c], w[o, c]) + b[o] for c in range(len(i))] for o in range(len(w))]
                ),
            ),
            "filter AND channel",
        ),
    ],
    "convolutional_layer/weight-gradient": [
        (lambda: (lambda i, g, k, s: gradient_of(i, g, k, s) / g.size,), "plain sum"),
        (lambda: (lambda i, g, k, s: gradient_of(i, np.ones_like(g), k, s),), "patches alone"),
        (lambda: (lambda i, g, k, s: gradient_of(i, g, k, s)[::-1, ::-1],), "180 degrees"),
        (lambda: (lambda i, g, k, s: gradient_of(i, g, k, s).T,), "transposed"),
        (lambda: (last_place,), "`+=`"),
        (lambda: (no_stride,), "wrong at stride 2"),
        (lambda: (lambda i, g, k, s: g,), "shape of its weights"),
        (lambda: (lambda i, g, k, s: -gradient_of(i, g, k, s),), "Not the sum"),
    ],
}


@pytest.mark.parametrize(
    "answer",
    [
        lambda i, w, b: torch.nn.functional.conv2d(*(torch.from_numpy(a) for a in (i[None], w, b)))[0].numpy(),
        lambda i, w, b: (
            np.einsum("cyxij,ocij->oyx", np.stack([convolve.patches(c, w.shape[2]) for c in i]), w) + b[:, None, None]
        ),
    ],
)
def test_other_ways_to_the_layer_are_right_too(answer):
    assert check("convolutional_layer/conv-layer", answer).status == "right"


@pytest.mark.parametrize(
    "key",
    [
        "convolutional_layer/parameters",
        "convolutional_layer/as-layer",
        "convolutional_layer/conv-layer",
        "convolutional_layer/weight-gradient",
    ],
)
def test_a_function_that_returns_nothing_is_not_attempted(key):
    assert check(key, lambda *_: None).status == "not attempted yet"


@pytest.mark.parametrize("seed", range(15))
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_layer_of_the_lesson_is_that_of_pytorch_forward_and_backward(seed, kind):
    chance = np.random.default_rng(seed)
    count, channels, filters, kh, kw, stride, padding, dilation = map(int, chance.integers(1, 5, 8))
    height, width = chance.integers(13, 20, 2)
    images = chance.normal(size=(count, channels, width, 2 * height)).astype(kind)[..., ::2].swapaxes(2, 3)
    weights = chance.normal(size=(filters, channels, kw, kh)).astype(kind).swapaxes(2, 3)
    bias = chance.normal(size=filters).astype(kind)
    assert not images.flags.c_contiguous
    settings = {"stride": stride, "padding": padding, "dilation": dilation}
    tensors = [torch.tensor(array, requires_grad=True) for array in (images, weights, bias)]
    theirs = functional.conv2d(*tensors, **settings)
    ours = convolve.conv_layer(images, weights, bias, **settings)
    assert ours.dtype == kind
    close = {"rtol": 1e-3, "atol": 2e-4} if kind is np.float32 else {"rtol": 1e-9, "atol": 1e-10}
    np.testing.assert_allclose(ours, theirs.detach().numpy(), **close)
    upstream = chance.normal(size=ours.shape).astype(kind)
    theirs.backward(torch.from_numpy(upstream))
    gradients = convolve.conv_layer_backward(upstream, images, weights, **settings)
    for mine, tensor in zip(gradients, tensors, strict=True):
        np.testing.assert_allclose(mine, tensor.grad.numpy(), **close)


def test_the_canonical_counts():
    assert sum(p.numel() for p in nn.Conv2d(1, 32, 3).parameters()) == 320
    assert sum(p.numel() for p in nn.Conv2d(32, 64, 3).parameters()) == 18_496


def test_each_corner_filter_of_the_lesson_answers_to_its_corner_of_a_square_and_to_nothing_else():
    sides = kernels.four_edges(3)[:, None]
    down = np.zeros((5, 5), np.float32)
    down[3:, 2], down[:2, 2] = 1, -1
    up, right, left, none = down[::-1], down.T, down.T[:, ::-1], np.zeros_like(down)
    corners = np.array(
        [[down, none, right, none], [none, down, left, none], [up, none, none, right], [none, up, none, left]]
    )
    square = np.zeros((1, 1, 28, 28), np.float32)
    square[..., 7:21, 6:22] = 1
    one = np.maximum(convolve.conv_layer(square, sides), 0)
    two = np.maximum(convolve.conv_layer(one, corners, np.full(4, -7, np.float32)), 0)[0]
    for found, (row, column) in zip(two, [(7, 6), (7, 21), (20, 6), (20, 21)], strict=True):
        ys, xs = np.nonzero(found)
        assert np.abs(ys + 3 - row).max() <= 1  # a map pixel sits three pixels inside of its place in the image
        assert np.abs(xs + 3 - column).max() <= 1


def test_two_layers_without_relu_are_one():
    chance = np.random.default_rng(1)
    image, a, b = chance.normal(size=(15, 17)), chance.normal(size=(3, 3)), chance.normal(size=(3, 3))
    pair = convolve.correlate2d(convolve.correlate2d(image, a), b)
    np.testing.assert_allclose(pair, convolve.correlate2d(image, convolve.convolve2d(a, b, padding=2)))
    bent = convolve.correlate2d(np.maximum(convolve.correlate2d(image, a), 0), b)
    assert not np.allclose(pair, bent)
