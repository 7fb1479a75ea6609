"""Predictions and checks of the lesson "Filters and activations"."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from helpers.exercises.core import Lesson, Option, Wrong, call
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
def _best_patch(best_patch: Any) -> str:
    rng = np.random.default_rng()
    for kernel in [rng.normal(size=(3, 3)), rng.normal(size=(5, 5)), -rng.random((3, 3))]:
        patch = _array(call(best_patch, torch.as_tensor(kernel, dtype=torch.float32)), "best_patch")
        if patch.shape != kernel.shape:
            raise Wrong(f"The patch has the shape {patch.shape}; it lies under the filter, so it needs {kernel.shape}.")
        if patch.min() < 0 or patch.max() > 1:
            raise Wrong(
                f"Your patch runs from {patch.min():.2f} to {patch.max():.2f}: pixels go from 0 to 1. "
                "Copying the filter is not allowed to help: there is no ink below black."
            )
        best = np.maximum(kernel, 0).sum()
        reached = (patch * kernel).sum()
        if np.allclose(patch, kernel <= 0):
            raise Wrong("This patch is as bad as can be: white belongs under the positive weights.")
        if reached < best - 1e-3:
            raise Wrong(
                f"Your patch scores {reached:.2f}, another one {best:.2f}. Decide for every pixel alone: "
                "which value between 0 and 1 makes weight × pixel largest?"
            )
    return "White where the weight is positive, black elsewhere: the filter's best patch is the filter's own shape."


@LESSON.check("dead")
def _dead(dead_channels: Any) -> str:
    generator = torch.Generator().manual_seed(torch.seed() % 2**31)
    maps = torch.rand(6, 12, 5, 5, generator=generator)
    maps *= torch.rand(6, 12, 5, 5, generator=generator) > 0.5  # zeros everywhere, as after a ReLU
    order = torch.randperm(12, generator=generator)
    dead, sleepy, faint = sorted(order[:2].tolist()), order[2:5].tolist(), int(order[5])
    maps[:, dead] = 0
    maps[:4, sleepy] = 0  # silent for four of the six images
    maps[:, faint] = 0
    maps[5, faint, 4, 4] = 1e-4  # one unit, once, faintly
    answer = call(dead_channels, maps.clone())
    numbers = _array(list(answer) if isinstance(answer, set) else answer, "dead_channels")
    if numbers.dtype.kind == "b":
        raise Wrong("Return the numbers of the dead channels, not a mask of True and False: `nonzero()` finds them.")
    if numbers.ndim == 0:
        raise Wrong("Return which channels are dead, as a list of their numbers, not how many.")
    found = sorted(int(i) for i in numbers.ravel())
    extra = set(found) - set(dead)
    if found == dead:
        return "A filter is dead only if no unit answers to any image. Silence on one image is an opinion, not a death."
    if found == [c for c in range(12) if c not in dead]:
        raise Wrong("These are the living: return the numbers of the others.")
    if len(found) == 12:
        raise Wrong("Nearly every channel has a zero somewhere after a ReLU. Dead means zero at every place.")
    if extra & set(sleepy):
        raise Wrong("You list channels that are silent on some images only. Look over ALL images before you judge.")
    if faint in extra:
        raise Wrong("One channel answered once, faintly, in a corner. Faint is not dead: compare with exactly zero.")
    raise Wrong(f"Of 12 channels {dead} are dead; you return {found}. Mind the axes: (image, channel, row, column).")


@LESSON.check("window")
def _window(patch_of: Any) -> str:
    image = torch.rand(28, 28)
    for row, column in [(0, 0), (10, 10), (3, 7), (9, 2)]:
        patch = _array(call(patch_of, image.clone(), row, column), "patch_of")
        patch = patch[0] if patch.ndim == 3 and len(patch) == 1 else patch
        top, left = 2 * row, 2 * column
        right = image[top : top + 8, left : left + 8].numpy()
        if _same(patch, right):
            continue
        if patch.shape == (3, 3):
            raise Wrong("3×3 is what the unit sees of the pooled maps. Each of those pixels has seen a window itself.")
        if patch.shape != right.shape:
            shape = "×".join(map(str, patch.shape)) or "1"
            raise Wrong(
                f"Your patch has {shape} pixels, it should have 8×8. Go down from the unit: 3 pixels after the "
                "pooling, 6 before it, and a 3×3 filter adds one pixel on either side."
            )
        if _same(patch, right.T):
            raise Wrong("Your patch is transposed: rows come first, then columns.")
        if _same(patch, image[left : left + 8, top : top + 8].numpy()):
            raise Wrong("You swapped row and column: the first index of an image runs downward.")
        if _same(patch, image[row : row + 8, column : column + 8].numpy()):
            raise Wrong("Neighboring units start two pixels apart in the image, because the pooling halves the map.")
        raise Wrong(f"The size is right, the place is not: unit ({row}, {column}) starts at pixel ({top}, {left}).")
    return "Eight pixels wide, two pixels apart: that is why a second-layer channel knows pieces and not digits."


@LESSON.check("blind")
def _blind(network: Any, image: Any, silenced: Any) -> str:
    channels = sorted({int(c) for c in _array(silenced, "the list").ravel()})
    if not channels or channels[0] < 0 or channels[-1] > 63:
        raise Wrong("Give the numbers of channels of the second convolution, from 0 to 63.")
    if np.asarray(silenced).dtype == bool:
        raise Wrong("Give the numbers of the channels, not a mask of True and False.")

    def silence(_module: Any, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
        output = output.clone()
        output[:, channels] = 0
        return output

    with torch.no_grad():
        before = network(image)[0]
        with hooked([(network.features.relu2, silence)]):
            after = network(image)[0]
    first, now = int(before.argmax()), int(after.argmax())
    lost = f"the logit of {first} fell from {before[first]:.1f} to {after[first]:.1f}"
    if first == now:
        raise Wrong(
            f"It still says {first}: with {len(channels)} channels silenced {lost}. Rank the channels by what their "
            "silence costs the score, not by how loud they are, and silence more of them."
        )
    if len(channels) > BUDGET:
        raise Wrong(
            f"It says {now} now, but {len(channels)} channels are more than {BUDGET}. "
            "Loud channels are not always the important ones: rank by the drop of the score."
        )
    return (
        f"With {len(channels)} of 64 channels silenced it says {now}: {lost}. "
        "No channel alone is the 6; it takes a crowd to lose it."
    )


def _same(patch: np.ndarray, other: np.ndarray) -> bool:
    """Whether two patches hold the same pixels."""
    return patch.shape == other.shape and np.allclose(patch, other)


def _array(answer: Any, name: str) -> np.ndarray:
    """The answer as numbers, or a hint that it is none."""
    if hasattr(answer, "detach"):
        answer = answer.detach().cpu()
    array = np.asarray(answer)
    if array.dtype.kind not in "fiub":
        raise Wrong(f"{name} should hold numbers; yours holds {type(answer).__name__}.")
    return array
