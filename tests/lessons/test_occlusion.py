"""Right and wrong answers to its exercises, and the claims of its prose and its predictions."""

import copy

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from helpers import data
from helpers.inside import faithfulness
from helpers.inside.occlusion import cover, fill_of, occlusion
from helpers.network import checkpoints, running, training
from helpers.network.hooks import activations
from helpers.network.models import ConvNet
from tests.lessons.common import printing, right, said


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


def together(none, one, two, both):
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
    return combined(together)(model, image, target, first, first, size)


def synergy_darkest(model, image, target, first, second, size=7):
    """Covers with the darkest pixel of the image."""
    darkest = float(image.min())
    return synergy_batch(lambda batch: model(batch + darkest), image - darkest, target, first, second, size)


def synergy_trains(model, image, target, first, second, size=7):
    model.train()
    return combined(together)(model, image, target, first, second, size)


def synergy_freezes(model, image, target, first, second, size=7):
    model.requires_grad_(False)
    return combined(together)(model, image, target, first, second, size)


def synergy_paints_on(model, image, target, first, second, size=7):
    none = model(image[None])[0, target]
    image[:, first[0] : first[0] + size, first[1] : first[1] + size] = 0
    one = model(image[None])[0, target]
    image[:, second[0] : second[0] + size, second[1] : second[1] + size] = 0
    both = model(image[None])[0, target]
    return together(none, one, one, both)


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
    "occlusion/spread": [
        lambda: (spread,),
        lambda: (spread_numpy,),
        lambda: (spread_transposed_convolution,),
        lambda: (spread_padded,),
        lambda: (lambda d, s: spread(d, s).tolist(),),
    ],
    "occlusion/synergy": [
        lambda: (combined(together),),
        lambda: (combined(lambda *scores: together(*scores).item()),),
        lambda: (synergy_batch,),
        lambda: (synergy_precise,),
        lambda: (combined(together, paint=painted_by_mask),),
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
        (lambda: (lambda i, r, c, s, v=0.5: painted(i, r, c, s, v),), "keep `v=0.0`"),
        (
            lambda: (lambda i, r, c, s, v: painted_by_mask(i - v, r, c, s) * 0 + painted(i, r, c, s, v) * torch.nan,),
            "NaN",
        ),
        (lambda: (painted_and_forgotten,), "nothing is covered"),
        (lambda: (lambda i, *_: i[0],), "shape"),
        (lambda: (lambda i, r, c, s, v: i[:, r : r + s, c : c + s],), "shape"),
        (lambda: (printing,), "is there a `return`"),
        (lambda: (raises,), "undefined_name"),
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
        (lambda: (printing,), "is there a `return`"),
        (lambda: (raises,), "undefined_name"),
    ],
    "occlusion/synergy": [
        (lambda: (synergy_darkest,), "each the logit of `target` for a fresh copy"),
        (lambda: (combined(lambda n, a, b, both: n - both),), "joint drop"),
        (lambda: (combined(lambda *s: -together(*s)),), "turned around"),
        (lambda: (combined(lambda *s: together(*s).abs()),), "Keep the sign"),
        (lambda: (combined(lambda n, a, b, both: n - a + n - b),), "sum of the single drops"),
        (lambda: (combined(lambda n, a, b, both: n - both + n - a + n - b),), "added all three"),
        (lambda: (combined(lambda n, a, b, both: a - both),), "second mask alone is missing"),
        (lambda: (combined(lambda n, a, b, both: b - both),), "first mask alone is missing"),
        (lambda: (combined(lambda n, a, b, both: (a + b) / 2 - both),), "not their mean"),
        (lambda: (combined(lambda n, a, b, both: n - b),), "what the second mask does alone"),
        (lambda: (combined(together, lambda z, c: z.softmax(0)[c]),), "not the probability"),
        (lambda: (combined(together, lambda z, c: z.log_softmax(0)[c]),), "logarithm"),
        (lambda: (combined(together, lambda z, c: z.max()),), "Read the logit of `target`"),
        (lambda: (combined(together, lambda z, c: z[4]),), "Read the logit of `target`"),
        (lambda: (combined(together, lambda z, c: z.sum()),), "added up"),
        (lambda: (combined(lambda n, a, b, both: both - a - b),), "measured from it"),
        (lambda: (combined(together, paint=lambda i, r, c, s: painted(i, c, r, s)),), "exchanged"),
        (lambda: (combined(together, paint=lambda i, r, c, s: painted(i, r, c, s, 1.0)),), "with black"),
        (lambda: (combined(together, paint=lambda i, r, c, s: painted(i, r, c, s + 1)),), "too wide"),
        (lambda: (combined(together, paint=lambda i, r, c, s: painted(i, r, c, s - 1)),), "too narrow"),
        (lambda: (combined(together, paint=lambda i, r, c, s: painted(i, r, c, 7)),), "always 7"),
        (lambda: (combined(together, paint=lambda i, r, c, s: painted(i, r, c, s, i.mean())),), "fresh copy"),
        (lambda: (synergy_first_always,), "fresh copy"),
        (lambda: (lambda m, i, t, a, b, size=5: combined(together)(m, i, t, a, b, size),), "keep `size=7`"),
        (lambda: (synergy_paints_on,), "changed its argument `image`"),
        (lambda: (synergy_trains,), "training mode"),
        (lambda: (synergy_freezes,), "frozen"),
        (lambda: (lambda *_: 0,), "fresh copy"),
        (lambda: (lambda *_: float("nan"),), "NaN"),
        (lambda: (lambda *_: "much",), "one number"),
        (lambda: (combined(together, lambda z, c: z),), "`target` alone"),
        (lambda: (printing,), "is there a `return`"),
        (lambda: (raises,), "undefined_name"),
    ],
}


