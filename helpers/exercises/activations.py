"""Predictions and checks of the lesson "Filters and activations"."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from helpers.exercises.core import Lesson, Option
from helpers.exercises.judge import Wrong, array, call, same, trials
from helpers.network.hooks import hooked

LESSON = Lesson("activations")

#: Channels of the second convolution that the last exercise may silence.
BUDGET = 24

LESSON.ask(
    "shuffle",
    "You put the 32 filters of the first layer in another order, and the 32 slices of every second-layer filter in "
    "that same order. What happens to the ten logits?",
    Option(
        "They stay the same.",
        "A sum does not care about the order of its terms. So the place of a channel carries no meaning, and a slice "
        "can only be read together with the map that it weighs.",
        right=True,
    ),
    Option(
        "They become noise: the second layer now looks at the wrong maps.",
        "That would happen if you moved the filters alone. Each slice moves together with the map that it reads, so "
        "every filter multiplies the same pairs as before.",
    ),
    Option(
        "They change a little: some patterns survive the shuffle.",
        "Nothing is lost and nothing is only nearly right: the same products are added in another order.",
    ),
)

LESSON.ask(
    "fourth-map",
    "All nine weights of the fourth filter are negative, and its bias is the largest of all. Where on the 6 is its "
    "map bright after the ReLU?",
    Option(
        "Along the strokes of the 6.",
        "Ink is positive. Times a negative weight it pulls the sum down: the more ink, the lower the response.",
    ),
    Option(
        "Nowhere: a filter without a positive weight cannot respond.",
        "The bias is part of the response. Over black pixels the nine products are zero and the bias alone remains, "
        "and this one is positive.",
    ),
    Option(
        "On the empty background.",
        "Over black the products vanish and the positive bias is all there is. This filter fires on nothing, and goes "
        "silent where there is ink.",
        right=True,
    ),
)

LESSON.ask(
    "favorites",
    "For a channel of the trained network the eight favorite patches will resemble each other. What about a network "
    "with the same layers and random weights, which nobody trained?",
    Option(
        "Its favorites have nothing in common: a random channel wants nothing in particular.",
        "A random filter is still a filter. It responds most to one kind of patch, and among 5,000 digits it finds "
        "eight that are close to it.",
    ),
    Option(
        "Its favorites resemble each other too.",
        "Nearly as much as those of the trained network. So likeness alone proves no learning: look at what the "
        "patches show.",
        right=True,
    ),
    Option(
        "It has no favorites: without training, hardly any channel responds.",
        "Random weights make sums above zero as readily as below. Only two of its 64 channels stay silent on all 5,000 "
        "digits.",
    ),
)

LESSON.ask(
    "loudest",
    "You rank the 64 channels by their strongest response to a digit. Then you silence one channel at a time and see "
    "what the score of the right digit loses. In how many of 500 digits is the loudest channel also the costliest?",
    Option(
        "In nearly all: the strongest signal contributes most.",
        "A response is only half of a product. What it does to the score depends on the weights behind it, and those "
        "may be small, or may have the other sign.",
    ),
    Option(
        "In about a third.",
        "Loudness is a good hint and no more. How much a channel matters is a question about the score, and the way to "
        "answer it is to change the channel and look. Occlusion does that with pixels.",
        right=True,
    ),
    Option(
        "In about one of 64, as by chance: loudness says nothing.",
        "It says a lot: a channel without a response cannot cost anything, and the loudest is among the three "
        "costliest in more than half of the digits.",
    ),
)


@LESSON.check("best-patch")
def best_patch(function: Any) -> str:
    """A function of a filter that returns the patch with the highest response."""
    for rng in trials():
        rows, columns = int(rng.integers(2, 6)), int(rng.integers(2, 6))
        mixed = rng.normal(size=(rows, columns))
        mixed.flat[:2] = rng.permutation([0.01, -0.01])  # a little above or below zero is above or below zero
        mixed.flat[2] = 0.0  # this pixel may have any value
        for kernel in (mixed, -rng.random((3, 3)) - 0.01, rng.random((5, 5)) + 0.01):
            weights = torch.from_numpy(kernel).float()
            _compare_patch(array(call(function, weights), what="a patch"), kernel)
    return "White where the weight is positive, black elsewhere: the filter's best patch is the filter's own shape."


def _compare_patch(patch: np.ndarray, kernel: np.ndarray) -> None:
    if patch.shape != kernel.shape:
        raise Wrong(f"The patch has the shape {patch.shape}; it lies under the filter, so it needs {kernel.shape}.")
    if patch.min() < 0 or patch.max() > 1:
        raise Wrong(
            f"Your patch runs from {patch.min():.2f} to {patch.max():.2f}: pixels go from 0 to 1. "
            "Copying the filter is not allowed to help: there is no ink below black."
        )
    counts = kernel != 0
    best = kernel > 0
    if same(patch[counts], best[counts], atol=1e-4):
        return
    if same(patch[counts], ~best[counts]):
        raise Wrong("This patch is as bad as can be: white belongs under the positive weights.")
    row, column = np.unravel_index((abs(patch - best) * counts).argmax(), kernel.shape)
    raise Wrong(
        f"Your patch scores {(patch * kernel).sum():.2f}, another one {kernel[best].sum():.2f}. Decide for every pixel "
        f"alone: under a weight of {kernel[row, column]:.2f} yours is {patch[row, column]:.2f}. Which value between 0 "
        "and 1 makes weight × pixel largest?"
    )


def is_mask(answer: Any) -> bool:
    """Whether an answer is made of True and False, where numbers were asked for."""
    parts = list(answer) if isinstance(answer, list | tuple) else []
    return "bool" in str(getattr(answer, "dtype", "")) or any(isinstance(part, bool | np.bool_) for part in parts)


def channels_of(answer: Any, what: str) -> list[int]:
    """Return the channels that an answer names, sorted: a list, a set, an array, a tensor, as `nonzero` gives them."""
    if isinstance(answer, set | frozenset | range | dict):
        answer = list(answer)
    values = array(answer, what=what)
    if (values != np.round(values)).any():
        raise Wrong("Channels have whole numbers.")
    return sorted(int(value) for value in values.ravel())


@LESSON.check("window")
def window(function: Any) -> str:
    """A function of an image, a row and a column that returns the pixels which a second-layer unit sees."""
    seen = []
    for rng in trials():
        image = torch.rand(28, 28)
        corner = int(rng.choice([0, 10]))
        inside = rng.permutation(np.arange(1, 10))[:4].tolist()
        for row, column in (inside[:2], inside[2:], (corner, inside[0]), (inside[1], corner), (10, 10), (0, 0)):
            answer = call(function, image, row, column)
            patch = array(answer, what="the pixels that the unit sees")
            patch = patch[0] if patch.ndim == 3 and len(patch) == 1 else patch
            seen.append((patch, image.numpy(), row, column))
    _compare_windows(seen)
    return "Eight pixels wide, two pixels apart: that is why a second-layer channel knows pieces and not digits."


def _square(image: np.ndarray, top: int, left: int) -> np.ndarray:
    return image[top : top + 8, left : left + 8]


#: What the pixels may be instead, each with its hint, which is given only if it explains all answers.
_OTHER_WINDOWS: list[tuple[Callable[[np.ndarray, int, int], np.ndarray], str]] = [
    (lambda image, row, column: _square(image, 2 * row, 2 * column).T, "Your patch is transposed: rows come first, "
     "then columns."),
    (lambda image, row, column: _square(image, 2 * column, 2 * row), "You swapped row and column: the first index of "
     "an image runs downward."),
    (lambda image, row, column: _square(image, 2 * column, 2 * row).T, "You swapped row and column, and the patch is "
     "transposed."),
    (_square, "Neighboring units start two pixels apart in the image, because the pooling halves the map."),
]  # fmt: skip


def _compare_windows(seen: list[tuple[np.ndarray, np.ndarray, int, int]]) -> None:
    wrong = [case for case in seen if not same(case[0], _square(case[1], 2 * case[2], 2 * case[3]))]
    if not wrong:
        return
    patch, _, row, column = wrong[0]
    if patch.shape == (3, 3):
        raise Wrong("3×3 is what the unit sees of the pooled maps. Each of those pixels has seen a window itself.")
    if patch.shape != (8, 8):
        shape = "×".join(map(str, patch.shape)) or "1"
        raise Wrong(
            f"For unit ({row}, {column}) your patch has the size {shape}, it should have 8×8. Go down from the unit: 3 "
            "pixels after the pooling, 6 before it, and a 3×3 filter adds one pixel on either side."
        )
    for other, hint in _OTHER_WINDOWS:
        if all(same(patch, other(image, row, column)) for patch, image, row, column in seen):
            raise Wrong(hint)
    raise Wrong(
        f"The size is right, the pixels are not those: unit ({row}, {column}) sees rows {2 * row} to {2 * row + 7} and "
        f"columns {2 * column} to {2 * column + 7}, as they are."
    )


@LESSON.check("blind")
def blind(network: Any, image: Any, silenced: Any) -> str:
    """The network, the image and the channels to silence."""
    if is_mask(silenced):
        raise Wrong("Give the numbers of the channels, not a mask of True and False.")
    listed = channels_of(silenced, "a list of channels")
    if len(listed) == 64 and set(listed) <= {0, 1}:
        raise Wrong("Give the numbers of the channels, not a 0 or a 1 for each of the 64.")
    channels = sorted(set(listed))
    if not channels or channels[0] < 0 or channels[-1] > 63:
        raise Wrong("Give the numbers of channels of the second convolution, from 0 to 63.")

    def silence(_module: Any, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
        output = output.clone()
        output[:, channels] = 0
        return output

    if not isinstance(network, torch.nn.Module) or not isinstance(image, torch.Tensor):
        raise Wrong("Leave the line with `check` as it is: it hands over the network, the image and your list.")
    network = copy.deepcopy(network).eval()  # a dropout would make the answer a matter of luck
    with torch.no_grad():
        before = network(image)[0]
        with hooked([(network.features.relu2, silence)]):
            after = network(image)[0]
    first, now = int(before.argmax()), int(after.argmax())
    lost = f"the logit of {first} changes from {before[first]:.1f} to {after[first]:.1f}"
    many = f"{len(channels)} channel{'s' * (len(channels) != 1)}"
    if first == now:
        more = "" if len(channels) >= BUDGET else ", and silence more of them"
        raise Wrong(
            f"It still says {first}: with {many} silenced {lost}. Rank the channels by what their silence costs the "
            f"score, not by how loud they are{more}."
        )
    if len(channels) > BUDGET:
        raise Wrong(
            f"It says {now} now, but {many} are more than {BUDGET}. "
            "Loud channels are not always the important ones: rank by the drop of the score."
        )
    return (
        f"With {many} of 64 silenced it says {now}: {lost}. No channel alone is the {first}; it takes a crowd to lose "
        "it."
    )
