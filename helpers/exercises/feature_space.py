"""Questions and checks of the lesson "The feature space"."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers.exercises.core import Lesson, Option, Wrong, call
from helpers.inside import features

LESSON = Lesson("feature_space")

LESSON.ask(
    "which-space",
    "Five nearest neighbors vote on the digit, once by 784 pixels and once by 128 features. Which vote is better?",
    Option("Pixels: 784 numbers know more than 128", "They hold more, also about thickness, slant and place, which do "
           "not matter for the digit but count in every distance."),
    Option("Features", "128 numbers that were trained to tell digits apart: what does not matter was left out.",
           right=True),
    Option("No difference: the features are computed from the pixels", "They hold nothing that the pixels do not. But "
           "distances change when most of what is irrelevant is gone."),
)  # fmt: skip

LESSON.ask(
    "pca",
    "PCA shows the cloud of features from its widest side, in two dimensions. Will the ten digits be cleanly apart?",
    Option("Yes: the network separates them with 99 %", "It does so in 128 dimensions. Two straight directions of them "
           "cannot hold ten groups apart."),
    Option("Some have a region of their own, others overlap", "Better than the pixels, and still a flat photograph of "
           "a thing with many dimensions.", right=True),
    Option("No: PCA does not know the labels, so it cannot sort", "It does not know them. But the features were "
           "already sorted by training, and the widest directions are those between classes."),
)  # fmt: skip

LESSON.ask(
    "untrained",
    "The same network with random weights: how good are its neighbors?",
    Option("About 10 % right, like guessing", "Random filters do not destroy an image. Similar images still give "
           "similar numbers."),
    Option("About as good as pixels", "Random features keep most of what is in the image, sorted by nobody.",
           right=True),
    Option("Nearly as good as trained: the shape of the network does the work", "The shape helps a little in some "
           "tasks. Here the sorting comes from training."),
)  # fmt: skip


def _numbers(answer: Any, wanted: tuple[int, ...]) -> np.ndarray:
    try:
        array = np.asarray(answer, dtype=float)
    except (TypeError, ValueError):
        raise Wrong("Numbers are expected.") from None
    if array.shape != wanted:
        raise Wrong(f"The shape should be {wanted}; yours is {array.shape}.")
    return array


@LESSON.check("distances")
def _(distances: Any) -> str:
    chance = np.random.default_rng()
    a, b = chance.normal(size=12), chance.normal(size=12)
    l1, mse, cosine = _numbers(call(distances, a, b), (3,))
    difference = a - b
    angle = (a * b).sum() / (np.linalg.norm(a) * np.linalg.norm(b))
    for value, wanted, mistakes in (
        (l1, np.abs(difference).sum(), {
            "L1 is the sum of the absolute differences, not their mean.": np.abs(difference).mean(),
            "In L1 ups and downs must not cancel: take the absolute value first.": difference.sum(),
        }),
        (mse, (difference**2).mean(), {
            "MSE is a mean: divide by the number of entries.": (difference**2).sum(),
            "That is the square root of the MSE: leave it squared.": np.sqrt((difference**2).mean()),
        }),
        (cosine, 1 - angle, {
            "That is the cosine itself, large for similar vectors. The distance is 1 minus it.": angle,
            "Divide by both lengths, or long vectors count more.": 1 - (a * b).sum(),
        }),
    ):  # fmt: skip
        if not np.isclose(value, wanted):
            for hint, mistake in mistakes.items():
                if np.isclose(value, mistake):
                    raise Wrong(hint)
            raise Wrong(f"For a test pair one of the three is {value:.4f}, it should be {wanted:.4f}.")
    return "Three rulers; features are better than pixels by all of them."


@LESSON.check("nearest-label")
def _(nearest_label: Any) -> str:
    chance = np.random.default_rng()
    bank, labels = chance.normal(size=(40, 6)), chance.integers(10, 20, 40)
    queries = bank[chance.permutation(40)[:9]] + 0.01
    answer = _numbers(call(nearest_label, bank, labels, queries), (9,))
    found = features.nearest(bank, queries, 1).indices[:, 0]
    distance = ((bank[None] - queries[:, None]) ** 2).mean(2)
    for mistake, hint in (
        (found, "These are the row numbers. Look up the label of each row."),
        (
            labels[distance.argmax(1)],
            "These are the labels of the farthest rows: the smallest distance wins, `argmin`.",
        ),
    ):
        if np.array_equal(answer, mistake):
            raise Wrong(hint)
    if not np.array_equal(answer, labels[found]):
        raise Wrong("Not the labels of the nearest rows: compare each query with all rows of the bank.")
    return "A classifier without training: all its knowledge is the bank."


@LESSON.check("moved")
def _(moved: Any) -> str:
    chance = np.random.default_rng()
    rows, shifted = chance.normal(size=(8, 5)), chance.normal(size=(8, 5))
    own, others = _numbers(call(moved, rows, shifted), (2,))
    wanted = np.sqrt(((rows - shifted) ** 2).mean()), np.sqrt(((rows[:-1] - rows[1:]) ** 2).mean())
    if np.isclose(own, wanted[1]) and np.isclose(others, wanted[0]):
        raise Wrong("The two are exchanged: the distance to the shifted selves comes first.")
    if np.isclose(own, wanted[0] ** 2) or np.isclose(others, wanted[1] ** 2):
        raise Wrong("The root is missing: `np.sqrt` of the mean square.")
    if np.isclose(own, np.abs(rows - shifted).mean()):
        raise Wrong("Squares, then the mean, then the root; this is the mean of the absolute values.")
    if not np.isclose(own, wanted[0]):
        raise Wrong("`own` compares `rows` with `shifted_rows`, all at once.")
    if np.isclose(others, np.sqrt(((rows[:-1] - shifted[1:]) ** 2).mean())):
        raise Wrong("Strangers are different rows of the same set: `rows[:-1]` and `rows[1:]`.")
    if not np.isclose(others, wanted[1]):
        raise Wrong("`others` compares each row with the next one: `rows[:-1]` with `rows[1:]`.")
    return "Divide them: near 1 means as far from itself as from a stranger. Compare pixels with features."


@LESSON.check("pca-by-hand")
def _(pca_by_hand: Any) -> str:
    chance = np.random.default_rng()
    rows = chance.normal(size=(30, 7)) * [5, 3, 2, 1, 1, 1, 1] + 4
    points = _numbers(call(pca_by_hand, rows), (30, 2))
    wanted = features.pca(rows).points

    def same(a: np.ndarray, b: np.ndarray) -> bool:
        return all(np.allclose(a[:, i], b[:, i]) or np.allclose(a[:, i], -b[:, i]) for i in range(2))

    _, sizes, axes = np.linalg.svd(rows - rows.mean(0), full_matrices=False)
    _, _, uncentered = np.linalg.svd(rows, full_matrices=False)
    for mistake, hint in (
        (wanted[:, ::-1], "The two directions are exchanged: the widest comes first."),
        (rows @ axes[:2].T, "The points have to be centered too: use the centered rows in the product."),
        (rows @ uncentered[:2].T, "Center the rows first, or the first direction only points at their mean."),
        (
            wanted / sizes[:2],
            "These are the columns of u, stretched to the same width. Multiply by the singular values.",
        ),
        ((rows - rows.mean(0)) @ axes[-2:].T, "These are the two narrowest directions: svd sorts the widest first."),
        (rows[:, :2] - rows[:, :2].mean(0), "These are two of the numbers. PCA takes two directions of all of them."),
    ):
        if same(points, mistake):
            raise Wrong(hint)
    if not same(points, wanted):
        raise Wrong("Center, take the first two rows of `vt`, and multiply the centered rows with them.")
    return "The same map as scikit-learn's, up to a mirror."