# -- what the prose says ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits():
    """The first 100 test images, their labels, and the trained network."""
    mnist = data.load("mnist", first=(6000, 1000)).torch()
    if not mnist.real:
        pytest.skip("the figures are those of the real MNIST")
    return mnist, mnist.test.images[:100], mnist.test.labels[:100], checkpoints.load("mnist")


def seen(network, images, **mask):
    return [occlusion(network, image, **mask) for image in images]


def own(results, labels):
    return torch.stack([result.maps[c] for result, c in zip(results, labels, strict=True)])


def changed(results, labels):
    return torch.stack([result.predicted != c for result, c in zip(results, labels, strict=True)])


def test_what_the_prediction_about_the_probability_says(digits):
    _, images, _, network = digits
    found = occlusion(network, images[4])
    drops, chance = found.drops[..., 4], found.base.softmax(0)[4] - found.probabilities[..., 4]
    assert (drops.abs() < 1e-5).float().mean().item() == pytest.approx(0.16, abs=0.005)
    assert (drops.abs() < 1).float().mean().item() == pytest.approx(0.45, abs=0.01)
    assert (chance.abs() < 0.01).float().mean().item() == pytest.approx(0.77, abs=0.01)
    assert drops[chance.abs() < 0.01].max() > 5  # "several units"
    assert found.base.softmax(0)[4] > 0.999


def test_how_many_answers_a_mask_can_change(digits):
    _, images, labels, network = digits
    assert (network(images).argmax(1) == labels).all()
    small = changed(seen(network, images, size=3), labels)
    assert small.flatten(1).any(1).sum() == 20
    assert "20" in said("occlusion/flips")
    assert right("occlusion/flips") == ["For more than half"]


def correlation(one, other):
    return np.corrcoef(one.flatten(), other.flatten())[0, 1]


def test_what_the_maps_of_other_classes_say_about_fifty_fours(digits):
    mnist, _, _, network = digits
    fours = mnist.test.images[mnist.test.labels == 4][:50]
    maps = torch.stack([result.maps for result in seen(network, fours)])  # (50, 10, 28, 28)
    middle = (fours[:, 0].sum(1) * torch.arange(28)).sum(1) / fours.sum((1, 2, 3))  # the mean column of the ink
    assert (maps[:, 7].flatten(1).argmin(1) % 28 < middle).sum() == 49
    alike = [max((correlation(ten[4], ten[c]), c) for c in range(10) if c != 4)[1] for ten in maps]
    assert alike.count(9) == 41


def test_a_larger_mask_gives_a_stronger_and_more_smeared_map_and_there_are_fewer_of_them(digits):
    _, images, labels, network = digits
    images, labels = images[:40], labels[:40]
    small, large = seen(network, images, size=3), seen(network, images, size=14)
    assert [results[0].predicted.numel() for results in (small, large)] == [676, 225]
    thin, wide = own(small, labels), own(large, labels)
    assert (wide.amax((1, 2)) > 1.4 * thin.amax((1, 2))).all()
    half = [(maps > maps.amax((1, 2), keepdim=True) / 2).float().mean((1, 2)) for maps in (thin, wide)]
    assert (half[1] > 8 * half[0]).all()


def test_stride_two_loses_next_to_nothing_and_stride_seven_depends_on_where_the_first_mask_lies(digits):
    _, images, labels, network = digits
    images, labels = images[:40], labels[:40]
    moved = F.pad(images, (3, -3, 3, -3))
    stays = {}
    for stride in (1, 2, 7):
        here, there = (own(seen(network, x, stride=stride), labels) for x in (images, moved))
        stays[stride] = np.mean([correlation(a[:25, :25], b[3:, 3:]) for a, b in zip(here, there, strict=True)])
        if stride == 1:
            smooth = here
        if stride == 2:
            assert min(correlation(a, b) for a, b in zip(smooth, here, strict=True)) > 0.96
    assert stays[1] > 0.8
    assert stays[2] > 0.8
    assert stays[7] < 0.5


