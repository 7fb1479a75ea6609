"""Right and wrong answers to the exercises of "Where the gradient comes from", and the claims its prose makes."""

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch.nn import functional

from helpers.explorers.filter_recovery import lessons_material
from helpers.filters import convolve, kernels
from helpers.filters.recovery import recover
from tests.lessons.common import printing, said


def gradient_of(image, gradient, size, stride):
    return np.tensordot(gradient, convolve.patches(image, size, stride), axes=2)


def by_weight(image, gradient, size, stride):
    rows, columns = gradient.shape
    return [
        [
            (gradient * image[y : y + stride * rows : stride, x : x + stride * columns : stride][:rows, :columns]).sum()
            for x in range(size)
        ]
        for y in range(size)
    ]


def by_loops(image, gradient, size, stride, kind=float):
    total = np.zeros((size, size), dtype=kind)
    for row in range(gradient.shape[0]):
        for column in range(gradient.shape[1]):
            top, left = row * stride, column * stride
            total += gradient[row, column] * image[top : top + size, left : left + size]
    return total


def by_autograd(image, gradient, size, stride):
    weights = torch.zeros(1, 1, size, size, dtype=torch.float64, requires_grad=True)
    maps = functional.conv2d(torch.tensor(image, dtype=torch.float64)[None, None], weights, stride=stride)
    maps.backward(torch.tensor(gradient, dtype=torch.float64)[None, None])
    return weights.grad[0, 0]


def by_dilation(image, gradient, size, stride):
    image, gradient = (torch.from_numpy(array)[None, None] for array in (image, gradient))
    return functional.conv2d(image, gradient, dilation=stride)[0, 0, :size, :size]


def uncut(image, gradient, size, stride):
    image, gradient = (torch.from_numpy(array)[None, None] for array in (image, gradient))
    return functional.conv2d(image, gradient, dilation=stride)[0, 0]


def last_place(image, gradient, size, stride):
    return gradient[-1, -1] * convolve.patches(image, size, stride)[-1, -1]


def early_return(image, gradient, size, stride):
    for row in range(gradient.shape[0]):
        for column in range(gradient.shape[1]):
            return gradient[row, column] * image[row * stride :, column * stride :][:size, :size]


def no_stride(image, gradient, size, stride):
    rows, columns = gradient.shape
    patches = convolve.patches(image, size)[:rows, :columns]
    return np.tensordot(gradient, patches, axes=2)


def scaled(image, gradient, size, stride):
    image /= image.max()
    return gradient_of(image, gradient, size, stride)


def spread(gradient, weights):
    pixels = np.zeros(len(gradient) + len(weights) - 1)
    for place in range(len(gradient)):
        for a in range(len(weights)):
            pixels[place + a] += gradient[place] * weights[a]
    return pixels


def collected(gradient, weights):
    places = range(len(gradient))
    return [
        sum(gradient[r] * weights[i - r] for r in places if 0 <= i - r < len(weights))
        for i in range(len(gradient) + len(weights) - 1)
    ]


def pixels_by_autograd(gradient, weights):
    x = torch.zeros(1, 1, len(gradient) + len(weights) - 1, dtype=torch.float64, requires_grad=True)
    y = functional.conv1d(x, torch.tensor(weights, dtype=torch.float64)[None, None])
    y.backward(torch.tensor(gradient, dtype=torch.float64)[None, None])
    return x.grad[0, 0]


def overwriting(gradient, weights):
    pixels = np.zeros(len(gradient) + len(weights) - 1)
    for place in range(len(gradient)):
        pixels[place : place + len(weights)] = gradient[place] * weights
    return pixels


def doubling(gradient, weights):
    gradient *= 2
    return np.convolve(gradient, weights)


