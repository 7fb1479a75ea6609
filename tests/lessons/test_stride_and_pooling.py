"""Plausible wrong answers and the hints they earn, and the claims its prose makes."""

import math

import numpy as np
import pytest

from helpers import data
from helpers.exercises import check
from helpers.filters import convolve, kernels

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


WRONG = {
    "stride_and_pooling/output-size": [
        (lambda: (lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) // s,), "One too few"),
        (lambda: (lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) / s + 1,), "half a step is no step"),
        (lambda: (lambda n, k, s, p, d: math.ceil((n + 2 * p - d * (k - 1) - 1) / s) + 1,), "half a step is no step"),
        (lambda: (lambda n, k, s, p, d: (n + p - d * (k - 1) - 1) // s + 1,), "counts twice"),
        (lambda: (lambda n, k, s, p, d: (n - d * (k - 1) - 1) // s + 1,), "padding is missing"),
        (lambda: (lambda n, k, s, p, d: (n + 2 * p - k) // s + 1,), "dilation is missing"),
        (lambda: (lambda n, k, s, p, d: (n + 2 * p - d * k) // s + 1,), "k − 1 gaps"),
        (lambda: (lambda n, k, s, p, d: float((n + 2 * p - d * (k - 1) - 1) // s + 1),), "instead of `/`"),
        (lambda: (lambda n, k, s, p, d: n - k + 7,), "it should be"),
        (lambda: (lambda n, k, s, p, d: [n],), "one number"),
        (lambda: (7,), "should be a function"),
    ],
    "stride_and_pooling/same-padding": [
        (lambda: (lambda k, d: d * (k - 1),), "both sides need together"),
        (lambda: (lambda k, d: (k - 1) // 2,), "Right without dilation"),
        (lambda: (lambda k, d: d * k // 2,), "not d·k"),
        (lambda: (lambda k, d: k,), "28 pixels become"),
        (lambda: (lambda k, d: (1, 1),), "one number"),
    ],
    "stride_and_pooling/max-pool": [
        (lambda: (lambda v, size: pooled(v, size, keep=np.mean),), "average pooling"),
        (lambda: (lambda v, size: pooled(np.abs(v), size),), "farthest from zero"),
        (lambda: (lambda v, size: pooled(v, size, start=0.0),), "only negative numbers"),
        (lambda: (overlapping,), "your windows overlap"),
        (lambda: (lambda v, size: pooled(v, size, step=1),), "jumps by its own size"),
        (lambda: (lambda v, size: pooled(v, size, ragged=True),), "incomplete windows"),
        (lambda: (lambda v, size: pooled(v, size, swap=True),), "exchanged"),
        (lambda: (lambda v, size: pooled(v, size, keep=np.min),), "numbers are not"),
        (lambda: (lambda v, size: v.max(),), "has shape"),
    ],
    "stride_and_pooling/twins": [
        (lambda: (FIRST, FIRST.copy()), "same map"),
        (lambda: (FIRST, FIRST.T), "tells them apart: window (0, 1)"),
        (lambda: (FIRST, np.roll(FIRST, 1, axis=1)), "only inside a window"),
        (lambda: (FIRST, changed(c01=0)), "averages do not"),
        (lambda: (FIRST, FIRST[:2]), "have to be 4×4"),
        (lambda: (FIRST, changed(c00=np.nan)), "finite"),
        (lambda: (FIRST, "first"), "array of numbers"),
    ],
    "stride_and_pooling/receptive-field": [
        (lambda: (lambda layers: field(layers, step=lambda jump, k: k - 1),), "times jump"),
        (lambda: (lambda layers: field(layers, first=True),), "too early"),
        (lambda: (lambda layers: (math.prod(k for k, _ in layers), 1),), "grows by addition"),
        (lambda: (lambda layers: (sum(k for k, _ in layers), math.prod(s for _, s in layers)),), "adds two neighbors"),
        (lambda: (lambda layers: field(layers, jump_of=lambda jump, s: s),), "not replaced by it"),
        (lambda: (lambda layers: (field(layers)[0], layers[-1][1]),), "it is the product of all strides"),
        (lambda: (lambda layers: field(layers)[::-1],), "wrong order"),
        (lambda: (lambda layers: field(layers)[0],), "Return two numbers"),
        (lambda: (lambda layers: (99, 99),), "It should be field 3 and jump 1"),
    ],
}


@pytest.mark.parametrize(
    ("key", "answers", "words"), [(key, answers, words) for key, listed in WRONG.items() for answers, words in listed]
)
def test_a_mistake_gets_its_hint(key, answers, words):
    for _ in range(3):  # the checks draw random cases
        verdict = check(key, *answers())
        assert verdict.status == "wrong", verdict
        assert words in verdict.message, verdict


def test_other_ways_to_right_answers_are_right_too():
    def counted(n, k, s=1, p=0, d=1):
        return len(range(0, n + 2 * p - d * (k - 1), s))

    def reshaped(values, size):
        rows, columns = (n // size for n in values.shape)
        return values[: rows * size, : columns * size].reshape(rows, size, columns, size).max(axis=(1, 3))

    def backward(layers):
        size = 1
        for kernel, stride in layers[::-1]:
            size = (size - 1) * stride + kernel
        return [size, math.prod(stride for _, stride in layers)]

    assert check("stride_and_pooling/output-size", counted).status == "right"
    assert check("stride_and_pooling/same-padding", lambda k, d: d * (k // 2)).status == "right"
    assert check("stride_and_pooling/max-pool", reshaped).status == "right"
    assert check("stride_and_pooling/receptive-field", backward).status == "right"
    assert check("stride_and_pooling/twins", FIRST, changed(c01=4, c11=1)).status == "right"
    assert (
        check("stride_and_pooling/twins", FIRST, changed(c01=0, c11=5)).status == "right"
    )  # moved, not permuted: 9 stays, so does 19


@pytest.mark.parametrize(
    "key",
    [
        "stride_and_pooling/output-size",
        "stride_and_pooling/same-padding",
        "stride_and_pooling/max-pool",
        "stride_and_pooling/receptive-field",
    ],
)
def test_a_function_that_returns_nothing_is_not_attempted(key):
    assert check(key, lambda *_: None).status == "not attempted yet"


def test_the_predictions_say_what_happens():
    assert convolve.output_size(10, 3, 2) == 4
    assert convolve.receptive_field([(3, 1, 0), (2, 2, 0), (3, 1, 0)])[-1].size == 8
    square = np.zeros((18, 18), np.float32)
    square[5:13, 5:13] = 1
    response = convolve.correlate2d(square, kernels.get("vertical edges"))
    kept = convolve.pool2d(response, 2)
    assert (kept.min(), kept.max()) == (0, 3)
    means = convolve.pool2d(response, 2, kind="average")
    assert (means.min(), means.max()) == (-1.5, 1.5)


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
    torch = pytest.importorskip("torch")
    from helpers.network.models import ConvNet

    torch.manual_seed(1)
    network, x = ConvNet(), torch.rand(8, 1, 28, 28, requires_grad=True)
    network(x).sum().backward()
    blind = (x.grad.abs().sum(dim=(0, 1)) == 0).numpy()
    assert blind[26:].all()
    assert blind[:, 26:].all()
    assert blind.sum() == 108
