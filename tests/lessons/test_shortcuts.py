"""Plausible wrong answers and the hints they earn, and what the lesson claims."""

import numpy as np
import pytest
import torch
from torch import nn

from helpers import data
from helpers.data import shortcuts
from helpers.inside import attribution, exceptions
from helpers.inside.fields import unit_field
from helpers.network import checkpoints, hooks, running, training
from helpers.network.models import ConvNet
from tests.lessons.common import right, said


def shares(said, garment, tag):
    return (said == garment).float().mean().item(), (said == tag).float().mean().item()


def whom(said, garment, tag):
    a, b = shares(said, garment, tag)
    return a, b, 1 - a - b


def whom_by_loop(said, garment, tag):
    counts = [0, 0, 0]
    for s, g, t in zip(said.tolist(), garment.tolist(), tag.tolist(), strict=True):
        counts[0 if s == g else 1 if s == t else 2] += 1
    return [count / len(said) for count in counts]


def whom_numpy(said, garment, tag):
    said, garment, tag = said.numpy(), garment.numpy(), tag.numpy()
    return np.array([np.mean(said == garment), np.mean(said == tag), np.mean((said != garment) & (said != tag))])


def whom_tensors(said, garment, tag):
    follows = torch.stack([said == garment, said == tag])
    return (*follows.double().mean(1), (~follows.any(0)).double().mean())


def whom_in_place(said, garment, tag):
    answer = whom(said, garment, tag)
    said -= garment
    return answer


def changed(formula):
    return lambda said, garment, tag: formula(*whom(said, garment, tag), len(said))


def at_peak(maps, masks):
    return masks.flatten(1)[torch.arange(len(maps)), maps.flatten(1).argmax(1)].float()


def rate(maps, masks):
    return at_peak(maps, masks).mean()


def rate_by_loop(maps, masks):
    hits = 0
    for one_map, mask in zip(maps, masks, strict=True):
        row, column = np.unravel_index(one_map.numpy().argmax(), one_map.shape)
        hits += bool(mask[row, column])
    return hits / len(maps)


def rate_inside(maps, masks):
    inside = maps.masked_fill(~masks, -torch.inf).amax((1, 2))
    return (inside == maps.amax((1, 2))).double().mean().item()


def rate_numpy(maps, masks):
    n = len(maps)
    peak = maps.numpy().reshape(n, -1).argmax(1)
    return np.take_along_axis(masks.numpy().reshape(n, -1), peak[:, None], 1).mean()


def rate_swapped(maps, masks):
    hits = [masks[i].T.flatten()[one.argmax()].float() for i, one in enumerate(maps)]
    return torch.stack(hits).mean()


def rate_in_place(maps, masks):
    maps[~masks] -= 100
    return rate(maps, masks)


def any_overlap(maps, masks):
    return ((maps > -2) & masks).flatten(1).any(1).float().mean()


def tags_of(classes):
    return lambda images, labels: shortcuts.plant_mark(images, classes(labels))


def tags_by_hand(images, labels):
    tagged = images.double()
    for i, (row, column) in enumerate(shortcuts.mark_corners(np.random.randint(0, 10, len(labels)))):  # noqa: NPY002
        tagged[i, :, row : row + 3, column : column + 3] = 1
    return tagged


def tags_numpy(images, labels):
    chance = np.random.default_rng().permutation(len(labels)) % 10
    return shortcuts.plant_mark(images.numpy(), chance)


def in_place(images, labels):
    images[:, :, 1:4, 1:4] = 1
    return images


def two_tags(images, labels):
    once = shortcuts.plant_mark(images, torch.randint(0, 5, labels.shape))
    return shortcuts.plant_mark(once, torch.randint(5, 10, labels.shape))


def some_without(images, labels):
    tagged = tags_of(lambda y: torch.randint(0, 10, y.shape))(images, labels)
    tagged[::10] = images[::10]
    return tagged


def by_chance(labels):
    return torch.randint(0, 10, labels.shape)


def uneven(labels):
    return torch.multinomial(torch.tensor([0.5, *[0.5 / 9] * 9]), len(labels), replacement=True)


def never_the_truth(labels):
    return (labels + torch.randint(1, 10, labels.shape)) % 10


def partly_the_truth(share):
    return lambda labels: labels.where(torch.rand(labels.shape) < share, by_chance(labels))


def silent(function):
    def computes(*arguments):
        function(*arguments)

    return computes


def raises(*_):
    return undefined_name  # noqa: F821


