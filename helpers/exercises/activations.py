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
    "relatives",
    "You compare all the hand-made filters with all 32 learned ones. Which of them did the network reinvent?",
    Option(
        "All of them: they are the standard tools of image processing.",
        "Standard for people. Nobody showed the network a list: it kept what lowered the loss, and a blurred or a "
        "sharpened digit is no easier to tell from another digit.",
    ),
    Option(
        "The edge filters, vertical, horizontal and diagonal.",
        "Vertical, horizontal and diagonal: each has a close relative. What tells digits apart is where strokes "
        "begin and which way they run, and that is what edges say.",
        right=True,
    ),
    Option(
        "Blur and sharpen, because they clean up the image.",
        "MNIST is clean already, and nothing rewards a good-looking picture: only the class counts. Their best "
        "relatives are no closer than chance would bring.",
    ),
)

LESSON.ask(
    "shuffle",
    "You put the 32 filters of the first layer in another order, and the 32 slices of every second-layer filter in "
    "that same order. What happens to the ten logits?",
    Option(
        "They become noise: the second layer now looks at the wrong maps.",
        "That would happen if you moved the filters alone. Each slice moves together with the map that it reads, so "
        "every filter multiplies the same pairs as before.",
    ),
    Option(
        "They stay the same.",
        "A sum does not care about the order of its terms. So the place of a channel carries no meaning, and a slice "
        "can only be read together with the map that it weighs.",
        right=True,
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
    "one-per-digit",
    "There are 64 channels and ten digits. How many digits does a typical second-layer channel answer to, if "
    "'answers' means at least half as strongly as to its favorite digit?",
    Option(
        "One: that is what the network was trained for.",
        "The ten OUTPUTS are trained to stand for one digit each. Two layers earlier a channel sees a window of 8×8 "
        "pixels, and a digit does not fit into it.",
    ),
    Option(
        "Two or three: similar digits share a channel.",
        "Similar digits share many, but even very different digits are made of the same pieces: a stroke, a bend, an "
        "end of a line.",
    ),
    Option(
        "Eight or more: nearly all of them.",
        "A channel stands for a piece, and most pieces occur in most digits. The class lies in the combination, which "
        "the classifier half reads.",
        right=True,
    ),
)

LESSON.ask(
    "loudest",
    "You rank the 64 channels by their strongest response to the 6. Then you silence the loudest one. Is that the "
    "channel whose loss costs the 6 most of its score?",
    Option(
        "Yes: the strongest signal contributes most.",
        "A response is only half of a product. What it does to the score depends on the weights behind it, and those "
        "may be small, or may have the other sign.",
    ),
    Option(
        "No: another channel costs more.",
        "Loud is not the same as important. How much a channel matters is a question about the score, and the way to "
        "answer it is to change the channel and look. Occlusion does that with pixels.",
        right=True,
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


@LESSON.check("dead")
def dead(function: Any) -> str:
    """A function of maps (images, channels, rows, columns) that returns the numbers of the dead channels."""
    for rng, deaths in zip(trials(4), (2, 3, 1, 0), strict=True):
        maps, numbers = _maps(rng, deaths)
        _compare_dead(call(function, torch.from_numpy(maps)), maps, numbers)
    return "A filter is dead only if no unit answers to any image. Silence on one image is an opinion, not a death."


def _maps(rng: np.random.Generator, deaths: int) -> tuple[np.ndarray, list[int]]:
    """Maps after a ReLU, float32, in which each image, and each corner, alone saves a channel from being dead."""
    images, side = int(rng.integers(4, 7)), int(rng.integers(4, 7))
    channels = deaths + images + 4 + int(rng.integers(4, 7))
    maps = rng.random((images, channels, side, side + 1)) * (rng.random((images, channels, side, side + 1)) > 0.5)
    order = rng.permutation(channels)
    silent, once, corners = np.split(order[: deaths + images + 4], [deaths, deaths + images])
    maps[:, silent] = 0
    for image, channel in enumerate(once):  # loud, to one image only
        answer = maps[image, channel].copy()
        answer[0, 0] = 0.5
        maps[:, channel] = 0
        maps[image, channel] = answer
    for (row, column), channel in zip(((0, 0), (0, -1), (-1, 0), (-1, -1)), corners, strict=True):  # one unit, once
        maps[:, channel] = 0
        maps[rng.integers(images), channel, row, column] = 1e-6
    return maps.astype(np.float32), sorted(int(c) for c in silent)


def _compare_dead(answer: Any, maps: np.ndarray, numbers: list[int]) -> None:
    channels = maps.shape[1]
    if _is_mask(answer):
        raise Wrong("Return the numbers of the dead channels, not a mask of True and False: `nonzero()` finds them.")
    if isinstance(answer, int | float | np.number) or getattr(answer, "ndim", 1) == 0:
        if [float(array(answer))] != numbers:  # a single dead channel, squeezed
            raise Wrong("Return which channels are dead, as a list of their numbers, not how many.")
        return
    listed = _channels(answer, "the numbers of the dead channels")
    if listed == numbers:
        return
    found = sorted(set(listed))
    if found == numbers:
        raise Wrong("The right channels, but some of them several times: each dead channel once.")
    peak = maps.max((2, 3))  # (images, channels)
    others = {
        "These are the living: return the numbers of the others.": peak.max(0) > 0,
        "You look at the first image only. Look over ALL images before you judge.": peak[0] == 0,
        "You look at the last image only, or each image overwrites what the one before it said. Look over ALL images "
        "before you judge.": peak[-1] == 0,
        "You list channels that are silent on some images only. Look over ALL images before you judge.": (
            peak.min(0) == 0
        ),
        "Nearly every channel has a zero somewhere after a ReLU. Dead means zero at every place.": (
            maps.min((0, 2, 3)) == 0
        ),
    }
    for hint, mask in others.items():
        if found == np.flatnonzero(mask).tolist() and found != numbers:
            raise Wrong(hint)
    missed, extra = set(numbers) - set(found), set(found) - set(numbers)
    faint = set(np.flatnonzero((peak.max(0) > 0) & (peak.max(0) < 1e-3)).tolist())
    if not missed and extra == faint:
        raise Wrong(
            "You list channels that answered once, faintly, in a corner. Faint is not dead: compare with exactly zero."
        )
    if not missed and max(extra) < channels and min(extra) >= 0:
        channel = max(extra, key=lambda c: peak[:, c].max())
        places = int((maps[:, channel] > 0).sum())
        raise Wrong(
            f"Channel {channel} is not dead: it answers at {places} place{'s' * (places != 1)}. Dead means zero at "
            "every place, for ALL images."
        )
    raise Wrong(
        f"Of {channels} channels {numbers or 'none'} are dead; you return {found}. Mind the axes: (image, channel, "
        "row, column)."
    )


def _is_mask(answer: Any) -> bool:
    parts = list(answer) if isinstance(answer, list | tuple) else []
    return "bool" in str(getattr(answer, "dtype", "")) or any(isinstance(part, bool | np.bool_) for part in parts)


def _channels(answer: Any, what: str) -> list[int]:
    """The channels that an answer names, sorted: a list, a set, an array, a tensor, as `nonzero` gives them too."""
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
    if _is_mask(silenced):
        raise Wrong("Give the numbers of the channels, not a mask of True and False.")
    listed = _channels(silenced, "a list of channels")
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
