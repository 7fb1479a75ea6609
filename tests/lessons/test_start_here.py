"""Right and wrong answers to the exercise of the first lesson, and the claims of its prediction."""

import numpy as np
import pytest
import torch

from helpers import data
from helpers.exercises.core import lesson
from helpers.network import running
from helpers.network.models import ConvNet
from tools import lessons


def in_place(image):
    image[:] = 1 - image
    return image


def shown(image):
    print((1 - image).shape)


def forgotten(image):
    drawn = 1 - image  # noqa: F841


def looped(image):
    height, width = image.shape
    drawn = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            drawn[row, column] = 1 - image[row, column]
    return drawn


def square_only(image):
    drawn = image.copy()
    for row in range(len(image)):
        for column in range(min(image.shape)):
            drawn[row, column] = 1 - image[row, column]
    return drawn


def first_row(image):
    drawn = image.copy()
    drawn[0] = 1 - drawn[0]
    return drawn


RIGHT = {
    "start_here/pencil": [
        lambda: (lambda image: 1 - image,),
        lambda: (lambda image: 1.0 - image.astype(np.float64),),
        lambda: (lambda image: (1 - image).astype(np.float32),),
        lambda: (lambda image: (255 - image * 255) / 255,),
        lambda: (lambda image: np.abs(image - 1),),
        lambda: (lambda image: (1 - image).tolist(),),
        lambda: (lambda image: [[1 - pixel for pixel in row] for row in image],),
        lambda: (lambda image: np.array([1 - row for row in image]),),
        lambda: (lambda image: 1 - torch.from_numpy(image),),
        lambda: (lambda image: torch.ones(image.shape, requires_grad=True) - torch.tensor(image),),
        lambda: (lambda image: np.interp(image, [0, 1], [1, 0]),),
        lambda: (lambda image: (1 - image).astype(np.float16),),
        lambda: (looped,),
    ]
}

WRONG = {
    "start_here/pencil": [
        (lambda: (lambda image: -image,), "yours are negative"),
        (lambda: (lambda image: image - 1,), "yours are negative"),
        (lambda: (lambda image: 255 - image,), "not from 0 to 255"),
        (lambda: (lambda image: 255 * (1 - image),), "not from 0 to 255"),
        (lambda: (lambda image: image,), "nothing has changed"),
        (lambda: (lambda image: image[::-1],), "Turn the values around"),
        (lambda: (lambda image: image[..., ::-1],), "Turn the values around"),
        (lambda: (lambda image: image.T,), "Turn the values around"),
        (lambda: (lambda image: (1 - image)[::-1],), "it should be"),
        (lambda: (lambda image: image.max() - image,), "brightest or darkest"),
        (lambda: (lambda image: 1 - image / image.max(),), "brightest or darkest"),
        (lambda: (lambda image: (image.max() - image) / np.ptp(image),), "brightest or darkest"),
        (lambda: (lambda image: np.round(1 - image),), "gray pixels"),
        (lambda: (lambda image: 1 - image.astype(int),), "gray pixels"),
        (lambda: (lambda image: (image < 0.5).astype(float),), "gray pixels"),
        (lambda: (lambda image: image == 0,), "gray pixels"),
        (lambda: (lambda image: np.clip(-image, 0, 1),), "gray pixels"),
        (lambda: (lambda image: 1 / (image + 1),), "should be"),
        (lambda: (lambda image: 1 + image,), "should be"),
        (lambda: (lambda image: 0.999 - image,), "should be"),
        (lambda: (lambda image: np.round(1 - image, 2),), "should be"),
        (lambda: (lambda image: 1 - (image * 255).astype(np.uint8) / 255,), "should be"),
        (lambda: (first_row,), "should be"),
        (lambda: (square_only,), "should be"),
        (lambda: (lambda image: 1 - image.mean(),), "keep the shape"),
        (lambda: (lambda image: 1 - image[0],), "keep the shape"),
        (lambda: (lambda image: [1 - image],), "keep the shape"),
        (lambda: (lambda image: (1 - image) * np.nan,), "NaN"),
        (lambda: (lambda image: "1 - image",), "a string"),
        (lambda: (lambda image: ~image,), "TypeError"),
        (lambda: (lambda image: 1 - picture,), "NameError"),  # noqa: F821
        (lambda: (in_place,), "changed its argument"),
        (lambda: (shown,), "is there a `return`?"),
        (lambda: (forgotten,), "is there a `return`?"),
        (lambda: (0.5,), "should be a function"),
        (lambda: (np.ones((4, 4)),), "should be a function"),
    ]
}  # fmt: skip


@pytest.mark.parametrize("seed", [0, 1])
def test_a_few_hundred_steps_answer_the_prediction(seed):
    """The option marked right is what happens: over 90 of 100 on the real digits, far over luck on the stand-in."""
    right = [
        option.text for option in lesson("start_here").questions["start_here/first-minute"].options if option.right
    ]
    assert right == ["Over 90"]
    mnist = data.load("mnist", first=(7_000, 100)).torch()
    torch.manual_seed(seed)
    model = ConvNet()
    assert round(sum(weights.numel() for weights in model.parameters()), -3) == 225_000
    learn, unseen = mnist.train[:-1_000], mnist.train[-1_000:]
    assert running.accuracy(model, unseen) < 0.3  # "about 10" before training
    for images, labels in zip(learn.images.split(16), learn.labels.split(16), strict=True):
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        with torch.no_grad():
            for weight in model.parameters():
                weight -= 0.1 * weight.grad
                weight.grad = None
    assert running.accuracy(model, unseen) > (0.9 if mnist.real else 0.6)


def test_the_front_door_leads_to_every_lesson():
    door, *others = lessons.notebooks()
    text = "\n".join(cell.source for cell in lessons.cells(door))
    assert [path.name for path in others if f"]({path.name})" not in text] == []
