"""Questions and checks of the first lesson: how predictions and checks work, tried out once."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers.exercises.cases import compare
from helpers.exercises.core import Lesson, Option
from helpers.exercises.judge import trials

LESSON = Lesson("start_here")

LESSON.ask(
    "first-minute",
    "A network starts with 225,000 random weights. It looks at 6,000 handwritten digits, each of them once. "
    "How many of 100 new digits will it then read correctly?",
    Option("About 10", "That is what it reads before training: ten classes, pure luck. A few hundred small steps "
           "change a great deal."),
    Option("About 60", "A fair guess for something that has just begun to learn. Filters help: what they learn at one "
           "place of the image they know at every place."),
    Option("Over 90", "Yes, after seconds. The surprise of this field is how soon it works. Why it works takes the "
           "rest of the series.", right=True),
)  # fmt: skip


@LESSON.check("pencil")
def pencil(answer: Any) -> str:
    """Turn white ink on black into black pencil on white paper."""
    cases = []
    for trial, rng in enumerate(trials(5)):
        sides = np.sort(rng.choice(range(4, 13), 2, replace=False))[:: (1, -1)[trial % 2]]  # wide and tall ones
        image = rng.random(sides) * (0.6, 1)[trial % 2]
        image[rng.random(image.shape) < 0.3] = 0  # paper, as in a digit
        if trial % 2:
            image.flat[:2] = 0, 1
        else:
            image += 0.1  # no black and no white: nothing may depend on this picture's own range
        cases.append((image.astype(("float32", "float64")[trial // 2 % 2]),))
    turned = "You turned the positions around. Turn the values around, and leave each pixel where it is."
    own = "That depends on the brightest or darkest pixel of this one picture. White is 1, whatever the picture holds."
    mistakes = [
        (lambda image: image, "This is still white ink on black: nothing has changed."),
        (lambda image: -image, _NEGATIVE),
        (lambda image: image - 1, _NEGATIVE),
        (lambda image: 255 - image, _RANGE),
        (lambda image: 256 - image, _RANGE),
        (lambda image: 255 * (1 - image), _RANGE),
        (lambda image: 255 - 255 * image.astype(int), _RANGE),
        (lambda image: image.max() - image, own),
        (lambda image: image.max() + image.min() - image, own),
        (lambda image: 1 - image / image.max(), own),
        (lambda image: (image.max() - image) / (image.max() - image.min()), own),
        (lambda image: image[::-1], turned),
        (lambda image: image[:, ::-1], turned),
        (lambda image: image[::-1, ::-1], turned),
        (lambda image: image.T, turned),
    ]
    compare(answer, cases, lambda image: 1 - image, mistakes, otherwise=_pixel, atol=1e-5)
    return "White became 0, black became 1, and one expression did it for every pixel: arrays need no loop."


_NEGATIVE = "A pixel lies between 0 (black) and 1 (white); yours are negative. Where should a pixel of 1 go?"
_RANGE = "Pixels here go from 0 to 1, not from 0 to 255: what is white in this range?"


def _pixel(case: tuple[np.ndarray], drawn: np.ndarray, wanted: np.ndarray) -> str:
    """The hint that compares one pixel, for a drawing that no known mistake explains."""
    image = case[0]
    if drawn.shape != image.shape:
        return f"The image has the shape {image.shape}, your drawing {drawn.shape}: keep the shape."
    if np.isin(drawn, (0, 1)).all():
        return "Only 0 and 1, or yes and no, are left: the gray pixels are gone. 0.3 should become 0.7."
    worst = np.unravel_index(np.abs(drawn - wanted).argmax(), image.shape)
    digits = 2 if abs(drawn[worst] - wanted[worst]) > 0.01 else 5
    was, now, should = (f"{values[worst]:.{digits}f}" for values in (image, drawn, wanted))
    return f"A pixel of {was} became {now}; it should be {should}."
