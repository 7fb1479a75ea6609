"""Plausible wrong answers and the hints they earn, and the occlusion explorer."""

import copy
import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from helpers import data
from helpers.inside import attribution
from helpers.network import checkpoints


def painted(image, row, column, size, value=0.0, *, rows=None, columns=None, channel=slice(None), copy=True):
    image = image.clone() if copy else image
    rows = slice(row, row + size) if rows is None else rows(row, column, size)
    columns = slice(column, column + size) if columns is None else columns(row, column, size)
    image[channel, rows, columns] = value
    return image


def painted_numpy(image, row, column, size, value=0.0):
    covered = image.numpy().astype(np.float64)
    covered[:, row : row + size, column : column + size] = value
    return covered


def painted_pixelwise(image, row, column, size, value=0.0):
    covered = image.clone()
    for channel in range(image.shape[0]):
        for y in range(row, row + size):
            for x in range(column, column + size):
                covered[channel, y, x] = value
    return covered.tolist()


def painted_by_mask(image, row, column, size, value=0.0):
    y, x = torch.arange(image.shape[1])[:, None], torch.arange(image.shape[2])
    inside = (y >= row) & (y < row + size) & (x >= column) & (x < column + size)
    return torch.where(inside, torch.as_tensor(value, dtype=image.dtype), image)


def painted_and_forgotten(image, *place):
    painted(image, *place)
    return image


def summed(drops, size, divide):
    total = torch.zeros(drops.shape[0] + size - 1, drops.shape[1] + size - 1)
    for row in range(drops.shape[0]):
        for column in range(drops.shape[1]):
            total[row : row + size, column : column + size] += drops[row, column]
    return total / divide


def spread(drops, size):
    return summed(drops, size, summed(torch.ones_like(drops), size, 1))


def overwritten(drops, size):
    total = torch.zeros(drops.shape[0] + size - 1, drops.shape[1] + size - 1)
    for row in range(drops.shape[0]):
        for column in range(drops.shape[1]):
            total[row : row + size, column : column + size] = drops[row, column]
    return total


def spread_numpy(drops, size):
    drops = drops.numpy().astype(np.float64)
    rows, columns = drops.shape
    wanted = np.empty((rows + size - 1, columns + size - 1))
    for y in range(wanted.shape[0]):
        for x in range(wanted.shape[1]):
            wanted[y, x] = drops[max(0, y - size + 1) : y + 1, max(0, x - size + 1) : x + 1].mean()
    return wanted


def spread_transposed_convolution(drops, size):
    square = torch.ones(1, 1, size, size)
    total = F.conv_transpose2d(drops[None, None], square)[0, 0]
    return total / F.conv_transpose2d(torch.ones_like(drops)[None, None], square)[0, 0]


def spread_padded(drops, size):
    padded = F.pad(drops.double(), (size - 1,) * 4, value=torch.nan)
    return padded.unfold(0, size, 1).unfold(1, size, 1).flatten(2).nanmean(2)


def spread_in_place(drops, size):
    wide = spread(drops, size)
    drops -= drops.mean()
    return wide


def combined(formula, score=lambda z, c: z[c], paint=painted):
    def synergy(model, image, target, first, second, size=7):
        scores = []
        for places in ((), (first,), (second,), (first, second)):
            covered = image
            for row, column in places:
                covered = paint(covered, row, column, size)
            scores.append(score(model(covered[None])[0].detach(), target))
        return formula(*scores)

    return synergy


def right(none, one, two, both):
    return (none - both) - (none - one) - (none - two)


def synergy_batch(model, image, target, first, second, size=7):
    batch = image.repeat(4, 1, 1, 1)
    for i, (row, column) in ((1, first), (2, second), (3, first), (3, second)):
        batch[i, :, row : row + size, column : column + size] = 0
    with torch.inference_mode():
        none, one, two, both = model(batch)[:, target].numpy()
    return one + two - none - both


