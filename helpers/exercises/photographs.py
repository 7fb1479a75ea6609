"""Predictions and checks of the lesson "A network that knows a thousand things"."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from helpers.exercises.cases import compare
from helpers.exercises.core import Lesson, Option
from helpers.exercises.judge import Wrong, array, call, count, expect, trials

LESSON = Lesson("photographs")

LESSON.ask(
    "silhouette",
    "Nine photographs, one of them a black horse, cut out like a paper figure, on white. What does the network say to "
    "that one?",
    Option(
        "A dog.",
        "English foxhound with 28%, then toy terrier with 21%. Where you see an outline it found no hide, and it has "
        "to choose one of its thousand classes, of which 118 are dogs.",
        right=True,
    ),
    Option(
        "A horse: the outline is all one needs.",
        "All that you need. The network has no class of that name (zebra and sorrel come closest), and neither of them "
        "is among its first three answers.",
    ),
    Option(
        "That it does not know.",
        "There is no such answer. The thousand probabilities add up to 1 whatever you show.",
    ),
)

LESSON.ask(
    "cap",
    "Grace Hopper in uniform: the map of bow tie is highest at her collar. Where is the map of bathing cap highest?",
    Option(
        "At the collar too: it is the place that counts in this photograph.",
        "Each class has a map of its own. This one is highest far above, at the cap.",
    ),
    Option(
        "At her cap.",
        "It is a uniform cap, but a cap. The network never says so, because bow tie has the larger mean.",
        right=True,
    ),
    Option(
        "Nowhere: there is no bathing cap, so its map is dark.",
        "The map reaches 76. A class that loses may still have seen something.",
    ),
)

LESSON.ask(
    "cover",
    "A gray square of 48×48 pixels covers the collar. What does the network say now?",
    Option(
        "Still bow tie, only less surely.",
        "Bow tie keeps 20%, but another class is ahead.",
    ),
    Option(
        "Bathing cap, the other thing it saw.",
        "That would be clean. But the covered place is in the view of all units around it, and they see a uniform.",
    ),
    Option(
        "Another tie.",
        "Windsor tie, 26%: a dark jacket and a white shirt are still there, and in its photographs they go with ties.",
        right=True,
    ),
)

LESSON.ask(
    "zebra",
    "Four images climb from noise: each until the network is as sure as it can be of one class, zebra among them. What "
    "will the image for zebra show?",
    Option(
        "A zebra, about as a photograph does.",
        "Nothing asks for one body with four legs. Stripes and heads count wherever they are.",
    ),
    Option(
        "Stripes and heads, several times, here and there.",
        "The score is the mean over all places of the map, so every place that shows a part of a zebra adds to it.",
        right=True,
    ),
    Option(
        "Noise, as for most digits.",
        "Plain ascent on pixels would end there. Waves and small movements take away what a single pixel could do.",
    ),
)

LESSON.ask(
    "dreams",
    "One pagoda is pushed toward what five networks respond to: digit networks with random weights, trained on digits "
    "and trained on clothes, then the network for photographs, untrained and trained. In whose picture are eyes?",
    Option(
        "Only in the last: eyes were worth finding in its photographs.",
        "In the trees, mostly. Random weights and the digit network both add dots.",
        right=True,
    ),
    Option(
        "In all: a pagoda has many round windows.",
        "The pagoda is the same for all. What is added comes from the network.",
    ),
    Option(
        "In none: there are no eyes in the photograph.",
        "A dream adds what a network looks for, wherever a little of it seems to be.",
    ),
)

LESSON.ask(
    "invisible",
    "A digit needed steps of about 0.2 or 0.3 in every pixel to be misread. How large a step in the worst direction "
    "makes something else of the espresso? (From black to white is 1; a photograph is stored in steps of 1/255.)",
    Option(
        "0.25/255: less than the file can store.",
        "A quarter of one gray level, and the espresso falls from 89% to 11%.",
        right=True,
    ),
    Option(
        "About 10/255, which you can just see.",
        "Forty times less is enough, if the gradient chooses the direction.",
    ),
    Option(
        "About 0.3, as for digits.",
        "A digit has 784 numbers to push, this photograph 154,587. Many tiny pushes add up.",
    ),
)

LESSON.ask(
    "values",
    "Our digit network has 224,800 weights. Each layer may now keep only four different values, the best four for that "
    "layer, and nothing is trained again. It read 99.5% of 1,000 digits. And now?",
    Option(
        "About 10%, which is chance.",
        "Even two values for each layer do far better than that.",
    ),
    Option(
        "About three quarters.",
        "That is what four evenly spaced values bring. Well chosen, they bring more.",
    ),
    Option(
        "About 98%.",
        "A weight has to be about right and on the right side of zero: two bits do.",
        right=True,
    ),
)


@LESSON.check("classes")
def classes(function: Any) -> str:
    """A function of class maps (images, classes, rows, columns) that returns the class of each image."""
    for rng in trials(4):
        count, kinds, side = int(rng.integers(3, 6)), int(rng.integers(30, 50)), int(rng.integers(4, 8))
        maps = np.stack([_class_maps(rng, kinds, side) for _ in range(count)])
        wanted = maps.mean((2, 3)).argmax(1)
        mistakes = [
            (maps.max((2, 3)).argmax(1), "You take the class with the highest single place. The logit is the mean."),
            (np.median(maps, (2, 3)).argmax(1), "The logit is the mean of a map, in which few strong places outweigh "
             "many weaker ones: no median, and no vote of the places."),
            (maps.mean((2, 3)).argmin(1), "These are the classes with the smallest logits."),
            (maps[:1].mean((2, 3)).argmax(1), "This is the answer for the first image only: one for each image."),
            (maps.mean((2, 3)), "These are the logits: return which class has the largest, for each image."),
            (maps.mean((2, 3)).max(1), "These are the largest logits: return the numbers of their classes."),
            (maps.mean((1, 2, 3)), "You average over the classes too. Rows and columns are the axes 2 and 3."),
            (maps.mean((0, 2, 3)).argmax(), "You average over the images too. Rows and columns are the axes 2 and 3."),
            (wanted + 1, "Classes are counted from 0."),
        ]  # fmt: skip
        expect(
            array(call(function, torch.from_numpy(maps)), what="one class number for each image"),
            wanted,
            mistakes,
            otherwise="The mean of each map over its rows and columns, then the class with the largest mean.",
        )
    return "That is all that stands behind the maps: no dense layer, so that a place keeps its name."


def _class_maps(rng: np.random.Generator, kinds: int, side: int) -> np.ndarray:
    """Class maps of one image: the mean, the highest place, the squares and the votes name different classes."""
    places = side * (side + 1)
    maps = rng.uniform(0, 0.5, (kinds, places))
    mean, second, single, squares, votes = rng.choice(kinds, 5, replace=False)
    strong, peaks = (rng.choice(places, n, replace=False) for n in (round(0.4 * places), 2))
    maps[[mean, second, single, squares, votes]] *= 0.5
    maps[mean, strong] += 2
    maps[second] += 0.7  # nowhere ahead, and not the one with the most votes
    maps[votes] += 1
    maps[votes, strong] -= 1
    maps[single, peaks[0]], maps[squares, peaks] = 1.2 * places**0.5, 1.1 * places**0.5
    return 10 * maps.reshape(kinds, side, side + 1).astype(np.float32)


def _fire(channels: int, squeezed: int, expanded: int) -> int:
    return channels * squeezed + squeezed + squeezed * expanded + expanded + 9 * squeezed * expanded + expanded


@LESSON.check("fire")
def fire(function: Any) -> str:
    """A function of (channels, squeezed, expanded) that returns how many parameters a fire module has."""
    sizes = (5, 20), (20, 60), (60, 200)
    compare(
        function,
        [tuple(int(n) for n in rng.permutation([rng.integers(*between) for between in sizes])) for rng in trials(4)],
        _fire,
        (
            (lambda c, s, e: _fire(c, s, e) - s - 2 * e, "The weights are right. Every filter also has a bias."),
            (lambda c, s, e: _fire(c, s, e) - s, "The squeezing filters have biases too."),
            (lambda c, s, e: _fire(c, s, e) - e, "Both expanding layers have biases, one for each filter."),
            (lambda c, s, e: c * s + s + 2 * (s * e + e), "A filter of 3×3 has nine weights for each channel."),
            (lambda c, s, e: c * s + s + 3 * s * e + e + s * e + e, "A filter of 3×3 has nine weights for each "
             "channel, not three."),
            (lambda c, s, e: c * s + s + 10 * c * e + 2 * e, "The expanding filters look at the squeezed maps."),
            (lambda c, s, e: 9 * c * s + s + 10 * s * e + 2 * e, "The squeezing filters are 1×1: one weight for each "
             "channel."),
            (lambda c, s, e: c * s + s + 9 * s * e + e, "There are two expanding layers: filters of 1×1, and as many "
             "of 3×3."),
            (lambda c, s, e: c * s + s + s * e + e, "There are two expanding layers: filters of 1×1, and as many of "
             "3×3."),
            (lambda c, s, e: c * s + s + s * e + e + 9 * e * e + e, "Both expanding layers look at the squeezed "
             "maps."),
        ),
        lambda case, answer, wanted: f"For {case} it is {wanted:,}.",
        read=lambda answer: count(answer, "the number of parameters, a whole number"),
        atol=None,
    )  # fmt: skip
    return "Squeezing first is what makes it cheap: the costly 3×3 filters see few maps."


@LESSON.check("pruned")
def pruned(function: Any) -> str:
    """A function of (weights, keep) that returns the weights with all but that share of the strongest set to 0."""
    # Rounding up and rounding down are wrong in turn, while quantiles always count as many.
    for rng, beyond in zip(trials(5), (0.1, -0.4, 0.1, -0.4, 0.1), strict=True):
        shape = tuple(int(n) for n in rng.integers(4, 8, size=3))
        size = int(np.prod(shape))
        sizes = np.linspace(0.1, 3, size)
        w = rng.permutation(sizes * rng.choice([-1.0, 1.0], size)).reshape(shape).astype(np.float32)
        kept = int(rng.integers(size // 5, size // 3))
        keep = (kept + beyond) / size
        mistakes = [
            (_strongest(w, w, kept), "You keep the largest. A weight of −3 is stronger than one of 2: compare sizes."),
            (_strongest(w, -np.abs(w), kept), "You keep the weakest and drop the strongest."),
            (_strongest(w, np.abs(w), size - kept), "`keep` is the share that stays, not the share that goes."),
            (np.abs(_strongest(w, np.abs(w), kept)), "The right ones, but their signs are gone."),
            ((_strongest(w, np.abs(w), kept) != 0).astype(float), "This is the mask: multiply the weights by it."),
            (np.where(np.abs(w) >= keep, w, 0), "`keep` is a share of the weights, not a size."),
            (np.where(np.abs(w) >= keep * np.abs(w).max(), w, 0), "`keep` is a share of the weights, not of a size."),
            (w, "These are all the weights."),
            (_strongest(w, np.abs(w), kept - 1), "One weight too few stays: it is `round(keep * n)` of them."),
            (_strongest(w, np.abs(w), kept + 1), "One weight too many stays: it is `round(keep * n)` of them."),
        ]
        answer = array(call(function, torch.from_numpy(w), keep), what="weights of the same shape")
        if answer.shape == (kept,):
            raise Wrong("Return all places in the shape of `weights`, with 0 where a weight is gone.")
        expect(
            answer,
            _strongest(w, np.abs(w), kept),
            mistakes,
            otherwise="The share `keep` of the weights with the largest absolute values stays as it is, the rest is 0.",
        )
    return "Pruned by size. Trained again with the zeros held, a network bears far more of this."


def _strongest(w: np.ndarray, score: np.ndarray, kept: int) -> np.ndarray:
    chosen = np.argsort(score.ravel())[-kept:]
    mask = np.zeros(w.size)
    mask[chosen] = 1
    return w * mask.reshape(w.shape)
