"""Questions and checks of the first lesson: how predictions and checks work, tried out once."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers.exercises.core import Lesson, Option, Wrong, call

LESSON = Lesson("start_here")

LESSON.ask(
    "first-minute",
    "A network starts with 225,000 random weights. It looks at 6,000 handwritten digits, each of them once. "
    "How many of 100 new digits will it then read correctly?",
    Option("About 10", "That is what it reads before training: ten classes, pure luck. Two hundred small steps change "
           "a great deal."),
    Option("About 60", "A fair guess for something that has just begun to learn. Filters help: what they learn at one "
           "place of the image they know at every place."),
    Option("Over 90", "Yes, after seconds. The surprise of this field is how soon it works. Why it works takes the "
           "rest of the series.", right=True),
)  # fmt: skip


@LESSON.check("pencil")
def pencil(answer: Any) -> str:
    """Turn white ink on black into black pencil on white paper."""
    for shape in ((28, 28), (3, 5), (2, 1, 4, 4)):
        image = np.random.default_rng().random(shape, dtype=np.float32)
        before = image.copy()
        drawn = call(answer, image)
        if not np.array_equal(image, before):
            raise Wrong("Your function changes the image it is given: make a new array instead of writing into it.")
        _judge(np.asarray(drawn), image)
    return "White became 0, black became 1, and one expression did it for every pixel: arrays need no loop."


def _judge(drawn: np.ndarray, image: np.ndarray) -> None:
    if drawn.shape != image.shape:
        raise Wrong(f"The image has the shape {image.shape}, your drawing {drawn.shape}: keep the shape.")
    if drawn.dtype == bool:
        raise Wrong("`not` and `~` know only yes and no. Pixels are shades between 0 and 1: what turns 0 into 1, "
                    "1 into 0 and 0.3 into 0.7?")  # fmt: skip
    if np.allclose(drawn, 1 - image):
        return
    if np.allclose(drawn, image):
        raise Wrong("This is still white ink on black: nothing has changed.")
    if np.allclose(drawn, -image):
        raise Wrong("A pixel lies between 0 (black) and 1 (white); yours are negative. Where should a pixel of 1 go?")
    if np.allclose(drawn, 255 - image) or np.allclose(drawn, 256 - image):
        raise Wrong("Pixels here go from 0 to 1, not from 0 to 255: what is white in this range?")
    if drawn.ndim > 0 and any(np.allclose(drawn, np.flip(image, axis)) for axis in [*range(image.ndim), None]):
        raise Wrong("You turned the positions around. Turn the values around, and leave each pixel where it is.")
    if np.isin(drawn, (0, 1)).all():
        raise Wrong("Only 0 and 1 are left: the gray pixels at the border of the ink are gone. 0.3 should become 0.7.")
    worst = np.unravel_index(np.abs(drawn - (1 - image)).argmax(), image.shape)
    raise Wrong(f"A pixel of {image[worst]:.2f} became {drawn[worst]:.2f}; it should be {1 - image[worst]:.2f}.")
