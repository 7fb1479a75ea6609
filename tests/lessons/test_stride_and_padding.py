"""Right and wrong answers to the exercises of "Stride and padding", and the claims its prose makes."""

import math

import numpy as np
import torch
from torch.nn import functional

from helpers.exercises.core import lesson
from helpers.filters import convolve


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


def printing(*arguments):
    print(len(arguments))


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
}  # fmt: skip


def said(key):
    """All that a prediction says: its question, its options, and why each is right or wrong."""
    question = lesson(key.split("/")[0]).questions[key]
    return " ".join([question.text, *(f"{option.text} {option.why}" for option in question.options)])


def right(key):
    """The texts of the options marked right."""
    return [option.text for option in lesson(key.split("/")[0]).questions[key].options if option.right]


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
    assert right("stride_and_padding/leftover") == ["One number again, but it is a zero of the padding"]
    assert all(convolve.leftover(n, 3, 2, p) == (n - 3) % 2 for n in range(4, 40) for p in range(5))
