"""Questions and checks of the lesson "The feature space"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from helpers.exercises.core import Lesson, Option
from helpers.exercises.judge import Wrong, array, call, expect, same, trials

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
    Option("Yes: the network separates them with 99%", "It does so in 128 dimensions. Two straight directions of them "
           "cannot hold ten groups apart."),
    Option("Some have a region of their own, others overlap", "Better than the pixels, and still a flat photograph of "
           "a thing with many dimensions.", right=True),
    Option("No: PCA does not know the labels, so it cannot sort", "It does not know them. But the features were "
           "already sorted by training, and the widest directions are those between classes."),
)  # fmt: skip

LESSON.ask(
    "untrained",
    "The same network with random weights: how good are its neighbors?",
    Option("About 10% right, like guessing", "Random filters do not destroy an image. Similar images still give "
           "similar numbers."),
    Option("About as good as pixels", "Random features keep most of what is in the image, sorted by nobody.",
           right=True),
    Option("Nearly as good as trained: the shape of the network does the work", "The shape helps a little in some "
           "tasks. Here the sorting comes from training."),
)  # fmt: skip


@LESSON.check("distances")
def distances(function: Any) -> str:
    """A function of two vectors that returns three distances."""
    for rng, sign in zip(trials(4), (1, -1, 1, -1), strict=True):
        size = int(rng.integers(5, 20))
        a = rng.normal(0.5, 1, size)
        b = sign * 0.4 * a + rng.normal(0, 0.3, size)  # an acute angle, or an obtuse one
        _compare_distances(array(call(function, a, b), what="three numbers"), a, b)
    return "Three rulers; features are better than pixels by all of them."


def _compare_distances(answer: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    if answer.shape != (3,):
        raise Wrong(f"Three numbers are asked for, `l1, mse, cosine`; the shape of yours is {answer.shape}.")
    d = a - b
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    cosine = a @ b / lengths
    wanted = {"L1": np.abs(d).sum(), "MSE": (d**2).mean(), "cosine distance": 1 - cosine}
    mistakes = {
        "L1": [
            (np.abs(d).mean(), "L1 is the sum of the absolute differences, not their mean."),
            (d.sum(), "In L1 ups and downs must not cancel: take the absolute value first."),
            (abs(d.sum()), "In L1 ups and downs must not cancel: take the absolute value first."),
            (np.linalg.norm(d), "That is the length of the difference, the root of the sum of squares. L1 is the sum "
             "of the absolute differences."),
            ((d**2).sum(), "That is the sum of squares; L1 is the sum of the absolute differences."),
            (np.abs(d).max(), "That is the largest difference; L1 adds up all of them."),
            (wanted["MSE"], "The MSE stands where the L1 distance should: mind the order, `l1, mse, cosine`."),
            (wanted["cosine distance"], "The cosine distance stands where the L1 distance should: mind the order, "
             "`l1, mse, cosine`."),
        ],
        "MSE": [
            ((d**2).sum(), "MSE is a mean: divide by the number of entries."),
            (np.sqrt((d**2).mean()), "That is the square root of the MSE: leave it squared."),
            (np.linalg.norm(d), "That is the length of the difference: MSE is the mean of the squares, no root."),
            (np.abs(d).mean(), "That is the mean of the absolute differences: the differences of MSE are squared."),
            (d.mean() ** 2, "You square the mean: square each difference first, then take the mean."),
            (d.var(), "That is the variance of the differences: do not subtract their mean."),
            (wanted["L1"], "The L1 distance stands where the MSE should: mind the order, `l1, mse, cosine`."),
            (wanted["cosine distance"], "The cosine distance stands where the MSE should: mind the order, `l1, mse, "
             "cosine`."),
        ],
        "cosine distance": [
            (cosine, "That is the cosine itself, large for similar vectors. The distance is 1 minus it."),
            (1 - a @ b, "Divide by both lengths, or long vectors count more."),
            (1 - a @ b / np.linalg.norm(a), "Divide by both lengths, not by that of the first vector alone."),
            (1 - a @ b / np.linalg.norm(b), "Divide by both lengths, not by that of the second vector alone."),
            (1 - a @ b / lengths**2, "Divide by the lengths, not by their squares: the root is missing."),
            (cosine - 1, "The sign is turned around: 1 − cosine."),
            (1 - abs(cosine), "The cosine may be negative, for vectors that point apart: without the absolute value."),
            (1 + cosine, "The cosine is subtracted from 1, not added."),
            (np.arccos(cosine), "That is the angle. The distance is 1 minus its cosine."),
            (1 - np.corrcoef(a, b)[0, 1], "That is 1 minus the correlation: do not subtract the means."),
        ],
    }  # fmt: skip
    for value, (name, right) in zip(answer, wanted.items(), strict=True):
        expect(value, right, mistakes[name], f"The {name} of a test pair is {right:.4f}; yours says {value:.4f}.")


@LESSON.check("nearest-label")
def nearest_label(function: Any) -> str:
    """A function of a bank of rows, their labels and queries that returns labels."""
    for rng, many in zip(trials(4), (12, 1, 9, 5), strict=True):
        bank, labels, queries = _bank(rng, many)
        answer = array(call(function, bank, labels, queries), what=f"{many} label{'s' * (many != 1)}")
        distance = ((bank[None] - queries[:, None]) ** 2).mean(2)  # (Q, N)
        found = distance.argmin(1)
        mistakes = [
            (found, "These are the row numbers. Look up the label of each row."),
            (labels[distance.argmax(1)], "These are the labels of the farthest rows: the smallest distance wins, "
             "`argmin`."),
            *_other_labels(bank, labels, queries),
            (labels[:many], "These are the first labels of the bank, whatever the queries are."),
        ]  # fmt: skip
        expect(
            answer,
            labels[found],
            mistakes if many > 5 else (),  # few labels may agree by luck
            "Not the labels of the nearest rows by MSE: compare each query with all rows of the bank, over all their "
            "numbers.",
        )
    return "A classifier without training: all its knowledge is the bank."


def _other_rulers(bank: np.ndarray, queries: np.ndarray) -> Iterator[tuple[np.ndarray, str]]:
    """Distances (Q, N) that are not the MSE, with their hints."""
    d = bank[None] - queries[:, None]
    lengths = np.linalg.norm(bank, axis=1)
    yield np.abs(d).mean(2), "You measure with absolute differences; MSE squares them."
    yield -(queries @ bank.T) / lengths, "You measure angles, the cosine; MSE looks at the differences."
    yield -(queries @ bank.T), "The largest product is not the nearest row: long rows win. MSE looks at differences."
    yield np.abs(d).max(2), "You measure by the largest difference alone; MSE takes the mean of all squares."
    yield np.abs(d.mean(2)), "Ups and downs cancel in your distance: square the differences before the mean."
    yield d.mean(2), "Negative differences win: square the differences before the mean."
    half = d.shape[2] // 2
    for part in (d[..., :half], d[..., half:], d[..., :2], d[..., :1], d[..., -1:]):
        yield (part**2).mean(2), "You compare a part of the numbers only: all of each row count."


def _other_labels(bank: np.ndarray, labels: np.ndarray, queries: np.ndarray) -> Iterator[tuple[np.ndarray, str]]:
    """Labels (Q,) that are not those of the nearest rows by MSE, with their hints."""
    for other, hint in _other_rulers(bank, queries):
        yield labels[other.argmin(1)], hint
    distance = ((bank[None] - queries[:, None]) ** 2).mean(2)
    near = labels[distance.argsort(1)]
    yield near[:, 1], "These are the labels of the second nearest rows: the nearest comes first, at 0."
    vote = "That is a vote of several neighbors: only the nearest one counts here."
    for k in (3, 5):
        yield np.array([np.bincount(row[:k]).argmax() for row in near]), vote
        yield np.array([max(row[:k].tolist(), key=row[:k].tolist().count) for row in near]), vote
    classes = np.unique(labels)
    means = np.array([bank[labels == c].mean(0) for c in classes])
    yield (
        classes[((means[None] - queries[:, None]) ** 2).mean(2).argmin(1)],
        "You compare with the mean row of each class: compare with every row of the bank.",
    )


def _bank(rng: np.random.Generator, many: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows like images, mostly dark, of different brightness, and queries whose label hangs on the ruler.

    Every way of :func:`_other_labels` finds another label for at least one query, and the nearest row is nearest by
    a clear margin.
    """
    while True:
        n, size = int(rng.integers(30, 60)), int(rng.integers(12, 20))

        def rows(count: int, size: int = size) -> np.ndarray:
            inked = rng.random((count, size)) < 0.5
            return rng.random((count, size)) * inked * rng.uniform(0.4, 1.6, (count, 1))

        bank, labels = rows(n), rng.permutation(np.arange(n) % 10 + 3)
        queries = rows(60 + 2 * many)
        distance = ((bank[None] - queries[:, None]) ** 2).mean(2)
        two = np.sort(distance, 1)[:, :2]
        right = labels[distance.argmin(1)]
        ways = list(_other_labels(bank, labels, queries))
        others = np.array([other for other, _ in ways])  # (ways, Q)
        clear = np.flatnonzero(two[:, 1] > 1.02 * two[:, 0])
        # Those first on which most of the other ways fail; they must fail on all together.
        chosen = clear[(others[:, clear] != right[clear]).sum(0).argsort()[::-1]][:many]
        told = {tuple(other[chosen]): hint for other, hint in ways}  # of several queries, each way says something else
        apart = many <= 5 or all(told[tuple(other[chosen])] == hint for other, hint in ways)
        if len(chosen) == many and apart and (others[:, chosen] != right[chosen]).any(1).all():
            return bank, labels, queries[rng.permutation(chosen)]


