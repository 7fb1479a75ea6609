"""Right and wrong answers to its exercises, and the claims of its prose and its predictions."""

import itertools
import json
import re

import numpy as np
import pytest
import torch
from torch import nn

from helpers import data
from helpers.exercises.overfitting import LESSON
from helpers.explorers.dropout import DropoutExplorer
from helpers.network import checkpoints, running, training
from helpers.network.models import ConvNet
from tests.lessons.common import endless, printing
from tools import ROOT, lessons

STORED = ROOT / "benchmarks" / "results" / "overfitting.json"


def pair(matrix, *, both=True, diagonal=False, least=False):
    """The largest cell of the matrix plus its transpose, with mistakes to choose."""
    table = matrix + matrix.T if both else matrix.copy()
    if not diagonal:
        np.fill_diagonal(table, 10**6 if least else 0)
    return np.unravel_index(table.argmin() if least else table.argmax(), table.shape)


def largest(table):
    """Row and column of the largest entry off the diagonal."""
    table = np.array(table)
    np.fill_diagonal(table, 0)
    return np.unravel_index(table.argmax(), table.shape)


def looped_pair(matrix):
    """The pair by two loops, over plain numbers."""
    n = len(matrix)
    return max(itertools.combinations(range(n), 2), key=lambda ij: int(matrix[ij]) + int(matrix[ij[::-1]]))


def one_triangle(matrix):
    """The usual loop that looks at one direction only."""
    return max(itertools.combinations(range(len(matrix)), 2), key=lambda ij: matrix[ij])


def other_triangle(matrix):
    """The same below the diagonal."""
    return max(itertools.combinations(range(len(matrix)), 2), key=lambda ij: matrix[ij[::-1]])


def diagonal_in_place(matrix):
    """The pair, after writing into the matrix."""
    np.fill_diagonal(matrix, 0)
    return pair(matrix)


def most_errors(matrix, axis=1):
    """The two classes with the longest rows of mistakes."""
    return (matrix - np.diag(np.diag(matrix))).sum(axis).argsort()[-2:]


def rates(matrix):
    """The pair with the largest shares of its classes."""
    shares = matrix / matrix.sum(1, keepdims=True)
    return largest(shares + shares.T)


def drop(hidden, p, training, *, scale=None, on=None, shape=None, test=False):
    """Dropout, with mistakes to choose."""
    if not training and not test:
        return hidden
    stays = torch.rand(hidden.shape if shape is None else shape) >= (p if on is None else on(p))
    return hidden * stays * (1 / (1 - p) if scale is None else scale(p))


FIXED = torch.rand(100, 500, generator=torch.Generator().manual_seed(0))


def fixed(hidden, p, training):
    """Dropout whose random numbers are always the same."""
    return hidden * (p <= FIXED[: len(hidden), : hidden.shape[1]]) / (1 - p) if training else hidden


def seeded(hidden, p, training):
    """Dropout that seeds the generator."""
    torch.manual_seed(3)
    return drop(hidden, p, training)


def exact(hidden, p, training):
    """Dropout that turns off the same number in every pass."""
    order = torch.randperm(hidden.numel()).view(hidden.shape)
    return hidden * (order >= p * hidden.numel()) / (1 - p) if training else hidden


def exact_rows(hidden, p, training):
    """Dropout that turns off the same number in every image."""
    order = torch.rand(hidden.shape).argsort(1)
    return hidden * (order >= int(p * hidden.shape[1])) / (1 - p) if training else hidden


def looped_drop(hidden, p, training):
    """Dropout row by row, in NumPy."""
    if not training:
        return hidden.numpy()
    rows = []
    for row in hidden.numpy().astype(float):
        row = row.copy()
        row[np.random.rand(len(row)) < p] = 0  # noqa: NPY002 - as students write it
        rows.append(row / (1 - p))
    return np.array(rows)


def paper(hidden, p, training):
    """Dropout as first published: the test is scaled."""
    return hidden * (torch.rand(hidden.shape) >= p) if training else hidden * (1 - p)


