"""Right and wrong answers to its exercises, and the claims of its prose and its predictions."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from helpers import data
from helpers.inside import unlabeled
from helpers.network import photonet
from tests.lessons.common import endless, printing, right


def centered(rows):
    return rows - rows.mean(0)


def axes(rows):
    return np.linalg.eigh(np.cov(rows, rowvar=False))


def by_axes(rows):
    spread, directions = axes(rows)
    return centered(rows) @ directions / np.sqrt(spread)


def turned_back(rows):
    spread, directions = axes(rows)
    return centered(rows) @ directions @ np.diag(spread**-0.5) @ directions.T


def triangular(rows):
    return np.linalg.solve(np.linalg.cholesky(np.cov(rows.T)), centered(rows).T).T


def by_svd(rows):
    left, _, _ = np.linalg.svd(centered(rows), full_matrices=False)
    return torch.from_numpy(left * len(rows) ** 0.5)


def along(power, rows, center=centered):
    spread, directions = axes(rows)
    return center(rows) @ directions * spread**power


def wrong_way(rows):
    spread, directions = axes(rows)
    return centered(rows) @ directions.T / np.sqrt(spread)


def tiny(rows):
    return np.linalg.svd(centered(rows), full_matrices=False)[0]


def cosine(a, b):
    return (a * b).sum() / a.norm() / b.norm()


def parts(small, large, short=0, step=1):
    k, places = small.shape[1], large.shape[1] - small.shape[1] + 1
    starts = range(0, max(places - short, 1), step)
    return [large[:, r : r + k, c : c + k] for r in starts for c in starts]


def never_the_last(small, large):
    return max([abs(cosine(small, part)) for part in parts(small, large, 1)], default=0) * (small.shape < large.shape)


def loudest(small, large):
    return abs(cosine(small, max(parts(small, large), key=lambda part: abs((small * part).sum()))))


def looped(small, large):
    return max(abs(cosine(small, part)) for part in parts(small, large))


def convolved(small, large):
    products = functional.conv2d(large[None], small[None])
    sizes = functional.conv2d(large[None] ** 2, torch.ones_like(small)[None]).sqrt()
    return (products / sizes / small.norm()).abs().max()


def unfolded(small, large):
    columns = functional.unfold(large[None], small.shape[1])[0].T
    return functional.cosine_similarity(columns, small.flatten()[None]).abs().max().item()


RIGHT = {
    "without_labels/white": [
        lambda: (by_axes,),
        lambda: (turned_back,),
        lambda: (triangular,),
        lambda: (by_svd,),
    ],
    "without_labels/anywhere": [
        lambda: (looped,),
        lambda: (convolved,),
        lambda: (unfolded,),
        lambda: (lambda small, large: float(looped(small.double(), large.double())),),
        lambda: (lambda a, b: max(abs((a * part).sum()) / (a.norm() * part.norm() + 1e-6) for part in parts(a, b)),),
    ],
}

WRONG = {
    "without_labels/white": [
        (lambda: (lambda rows: along(0, rows),), "Now divide along each"),
        (lambda: (lambda rows: along(-1, rows),), "You divide by the variance"),
        (lambda: (lambda rows: along(0.5, rows),), "You multiply by the standard deviation"),
        (lambda: (lambda rows: along(1, rows),), "You multiply by the variance"),
        (lambda: (lambda rows: along(-0.5, rows, lambda x: x),), "the mean is not 0"),
        (lambda: (lambda rows: centered(rows) / rows.std(0),), "still correlate"),
        (lambda: (wrong_way,), "COLUMNS"),
        (lambda: (centered,), "is not the identity"),
        (lambda: (tiny,), "by too little"),
        (lambda: (lambda rows: np.random.default_rng(0).normal(size=rows.shape),), "no longer the given points"),
        (lambda: (lambda rows: by_axes(rows).T,), "The shape should be"),
        (lambda: (printing,), "is there a `return`"),
        (lambda: (endless,), "never ends"),
    ],
    "without_labels/anywhere": [
        (lambda: (lambda a, b: max(cosine(a, part) for part in parts(a, b)),), "sign should not count"),
        (lambda: (lambda a, b: min(cosine(a, part) for part in parts(a, b)),), "ABSOLUTE"),
        (lambda: (lambda a, b: abs(cosine(a, parts(a, b)[0])),), "one place only"),
        (lambda: (lambda a, b: abs(cosine(a, parts(a, b)[-1])),), "last place only"),
        (lambda: (lambda a, b: max(abs(cosine(a, part)) for part in parts(a, b, 1)),), "s − k + 1"),
        (lambda: (never_the_last,), "s − k + 1"),
        (lambda: (lambda a, b: max(abs(cosine(a, part)) for part in parts(a, b, step=a.shape[1])),), "At each place"),
        (lambda: (lambda a, b: max(looped(a[[i]], b[[i]]) for i in range(3)),), "At each place"),
        (lambda: (loudest,), "At each place"),
        (
            lambda: (
                lambda a, b: max(abs((a * part).sum()) / (a.norm() * part.norm() + 1e-3) for part in parts(a, b)),
            ),
            "At each place",
        ),
        (lambda: (lambda a, b: max(abs((a * part).sum()) for part in parts(a, b)),), "a product, not a cosine"),
        (
            lambda: (lambda a, b: max(abs((a * part).sum()) / part.norm() for part in parts(a, b)),),
            "small filter as well",
        ),
        (lambda: (lambda a, b: max(abs((a * part).sum()) / a.norm() for part in parts(a, b)),), "part as well"),
        (
            lambda: (lambda a, b: max(abs((a * part).sum()) / a.norm() / b.norm() for part in parts(a, b)),),
            "not of the whole large one",
        ),
        (lambda: (lambda a, b: looped(a[:1], b[:1]),), "first color only"),
        (lambda: (lambda a, b: sum(abs(cosine(a, part)) for part in parts(a, b)) / len(parts(a, b)),), "the mean"),
        (lambda: (lambda a, b: torch.tensor(1.0),), "Return the largest"),
        (lambda: (printing,), "is there a `return`"),
    ],
}


def test_relatives_are_nearer_than_chance_with_another_seed():
    """The lesson's comparison, on another start and other patches."""
    network = photonet.load()
    if not network.trained:
        pytest.skip("the network's file is not here")
    labeled = network.conv1.weight.detach()
    cut = unlabeled.patches([data.photo(name) for name in ("china", "flower", "hopper")], 20_000, 9, seed=1)
    found = unlabeled.learn(cut, 96, 100, steps=1000, seed=1)
    plain = torch.from_numpy(unlabeled.normalized(cut[:96])).view(-1, 3, 9, 9)
    likeness = [unlabeled.relatives(bank, labeled).cosines.abs() for bank in (found.patterns, found.start, plain)]
    assert likeness[0].mean() > 0.06 + max(likeness[1].mean(), likeness[2].mean())
    assert (likeness[0] > likeness[1]).sum() > 70


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_formula_comes_as_near_as_learning_does(seed):
    """Bars and gratings of random angle, width and phase, 56 gray and 40 in two opponent colors, from no photograph."""
    network = photonet.load()
    if not network.trained:
        pytest.skip("the network's file is not here")
    rng = torch.Generator().manual_seed(seed)
    down, across = torch.meshgrid(torch.arange(9.0) - 4, torch.arange(9.0) - 4, indexing="ij")
    angle, width, phase = torch.rand(3, 96, 1, 1, generator=rng) * torch.tensor([3.14, 0.25, 6.28]).view(3, 1, 1, 1)
    wave = torch.cos(6.28 * (0.1 + width) * (across * angle.cos() + down * angle.sin()) + phase)
    opponents = torch.tensor([[1.0, -1, 0], [1, 1, -1], [0, 1, -1], [1, -1, 1]]).repeat(10, 1)
    colors = torch.cat([torch.ones(56, 3), opponents])
    drawn = colors[:, :, None, None] * (torch.exp(-(down**2 + across**2) / 12.5) * wave)[:, None]
    found = unlabeled.relatives(drawn, network.conv1.weight.detach()).cosines.abs().mean()
    assert 0.61 < found < 0.67


def test_the_predictions_are_what_the_lesson_finds():
    assert right("without_labels/look")[0].startswith("Short bars")
    assert right("without_labels/shuffled")[0].startswith("Bars and color stripes")