@LESSON.check("moved")
def moved(function: Any) -> str:
    """A function of rows and shifted rows that returns two distances."""
    for rng in trials():
        shape = int(rng.integers(5, 12)), int(rng.integers(3, 9))
        rows = rng.normal(size=shape) * rng.uniform(0.3, 3, (shape[0], 1))
        shifted = rng.normal(size=shape) + 0.5
        answer = array(call(function, rows, shifted), what="two numbers")
        if answer.shape != (2,):
            raise Wrong(f"Two numbers are asked for, `own, others`; the shape of yours is {answer.shape}.")
        own, others = rows - shifted, rows[:-1] - rows[1:]
        strangers = "Strangers are different rows of the same set: `rows[:-1]` and `rows[1:]`."
        if same(answer, (_rms(others), _rms(own))):
            raise Wrong("The two are exchanged: the distance to the shifted selves comes first.")
        expect(
            answer[0],
            _rms(own),
            [*_other_means(own, "own"),
             (_rms(rows[:-1] - shifted[1:]), "`own` compares each row with its own shifted self, not with the next.")],
            "`own` compares `rows` with `shifted_rows`, all at once.",
        )  # fmt: skip
        expect(
            answer[1],
            _rms(others),
            [*_other_means(others, "others"),
             (_rms(rows[:-1] - shifted[1:]), strangers),
             (_rms(shifted[:-1] - rows[1:]), strangers),
             (_rms(shifted[:-1] - shifted[1:]), "You compare the shifted rows with each other: strangers are rows of "
              "the set itself."),
             (_rms(rows - np.roll(rows, 1, 0)), "The last row has no next one, and the first is not it."),
             (_rms(rows[:, :-1] - rows[:, 1:]), "You compare neighboring numbers of one row: the next row is one "
              "further along the first axis."),
             (_rms(rows - rows.mean(0)), "You compare each row with the mean of all, not with the next one."),
             (_rms(rows[0] - rows[1:]), "You compare the first row with all others: each row with the next one."),
             (_rms(rows[0] - rows[1]), "These are the first two rows only: each row with the next one.")],
            "`others` compares each row with the next one: `rows[:-1]` with `rows[1:]`.",
        )  # fmt: skip
    return "Divide them: near 1 means as far from itself as from a stranger. Compare pixels with features."