RIGHT = {
    "gradients/by-hand": [
        lambda: ([-1, 3, 1],),
        lambda: ((-1.0, 3.0, 1.0),),
        lambda: (np.array([-1 * 3 + 2 * 1, -1 * 1 + 2 * 2, -1 + 2]),),
        lambda: (torch.tensor([-1.0, 3.0, 1.0]),),
    ],
    "gradients/pixel-gradient": [
        lambda: (np.convolve,),
        lambda: (spread,),
        lambda: (collected,),
        lambda: (pixels_by_autograd,),
        lambda: (lambda g, w: spread(g, w).astype(np.float32),),
        lambda: (lambda g, w: np.convolve(w, g).tolist(),),
        lambda: (lambda g, w: np.correlate(g, w[::-1], mode="full"),),
    ],
    "gradients/weight-gradient": [
        lambda: (gradient_of,),
        lambda: (by_loops,),
        lambda: (by_weight,),
        lambda: (by_autograd,),
        lambda: (by_dilation,),
        lambda: (lambda i, g, k, s: by_loops(i.astype(np.float32), g.astype(np.float32), k, s, np.float32),),
        lambda: (lambda i, g, k, s: np.einsum("yx,yxij->ij", g, sliding_window_view(i, (k, k))[::s, ::s]).tolist(),),
        lambda: (
            lambda i, g, k, s: torch.nn.grad.conv2d_weight(
                torch.tensor(i)[None, None], (1, 1, k, k), torch.tensor(g)[None, None], stride=s
            )[0, 0],
        ),
    ],
}

WRONG = {
    "gradients/by-hand": [
        (lambda: ([-0.5, 1.5, 0.5],), "You take means"),
        (lambda: ([1, -3, -1],), "wrong sign"),
        (lambda: ([2, 4, 2],), "Only the second place"),
        (lambda: ([-3, -1, -1],), "Only the first place"),
        (lambda: ([3, -1, 1],), "two weights are exchanged"),
        (lambda: ([5, 0, 1],), "places are exchanged"),
        (lambda: ([4, 3, 1],), "pixels alone"),
        (lambda: ([-1, 3, 2],), "not the places"),
        (lambda: ([-1, 3, 0.5],), "not their mean"),
        (lambda: ([-1, 3, 0],), "added at both places"),
        (lambda: ([-1, 3, 6],), "meets no pixel"),
        (lambda: ([7, 7, 1],), "The bias is right"),
        (lambda: ([-1, 3, -1],), "The weights are right"),
        (lambda: ([0, 0, 0],), "Write down, for each weight"),
        (lambda: ([-1, 3],), "Give three numbers"),
        (lambda: (3,), "Give three numbers"),
        (lambda: ([-1, 3, np.nan],), "NaN"),
        (lambda: ("-1, 3, 1",), "a string"),
    ],
    "gradients/pixel-gradient": [
        (lambda: (lambda g, w: np.convolve(g, w[::-1]),), "wrong order"),
        (lambda: (lambda g, w: np.correlate(g, w, mode="full"),), "wrong order"),
        (lambda: (lambda g, w: spread(g, w)[::-1],), "reverse order"),
        (lambda: (lambda g, w: -spread(g, w),), "wrong sign"),
        (lambda: (overwriting,), "`+=`"),
        (lambda: (lambda g, w: np.convolve(g, np.ones_like(w)),), "weight that the pixel met"),
        (lambda: (lambda g, w: np.convolve(np.ones_like(g), w),), "gradient of its place"),
        (lambda: (lambda g, w: spread(g, w) / len(g),), "mean over the places"),
        (lambda: (lambda g, w: spread(g, w) / len(w),), "mean over the weights"),
        (lambda: (lambda g, w: np.outer(g, w),), "falls on the same pixel"),
        (lambda: (lambda g, w: spread(g, w)[:-1],), "last pixel is missing"),
        (lambda: (lambda g, w: np.convolve(g, w, mode="same"),), "each has a gradient"),
        (lambda: (lambda g, w: np.convolve(g, w, mode="valid"),), "each has a gradient"),
        (lambda: (lambda g, w: spread(g, w) + 1,), "Not the sum"),
        (lambda: (lambda g, w: spread(g, w).astype(int),), "Not the sum"),
        (lambda: (lambda g, w: spread(g, w) * np.nan,), "NaN"),
        (lambda: (doubling,), "changed its argument"),
        (lambda: (printing,), "is there a `return`?"),
    ],
    "gradients/weight-gradient": [
        (lambda: (lambda i, g, k, s: gradient_of(i, g, k, s) / g.size,), "plain sum"),
        (lambda: (lambda i, g, k, s: gradient_of(i, np.ones_like(g), k, s),), "patches alone"),
        (lambda: (lambda i, g, k, s: gradient_of(i, np.abs(g), k, s),), "leave out `abs`"),
        (lambda: (lambda i, g, k, s: gradient_of(i, g, k, s)[::-1, ::-1],), "180 degrees"),
        (lambda: (lambda i, g, k, s: gradient_of(i, g, k, s).T,), "transposed"),
        (lambda: (lambda i, g, k, s: -gradient_of(i, g, k, s),), "wrong sign"),
        (lambda: (last_place,), "`+=`"),
        (lambda: (early_return,), "inside of the loop"),
        (lambda: (no_stride,), "Right only with stride 1"),
        (lambda: (uncut,), "shape of its weights"),
        (lambda: (lambda i, g, k, s: gradient_of(i, g, k, s) * s,), "Right with stride 1"),
        (lambda: (lambda i, g, k, s: g,), "shape of its weights"),
        (lambda: (lambda i, g, k, s: gradient_of(i, g, k, s).sum(),), "one number"),
        (lambda: (lambda i, g, k, s: gradient_of(i, g, k, s).ravel(),), "shape of its weights"),
        (lambda: (lambda i, g, k, s: gradient_of(i, g, k, s) + 1,), "Not the sum"),
        (lambda: (lambda i, g, k, s: gradient_of(i, g, k, s).astype(int),), "Not the sum"),
        (lambda: (lambda i, g, k, s: gradient_of(i, np.maximum(g, 0), k, s),), "Not the sum"),
        (lambda: (lambda i, g, k, s: gradient_of(i, g, 3, s),), "Your code stopped"),
        (lambda: (lambda i, g, k, s: gradient_of(i, g, k, s) * np.nan,), "NaN"),
        (lambda: (lambda i, g, k, s: by_loops(i, g, k, s, int),), "Your code stopped"),
        (lambda: (scaled,), "changed its argument"),
        (lambda: (printing,), "is there a `return`?"),
    ],
}  # fmt: skip