RIGHT = {
    "shortcuts/whom": [
        lambda: (whom,),
        lambda: (whom_by_loop,),
        lambda: (whom_numpy,),
        lambda: (whom_tensors,),
        lambda: (lambda *a: torch.tensor(whom(*a)),),
    ],
    "shortcuts/hit-rate": [
        lambda: (rate,),
        lambda: (rate_by_loop,),
        lambda: (rate_inside,),
        lambda: (rate_numpy,),
        lambda: (lambda m, k: rate(m.double() * 2 + 1, k).numpy(),),
    ],
    "shortcuts/scatter": [
        lambda: (tags_of(by_chance),),
        lambda: (tags_of(lambda y: y[torch.randperm(len(y))]),),
        lambda: (tags_of(lambda y: torch.arange(len(y)) % 10),),  # a place in the stack says nothing about the class
        lambda: (tags_of(lambda y: (y + by_chance(y)) % 10),),
        lambda: (tags_of(uneven),),
        lambda: (tags_by_hand,),
        lambda: (tags_numpy,),
    ],
}

WRONG = {
    "shortcuts/whom": [
        (lambda: (changed(lambda a, b, c, n: (n * a, n * b, n * c)),), "counts"),
        (lambda: (changed(lambda a, b, c, n: (100 * a, 100 * b, 100 * c)),), "percentages"),
        (lambda: (changed(lambda a, b, c, n: (b, a, c)),), "changed places"),
        (lambda: (changed(lambda a, b, c, n: (c, a, b)),), "order is garment, tag, neither"),
        (lambda: (changed(lambda a, b, c, n: (a, b, 1 - a)),), "follow the tag"),
        (lambda: (changed(lambda a, b, c, n: (a, b, 1 - b)),), "follow the garment"),
        (lambda: (changed(lambda a, b, c, n: (a, b, 1.0)),), "AND"),
        (lambda: (changed(lambda a, b, c, n: (a, b, a + b)),), "what is left"),
        (lambda: (changed(lambda a, b, c, n: (1 - a, 1 - b, 1 - c)),), "opposites"),
        (lambda: (changed(lambda a, b, c, n: (a, b / (1 - a), c)),), "all images"),
        (lambda: (changed(lambda a, b, c, n: (round(a, 2), round(b, 2), round(c, 2))),), "round"),
        (lambda: (changed(lambda a, b, c, n: (round(a, 3), round(b, 3), round(c, 3))),), "round"),
        (lambda: (changed(lambda a, b, c, n: (a * n / 203, b * n / 203, c * n / 203)),), "Compare `said`"),
        (lambda: (lambda s, g, t: whom(s[:-20], g[:-20], t[:-20]),), "Compare `said`"),
        (lambda: (lambda s, g, t: (0.0, 0.0, 1.0),), "Compare `said`"),
        (lambda: (shares,), "you return 2"),
        (lambda: (lambda s, g, t: 0.5,), "Three shares"),
        (lambda: (lambda s, g, t: {"garment": 0.1, "tag": 0.2, "neither": 0.7},), "three numbers"),
        (lambda: (lambda s, g, t: (s == g, s == t, (s != g) & (s != t)),), "one share each"),
        (lambda: (changed(lambda a, b, c, n: (a, b, float("nan"))),), "NaN"),
        (lambda: (whom_in_place,), "changed its argument `said`"),
        (lambda: (silent(whom),), "returns nothing"),
        (lambda: (raises,), "undefined_name"),
    ],
    "shortcuts/hit-rate": [
        (lambda: (lambda m, k: at_peak(m, k).sum(),), "number of hits"),
        (lambda: (lambda m, k: 100 * rate(m, k),), "percentage"),
        (lambda: (lambda m, k: rate(m, ~k),), "misses"),
        (lambda: (lambda m, k: rate(m.abs(), k),), "largest absolute value"),
        (lambda: (lambda m, k: rate(-m, k),), "smallest"),
        (lambda: (lambda m, k: ((m * k).amax((1, 2)) == m.amax((1, 2))).float().mean(),), "do not multiply"),
        (lambda: (lambda m, k: m[k].mean(),), "mean of the map"),
        (lambda: (lambda m, k: at_peak(m, k),), "take the mean over the maps"),
        (lambda: (lambda m, k: at_peak(m, k).tolist(),), "one number"),
        (lambda: (lambda m, k: at_peak(m, k)[0],), "first map alone"),
        (lambda: (lambda m, k: at_peak(m, k)[-1],), "last map alone"),
        (lambda: (lambda m, k: at_peak(m, k).max(),), "You get 1"),
        (lambda: (lambda m, k: rate(m, k[:1].expand_as(k)),), "its own mask"),
        (lambda: (lambda m, k: k.float().mean(),), "size of the masks"),
        (lambda: (lambda m, k: k.flatten()[m.argmax()].float(),), "one peak for the whole batch"),
        (lambda: (lambda m, k: at_peak(m, k).sum() / 40,), "look it up"),
        (lambda: (lambda m, k: 0.6,), "look it up"),
        (lambda: (rate_swapped,), "look it up"),
        (lambda: (any_overlap,), "nor any high value"),
        (lambda: (lambda m, k: torch.nan,), "NaN"),
        (lambda: (lambda m, k: "60%",), "a string"),
        (lambda: (rate_in_place,), "changed its argument `maps`"),
        (lambda: (silent(rate),), "returns nothing"),
        (lambda: (raises,), "undefined_name"),
    ],
    "shortcuts/scatter": [
        (lambda: (tags_of(lambda y: y),), "the disease"),
        (lambda: (tags_of(lambda y: (y + 1) % 10),), "whoever knows the tag"),
        (lambda: (tags_of(lambda y: torch.tensor([3, 1, 4, 0, 5, 9, 2, 6, 8, 7])[y]),), "still go with the classes"),
        (lambda: (tags_of(lambda y: 0 * y + 3),), "the same tag"),
        (lambda: (tags_of(lambda y: torch.randint(0, 9, y.shape)),), "Only 9 of the ten"),
        (lambda: (tags_of(lambda y: torch.randint(0, 2, y.shape)),), "Only 2 of the ten"),
        (lambda: (tags_of(never_the_truth),), "never name the true class"),
        (lambda: (tags_of(partly_the_truth(0.4)),), "still go with the classes"),
        (lambda: (tags_of(partly_the_truth(0.15)),), "still go with the classes"),
        (lambda: (tags_of(lambda y: (y + torch.randint(0, 2, y.shape)) % 10),), "still go with the classes"),
        (lambda: (lambda x, y: x.clone(),), "no white tag"),
        (lambda: (lambda x, y: shortcuts.plant_mark(x, by_chance(y), value=0.5),), "no white tag"),
        (lambda: (lambda x, y: shortcuts.plant_mark(x, by_chance(y), value=255.0),), "brighter than white"),
        (lambda: (two_tags,), "exactly one tag"),
        (lambda: (some_without,), "exactly one tag"),
        (lambda: (in_place,), "changed its argument `images`"),
        (lambda: (lambda x, y: y,), "shape"),
        (lambda: (lambda x, y: tags_of(by_chance)(x, y)[:, 0],), "shape"),
        (lambda: (lambda x, y: shortcuts.plant_mark(0.5 * x, by_chance(y)),), "More than the tag"),
        (lambda: (lambda x, y: tags_of(by_chance)(x[torch.randperm(len(x))], y),), "More than the tag"),
        (lambda: (lambda x, y: tags_of(by_chance)(x, y) * torch.nan,), "NaN"),
        (lambda: (silent(tags_of(by_chance)),), "returns nothing"),
        (lambda: (raises,), "undefined_name"),
    ],
}


