"""Right and wrong answers to the exercises of "The convolutional layer", and the claims its prose makes."""

import math

import numpy as np
import pytest
import torch
import torchvision
from numpy.lib.stride_tricks import sliding_window_view
from torch import nn
from torch.nn import functional

from helpers.filters import convolve, kernels
from helpers.network import models
from tests.lessons.common import printing, right, said


def layer_of(kernel, bias=False, change=lambda kernel: kernel, **settings):
    made = nn.Conv2d(1, 1, kernel_size=len(kernel), bias=bias, **settings)
    with torch.no_grad():
        made.weight.copy_(torch.from_numpy(np.ascontiguousarray(change(kernel)))[None, None])
    return made


def silent_bias(kernel):
    layer = layer_of(kernel, bias=True)
    nn.init.zeros_(layer.bias)
    return layer


def new_parameter(kernel):
    layer = nn.Conv2d(1, 1, tuple(kernel.shape), bias=False)
    layer.weight = nn.Parameter(torch.tensor(kernel[None, None], dtype=torch.float32), requires_grad=False)
    return layer


class Kernel(nn.Conv2d):
    def __init__(self, kernel):
        super().__init__(1, 1, kernel.shape[0], bias=False)
        self.load_state_dict({"weight": torch.from_numpy(kernel)[None, None]})


SHARED = nn.Conv2d(1, 1, 3, bias=False)


def shared(kernel):
    SHARED.weight = nn.Parameter(torch.from_numpy(kernel)[None, None])
    return SHARED


def conv(image, weights, bias):
    return convolve.conv_layer(image[None], np.ascontiguousarray(weights), bias)[0]


def by_channel(image, weights, bias):
    maps = []
    for o in range(len(weights)):
        total = bias[o]
        for c in range(len(image)):
            total = total + convolve.correlate2d(image[c], weights[o, c])
        maps.append(total)
    return np.array(maps)


def looped(image, weights, bias, kind=float):
    filters, channels, k, _ = weights.shape
    maps = np.zeros((filters, image.shape[1] - k + 1, image.shape[2] - k + 1), dtype=kind)
    for o in range(filters):
        for y in range(maps.shape[1]):
            for x in range(maps.shape[2]):
                maps[o, y, x] = (
                    sum((image[c, y : y + k, x : x + k] * weights[o, c]).sum() for c in range(channels)) + bias[o]
                )
    return maps


def torch_conv(image, weights, bias):
    return functional.conv2d(*(torch.tensor(part, dtype=torch.float32) for part in (image[None], weights, bias)))[0]


def contracted(image, weights, bias):
    windows = sliding_window_view(image, weights.shape[2:], (1, 2))
    return np.einsum("cyxij,ocij->oyx", windows, weights) + bias[:, None, None]


def overwritten(image, weights, bias):
    for o in range(len(weights)):
        maps = np.zeros((len(weights), image.shape[1] - weights.shape[2] + 1, image.shape[2] - weights.shape[2] + 1))
        maps[o] = conv(image, weights[o : o + 1], bias[o : o + 1])[0]
    return maps


def normalized(image, weights, bias):
    weights -= weights.mean()
    return conv(image, weights, bias)


def counted(inputs, filters, size):
    return sum(weights.numel() for weights in nn.Conv2d(inputs, filters, size).parameters())


RIGHT = {
    "convolutional_layer/parameters": [
        lambda: (lambda i, f, k: (i * k * k + 1) * f,),
        lambda: (lambda i, f, k: i * f * k**2 + f,),
        lambda: (lambda i, f, k: float(counted(i, f, k)),),
        lambda: (lambda i, f, k: np.prod([f, i, k, k]) + f,),
        lambda: (lambda i, f, k: torch.empty(f, i, k, k).numel() + torch.tensor(f),),
        lambda: (lambda i, f, k: sum(1 + sum(k * k for _ in range(i)) for _ in range(f)),),
        lambda: (counted,),
    ],
    "convolutional_layer/as-layer": [
        lambda: (layer_of,),
        lambda: (silent_bias,),
        lambda: (new_parameter,),
        lambda: (Kernel,),
        lambda: (lambda kernel: layer_of(kernel).double(),),
        lambda: (lambda kernel: layer_of(kernel).eval().requires_grad_(False),),
        lambda: (lambda kernel: layer_of(kernel, padding=0, stride=1, dilation=1, padding_mode="zeros"),),
    ],
    "convolutional_layer/conv-layer": [
        lambda: (conv,),
        lambda: (by_channel,),
        lambda: (looped,),
        lambda: (lambda i, w, b: looped(i, w, b, np.float32),),
        lambda: (torch_conv,),
        lambda: (lambda i, w, b: functional.conv2d(*map(torch.from_numpy, (i[None], w, b)))[0].numpy(),),
        lambda: (lambda i, w, b: conv(i, w, b).tolist(),),
        lambda: (
            lambda i, w, b: (
                np.einsum("cyxij,ocij->oyx", sliding_window_view(i, w.shape[2:], (1, 2)), w) + b[:, None, None]
            ),
        ),
    ],
}

