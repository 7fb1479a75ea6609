"""Plausible wrong answers and the hints they earn, and the claim of its prediction."""

import numpy as np
import pytest

from helpers import data
from helpers.exercises import check
from helpers.exercises.core import lesson
from helpers.network import running


def in_place(image):
    image[:] = 1 - image
    return image


WRONG = {
    "start_here/pencil": [
        (lambda: (lambda image: -image,), "yours are negative"),
        (lambda: (lambda image: 255 - image,), "not from 0 to 255"),
        (lambda: (lambda image: image,), "nothing has changed"),
        (lambda: (lambda image: image[::-1],), "Turn the values around"),
        (lambda: (lambda image: image[..., ::-1],), "Turn the values around"),
        (lambda: (lambda image: np.round(1 - image),), "gray pixels"),
        (lambda: (lambda image: (image < 0.5).astype(float),), "gray pixels"),
        (lambda: (lambda image: image == 0,), "yes and no"),
        (lambda: (lambda image: 1 / (image + 1),), "should be"),
        (lambda: (lambda image: 1 - image.mean(),), "keep the shape"),
        (lambda: (lambda image: ~image,), "TypeError"),
        (lambda: (in_place,), "make a new array"),
        (lambda: (0.5,), "should be a function"),
    ]
}


@pytest.mark.parametrize(("answers", "words"), WRONG["start_here/pencil"])
def test_a_mistake_gets_the_hint_that_fits_it(answers, words):
    verdict = check("start_here/pencil", *answers())
    assert verdict.status == "wrong"
    assert words in verdict.message


@pytest.mark.parametrize(
    "answer",
    [
        lambda image: 1 - image,
        lambda image: 1.0 - image.astype(np.float64),
        lambda image: np.abs(image - 1),
        lambda image: (1 - image).tolist(),
        lambda image: np.array([1 - row for row in image]),
    ],
)
def test_every_right_way_to_invert_is_right(answer):
    assert check("start_here/pencil", answer).status == "right"


@pytest.mark.parametrize("answer", [..., None, lambda image: ..., lambda image: None])
def test_an_untouched_stub_is_not_attempted(answer):
    assert check("start_here/pencil", answer).status == "not attempted yet"


@pytest.mark.parametrize("seed", [0, 1])
def test_two_hundred_steps_answer_the_prediction(seed):
    """The option marked right is what happens: over 90 of 100 on the real digits, far over luck on the stand-in."""
    import torch

    from helpers.network import training
    from helpers.network.models import ConvNet

    right = [option.text for option in lesson("00").questions["start_here/first-minute"].options if option.right]
    assert right == ["Over 90"]
    mnist = data.load("mnist").torch()
    torch.manual_seed(seed)
    model = ConvNet()
    training.fit(model, mnist.train[:6000], bar=False, seed=seed)
    assert running.accuracy(model, mnist.test[:1000]) > (0.9 if mnist.real else 0.6)
