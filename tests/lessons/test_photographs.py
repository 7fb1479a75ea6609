"""Right and wrong answers to its exercises, and the claims of its prose and its predictions."""

import copy
import math

import numpy as np
import pytest
import torch

from helpers import data
from helpers.data import download
from helpers.inside import maximize, occlusion, photo_ascent
from helpers.inside.patches import most_exciting
from helpers.network import checkpoints, photonet, running
from helpers.network.models import ConvNet
from helpers.network.running import predict
from tests.lessons.common import endless, printing, right, said

needs_the_file = pytest.mark.skipif(download.find_network().arrays is None, reason="the file is not at hand")


def means(maps):
    return maps.mean((2, 3))


def looped(maps):
    return [int(torch.stack([one.mean() for one in image]).argmax()) for image in maps]


def fire(c, s, e):
    return c * s + s + s * e + e + 9 * s * e + e


def counted(channels, squeezed, expanded):
    return sum(p.numel() for p in photonet.Fire(channels, squeezed, expanded).parameters())


def layer(maps, filters, side):
    return filters * (maps * side**2 + 1)


def by_layers(channels, squeezed, expanded):
    return np.int64(layer(channels, squeezed, 1) + layer(squeezed, expanded, 1) + layer(squeezed, expanded, 3))


def cut(score, weights, count):
    return weights * (score >= score.flatten().sort(descending=True).values[count - 1])


def strongest(weights, keep):
    return cut(weights.abs(), weights, round(keep * weights.numel()))


def by_index(weights, keep):
    out = torch.zeros_like(weights).flatten()
    chosen = weights.abs().flatten().topk(round(keep * weights.numel())).indices
    out[chosen] = weights.flatten()[chosen]
    return out.view_as(weights)


def by_quantile(weights, keep):
    w = weights.double().numpy()
    return np.where(np.abs(w) >= np.quantile(np.abs(w), 1 - keep), w, 0)


def one_by_one(weights, keep):
    flat = weights.flatten().tolist()
    last = sorted(map(abs, flat))[-round(keep * len(flat))]
    return np.reshape([w if abs(w) >= last else 0.0 for w in flat], weights.shape)


def in_place(weights, keep):
    weights[weights.abs() < weights.abs().flatten().quantile(1 - keep)] = 0
    return weights


RIGHT = {
    "photographs/classes": [
        lambda: (lambda maps: means(maps).argmax(1),),
        lambda: (lambda maps: maps.numpy().sum(axis=(2, 3)).argmax(axis=1),),
        lambda: (looped,),
        lambda: (lambda maps: means(maps).softmax(1).max(1).indices.float(),),
        lambda: (lambda maps: maps.flatten(2).mean(-1).topk(1).indices[:, 0].tolist(),),
    ],
    "photographs/fire": [
        lambda: (fire,),
        lambda: (counted,),
        lambda: (by_layers,),
        lambda: (lambda c, s, e: s * (c + 1) + 2 * e * (5 * s + 1),),
        lambda: (lambda c, s, e: (c + 1) * s + (s + 1) * e + (math.pow(3, 2) * s + 1) * e,),
    ],
    "photographs/pruned": [
        lambda: (strongest,),
        lambda: (by_index,),
        lambda: (by_quantile,),
        lambda: (one_by_one,),
    ],
}