def synergy_precise(model, image, target, first, second, size=7):
    model = copy.deepcopy(model).double()

    def drop(*places):
        keep = torch.ones_like(image, dtype=torch.float64)
        for row, column in places:
            keep[:, row : row + size, column : column + size] = 0
        return (model(image[None].double()) - model((image * keep)[None]))[0, target]

    return drop(first, second) - drop(first) - drop(second)  # requires grad


def synergy_first_always(model, image, target, first, second, size=7):
    return combined(right)(model, image, target, first, first, size)


def synergy_trains(model, image, target, first, second, size=7):
    model.train()
    return combined(right)(model, image, target, first, second, size)


def synergy_freezes(model, image, target, first, second, size=7):
    model.requires_grad_(False)
    return combined(right)(model, image, target, first, second, size)


def synergy_paints_on(model, image, target, first, second, size=7):
    none = model(image[None])[0, target]
    image[:, first[0] : first[0] + size, first[1] : first[1] + size] = 0
    one = model(image[None])[0, target]
    image[:, second[0] : second[0] + size, second[1] : second[1] + size] = 0
    both = model(image[None])[0, target]
    return right(none, one, one, both)


def silent(function):
    def computes(*arguments):
        function(*arguments)

    return computes


def raises(*_):
    return undefined_name  # noqa: F821


RIGHT = {
    "occlusion/cover": [
        lambda: (painted,),
        lambda: (painted_numpy,),
        lambda: (painted_pixelwise,),
        lambda: (painted_by_mask,),
        lambda: (lambda i, r, c, s, v: painted(i.double(), r, c, s, v),),
    ],
    "occlusion/how-many": [
        lambda: (49,),
        lambda: (7 * 7,),
        lambda: ((math.ceil((28 - 7) / 4) + 1) ** 2,),
        lambda: (np.ceil(21 / 4 + 1) ** 2,),
        lambda: (torch.tensor(49),),
        lambda: (len([(r, c) for r in range(0, 28, 4) for c in range(0, 28, 4)]),),
    ],
    "occlusion/spread": [
        lambda: (spread,),
        lambda: (spread_numpy,),
        lambda: (spread_transposed_convolution,),
        lambda: (spread_padded,),
        lambda: (lambda d, s: spread(d, s).tolist(),),
    ],
    "occlusion/synergy": [
        lambda: (combined(right),),
        lambda: (combined(lambda *scores: right(*scores).item()),),
        lambda: (synergy_batch,),
        lambda: (synergy_precise,),
        lambda: (combined(right, paint=painted_by_mask),),
    ],
}