def test_a_shared_weight_collects_what_all_its_places_want():
    image, weights = torch.rand(1, 1, 28, 28), torch.rand(1, 1, 3, 3, requires_grad=True)
    maps = functional.conv2d(image, weights)
    assert f"at {maps.numel()} places of a 28×28 image" in said("gradients/shared-gradient")
    wants = torch.rand_like(maps)
    maps.backward(wants)
    np.testing.assert_allclose(weights.grad[0, 0, 1, 1], (wants * image[..., 1:27, 1:27]).sum(), rtol=1e-4)


@pytest.mark.parametrize("name", ["vertical edges", "falling diagonal", "laplacian"])
def test_the_answers_about_the_tool_that_recovers_a_filter(name):
    target, material = kernels.get(name), lessons_material()
    filters, losses = recover(material["blank"], target)
    assert not losses.any(), "nothing to correct"
    assert np.array_equal(filters[-1], filters[0]), "the weights stay as they were drawn"
    filters, losses = recover(material["ten digits"], target, rate=1.5)
    assert losses[-1] > 1e100, "it climbs until the numbers are too large to be written"
    if name != "laplacian":
        assert losses[0] > losses[1] > losses[2], "it falls for a few steps"
    filters, losses = recover(material["ten digits"], target, noise=0.5)
    assert losses[-1] == pytest.approx(0.5**2, abs=0.01), "the mean square of the noise"
    assert abs(filters[-1] - target).max() < 0.1, "the weights come out nearly right"