WRONG = {
    "photographs/classes": [
        (lambda: (lambda maps: maps.amax((2, 3)).argmax(1),), "highest single place"),
        (lambda: (lambda maps: maps.argmax(1).flatten(1).mode(1).values,), "no vote of the places"),
        (lambda: (lambda maps: maps.flatten(2).median(2).values.argmax(1),), "no median"),
        (lambda: (lambda maps: means(maps.softmax(1)).argmax(1),), "no vote of the places"),
        (lambda: (lambda maps: means(maps**2).argmax(1),), "The mean of each map"),
        (lambda: (lambda maps: maps.std((2, 3)).argmax(1),), "The mean of each map"),
        (lambda: (lambda maps: means(maps).argmin(1),), "smallest logits"),
        (lambda: (lambda maps: means(maps)[:1].argmax(1),), "first image only"),
        (lambda: (means,), "return which class"),
        (lambda: (lambda maps: means(maps).amax(1),), "the numbers of their classes"),
        (lambda: (lambda maps: maps.mean((1, 2, 3)),), "over the classes too"),
        (lambda: (lambda maps: maps.mean((0, 2, 3)).argmax(),), "over the images too"),
        (lambda: (lambda maps: means(maps).argmax(1) + 1,), "counted from 0"),
        (lambda: (lambda maps: means(maps).argmax(0),), "The shape should be"),
        (lambda: (lambda maps: maps.mean(3).argmax(1),), "The shape should be"),
        (lambda: (lambda maps: maps[:, :, 1:, :].mean((2, 3)).argsort(1)[:, -2],), "The mean of each map"),
        (lambda: (lambda maps: maps.zero_().mean((2, 3)).argmax(1),), "changed its argument"),
        (lambda: (printing,), "is there a `return`"),
        (lambda: (7,), "should be a function"),
    ],
    "photographs/fire": [
        (lambda: (lambda c, s, e: fire(c, s, e) - s - 2 * e,), "also has a bias"),
        (lambda: (lambda c, s, e: fire(c, s, e) - s,), "squeezing filters have biases"),
        (lambda: (lambda c, s, e: fire(c, s, e) - e,), "Both expanding layers have biases"),
        (lambda: (lambda c, s, e: c * s + s + 2 * (s * e + e),), "nine weights for each channel"),
        (lambda: (lambda c, s, e: c * s + s + 4 * s * e + 2 * e,), "not three"),
        (lambda: (lambda c, s, e: c * s + s + 10 * c * e + 2 * e,), "look at the squeezed maps"),
        (lambda: (lambda c, s, e: 9 * c * s + s + 10 * s * e + 2 * e,), "squeezing filters are 1×1"),
        (lambda: (lambda c, s, e: c * s + s + 9 * s * e + e,), "two expanding layers"),
        (lambda: (lambda c, s, e: c * s + s + s * e + e,), "two expanding layers"),
        (lambda: (lambda c, s, e: c * s + s + s * e + e + 9 * e * e + e,), "Both expanding layers look"),
        (lambda: (lambda c, s, e: c * s * e,), "it is"),
        (lambda: (lambda c, s, e: fire(c, s, e) + 1,), "it is"),
        (lambda: (lambda c, s, e: fire(c, s, e) - s - 2 * e + 3,), "it is"),
        (lambda: (lambda c, s, e: fire(c, s, e) / 1e3,), "the number of parameters"),
        (lambda: (printing,), "is there a `return`"),
        (lambda: (endless,), "still running"),
    ],
    "photographs/pruned": [
        (lambda: (lambda w, keep: cut(w, w, round(keep * w.numel())),), "compare sizes"),
        (lambda: (lambda w, keep: cut(-w.abs(), w, round(keep * w.numel())),), "keep the weakest"),
        (lambda: (lambda w, keep: strongest(w, 1 - keep),), "not the share that goes"),
        (lambda: (lambda w, keep: strongest(w, keep).abs(),), "signs are gone"),
        (lambda: (lambda w, keep: (strongest(w, keep) != 0).float(),), "This is the mask"),
        (lambda: (lambda w, keep: w * (w.abs() >= keep),), "not a size"),
        (lambda: (lambda w, keep: w * (w.abs() >= keep * w.abs().max()),), "not of a size"),
        (lambda: (lambda w, keep: w,), "all the weights"),
        (lambda: (lambda w, keep: w[strongest(w, keep) != 0],), "the shape of `weights`"),
        (lambda: (lambda w, keep: cut(w.abs(), w, int(keep * w.numel())),), "too few"),
        (lambda: (lambda w, keep: cut(w.abs(), w, math.ceil(keep * w.numel())),), "too many"),
        (lambda: (lambda w, keep: cut(w.abs(), w, round(keep * w.numel()) + 1),), "too many"),
        (lambda: (lambda w, keep: strongest(w, keep / 2),), "The share `keep`"),
        (lambda: (lambda w, keep: w * (torch.rand(w.shape) < keep),), "The share `keep`"),
        (lambda: (in_place,), "changed its argument"),
        (lambda: (printing,), "is there a `return`"),
    ],
}


# -- what the prose says ---------------------------------------------------------------------------------------------


def test_dogs_and_horses_among_the_classes():
    names = photonet.names()
    assert (names[151], names[268]) == ("Chihuahua", "Mexican hairless")
    assert "of which 118 are dogs" in said("photographs/silhouette")
    assert len(names[151:269]) == 118
    assert "horse" not in names
    assert {"zebra", "sorrel"} <= set(names)