WRONG = {
    "occlusion/cover": [
        (lambda: (lambda *a: painted(*a, copy=False),), "changed its"),
        (
            lambda: (
                lambda *a: painted(*a, rows=lambda r, c, s: slice(c, c + s), columns=lambda r, c, s: slice(r, r + s)),
            ),
            "exchanged",
        ),
        (lambda: (lambda i, r, c, s, v: painted(i, r, c, s),), "not always 0"),
        (lambda: (lambda i, r, c, s, v: painted(i, r, c, s, 1.0),), "not always 1"),
        (lambda: (lambda *a: painted(*a, channel=0),), "first channel"),
        (lambda: (lambda *a: painted(*a, channel=-1),), "last channel"),
        (lambda: (lambda *a: painted(*a, rows=lambda r, c, s: slice(r, r + s - 1)),), "should begin"),
        (
            lambda: (lambda *a: painted(*a, rows=lambda r, c, s: slice(r, s), columns=lambda r, c, s: slice(c, s)),),
            "should begin",
        ),
        (lambda: (lambda i, r, c, s, v: painted(i, r, c, s - 1, v),), "too small"),
        (lambda: (lambda i, r, c, s, v: painted(i, r, c, s + 1, v),), "too large"),
        (lambda: (lambda i, r, c, s, v: painted(i, r + 1, c + 1, s, v),), "too late"),
        (lambda: (lambda i, r, c, s, v: painted(i, r, c, 3, v),), "should begin"),
        (lambda: (lambda i, r, c, s, v=0.5: painted(i, r, c, s, v),), "without one the fill"),
        (
            lambda: (lambda i, r, c, s, v: painted_by_mask(i - v, r, c, s) * 0 + painted(i, r, c, s, v) * torch.nan,),
            "NaN",
        ),
        (lambda: (painted_and_forgotten,), "nothing is covered"),
        (lambda: (lambda i, *_: i[0],), "shape"),
        (lambda: (lambda i, r, c, s, v: i[:, r : r + s, c : c + s],), "shape"),
        (lambda: (silent(painted),), "returns nothing"),
        (lambda: (raises,), "undefined_name"),
    ],
    "occlusion/how-many": [
        (lambda: (36,), "stay uncovered"),
        (lambda: (484,), "stride 1"),
        (lambda: (441,), "moves by 4"),
        (lambda: (16,), "not by 7"),
        (lambda: (7,), "in a column"),
        (lambda: (14,), "multiply"),
        (lambda: (6.25**2,), "cut off"),
        (lambda: (25,), "0 is one of them"),
        (lambda: (64,), "one too many"),
        (lambda: (50,), "List the starts"),
        (lambda: (49.5,), "List the starts"),
        (lambda: (-49,), "List the starts"),
        (lambda: ([49],), "one number"),
        (lambda: ((7, 7),), "one number"),
        (lambda: ("49",), "quotation marks"),
        (lambda: (float("nan"),), "NaN"),
        (lambda: (True,), "one number"),
    ],
    "occlusion/spread": [
        (lambda: (lambda d, s: summed(d, s, 1),), "divide"),
        (lambda: (lambda d, s: summed(d, s, s * s),), "at the border fewer"),
        (lambda: (lambda d, s: summed(d, s, s),), "not the mean"),
        (lambda: (lambda d, s: summed(d, s, d.numel()),), "of all masks"),
        (lambda: (overwritten,), "overwrites"),
        (lambda: (lambda d, s: overwritten(d, s) / summed(torch.ones_like(d), s, 1),), "overwrites"),
        (lambda: (lambda d, s: summed(torch.ones_like(d), s, 1),), "count alone"),
        (lambda: (lambda d, s: spread(d, s).abs(),), "Keep the sign"),
        (lambda: (lambda d, s: spread(d.abs(), s),), "Keep the sign"),
        (lambda: (lambda d, s: spread(d.relu(), s),), "Keep the sign"),
        (lambda: (lambda d, s: -spread(d, s),), "turned around"),
        (lambda: (lambda d, s: d,), "shape"),
        (lambda: (lambda d, s: spread(d, s).T,), "shape"),
        (lambda: (lambda d, s: spread(d, 4),), "shape"),
        (lambda: (lambda d, s: 0 * spread(d, s),), "belongs to all pixels"),
        (lambda: (lambda d, s: spread(d, s).flip(0),), "belongs to all pixels"),
        (lambda: (lambda d, s: summed(d, s, 1) / (summed(torch.ones_like(d), s, 1) - 1),), "infinity"),
        (lambda: (spread_in_place,), "changed its argument `drops`"),
        (lambda: (silent(spread),), "returns nothing"),
        (lambda: (raises,), "undefined_name"),
    ],
    "occlusion/synergy": [
        (lambda: (combined(lambda n, a, b, both: n - both),), "joint drop"),
        (lambda: (combined(lambda *s: -right(*s)),), "turned around"),
        (lambda: (combined(lambda *s: right(*s).abs()),), "Keep the sign"),
        (lambda: (combined(lambda n, a, b, both: n - a + n - b),), "sum of the single drops"),
        (lambda: (combined(lambda n, a, b, both: n - both + n - a + n - b),), "added all three"),
        (lambda: (combined(lambda n, a, b, both: a - both),), "second mask alone is missing"),
        (lambda: (combined(lambda n, a, b, both: b - both),), "first mask alone is missing"),
        (lambda: (combined(lambda n, a, b, both: (a + b) / 2 - both),), "not their mean"),
        (lambda: (combined(lambda n, a, b, both: n - b),), "what the second mask does alone"),
        (lambda: (combined(right, lambda z, c: z.softmax(0)[c]),), "not the probability"),
        (lambda: (combined(right, lambda z, c: z.log_softmax(0)[c]),), "logarithm"),
        (lambda: (combined(right, lambda z, c: z.max()),), "Read the logit of `target`"),
        (lambda: (combined(right, lambda z, c: z[4]),), "Read the logit of `target`"),
        (lambda: (combined(right, lambda z, c: z.sum()),), "added up"),
        (lambda: (combined(lambda n, a, b, both: both - a - b),), "measured from it"),
        (lambda: (combined(right, paint=lambda i, r, c, s: painted(i, c, r, s)),), "exchanged"),
        (lambda: (combined(right, paint=lambda i, r, c, s: painted(i, r, c, s, 1.0)),), "with black"),
        (lambda: (combined(right, paint=lambda i, r, c, s: painted(i, r, c, s + 1)),), "too wide"),
        (lambda: (combined(right, paint=lambda i, r, c, s: painted(i, r, c, s - 1)),), "too narrow"),
        (lambda: (combined(right, paint=lambda i, r, c, s: painted(i, r, c, 7)),), "always 7"),
        (lambda: (combined(right, paint=lambda i, r, c, s: painted(i, r, c, s, i.mean())),), "fresh copy"),
        (lambda: (synergy_first_always,), "fresh copy"),
        (lambda: (lambda m, i, t, a, b, size=5: combined(right)(m, i, t, a, b, size),), "without one"),
        (lambda: (synergy_paints_on,), "changed its argument `image`"),
        (lambda: (synergy_trains,), "training mode"),
        (lambda: (synergy_freezes,), "frozen"),
        (lambda: (lambda *_: 0,), "fresh copy"),
        (lambda: (lambda *_: float("nan"),), "NaN"),
        (lambda: (lambda *_: "much",), "one number"),
        (lambda: (combined(right, lambda z, c: z),), "`target` alone"),
        (lambda: (silent(combined(right)),), "returns nothing"),
        (lambda: (raises,), "undefined_name"),
    ],
}