WRONG = {
    "convolutional_layer/parameters": [
        (lambda: (lambda i, f, k: i * k * k * f,), "Each filter has a bias"),
        (lambda: (lambda i, f, k: (k * k + 1) * f,), "for every map that it reads"),
        (lambda: (lambda i, f, k: k * k * f,), "as deep as its input"),
        (lambda: (lambda i, f, k: i * (k * k + 1) * f,), "not one for each of its grids"),
        (lambda: (lambda i, f, k: i * k * k * f + 1,), "not one for the whole layer"),
        (lambda: (lambda i, f, k: i * k * k * f + i,), "not one for each map that is read"),
        (lambda: (lambda i, f, k: (i * k + 1) * f,), "two sides"),
        (lambda: (lambda i, f, k: (i * k * 2 + 1) * f,), "size ** 2"),
        (lambda: (lambda i, f, k: i * k * k + 1,), "That is one filter"),
        (lambda: (lambda i, f, k: counted(f, i, k),), "are the two exchanged"),
        (lambda: (lambda i, f, k: counted(i, f, k) + 1,), "Count one filter first"),
        (lambda: (lambda i, f, k: counted(i, f, 3),), "Count one filter first"),
        (lambda: (lambda i, f, k: 18_496,), "Count one filter first"),
        (lambda: (lambda i, f, k: [counted(i, f, k)],), "a list of 1"),
        (lambda: (lambda i, f, k: (f * i * k * k, f),), "a tuple of 2"),
        (lambda: (lambda i, f, k: f"{counted(i, f, k):,}",), "a string"),
        (lambda: (lambda i, f, k: np.nan,), "NaN"),
        (lambda: (lambda i, f, k: nn.Conv2d(i, f, k).parameters(),), "cannot read"),
        (lambda: (printing,), "is there a `return`?"),
    ],
    "convolutional_layer/as-layer": [
        (lambda: (lambda k: layer_of(k, bias=True),), "bias=False"),
        (lambda: (lambda k: nn.Conv2d(1, 1, len(k), bias=False),), "copy the kernel"),
        (lambda: (lambda k: layer_of(np.ones_like(k)),), "copy the kernel"),
        (lambda: (lambda k: layer_of(k, change=lambda k: k[::-1, ::-1]),), "flipped"),
        (lambda: (lambda k: layer_of(k, change=lambda k: k.T),), "transposed"),
        (lambda: (lambda k: layer_of(k, change=lambda k: k[::-1]),), "upside down"),
        (lambda: (lambda k: layer_of(-k),), "wrong sign"),
        (lambda: (lambda k: layer_of(k.astype(int)),), "whole numbers"),
        (lambda: (lambda k: layer_of(k, padding=1),), "leave stride, padding and"),
        (lambda: (lambda k: layer_of(k, padding="same"),), "leave stride, padding and"),
        (lambda: (lambda k: layer_of(k, stride=2),), "leave stride, padding and"),
        (lambda: (lambda k: layer_of(k, dilation=2),), "leave stride, padding and"),
        (lambda: (lambda k: layer_of(k).weight,), "Return the layer itself"),
        (lambda: (lambda k: nn.Sequential(layer_of(k), nn.ReLU()),), "Return the layer itself"),
        (lambda: (lambda k: lambda image: layer_of(k)(image),), "Return the layer itself"),
        (lambda: (lambda k: nn.Conv2d(1, 2, len(k)),), "(1, 1, 3, 3)"),
        (lambda: (lambda k: nn.Conv2d(1, 1, 3, bias=False),), "(1, 1, 5, 5)"),
        (lambda: (lambda k: layer_of(k * np.nan),), "NaN"),
        (lambda: (shared,), "make the layer in the function"),
        (lambda: (lambda k: layer_of(np.divide(k, 2, out=k)),), "changed its argument"),
        (lambda: (printing,), "is there a `return`?"),
    ],
    "convolutional_layer/conv-layer": [
        (lambda: (lambda i, w, b: conv(i, w, None),), "bias is missing"),
        (lambda: (lambda i, w, b: conv(i, w, -b),), "not subtracted"),
        (lambda: (lambda i, w, b: conv(i, w, b * len(i)),), "once per channel"),
        (lambda: (lambda i, w, b: conv(i, w, b * w[0].size),), "to every product"),
        (lambda: (lambda i, w, b: conv(i, w, b[:1].repeat(len(b))),), "bias of the first"),
        (lambda: (lambda i, w, b: conv(i, w[:1].repeat(len(b), 0), b),), "weights of the first"),
        (lambda: (lambda i, w, b: conv(i, w, b)[0],), "Every filter draws its own"),
        (lambda: (lambda i, w, b: conv(i, w, b).sum(axis=0),), "not added up"),
        (lambda: (lambda i, w, b: conv(i, w, b)[None],), "take `[0]`"),
        (lambda: (lambda i, w, b: functional.conv2d(*map(torch.from_numpy, (i[None], w, b))),), "take `[0]`"),
        (lambda: (lambda i, w, b: np.maximum(conv(i, w, b), 0),), "ReLU"),
        (lambda: (lambda i, w, b: np.abs(conv(i, w, b)),), "leave out `abs`"),
        (lambda: (lambda i, w, b: conv(i, w[:, :, ::-1, ::-1], b),), "flip"),
        (lambda: (lambda i, w, b: conv(i, w.swapaxes(2, 3), b),), "transposed"),
        (lambda: (lambda i, w, b: conv(i, w, b).transpose(1, 2, 0),), "come first"),
        (lambda: (lambda i, w, b: conv(i, w, b).swapaxes(1, 2),), "exchanged"),
        (lambda: (lambda i, w, b: conv(i[:1], w[:, :1], b),), "first channel"),
        (lambda: (lambda i, w, b: conv(i[-1:], w[:, -1:], b),), "last channel"),
        (lambda: (lambda i, w, b: conv(i / len(i), w, b),), "mean over the channels"),
        (lambda: (lambda i, w, b: conv(i / w[0].size, w, b),), "mean of the products"),
        (lambda: (lambda i, w, b: looped(i, w, b, int),), "integer type"),
        (lambda: (lambda i, w, b: conv(i, w, b) * 2,), "numbers are not"),
        (lambda: (overwritten,), "before the loop"),
        (lambda: (lambda i, w, b: conv(i, w, b)[:, ::2, ::2],), "have the shape"),
        (lambda: (lambda i, w, b: conv(i, w, b)[:, :-1, :-1],), "H − k + 1 windows fit"),
        (lambda: (lambda i, w, b: conv(np.pad(i, ((0, 0), (1, 1), (1, 1))), w, b),), "have the shape"),
        (lambda: (lambda i, w, b: conv(i, w, b) * np.nan,), "NaN"),
        (
            lambda: (
                lambda i, w, b: np.stack(
                    [[convolve.correlate2d(i[c], w[o, c]) + b[o] for c in range(len(i))] for o in range(len(w))]
                ),
            ),
            "filter AND channel",
        ),
        (lambda: (lambda i, w, b: conv(i, w[0], b),), "Your code stopped"),
        (lambda: (normalized,), "changed its argument"),
        (lambda: (printing,), "is there a `return`?"),
    ],
}  # fmt: skip


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