def stop(losses, patience, wait=0):
    """The best epoch when training stops."""
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
        elif epoch - best >= patience + wait:
            break
    return best


def stop_by_counter(losses, patience):
    """The same with a counter."""
    best, lowest, bad, epoch = 0, float("inf"), 0, 0
    while epoch < len(losses) and bad < patience:
        if losses[epoch] < lowest:
            best, lowest, bad = epoch, losses[epoch], 0
        else:
            bad += 1
        epoch += 1
    return best


def stop_by_slices(losses, patience):
    """The same by looking back at each epoch."""
    for now in range(1, len(losses) + 1):
        best = int(np.argmin(losses[:now]))
        if now - 1 - best >= patience:
            return best
    return int(np.argmin(losses))


def where(losses, patience):
    """The epoch in which training stops, or the best if it does not."""
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
        elif epoch - best >= patience:
            return epoch
    return best


def where_always(losses, patience):
    """The epoch in which training stops."""
    found = where(losses, patience)
    return found if found - stop(losses, patience) else len(losses) - 1


def hasty(losses, patience):
    """Gives up at the first bad epoch."""
    return next((i - 1 for i in range(1, len(losses)) if losses[i] >= losses[i - 1]), len(losses) - 1)


def never_reset(losses, patience):
    """Patience that is used up over the whole run."""
    best, lowest, bad = 0, float("inf"), 0
    for epoch, loss in enumerate(losses):
        if loss < lowest:
            best, lowest = epoch, loss
        else:
            bad += 1
            if bad >= patience:
                break
    return best


def rises(losses, patience, *, equal=False, back=False):
    """Patience that counts rises against the epoch before."""
    bad = 0
    for epoch in range(1, len(losses)):
        worse = losses[epoch] >= losses[epoch - 1] if equal else losses[epoch] > losses[epoch - 1]
        bad = bad + 1 if worse else 0
        if bad >= patience:
            return epoch - patience if back else int(np.argmin(losses[: epoch + 1]))
    return len(losses) - 1 if back else int(np.argmin(losses))


def rises_in_all(losses, patience):
    """Patience that counts all rises and never forgets."""
    bad = 0
    for epoch in range(1, len(losses)):
        bad += losses[epoch] > losses[epoch - 1]
        if bad >= patience:
            return epoch - patience
    return int(np.argmin(losses))


def last_if_never(losses, patience):
    """The last epoch if training never stops."""
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
        elif epoch - best >= patience:
            return best
    return len(losses) - 1


def ties(losses, patience):
    """Takes an equal loss for a better one."""
    best = 0
    for epoch, loss in enumerate(losses):
        if loss <= losses[best]:
            best = epoch
        elif epoch - best >= patience:
            break
    return best


def from_a_highest(losses, patience, *, highest):
    """Starts with a number that no loss is thought to exceed."""
    best, lowest, bad = 0, highest, 0
    for epoch, loss in enumerate(losses):
        if loss < lowest:
            best, lowest, bad = epoch, loss, 0
        else:
            bad += 1
            if bad >= patience:
                break
    return best


def strictly_higher(losses, patience):
    """Stops only if all later losses are higher."""
    for best in range(len(losses) - patience):
        if all(losses[best + i] > losses[best] for i in range(1, patience + 1)):
            return best
    return int(np.argmin(losses))


def sorts(losses, patience):
    """Sorts the list it is given."""
    answer = stop(losses, patience)
    losses.sort()
    return answer