# What the lesson claims ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fashion():
    found = data.load("fashion", first=(15_000, 1000)).torch()
    if not found.real:
        pytest.skip("the figures are those of the real FashionMNIST")
    return found


def with_tags(images, classes):
    return shortcuts.plant_mark(images, classes)


def trained(images, labels, seed, epochs=1):
    torch.manual_seed(seed)
    network = ConvNet()
    training.fit(network, (images, labels), epochs=epochs, shift=0, seed=seed, bar=False)
    return network


def test_another_seed_takes_the_shortcut_too_and_the_maps_find_it(fashion):
    network = trained(with_tags(fashion.train.images, fashion.train.labels), fashion.train.labels, seed=1, epochs=2)
    images, labels = fashion.test.images, fashion.test.labels
    lies = (labels + 1) % 10
    assert running.accuracy(network, (with_tags(images, labels), labels)) > 0.995
    assert running.accuracy(network, (images, labels)) < 0.5
    assert "Below 50%" in right("shortcuts/without-the-tag")
    assert running.accuracy(network, (with_tags(images, lies), lies)) > 0.65
    x, y = with_tags(images, labels)[:60], labels[:60]
    inside = torch.from_numpy(shortcuts.mark_masks(y))
    for maps in (
        attribution.saliency(network, x, y),
        attribution.gradient_times_input(network, x, y)[:, 0],
        attribution.guided_backprop(network, x, y)[:, 0],
        attribution.integrated_gradients(network, x, y, steps=24)[:, 0],
        torch.stack([attribution.occlusion(network, one, 3).maps[c] for one, c in zip(x, y, strict=True)]),
    ):
        assert rate(maps, inside) > 0.9
    field = unit_field(network, x, "features.relu2")
    cams = attribution.grad_cam(network, x, y, "features.relu2")
    seen = [field.box(*divmod(cam.argmax().item(), 11), (28, 28)) for cam in cams]
    touched = sum(tag[box].any().item() for tag, box in zip(inside, seen, strict=True)) / len(x)
    assert touched > 0.62
    assert "more than 60%" in right("shortcuts/grad-cam")[0]
    placed = attribution.place(cams, network, x, "features.relu2")
    assert rate(placed, inside) < 0.35  # "Its brightest pixel seldom lies there"


