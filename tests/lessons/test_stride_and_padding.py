"""Right and wrong answers to the exercises of "Stride and padding", and the claims its prose makes."""

import math

import numpy as np
import torch
from torch.nn import functional

from helpers import data
from helpers.filters import convolve, kernels
from tests.lessons.common import printing, right, said


def counted(n, k, s=1, p=0, d=1):
    return len(range(0, n + 2 * p - d * (k - 1), s))


def walked(n, k, s, p, d):
    size, start = 0, -p
    while start + d * (k - 1) < n + p:
        size += 1
        start += s
    return size


def convolved(n, k, s, p, d):
    return functional.conv1d(torch.zeros(1, 1, n), torch.zeros(1, 1, k), stride=s, padding=p, dilation=d).shape[-1]


def searched(k, d=1):
    return next(p for p in range(1000) if counted(100, k, 1, p, d) == 100)


def flipped(image, p):
    if p == 0:
        return image
    tall = np.concatenate([image[1 : p + 1][::-1], image, image[-p - 1 : -1][::-1]])
    return np.concatenate([tall[:, 1 : p + 1][:, ::-1], tall, tall[:, -p - 1 : -1][:, ::-1]], axis=1)


def indexed(image, p):
    rows, columns = (
        [n - 1 - abs(n - 1 - abs(i)) for i in range(-p, n + p)] for n in image.shape
    )  # fmt: skip
    return [[image[row, column] for column in columns] for row in rows]


def grown(image, p):
    for step in range(1, 2 * p, 2):
        image = np.vstack([image[step], image, image[-1 - step]])
        image = np.hstack([image[:, [step]], image, image[:, [-1 - step]]])
    return image


def backward(image, p, end=lambda stop: stop):
    height, width = image.shape
    tall = np.vstack([image[p:0:-1], image, image[height - 2 : end(height - 2 - p) : -1]])
    return np.hstack([tall[:, p:0:-1], tall, tall[:, width - 2 : end(width - 2 - p) : -1]])


def unflipped(image, p):
    tall = np.concatenate([image[1 : p + 1], image, image[len(image) - p - 1 : -1]])
    return np.concatenate([tall[:, 1 : p + 1], tall, tall[:, tall.shape[1] - p - 1 : -1]], axis=1)


def crossed(image, p):
    result = np.zeros((image.shape[0] + 2 * p, image.shape[1] + 2 * p))
    whole = np.pad(image, p, mode="reflect")
    result[p : p + len(image)] = whole[p : p + len(image)]
    result[:, p : p + image.shape[1]] = whole[:, p : p + image.shape[1]]
    return result