def _rms(difference: np.ndarray) -> float:
    return float(np.sqrt((difference**2).mean()))


def _other_means(difference: np.ndarray, name: str) -> list[tuple[float, str]]:
    """Other means than the root of the mean square, with their hints."""
    rows = np.sqrt((difference**2).mean(1))
    return [
        ((difference**2).mean(), f"The root is missing in `{name}`: `np.sqrt` of the mean square."),
        (np.abs(difference).mean(), f"Squares, then the mean, then the root: `{name}` is a mean of absolute values."),
        (np.linalg.norm(difference), f"`{name}` is the root of the sum of squares: take their mean before the root."),
        (rows.mean(), f"`{name}` is the mean of the roots of all rows: take one mean over all squares, then one root."),
        (np.linalg.norm(difference, axis=1).mean(), f"`{name}` is the mean length of the rows: take the mean of all "
         "squares, then one root."),
        (abs(difference.mean()), f"Ups and downs cancel in `{name}`: square the differences first."),
        (difference.std(), f"`{name}` is the standard deviation of the differences: do not subtract their mean."),
    ]  # fmt: skip


@LESSON.check("pca-by-hand")
def pca_by_hand(function: Any) -> str:
    """A function of rows that returns points on two axes."""
    for rng, wide in zip(trials(4), (False, False, True, False), strict=True):
        rows = _cloud(rng, wide)
        answer = array(call(function, rows), what=f"points of shape ({len(rows)}, 2)")
        _compare_pca(answer, rows)
    return "The same map as scikit-learn's, up to a mirror."