def test_the_price_of_fire2():
    weights = [p.numel() for n, p in photonet.untrained().fire2.named_parameters() if n.endswith("weight")]
    assert sum(weights) == 96 * 16 + 16 * 64 + 9 * 16 * 64
    assert counted(96, 16, 64) == fire(96, 16, 64)


@needs_the_file
def test_the_silhouette_is_a_dog_however_it_is_cut_but_not_in_white():
    """The whole horse on white, and three squares of it, also mirrored."""
    network, horse = photonet.load(), data.photo("horse")
    whole = np.pad(horse, [(36, 36), (0, 0), (0, 0)], constant_values=1)
    x = photonet.batch([data.square(whole), *(data.square(horse, part) for part in ("left", "middle", "right"))])
    for images, wanted in ((x, True), (x.flip(3), True), (1 - x, False)):
        for row in photonet.answers(network, images):
            assert (row[0][0] == "English foxhound") == wanted
            assert not {"zebra", "sorrel"} & {name for name, _ in row}
    found = photonet.answers(network, x[:1])[0]
    assert [(name, round(share, 2)) for name, share in found[:2]] == [("English foxhound", 0.28), ("toy terrier", 0.21)]
    assert photonet.answers(network, 1 - x[:1])[0][0][0] == "hatchet"
    assert right("photographs/silhouette") == ["A dog."]


def with_filters(weights):
    """A network without training that has these filters in its first layer."""
    network = photonet.untrained()
    network.conv1.weight.data = weights
    return network


def angles(squares):
    """Angle of the strongest change of brightness in each square (F, 3, k, k), in radians, and how clear it is."""
    gray = squares.mean(1)
    down, right = gray[:, 1:, :-1] - gray[:, :-1, :-1], gray[:, :-1, 1:] - gray[:, :-1, :-1]
    a, b, c = ((x * y).sum((1, 2)) for x, y in ((right, right), (down, down), (right, down)))
    return torch.atan2(2 * c, a - b) / 2, ((a - b) ** 2 + 4 * c**2).sqrt() / (a + b)


@needs_the_file
def test_patches_are_like_their_filters_and_smooth_random_filters_find_patches_like_them_too():
    """Other photographs and other draws than the lesson's."""
    network = photonet.load()
    sets = (("flower", "astronaut", "rocket"), ("cat", "coffee", "hopper"), ("motorcycle", "camera", "china"))
    for seed, names in enumerate(sets):
        images = {name: photonet.batch([data.square(data.photo(name))])[0] for name in names}
        rough = torch.randn(96, 3, 10, 10, generator=torch.Generator().manual_seed(seed + 1))
        smooth = with_filters(torch.nn.functional.avg_pool2d(rough, 4, stride=1))
        medians, turned = [], []
        for model in (network, photonet.untrained(seed + 1), smooth):
            found, weights = most_exciting(model.part("conv1"), images), model.conv1.weight.detach()
            seen = 255 * found.patches - model.door.mean
            medians.append(float(torch.cosine_similarity(weights.flatten(1), seen.flatten(1)).median()))
            (filters, clear), (patches, _) = angles(weights), angles(found.patches)
            apart = (filters - patches).abs() % torch.pi
            turned.append(float(torch.minimum(apart, torch.pi - apart)[clear > 0.5].rad2deg().median()))
        trained, untrained, even = medians
        assert even > trained > 1.5 * untrained  # "reach 0.47"
        assert turned[0] < 15 < 25 < turned[1]  # "edges at their own angle"


def test_a_random_half_of_the_weights_reads_anything_between_luck_and_two_thirds():
    """The lesson shows one draw; the strongest half is better than each of twenty."""
    test = data.load("mnist", first=(1, 500)).torch().test
    network = checkpoints.load("mnist")

    def half(score):
        kept = copy.deepcopy(network)
        with torch.no_grad():
            for weight in (w for w in kept.parameters() if w.ndim > 1):
                order = score(weight)
                weight *= order > order.median()
        return running.accuracy(kept, test)

    draws = []
    for seed in range(20):
        rng = torch.Generator().manual_seed(seed)
        draws.append(half(lambda weight, rng=rng: torch.rand(weight.shape, generator=rng)))
    assert 0.08 < min(draws) < 0.25
    assert 0.35 < max(draws) < 0.75
    assert half(torch.abs) > max(draws) + 0.1