RIGHT = {
    "stride_and_padding/output-size": [
        lambda: (lambda n, k, s=1, p=0, d=1: (n + 2 * p - d * (k - 1) - 1) // s + 1,),
        lambda: (lambda n, k, s, p, d: math.floor((n + 2 * p - d * (k - 1) - 1) / s) + 1,),
        lambda: (lambda n, k, s, p, d: int((n + 2 * p - d * (k - 1) - 1) / s + 1),),
        lambda: (lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1 + s) // s,),
        lambda: (lambda n, k, s, p, d: np.arange(0, n + 2 * p - d * (k - 1), s).size,),
        lambda: (lambda n, k, s, p, d: np.int32(n + 2 * p - d * (k - 1) - 1) // s + 1,),
        lambda: (lambda n, k, s, p, d: torch.tensor(counted(n, k, s, p, d)),),
        lambda: (counted,),
        lambda: (walked,),
        lambda: (convolved,),
    ],
    "stride_and_padding/same-padding": [
        lambda: (lambda k, d=1: d * (k - 1) // 2,),
        lambda: (lambda k, d: d * (k // 2),),
        lambda: (lambda k, d: int(d * (k - 1) / 2),),
        lambda: (lambda k, d: (d * (k - 1) + 1) // 2,),
        lambda: (lambda k, d: np.int64(d) * ((k - 1) >> 1),),
        lambda: (searched,),
    ],
    "stride_and_padding/mirror": [
        lambda: (lambda image, p: np.pad(image, p, mode="reflect"),),
        lambda: (flipped,),
        lambda: (indexed,),
        lambda: (grown,),
        lambda: (lambda image, p: backward(image, p, lambda stop: None if stop < 0 else stop),),
        lambda: (lambda image, p: functional.pad(torch.tensor(image)[None], (p,) * 4, mode="reflect")[0],),
    ],
}

WRONG = {
    "stride_and_padding/output-size": [
        (lambda: (lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) // s,), "One too few"),
        (lambda: (lambda n, k, s, p, d: math.ceil((n + 2 * p - d * (k - 1) - 1) / s) + 1,), "half a step is no step"),
        (lambda: (lambda n, k, s, p, d: round((n + 2 * p - d * (k - 1) - 1) / s) + 1,), "Rounding may round up"),
        (lambda: (lambda n, k, s, p, d: (n + p - d * (k - 1) - 1) // s + 1,), "counts twice"),
        (lambda: (lambda n, k, s, p, d: (n - d * (k - 1) - 1) // s + 1,), "padding is missing"),
        (lambda: (lambda n, k, s, p, d: (n - 2 * p - d * (k - 1) - 1) // s + 1,), "do not subtract"),
        (lambda: (lambda n, k, s, p, d: (n + 2 * p - k) // s + 1,), "dilation is missing"),
        (lambda: (lambda n, k, s, p, d: (n + 2 * p - d * k) // s + 1,), "k − 1 gaps"),
        (lambda: (lambda n, k, s, p, d: (n + 2 * p - d * (k - 1)) // s + 1,), "spans one pixel"),
        (lambda: (lambda n, k, s, p, d: n + 2 * p - d * (k - 1),), "stride is missing"),
        (lambda: (lambda n, k, s, p, d: (n + 2 * p) // s,), "starting points"),
        (lambda: (lambda n, k, s, p, d: counted(n, k, 1, p, d) // s,), "Add 1 after the division"),
        (lambda: (lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) / s + 1,), "`//`"),
        (lambda: (lambda n, k, s, p, d: float(counted(n, k, s, p, d)),), "in the wrong type"),
        (lambda: (lambda n, k, s, p, d: counted(n, k, 1, p, d),), "stride is missing"),
        (lambda: (lambda n, k, s, p, d: counted(n, k, s, p, d) + (s > 1),), "Right with stride 1"),
        (lambda: (lambda n, k, s=2, p=0, d=1: counted(n, k, s, p, d),), "left out"),
        (lambda: (lambda n, k, s, p, d: n - k + 7,), "it should be"),
        (lambda: (lambda n, k, s, p, d: counted(n, k, s, p, d) if s < 6 else 0,), "it should be"),
        (lambda: (lambda n, k, s, p, d: 26,), "it should be"),
        (lambda: (lambda n, k, s, p, d: [n],), "a list of 1"),
        (lambda: (lambda n, k, s, p, d: str(counted(n, k, s, p, d)),), "a string"),
        (lambda: (lambda n, k, s, p, d: math.nan,), "NaN"),
        (lambda: (lambda n, k: n - k + 1,), "cannot be called"),
        (lambda: (lambda n, k, s, p, d: size(n, k, s, p, d),), "NameError"),  # noqa: F821
        (lambda: (printing,), "is there a `return`?"),
        (lambda: (7,), "should be a function"),
    ],
    "stride_and_padding/same-padding": [
        (lambda: (lambda k, d: d * (k - 1),), "both sides need together"),
        (lambda: (lambda k, d: (k - 1) // 2,), "dilation is missing"),
        (lambda: (lambda k, d: d * k // 2,), "not d·k"),
        (lambda: (lambda k, d: (d * k - 1) // 2,), "not d·k − 1"),
        (lambda: (lambda k, d: (k - 1) // 2 + d - 1,), "stretches all gaps"),
        (lambda: (lambda k, d: d * (k + 1) // 2,), "not k + 1"),
        (lambda: (lambda k, d: -d * (k - 1) // 2,), "not negative"),
        (lambda: (lambda k, d: d * (k - 1) / 2,), "in the wrong type"),
        (lambda: (lambda k, d: np.floor(d * (k - 1) / 2),), "in the wrong type"),
        (lambda: (lambda k, d=2: d * (k - 1) // 2,), "left out"),
        (lambda: (lambda k, d: "same",), "a string"),
        (lambda: (lambda k, d: 1,), "28 pixels become"),
        (lambda: (lambda k, d: k,), "28 pixels become"),
        (lambda: (lambda k, d: d * (k - 1) // 2 + (d > 1),), "Right without dilation"),
        (lambda: (lambda k, d: (1, 1),), "a tuple of 2"),
        (lambda: (lambda k, d: math.inf,), "infinite"),
        (lambda: (lambda k, d: True,), "True"),
        (lambda: (printing,), "is there a `return`?"),
    ],
    "stride_and_padding/mirror": [
        (lambda: (lambda image, p: np.pad(image, p, mode="symmetric"),), "repeat the border pixel"),
        (lambda: (lambda image, p: np.pad(image, p, mode="edge"),), "all the way out"),
        (lambda: (lambda image, p: np.pad(image, p, mode="constant"),), "padding with zeros"),
        (lambda: (lambda image, p: np.pad(image, p, mode="wrap"),), "opposite side"),
        (lambda: (lambda image, p: np.pad(image, p, mode="mean"),), "The shape is right, but not the pixel"),
        (lambda: (unflipped,), "The mirror reverses"),
        (lambda: (crossed,), "The corners are still zero"),
        (lambda: (lambda image, p: np.pad(image, ((p, p), (0, 0)), mode="reflect"),), "columns are not"),
        (lambda: (lambda image, p: np.pad(image, ((0, 0), (p, p)), mode="reflect"),), "rows are not"),
        (lambda: (lambda image, p: np.pad(image, ((p, 0), (p, 0)), mode="reflect"),), "Only one side"),
        (lambda: (lambda image, p: np.pad(image, 2 * p, mode="reflect"),), "too much"),
        (lambda: (lambda image, p: np.pad(image, 1, mode="reflect"),), "whatever `p` says"),
        (lambda: (lambda image, p: image,), "Nothing was added"),
        (lambda: (backward,), "one less than the height or the width"),
        (lambda: (lambda image, p: np.pad(image[:, : len(image)], p, mode="reflect"),), "has the shape"),
        (lambda: (lambda image, p: np.pad(image, p, mode="reflect").T,), "exchanged"),
        (lambda: (lambda image, p: np.pad(image, p, mode="reflect") if p else np.zeros((1, 1)),), "without padding"),
        (lambda: (lambda image, p: np.pad(image, p, mode="reflect").ravel(),), "has the shape"),
        (lambda: (lambda image, p: "mirror",), "a string"),
        (lambda: (printing,), "is there a `return`?"),
    ],
}  # fmt: skip


def test_four_windows_of_three_fit_on_ten_pixels_in_steps_of_two():
    starts = [start for start in range(0, 10, 2) if start + 3 <= 10]
    assert right("stride_and_padding/how-many") == [str(len(starts))] == [str(convolve.output_size(10, 3, 2))]
    text = said("stride_and_padding/how-many")
    assert f"They start at {', '.join(map(str, starts[:-1]))} and {starts[-1]}." in text
    assert f"The room is {10 - 3} pixels, {10 - 3} / 2 = {(10 - 3) / 2}" in text
    assert starts[-1] + 3 == 9  # pixel 9 is left over
    assert convolve.leftover(10, 3, 2) == 1
    assert (10 - 3) / 2 + 1 == 4.5  # the option without a floor


def test_padding_moves_what_is_left_over_into_the_padding():
    assert convolve.leftover(8, 3, 2) == convolve.leftover(8, 3, 2, padding=1) == 1
    assert right("stride_and_padding/leftover") == ["A zero of the padding"]
    assert all(convolve.leftover(n, 3, 2, p) == (n - 3) % 2 for n in range(4, 40) for p in range(5))


def test_zeros_beside_a_bright_sky_are_the_sharpest_edge_of_the_map():
    gray = data.photo("china")[20:182, 160:322].mean(axis=2)
    roof = convolve.pool2d(gray, 3, kind="average")
    found = np.abs(convolve.correlate2d(roof, kernels.get("vertical edges"), padding=1))
    assert set(np.nonzero(found > found[:, 1:-1].max())[1]) == {0, 53}  # nothing inside is as strong
    assert right("stride_and_padding/frame") == ["Along the left and right border of the map"]
    assert round(float(roof[0].mean()), 1) == 0.9
    assert round(float(found.max()), 1) == 2.7
    assert "The sky is about 0.9" in said("stride_and_padding/frame")
    assert "3 · 0.9 = 2.7" in said("stride_and_padding/frame")
    rows = kernels.get("vertical edges").sum(axis=1)
    assert not rows.any()  # "the weights of each row add up to zero"


def test_same_valid_and_reflect_mean_in_pytorch_what_the_lesson_says():
    image = np.random.default_rng(0).random((9, 12))
    weights = kernels.get("sobel x").astype(float)
    for dilation in (1, 2):
        p = dilation  # d (k − 1) / 2 for a window of 3
        for mode, words in (("constant", "zeros"), ("reflect", "reflect")):
            layer = torch.nn.Conv2d(1, 1, 3, padding="same", padding_mode=words, dilation=dilation, bias=False).double()
            layer.weight.data[0, 0] = torch.from_numpy(weights)
            ours = convolve.correlate2d(np.pad(image, p, mode=mode), weights, dilation=dilation)
            assert ours.shape == image.shape
            np.testing.assert_allclose(layer(torch.from_numpy(image)[None])[0].detach(), ours, atol=1e-12)
    valid = functional.conv2d(
        torch.from_numpy(image)[None, None], torch.from_numpy(weights)[None, None], padding="valid"
    )
    np.testing.assert_allclose(valid[0, 0], convolve.correlate2d(image, weights))


def test_alexnet_fits_with_a_padding_of_two_and_one_place_is_left_over():
    assert convolve.output_size(224, 11, 4) == 54
    assert (convolve.output_size(224, 11, 4, padding=2), convolve.leftover(224, 11, 4, padding=2)) == (55, 1)
