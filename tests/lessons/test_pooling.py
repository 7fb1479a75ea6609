"""Right and wrong answers to the exercises of "Pooling and receptive fields", and the claims its prose makes."""

import math

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch.nn import functional

from helpers import data
from helpers.filters import convolve, kernels
from helpers.network import checkpoints
from helpers.network.models import ConvNet
from tests.lessons.common import printing, right, said

FIRST = np.array([[9, 1, 2, 6], [5, 4, 0, 3], [7, 2, 8, 1], [0, 6, 4, 5]], dtype=float)


def pooled(values, size, *, keep=np.max, step=None, ragged=False, start=-np.inf, swap=False):
    step = step or size
    stop = [n if ragged else n - size + 1 for n in values.shape]
    rows = [[max(start, keep(values[y : y + size, x : x + size])) for x in range(0, stop[1], step)]
            for y in range(0, stop[0], step)]  # fmt: skip
    return np.array(rows).T if swap else np.array(rows)


def overlapping(values, size):
    rows, columns = (n // size for n in values.shape)
    return np.array([[values[y : y + size, x : x + size].max() for x in range(columns)] for y in range(rows)])


def field(layers, *, step=lambda jump, k: (k - 1) * jump, first=False, jump_of=lambda jump, s: jump * s):
    size, jump = 1, 1
    for kernel, stride in layers:
        jump = jump_of(jump, stride) if first else jump
        size += step(jump, kernel)
        jump = jump if first else jump_of(jump, stride)
    return size, jump


def changed(**cells):
    twin = FIRST.copy()
    for place, value in cells.items():
        twin[int(place[1]), int(place[2])] = value
    return twin


def reshaped(values, size):
    rows, columns = (n // size for n in values.shape)
    return values[: rows * size, : columns * size].reshape(rows, size, columns, size).max(axis=(1, 3))


def looped(values, size, start=-np.inf, kind=float):
    rows, columns = values.shape[0] // size, values.shape[1] // size
    result = np.zeros((rows, columns), dtype=kind)
    for row in range(rows):
        for column in range(columns):
            best = start
            for y in range(row * size, (row + 1) * size):
                for x in range(column * size, (column + 1) * size):
                    if values[y, x] > best:
                        best = values[y, x]
            result[row, column] = best
    return result


def farthest(tile):
    return max(tile.ravel(), key=abs)


def remembering():
    first = []

    def pool(values, size):
        if not first:
            first.append(pooled(values, size))
        return first[0]

    return (pool,)


def other_way(layers):
    size, jump = 1, 1
    for kernel, stride in layers:
        size = (size - 1) * stride + kernel
        jump *= stride
    return size, jump


def rectified(values, size):
    values[values < 0] = 0
    return pooled(values, size)


def backward(layers):
    size = 1
    for kernel, stride in layers[::-1]:
        size = (size - 1) * stride + kernel
    return [size, math.prod(stride for _, stride in layers)]


def summed(layers):
    strides = [stride for _, stride in layers]
    return 1 + sum((k - 1) * math.prod(strides[:i]) for i, (k, _) in enumerate(layers)), math.prod(strides)


def emptied(layers):
    size, jump = 1, 1
    while layers:
        kernel, stride = layers.pop(0)
        size += (kernel - 1) * jump
        jump *= stride
    return size, jump


RIGHT = {
    "pooling/max-pool": [
        lambda: (pooled,),
        lambda: (reshaped,),
        lambda: (looped,),
        lambda: (lambda v, size: looped(v, size, kind=np.float32),),
        lambda: (lambda v, size: reshaped(v.astype(np.float16), size),),
        lambda: (lambda v, size: reshaped(v, size).tolist(),),
        lambda: (lambda v, size: functional.max_pool2d(torch.from_numpy(v)[None], size)[0],),
        lambda: (lambda v, size: torch.nn.MaxPool2d(size)(torch.tensor(v, requires_grad=True)[None, None])[0, 0],),
        lambda: (lambda v, size: sliding_window_view(v, (size, size))[::size, ::size].max(axis=(2, 3)),),
    ],
    "pooling/twins": [
        lambda: (FIRST, changed(c00=5, c01=4, c10=9, c11=1)),
        lambda: (FIRST, changed(c01=4, c11=1)),
        lambda: (FIRST, changed(c01=0, c11=5)),  # moved, not exchanged: 9 stays, and so does the sum
        lambda: (FIRST, changed(c01=4, c11=1).tolist()),
        lambda: (FIRST.tolist(), torch.tensor(changed(c20=2, c21=7), dtype=torch.float32)),
        lambda: (FIRST.astype(int), changed(c32=5, c33=4).astype(int)),
        lambda: (FIRST, changed(c10=4.5, c11=4.5)),
    ],
    "pooling/receptive-field": [
        lambda: (field,),
        lambda: (backward,),
        lambda: (summed,),
        lambda: (lambda layers: np.array(field(layers)),),
        lambda: (lambda layers: torch.tensor(field(layers)),),
        lambda: (lambda layers: tuple(map(float, field(layers))),),
        lambda: (lambda layers: [np.int64(field(layers)[0]), torch.tensor(field(layers)[1])],),
    ],
}

WRONG = {
    "pooling/max-pool": [
        (lambda: (lambda v, size: pooled(v, size, keep=np.mean),), "average pooling"),
        (lambda: (lambda v, size: pooled(v, size, keep=np.min),), "the smallest number"),
        (lambda: (lambda v, size: pooled(v, size, keep=np.sum),), "the sum"),
        (lambda: (lambda v, size: pooled(v, size, keep=np.median),), "the median"),
        (lambda: (lambda v, size: pooled(v, size, keep=np.argmax),), "not `argmax`"),
        (lambda: (lambda v, size: pooled(v, size, keep=lambda tile: tile[0, 0]),), "the first number"),
        (lambda: (lambda v, size: pooled(np.abs(v), size),), "farthest from zero"),
        (lambda: (lambda v, size: pooled(v, size, keep=farthest),), "farthest from zero"),
        (lambda: (lambda v, size: pooled(v, size, start=0.0),), "only negative numbers"),
        (lambda: (lambda v, size: looped(v, size, start=-1.0),), "start from"),
        (lambda: (lambda v, size: looped(v, size, start=-999.0),), "numbers are not"),
        (lambda: (lambda v, size: looped(v, size, start=v[0, 0]),), "numbers are not"),
        (lambda: (lambda v, size: looped(v, size, start=-9999.0),), "numbers are not"),
        (lambda: (lambda v, size: pooled(v[: min(v.shape), : min(v.shape)], size),), "Right on square maps"),
        (remembering, "has the shape"),
        (lambda: (lambda v, size: looped(v, size, kind=int),), "integer type"),
        (lambda: (overlapping,), "your windows overlap"),
        (lambda: (lambda v, size: pooled(v, size, step=1),), "jumps by its own size"),
        (lambda: (lambda v, size: pooled(v, size, ragged=True),), "incomplete windows"),
        (lambda: (lambda v, size: pooled(v, size, swap=True),), "exchanged"),
        (lambda: (lambda v, size: pooled(v[:-1, :-1], size),), "a range ends too early"),
        (lambda: (lambda v, size: pooled(v, 2),), "2×2 whatever"),
        (lambda: (lambda v, size: pooled(v, size) + 1,), "numbers are not"),
        (lambda: (lambda v, size: v.max(),), "has the shape"),
        (lambda: (lambda v, size: pooled(v, size)[0],), "has the shape"),
        (lambda: (lambda v, size: pooled(v, size).ravel(),), "has the shape"),
        (lambda: (lambda v, size: pooled(v, size) * np.nan,), "NaN"),
        (lambda: (lambda v, size: [list(map(str, row)) for row in pooled(v, size)],), "a list of"),
        (lambda: (rectified,), "changed its argument"),
        (lambda: (printing,), "is there a `return`?"),
    ],
    "pooling/twins": [
        (lambda: (FIRST, FIRST.copy()), "same map"),
        (lambda: (FIRST, FIRST + 1e-9), "same map"),
        (lambda: (changed(c01=4, c11=1), changed(c01=4, c11=1)), "same map"),
        (lambda: (FIRST, FIRST.T), "tells them apart: window (0, 1)"),
        (lambda: (FIRST, np.roll(FIRST, 1, axis=1)), "only inside a window"),
        (lambda: (FIRST, FIRST[::-1]), "only inside a window"),
        (lambda: (FIRST, changed(c00=9.001, c01=0.999)), "tells them apart"),
        (lambda: (FIRST, changed(c01=0)), "averages do not"),
        (lambda: (FIRST, changed(c01=1.0005)), "averages do not"),
        (lambda: (FIRST, changed(c01=0, c03=6, c11=4)), "averages do not"),
        (lambda: (changed(c00=8), changed(c00=8, c01=4, c11=1)), "not the map that you were given"),
        (lambda: (np.zeros((4, 4)), np.zeros((4, 4)) - np.eye(4) + np.eye(4)[::-1]), "not the map"),
        (lambda: (FIRST, FIRST[:2]), "have to be 4×4"),
        (lambda: (FIRST, FIRST.ravel()), "have to be 4×4"),
        (lambda: (FIRST, 5), "have to be 4×4"),
        (lambda: (FIRST, changed(c00=np.nan)), "NaN"),
        (lambda: (FIRST, changed(c00=np.inf)), "infinity"),
        (lambda: (FIRST, "first"), "a string"),
    ],
    "pooling/receptive-field": [
        (lambda: (lambda layers: field(layers, step=lambda jump, k: k - 1),), "times the jump"),
        (lambda: (lambda layers: (1 + sum((k - 1) * s for k, s in layers), field(layers)[1]),), "own stride"),
        (lambda: (lambda layers: field(layers, step=lambda jump, k: k * jump),), "not k"),
        (lambda: (lambda layers: field(layers, first=True),), "too early"),
        (lambda: (lambda layers: (math.prod(k for k, _ in layers), 1),), "grows by addition"),
        (lambda: (lambda layers: (sum(k for k, _ in layers), math.prod(s for _, s in layers)),), "k − 1 neighbors"),
        (lambda: (lambda layers: field(layers, jump_of=lambda jump, s: s),), "does not replace it"),
        (lambda: (lambda layers: field(layers, jump_of=lambda jump, s: jump + s),), "add up the strides"),
        (lambda: (lambda layers: (field(layers)[0], layers[-1][1]),), "it is the product of all strides"),
        (lambda: (lambda layers: (field(layers)[0], 1),), "it is the product of all strides"),
        (lambda: (lambda layers: field(layers)[::-1],), "wrong order"),
        (lambda: (lambda layers: field(layers[::-1]),), "backward"),
        (lambda: (other_way,), "from the last to the first"),
        (lambda: (lambda layers: (field(layers)[0] - 1, field(layers)[1]),), "the pixel itself"),
        (lambda: (lambda layers: field(layers[:1]),), "It should be"),
        (lambda: (lambda layers: field(layers[-1:]),), "It should be"),
        (lambda: (lambda layers: field(layers)[0],), "Return two numbers"),
        (lambda: (lambda layers: [*field(layers), 0],), "Return two numbers"),
        (lambda: (lambda layers: (99, 99),), "It should be field 3 and jump 1"),
        (lambda: (lambda layers: (math.nan, 1),), "NaN"),
        (lambda: (lambda layers: "8, 2",), "a string"),
        (lambda: (lambda layers: {"field": 3, "jump": 1},), "a dict of 2"),
        (lambda: (lambda layers: field([layers]),), "Your code stopped"),
        (lambda: (emptied,), "changed its argument"),
        (lambda: (printing,), "is there a `return`?"),
    ],
}  # fmt: skip


def test_max_pooling_keeps_the_right_edge_of_the_square_and_average_pooling_half_of_both():
    square = np.zeros((18, 18), np.float32)
    square[5:13, 5:13] = 1
    response = convolve.correlate2d(square, kernels.get("vertical edges"))
    assert (response.min(), response.max()) == (-3, 3)
    for row, column in np.argwhere(np.abs(response) == 3):
        tile = response[row // 2 * 2 : row // 2 * 2 + 2, column // 2 * 2 : column // 2 * 2 + 2]
        assert (tile == 0).all(axis=0).sum() == 1  # a column of zeros beside the edge
        assert len({*np.sign(tile[tile != 0])}) == 1  # −3 and +3 never meet
    kept = convolve.pool2d(response, 2)
    assert (kept.min(), kept.max()) == (0, 3)
    means = convolve.pool2d(response, 2, kind="average")
    assert (means.min(), means.max()) == (-1.5, 1.5)
    assert right("pooling/signed-max") == ["Only the right edge"]


def test_a_pooled_map_changes_less_than_the_map_and_not_at_all_is_wrong():
    digits = np.pad(data.load("mnist", first=100).test.images[:100], ((0, 0), (0, 0), (10, 10), (10, 10)))
    seen = []
    for moved in (digits, np.roll(digits, 1, axis=3)):
        maps = np.maximum(convolve.conv_layer(moved, kernels.get("vertical edges")[None, None], padding=1), 0)
        seen.append((maps, convolve.pool2d(maps, 4)))
    change = [np.abs(a - b).sum() / (a + b).sum() for a, b in zip(*seen, strict=True)]
    assert change[0] > 2 * change[1] > 0.1
    assert right("pooling/shift") == ["Less than the map, but it changes"]


def test_means_of_opposite_filters_agree_on_every_digit_that_keeps_away_from_the_border():
    train = data.load("mnist", first=300).train
    keeps_away = np.array([digit[2:26, 2:26].sum() == digit.sum() for digit in train.images[:, 0]])
    assert 4 in train.labels[keeps_away]  # "A 4 is not symmetric at all, and its means come in pairs too"
    inside = train.images[keeps_away, 0]
    assert len(inside) > 100
    for name in ("vertical edges", "horizontal edges"):
        maps = [convolve.correlate2d(digit, kernels.get(name)) for digit in inside]
        means = [[np.maximum(sign * one, 0).mean() for one in maps] for sign in (1, -1)]
        np.testing.assert_allclose(*means, atol=1e-6)
    corner = np.zeros((28, 28))
    corner[0, 0] = 1  # with ink at the border some windows are missing
    assert convolve.correlate2d(corner, kernels.get("vertical edges")).sum() == 1
    if data.load("mnist", first=8).real:
        three = data.load("mnist", first=8).train.images[7, 0]
        for name, mean in (("falling diagonal", "0.21"), ("rising diagonal", "0.27")):
            assert f"{np.maximum(convolve.correlate2d(three, kernels.get(name)), 0).mean():.2f}" == mean
            assert mean in said("pooling/pairs")


def test_a_unit_behind_a_pooling_sees_eight_pixels():
    sizes = [layer.size for layer in convolve.receptive_field([(3, 1, 0), (2, 2, 0), (3, 1, 0)])]
    assert right("pooling/field") == [str(sizes[-1])]
    text = said("pooling/field")
    assert f"{sizes[0]} after the first convolution, {sizes[1]} after the pooling" in text
    assert f"{sizes[1]} + 2·2 = {sizes[2]}" in text
    unstrided = convolve.receptive_field([(3, 1, 0), (2, 1, 0), (3, 1, 0)])[-1].size
    assert f" {unstrided} That adds" in text  # the option without the stride
    assert f" {sizes[1] * 3} That multiplies {sizes[1]} by 3" in text


def test_a_thin_line_comes_and_goes_under_stride_two_and_stays_under_max_pooling():
    weights, strided, kept = kernels.get("vertical edges"), [], []
    for column in range(4, 12):
        line = np.zeros((24, 24), np.float32)
        line[2:22, column] = 1
        strided.append(convolve.correlate2d(line, weights, stride=2).max())
        kept.append(convolve.pool2d(convolve.correlate2d(line, weights), 2).max())
    assert strided == [3, 0] * 4
    assert kept == [3] * 8


def test_half_of_the_long_railing_is_gone_when_every_second_response_is_kept():
    gray = data.photo("china")[20:424, 40:444].mean(axis=2)
    photo = convolve.pool2d(gray, 2, kind="average")
    found = np.maximum(convolve.correlate2d(photo, kernels.get("sobel y")), 0)
    left = (slice(96, 112), slice(30, 90))  # where the text says: half height, left half
    assert found[left].max(axis=0).mean() > 1.0
    rows = slice(48, 56)
    assert convolve.pool2d(found, 2)[rows, 15:45].max(axis=0).mean() > 1.0
    assert found[::2, ::2][rows, 15:45].max(axis=0).mean() < 0.6


def test_the_last_two_rows_and_columns_never_reach_the_output():
    torch.manual_seed(1)
    border = np.ones((28, 28), dtype=bool)
    border[:26, :26] = False
    for network in (ConvNet(), checkpoints.load("mnist")):
        x = torch.rand(8, 1, 28, 28, requires_grad=True)
        network(x).sum().backward()
        assert np.array_equal((x.grad.abs().sum(dim=(0, 1)) == 0).numpy(), border)
    assert border.sum() == 784 - 26 * 26 == 108  # a frame one pixel wide has as many
    assert "784 − 26·26 = 108" in said("pooling/blind")
    assert right("pooling/blind") == ["The last two rows and the last two columns"]


def test_with_padding_no_pixel_is_blind():
    torch.manual_seed(0)
    features = torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(8, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
    )  # fmt: skip
    x = torch.rand(32, 1, 28, 28, requires_grad=True)
    found = features(x)
    assert found.shape[-2:] == (7, 7)
    found.sum().backward()
    assert (x.grad.abs().sum(dim=(0, 1)) > 0).all()