@needs_the_file
def test_noise_of_the_same_size_changes_no_answer():
    """Five draws for each photograph: the answer stays, and moves by less than two percent."""
    network, epsilon = photonet.load(), 0.25 / 255
    squares = [("coffee", "middle"), ("hopper", "middle"), ("cat", "right")]
    x = photonet.batch([data.square(data.photo(name), part) for name, part in squares])
    before = predict(network, x).softmax(1)
    for seed in range(5):
        noise = epsilon * torch.randn(x.shape, generator=torch.Generator().manual_seed(seed)).sign()
        after = predict(network, x + noise).softmax(1)
        assert (after.argmax(1) == before.argmax(1)).all()
        assert (after.amax(1) - before.amax(1)).abs().max() < 0.02
    pushed = predict(network, maximize.fgsm(network, x, before.argmax(1), epsilon)).argmax(1)
    assert [photonet.names()[i] for i in pushed] == ["soup bowl", "suit", "tiger cat"]


@needs_the_file
def test_a_cover_has_a_color():
    """Gray at the collar takes the answer away, black and white do not; all three make its probability fall."""
    network, hopper = photonet.load(), photonet.batch([data.square(data.photo("hopper"), "middle")])[0]
    bow_tie = photonet.number("bow tie")
    covers = [occlusion.cover(hopper, 160, 80, size=48, value=value) for value in (0.0, 0.5, 1.0)]
    chances = predict(network, torch.stack(covers)).softmax(1)
    assert (chances.argmax(1) == bow_tie).tolist() == [True, False, True]
    assert chances[:, bow_tie].max() < 0.5
    elsewhere = [occlusion.cover(hopper, r, 80, size=48, value=value) for r in (0, 10) for value in (0.0, 0.5, 1.0)]
    assert (predict(network, torch.stack(elsewhere)).argmax(1) == bow_tie).all()


@needs_the_file
@pytest.mark.parametrize("seed", [1, 2])
def test_an_image_for_a_class_is_liked_more_than_any_photograph(seed):
    """Other starts than the lesson's, smaller and with fewer steps; the untrained network climbs as well."""
    network, control = photonet.load(), photonet.untrained(seed)
    squares = [("coffee", "middle"), ("hopper", "middle"), ("cat", "right"), ("camera", "middle")]
    highest = predict(network, photonet.batch([data.square(data.photo(name), part) for name, part in squares])).amax()
    numbers = [photonet.number(name) for name in ("goldfish", "peacock", "snail", "zebra")]
    found = predict(network, photo_ascent.class_pictures(network, numbers, size=112, steps=40, seed=seed).images)
    assert found.argmax(1).tolist() == numbers
    assert (
        found[range(4), numbers].min() > 5 * highest
    )  # smaller images and fewer steps than in the lesson, where it is 10
    climbed = photo_ascent.class_pictures(control, numbers[-1:], size=84, steps=20, seed=seed)
    assert climbed.scores > climbed.history[0]


@needs_the_file
@pytest.mark.parametrize(("name", "part"), [("china", "middle"), ("cat", "right")])
def test_random_weights_and_the_digit_network_dream_alike_and_the_network_for_photographs_does_not(name, part):
    """What a dream adds, in gray, correlated over all pixels: three draws of random weights."""
    luma = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    color = photonet.batch([data.square(data.photo(name), part)])
    gray = (color * luma).sum(1, keepdim=True)

    def added(network, start, layer):
        return ((maximize.dream(network, start, layer).images - start) * (luma if start.shape[1] == 3 else 1)).sum(1)

    digits = added(checkpoints.load("mnist").features, gray, "conv2")
    photographs, untrained = (
        added(net.part("fire8"), color, "fire8") for net in (photonet.load(), photonet.untrained())
    )
    assert torch.corrcoef(torch.stack([photographs.flatten(), untrained.flatten()]))[0, 1] < 0.2  # "those two"
    draws = []
    for seed in range(3):
        with running.seeded(seed):
            random = added(ConvNet().eval().features, gray, "conv2")
        alike = torch.corrcoef(torch.stack([a.flatten() for a in (random, digits, photographs, untrained)]))
        assert alike[0, 1] > 0.25
        assert alike[2:, :2].max() < 0.2
        draws.append(random.flatten())
    assert torch.corrcoef(torch.stack(draws)).min() > 0.25  # two sets of random weights
    assert right("photographs/dreams") == ["Only in the last: eyes were worth finding in its photographs."]