RIGHT = {
    "overfitting/most-confused": [
        lambda: (pair,),
        lambda: (looped_pair,),
        lambda: (lambda m: [int(i) for i in pair(m)][::-1],),
        lambda: (lambda m: set(pair(m)),),
        lambda: (lambda m: np.array(pair(m)),),
        lambda: (lambda m: torch.tensor([int(i) for i in pair(m)]),),
        lambda: (lambda m: largest(np.triu(m + m.T, 1)),),
        lambda: (lambda m: np.argwhere(np.triu(m + m.T, 1) == np.triu(m + m.T, 1).max())[0],),
    ],
    "overfitting/dropout": [
        lambda: (lambda h, p, t: nn.functional.dropout(h, p, t),),
        lambda: (lambda h, p, t: drop(h, p, t),),
        lambda: (lambda h, p, t: drop(h.double(), p, t),),
        lambda: (lambda h, p, training: nn.Dropout(p).train(training)(h),),
        lambda: (lambda h, p, t: h * torch.bernoulli(torch.full_like(h, 1 - p)) / (1 - p) if t else h.clone(),),
        lambda: (lambda h, p, t: torch.where(torch.rand_like(h) < p, 0.0, h / (1 - p)) if t else h,),
        lambda: (looped_drop,),
    ],
    "overfitting/early-stopping": [
        lambda: (stop,),
        lambda: (stop_by_counter,),
        lambda: (stop_by_slices,),
        lambda: (lambda losses, n: next(i for i, x in enumerate(losses) if min(losses[i : i + n + 1]) >= x),),
        lambda: (lambda losses, patience: np.int64(stop(losses, patience)),),
        lambda: (lambda losses, patience: torch.tensor(stop(losses, patience)),),
        lambda: (lambda losses, patience: stop(np.array(losses, dtype=np.float32), patience),),
    ],
}