def test_the_weights_of_the_second_layer_have_the_shape_of_the_prediction():
    assert right("convolutional_layer/weight-shape") == [str(tuple(nn.Conv2d(32, 64, 3).weight.shape))]


def test_most_parameters_of_vgg_sit_in_one_dense_layer_and_most_work_in_the_convolutions():
    with torch.device("meta"):
        table = models.layer_table(torchvision.models.vgg16(weights=None), (3, 224, 224))
    kinds = {kind: [layer for layer in table if layer.kind == kind] for kind in ("Conv2d", "Linear")}
    convolutions, dense = kinds.values()
    total = sum(layer.parameters for layer in table)
    text = said("convolutional_layer/vgg-parameters")
    assert f"{len(convolutions)} convolutions and then {len(dense)} dense layers" in text
    assert f"{total / 1e6:.0f} million parameters in all" in text
    assert f"The first layer has {convolutions[0].parameters:,} parameters" in text
    assert f"{convolutions[-1].parameters / 1e6:.1f} million each" in text
    assert f"512·7·7 = {512 * 7 * 7:,} values" in text
    assert f"{dense[0].parameters / 1e6:.0f} million" in text
    assert dense[0].parameters > total / 2
    work = {"Conv2d": 0, "Linear": 0}  # every weight but the biases, at every place
    for layer in (*convolutions, *dense):
        work[layer.kind] += (layer.parameters - layer.output_shape[0]) * math.prod(layer.output_shape[1:])
    text = said("convolutional_layer/vgg-multiplications")
    assert f"{work['Linear'] / 1e6:.0f} million multiplications" in text
    assert f"{224 * 224:,} times in the first block" in text
    assert f"{work['Conv2d'] / sum(work.values()):.0%}" + " of the work" in text
    assert work["Conv2d"] > 100 * work["Linear"]


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