# What the predictions say about the 4 of the lesson ------------------------------------------------------------------


@pytest.fixture(scope="module")
def of_the_four():
    """The trained network, the image, its ink, and its occlusion with the mask of the lesson."""
    digits = data.load("mnist").torch()
    if not digits.real:
        pytest.skip("the figures are those of the real MNIST")
    model, image = checkpoints.load("mnist"), digits.test.images[4]
    return model, image, image[0] > 0, attribution.occlusion(model, image, size=7)


def test_the_probability_is_blank_under_three_masks_of_four_although_the_logit_falls(of_the_four):
    model, image, _, found = of_the_four
    drop = model(image[None]).softmax(1)[0, 4] - found.probabilities[..., 4]
    assert (drop.abs() < 0.01).float().mean().item() == pytest.approx(0.75, abs=0.05)
    assert found.drops[..., 4][found.probabilities[..., 4] > 0.985].max() > 3  # several units, and still at 0.99


def test_a_larger_mask_gives_a_stronger_and_more_smeared_map_and_has_fewer_places(of_the_four):
    model, image, _, _ = of_the_four
    small, large = (attribution.occlusion(model, image, size=size, incremental=True) for size in (3, 14))
    assert large.maps[4].max() > 2 * small.maps[4].max()
    spread = [(o.maps[4] > o.maps[4].max() / 2).float().mean().item() for o in (small, large)]
    assert spread[1] > 5 * spread[0]
    assert large.predicted.numel() < small.predicted.numel()


def test_a_white_mask_hurts_on_the_strokes_too_and_more_on_the_paper_beside_them(of_the_four):
    model, image, ink, black = of_the_four
    white = attribution.occlusion(model, image, size=7, value=1.0).maps[4]
    beside = (F.max_pool2d(ink[None].float(), 7, 1, 3)[0] > 0) & ~ink
    assert 1 < white[ink].mean() < white[beside].mean()
    assert not ink.flatten()[white.argmax()]
    assert black.maps[4][ink].mean() > black.maps[4][beside].mean()