def test_a_white_mask_hurts_on_the_strokes_too_and_more_on_the_paper_beside_them(digits):
    _, images, labels, network = digits
    images, labels = images[:40], labels[:40]
    black, white = (own(seen(network, images, value=v), labels) for v in (0.0, 1.0))
    ink = images[:, 0] > 0
    beside = (F.max_pool2d(images, 7, 1, 3)[:, 0] > 0) & ~ink
    assert 1 < white[4][ink[4]].mean() < white[4][beside[4]].mean()
    assert white[ink].mean() < white[beside].mean()
    assert black[ink].mean() > 1.5 * black[beside].mean()
    peak = divmod(int(white[4].argmax()), 28)
    assert peak[0] < 10  # in the gap at the top
    assert 9 < peak[1] < 19
    blurred, mean = (
        torch.stack([occlusion(network, x, value=fill_of(n, x)).maps[c] for x, c in zip(images, labels, strict=True)])
        for n in ("blur", "mean")
    )
    for alike in (blurred, mean):
        assert np.corrcoef(alike.flatten(), black.flatten())[0, 1] > 0.85
    assert images.mean() < 0.15  # "the mean of so dark an image is nearly black"


def left_after(network, images, labels, order, k):
    order = order.flatten(1).argsort(dim=1, descending=True)[:, :k]
    left = images.flatten(1).scatter(1, order, 0.0).view_as(images)
    with torch.no_grad():
        return network(left)[range(len(labels)), labels]


def untrained(seed):
    with running.seeded(seed):
        return ConvNet().eval()


def test_which_map_deletes_best_and_what_it_deletes(digits):
    _, images, labels, network = digits
    maps = {size: own(seen(network, images, size=size), labels) for size in (3, 7)}
    ink = images[:, 0] > 0
    for size, share in ((3, 0.02), (7, 0.18)):
        first = maps[size].flatten(1).argsort(dim=1, descending=True)[:, :32]
        assert (~ink.flatten(1).gather(1, first)).float().mean().item() == pytest.approx(share, abs=0.006)
    for seed in range(3):  # the controls that depend on luck, drawn three times
        random = torch.rand(ink.shape, generator=torch.Generator().manual_seed(seed)) * ink
        control = own(seen(untrained(seed), images, size=3, stride=2), labels)
        for k in (10, 30, 85):
            orders = (maps[3], maps[7], images[:, 0], random)
            fine, coarse, bright, chance = (left_after(network, images, labels, o, k).mean() for o in orders)
            assert fine < min(coarse, bright, chance)
            assert chance > max(fine, coarse, bright)
            assert (coarse > bright) == (k > 12)
            assert fine < left_after(network, images, labels, control, k).mean() - 1


def test_the_fine_map_wins_for_another_network_too(digits):
    mnist, images, labels, _ = digits
    images, labels = images[:50], labels[:50]
    with running.seeded(5):
        other = ConvNet()
        training.fit(other, mnist.train, epochs=1, lr=0.05, bar=False)
    other.eval()
    fine, ink = own(seen(other, images, size=3), labels), images[:, 0] > 0
    random = torch.rand(ink.shape, generator=torch.Generator().manual_seed(0)) * ink
    for k in (10, 30, 60):
        best, *rest = (left_after(other, images, labels, o, k).mean() for o in (fine, images[:, 0], random))
        assert best < min(rest)


def test_deletion_in_the_lesson_is_deletion_in_the_library(digits):
    _, images, labels, network = digits
    order = torch.rand(100, 28, 28, generator=torch.Generator().manual_seed(0))  # without ties
    theirs = faithfulness.deletion(network, images, order, labels, steps=5, until=100 / 784).logits
    ours = torch.stack([left_after(network, images, labels, order, k) for k in range(0, 101, 20)], 1)
    assert torch.allclose(theirs, ours, atol=1e-3)


def test_what_the_explorer_shows_when_you_try_what_the_lesson_says(digits):
    _, images, _, network = digits
    white = occlusion(network, images[4], value=1.0)
    assert white.predicted[4, 11] == 9
    assert (occlusion(network, images[4], 3, value=1.0).predicted == 4).all()
    nine = {size: occlusion(network, images[7], size) for size in (1, 2, 3)}
    assert all((nine[size].predicted == 9).all() for size in (1, 2))
    assert (nine[3].predicted != 9).nonzero().tolist() == [[13, 8]]
    assert nine[3].predicted[13, 8] == 3
    five = occlusion(network, images[8]).drops[..., 5]
    assert divmod(int(five.argmin()), 22) == (14, 8)
    assert float(five.min()) == pytest.approx(-2.6, abs=0.05)


def test_how_far_a_mask_reaches(digits):
    _, images, _, network = digits
    names = ["features.relu1", "features.pool1", "features.relu2"]
    inner = [(row, column) for row in range(6, 14) for column in range(6, 14)]
    covered = torch.stack([cover(images[4], *corner, 7, 1.0) for corner in inner])
    before, after = (activations(network, x, names) for x in (images[4:5], covered))
    for name, side in zip(names, (9, 5, 7), strict=True):
        differs = ((before[name] - after[name]).abs() > 1e-4).any(1)  # (masks, rows, columns)
        assert max(int(differs.any(axis).sum(1).max()) for axis in (1, 2)) == side