def _cloud(rng: np.random.Generator, wide: bool) -> np.ndarray:
    """Rows (N, D) whose three widest directions differ clearly, with a mean far from zero."""
    n, size = (6, 9) if wide else (int(rng.integers(20, 40)), int(rng.integers(4, 9)))
    while True:
        rows = rng.normal(size=(n, size)) * np.r_[5, 3, 2, np.ones(size - 3)]
        turn, _ = np.linalg.qr(rng.normal(size=(size, size)))
        rows = rows @ turn + rng.normal(0, 4, size)
        s = np.linalg.svd(rows - rows.mean(0), compute_uv=False)
        if (s[:2] > 1.2 * s[1:3]).all():
            return rows


def _compare_pca(points: np.ndarray, rows: np.ndarray) -> None:
    centered = rows - rows.mean(0)
    u, s, vt = np.linalg.svd(centered, full_matrices=False)
    _, _, uncentered = np.linalg.svd(rows, full_matrices=False)
    _, _, scaled = np.linalg.svd(centered / centered.std(0), full_matrices=False)
    wanted = centered @ vt[:2].T

    def mirrored(other: np.ndarray) -> bool:
        """Whether the points are these up to the sign of a direction, as far as float32 can tell."""
        close = 2e-4 * np.abs(other).max()
        return points.shape == other.shape and all(
            same(p, q, close) or same(p, -q, close) for p, q in zip(points.T, other.T, strict=True)
        )

    if mirrored(wanted):
        return
    n = len(rows)
    for mistake, hint in (
        (wanted.T, "One row for each image: the points are transposed."),
        (wanted[:, ::-1], "The two directions are exchanged: the widest comes first."),
        (rows @ vt[:2].T, "The points have to be centered too: use the centered rows in the product."),
        (rows @ uncentered[:2].T, "Center the rows first, or the first direction only points at their mean."),
        (centered @ uncentered[:2].T, "The directions have to be those of the centered rows: give these to the svd."),
        (u[:, :2], "These are the columns of u, stretched to the same width. Multiply by the singular values."),
        (u[:, :2] * n**0.5, "Both directions have the same width now: leave the points as wide as they are."),
        (u[:, :2] * (n - 1) ** 0.5, "Both directions have the same width now: leave the points as wide as they are."),
        (u[:, :2] * s[:2] ** 2, "The singular values are in there twice: the product with the directions has them."),
        (centered @ vt[-2:].T, "These are the two narrowest directions: svd sorts the widest first."),
        (centered @ vt[-2:][::-1].T, "These are the two narrowest directions: svd sorts the widest first."),
        (centered @ vt[:, :2] if len(vt) == len(vt.T) else u, "You take two columns of `vt`. The directions are its "
         "rows, `vt[:2]`."),
        (centered @ vt[1:3].T, "You leave out the widest direction: count from 0, `vt[:2]`."),
        (vt[:2].T, "These are the directions themselves. The points are the products of the centered rows with them."),
        ((centered / centered.std(0)) @ scaled[:2].T, "Center only: dividing by the spread of each number changes "
         "which directions are wide."),
        (centered[:, :2], "These are two of the numbers. PCA takes two directions of all of them."),
        (_by_rows(rows), "You subtract the mean of each row. Center each column: `rows.mean(axis=0)`."),
    ):  # fmt: skip
        if mirrored(mistake):
            raise Wrong(hint)
    if points.shape != wanted.shape:
        raise Wrong(f"The shape should be {wanted.shape}; yours is {points.shape}.")
    raise Wrong("Center, take the first two rows of `vt`, and multiply the centered rows with them.")


def _by_rows(rows: np.ndarray) -> np.ndarray:
    centered = rows - rows.mean(1, keepdims=True)
    return centered @ np.linalg.svd(centered, full_matrices=False)[2][:2].T