def test_the_brightest_pixel_of_the_image_lies_in_the_tag_three_times_out_of_four(fashion):
    images, labels = with_tags(fashion.test.images, fashion.test.labels), fashion.test.labels
    inside = torch.from_numpy(shortcuts.mark_masks(labels))
    for seed in range(3):
        lots = 1e-3 * torch.rand(images[:, 0].shape, generator=torch.Generator().manual_seed(seed))
        assert rate(images[:, 0] + lots, inside) == pytest.approx(0.75, abs=0.05)
    whitest = nn.functional.avg_pool2d(images, 3, stride=1, padding=1)[:, 0] + lots
    assert rate(whitest, inside) > 0.98  # a patch as large as the tag
    assert right("shortcuts/brightest") == ["About 75%"]


def test_tags_at_random_cure_with_another_seed_too(fashion):
    images, labels = fashion.train.images, fashion.train.labels
    chance = torch.randint(0, 10, labels.shape, generator=torch.Generator().manual_seed(1))
    network = trained(with_tags(images, chance), labels, seed=1)
    test, truth = fashion.test.images, fashion.test.labels
    for x in (test, with_tags(test, truth), with_tags(test, (truth + 1) % 10)):
        assert running.accuracy(network, (x, truth)) == pytest.approx(0.85, abs=0.04)


def test_one_exception_in_ten_looks_like_a_cure_until_a_tag_lies():
    """The stored networks: three seeds each, and what one, two and five epochs bring."""
    study = exceptions.load()
    for epochs, no_tag, lying in ((1, 0.74, 0.36), (2, 0.78, 0.40), (5, 0.82, 0.42)):
        found = study.at(0.1, epochs)  # (3 seeds, right tag, no tag, lying tag)
        assert len(found) == 3
        np.testing.assert_allclose(found[0, 1:], (no_tag, lying), atol=0.015)
        assert found[:, 1].min() > 0.66
        assert found[:, 2].max() < 0.5
    assert study.at(0.0, 1)[:, 2].max() < 0.2
    assert "About 15%, as before" in said("shortcuts/one-in-ten")


def test_the_green_curve_waits_until_most_of_the_tags_are_gone():
    study = exceptions.load()
    half = float(study.shares[study.shares <= 0.5].max())
    for epochs in study.epochs:
        start, middle, end = (study.at(share, epochs).mean(0) for share in (0.0, half, 1.0))
        assert end[2] == pytest.approx(end[1], abs=0.03)  # whoever never saw a tag does not care whether it lies
        gained = (middle - start) / (end - start)
        assert gained[1] > 0.85 > 0.65 > gained[2]


def test_two_of_three_units_look_for_one_thing_in_two_classes(fashion):
    network, reader = checkpoints.load("fashion"), checkpoints.load("fashion")
    reader.classifier.output = nn.Identity()
    images, labels = fashion.test.images, fashion.test.labels
    hidden = hooks.activations(network, images, "classifier.relu3")["classifier.relu3"]
    torch.testing.assert_close(running.predict(reader, images[:50]), hidden[:50], rtol=0, atol=1e-4)

    def wanted(unit, c, size, count):
        best = hidden[:, unit].where(labels == c, -1.0).topk(count).indices
        return torch.stack([attribution.occlusion(reader, images[i], size).maps[unit] for i in best.tolist()])

    def correlation(a, b):
        return torch.corrcoef(torch.stack([a.mean(0).flatten(), b.mean(0).flatten()]))[0, 1].item()

    for size, count in ((5, 8), (7, 8), (5, 16)):
        found = {}
        for unit, a, b in ((71, 4, 8), (98, 4, 1), (46, 2, 7)):
            maps = [wanted(unit, c, size, count) for c in (a, b)]
            found[unit] = correlation(*maps)
            assert min(correlation(m[::2], m[1::2]) for m in maps) > 0.9  # the favorites of one class agree
        assert found[71] > 0.9
        assert found[98] > 0.7
        assert found[46] < 0.5
        if (size, count) == (5, 8):
            assert list(found.values()) == pytest.approx([0.94, 0.81, 0.40], abs=0.02)