WRONG = {
    "overfitting/most-confused": [
        (lambda: (lambda m: pair(m, both=False),), "largest single cell"),
        (lambda: (lambda m: largest(m * m.T),), "largest product"),
        (lambda: (lambda m: largest(np.minimum(m, m.T)),), "the smaller of the two directions"),
        (lambda: (lambda m: largest(np.maximum(m, m.T)),), "largest single cell"),
        (lambda: (lambda m: largest(abs(m - m.T)),), "do not subtract"),
        (lambda: (one_triangle,), "above the diagonal only"),
        (lambda: (other_triangle,), "below the diagonal only"),
        (lambda: (lambda m: most_errors(m),), "two classes with most mistakes"),
        (lambda: (lambda m: most_errors(m, 0),), "two answers that are wrong most often"),
        (lambda: (lambda m: most_errors(m + m.T),), "take part in most mistakes"),
        (lambda: (rates,), "count the images"),
        (lambda: (lambda m: pair(m, diagonal=True),), "diagonal"),
        (lambda: (lambda m: pair(m, least=True),), "confused least"),
        (lambda: (diagonal_in_place,), "changed its argument `matrix`"),
        (lambda: (lambda m: int((m + m.T - 2 * np.diag(np.diag(m))).argmax()),), "two class numbers"),
        (lambda: (lambda m: ("Shirt", "Coat"),), "the number of a class"),
        (lambda: (lambda m: (2, 6),), "In a test matrix"),
        (lambda: (lambda m: looped_pair(m[:-1, :-1]),), "In a test matrix"),
        (lambda: (lambda m: [1 + i for i in looped_pair(m[1:, 1:])],), "In a test matrix"),
        (lambda: (lambda m: (6, 12),), "numbered from 0"),
        (lambda: (lambda m: np.argwhere(m + m.T == largest(m + m.T)),), "two class numbers"),
        (lambda: (lambda m: (np.nan, 1.0),), "NaN"),
        (lambda: (printing,), "is there a `return`"),
        (lambda: (7,), "should be a function"),
    ],
    "overfitting/dropout": [
        (lambda: (lambda h, p, t: drop(h, p, t, scale=lambda p: 1),), "as they were"),
        (lambda: (paper,), "older form"),
        (lambda: (lambda h, p, t: drop(h, p, t, scale=lambda p: 1 - p),), "weakens them"),
        (lambda: (lambda h, p, t: drop(h, p, t, scale=lambda p: 1 / p),), "divide by p"),
        (lambda: (lambda h, p, t: drop(h, p, t, scale=lambda p: p),), "multiply the survivors by p"),
        (lambda: (lambda h, p, t: drop(h, p, t, on=lambda p: 1 - p),), "probability of being off"),
        (lambda: (lambda h, p, t: drop(h, p, t, on=lambda p: 0.5),), "of the units should be off"),
        (lambda: (lambda h, p, t: drop(h, p, t, test=True),), "training=False nothing is off"),
        (lambda: (lambda h, p, t: drop(h, p, t) if t else h / (1 - p),), "training=False nothing is scaled"),
        (lambda: (lambda h, p, t: nn.functional.dropout(h, p),), "training=False nothing is off"),
        (lambda: (lambda h, p, t: drop(h, p, t) if t else None,), "training=False your function returns nothing"),
        (lambda: (lambda h, p, t: drop(h, p, t, shape=(len(h), 1)),), "Whole images"),
        (lambda: (lambda h, p, t: drop(h, p, t, shape=(1, h.shape[1])),), "same units are off for every image"),
        (lambda: (fixed,), "the very same units"),
        (lambda: (seeded,), "the very same units"),
        (lambda: (exact,), "same number of units is off in every pass"),
        (lambda: (exact_rows,), "Equally many are off for every image"),
        (lambda: (lambda h, p, t: h,), "No unit is off"),
        (lambda: (lambda h, p, t: drop(h, p, t).abs(),), "should be multiplied by"),
        (lambda: (lambda h, p, t: drop(h, p, t).relu() if t else h,), "of the units should be off"),
        (lambda: (lambda h, p, t: drop(h, p, t) + 0.01 if t else h,), "No unit is off"),
        (lambda: (lambda h, p, t: h.mul_(torch.rand(h.shape) >= p),), "changed its argument `h`"),
        (lambda: (lambda h, p, t: h.sum(1),), "The shape should be"),
        (lambda: (lambda h, p, t: drop(h, p, t, scale=lambda p: 3),), "should be multiplied by"),
        (lambda: (printing,), "is there a `return`"),
        (lambda: (lambda h, p, t: h * torch.nan,), "NaN"),
    ],
    "overfitting/early-stopping": [
        (lambda: (lambda losses, patience: int(np.argmin(losses)),), "lowest of all"),
        (lambda: (where_always,), "where you stop"),
        (lambda: (where,), "it should be"),
        (lambda: (hasty,), "it should be"),
        (lambda: (lambda losses, patience: stop(losses, 1),), "first bad epoch"),
        (lambda: (lambda losses, patience: stop(losses, patience) + 1,), "count from 0"),
        (lambda: (lambda losses, patience: stop(losses, patience, 1),), "one epoch too long"),
        (lambda: (lambda losses, patience: stop(losses, max(patience, 2), -1),), "one epoch too early"),
        (lambda: (never_reset,), "used up over the whole run"),
        (lambda: (rises,), "with the one before it"),
        (lambda: (lambda losses, patience: rises(losses, patience, equal=True),), "with the one before it"),
        (lambda: (lambda losses, patience: rises(losses, patience, back=True),), "with the one before it"),
        (lambda: (lambda losses, patience: rises(losses, patience, equal=True, back=True),), "with the one before it"),
        (lambda: (rises_in_all,), "it should be"),
        (lambda: (last_if_never,), "If it never stops"),
        (lambda: (ties,), "only as good"),
        (lambda: (strictly_higher,), "it should be"),
        (lambda: (lambda losses, patience: from_a_highest(losses, patience, highest=10),), "it should be"),
        (lambda: (lambda losses, patience: from_a_highest(losses, patience, highest=9999),), "it should be"),
        (lambda: (lambda losses, patience: stop([round(x, 3) for x in losses], patience),), "it should be"),
        (lambda: (sorts,), "changed its argument `losses`"),
        (lambda: (lambda losses, patience: min(losses),), "a whole number"),
        (lambda: (lambda losses, patience: losses[stop(losses, patience)],), "a whole number"),
        (lambda: (lambda losses, patience: 0,), "it should be"),
        (lambda: (lambda losses, patience: [stop(losses, patience)],), "the number of an epoch"),
        (lambda: (lambda losses, patience: float("nan"),), "NaN"),
        (lambda: (lambda losses, patience: losses[999],), "IndexError"),
        (lambda: (printing,), "is there a `return`"),
        (lambda: (endless,), "still running after"),
    ],
}  # fmt: skip


def why(key, option):
    """The text of an option of a prediction, and its explanation."""
    chosen = LESSON.questions[f"overfitting/{key}"].options["abcd".index(option)]
    return f"{chosen.text}: {chosen.why}"


def test_halved_survivors_make_the_gap_four_times_as_large():
    assert (1 / 0.5) / 0.5 == 4  # on average a quarter of the sum arrives, instead of half of it
    assert "four times instead of twice" in why("survivors", "b")


def test_the_small_network_of_the_prediction_has_as_many_weights_as_it_says():
    stored = json.loads(STORED.read_text(encoding="utf-8"))["conditions"]
    assert f"{stored['few weights']['parameters']:,}" in LESSON.questions["overfitting/fewer-weights"].text
    assert f"{stored['plain']['parameters']:,}" in LESSON.questions["overfitting/fewer-weights"].text


@pytest.mark.parametrize("seed", range(2))
def test_the_small_network_learns_most_of_its_images_and_fewer_of_the_others(seed):
    fashion = data.load("fashion", first=10_000).torch()
    if not fashion.real:
        pytest.skip("about the real garments")
    few, others = fashion.train[seed * 500 : (seed + 1) * 500], fashion.train[-2500:]
    torch.manual_seed(seed)
    network = ConvNet(filters=(4, 8), hidden=32)
    plain = {"lr": 0.05, "batch_size": 50, "one_cycle": False, "shift": 0, "weight_decay": 0.0, "bar": False}
    training.fit(network, few, epochs=30, seed=seed, **plain)
    assert 0.85 < running.accuracy(network, few) < 0.99, "nine in ten of these 500"
    assert 0.7 < running.accuracy(network, others) < 0.8, "three in four of the others"
    assert "nine in ten of these 500 right, and three in four of the others" in why("fewer-weights", "a")


def test_the_answer_sways_as_the_lesson_says():
    fashion, network = data.load("fashion").torch(), checkpoints.load("fashion")
    if not fashion.real:
        pytest.skip("about the real garments")
    labels = (6, 0, 4, 9)
    picked = [int((fashion.test.labels == label).nonzero()[0]) for label in labels]
    tool = DropoutExplorer(network, fashion.test.images[picked], fashion.classes)
    at = {p: [np.array([tool.compute(i, p, turn, "training")[2] for turn in range(1, 201)]) for i in range(4)]
          for p in (0.5, 0.9)}  # fmt: skip
    spread = [chances[:, label].std() for chances, label in zip(at[0.5], labels, strict=True)]
    assert spread[0] > 1.5 * max(spread[1:]), "the shirt sways most"
    assert set(at[0.5][0].argmax(1)) == {0, 6}, "between shirt and T-shirt"
    assert all(
        (chances.argmax(1) == label).mean() > 0.98 for chances, label in zip(at[0.5][1:], labels[1:], strict=True)
    )
    assert 0.5 < (at[0.9][3].argmax(1) == 9).mean() < 0.65, "a boot in little more than half of the passes"


def test_the_right_options_agree_with_what_the_notebook_shows():
    shares = re.findall(r"([A-Z][\w\-/ ]+) ([\d.]+)%", lessons.stored("overfitting", "T-shirt/top"))
    assert min(shares, key=lambda pair: float(pair[1]))[0] == "Shirt"
    lowest, last = (
        float(x) for x in re.findall(r"validation, .*loss ([\d.]+)", lessons.stored("overfitting", "lowest loss:"))
    )
    assert last > 1.2 * lowest
