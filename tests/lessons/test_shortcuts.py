"""Plausible wrong answers and the hints they earn, and what the lesson claims."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from helpers import data
from helpers.data import distort, sequences, shortcuts
from helpers.network import checkpoints, hooks, running


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


def slide(read, *, last=1, fresh=True, keep=False, wider=0, value=0.0):
    def occlusion_in_time(model, signal, c, width):
        drops, covered = [], signal if keep else signal.clone()
        with torch.no_grad():
            whole = model(signal[None])[0].clone()
            for start in range(signal.shape[1] - width + last):
                covered = signal.clone() if fresh else covered
                covered[0, start : start + width + wider] = value
                drops.append(read(whole, model(covered[None])[0], c))
        return torch.stack(drops)

    return occlusion_in_time


def drop(whole, masked, c):
    return whole[c] - masked[c]


def slide_batch(model, signal, c, width):
    places = signal.shape[1] - width + 1
    at = torch.arange(signal.shape[1])
    starts = torch.arange(places)[:, None]
    covered = signal * ~((at >= starts) & (at < starts + width))
    return (model(signal[None]) - model(covered[:, None]))[:, c]  # requires grad


def slide_precise(model, signal, c, width):
    model, signal = copy.deepcopy(model).double(), signal.double()
    whole, drops = model(signal[None])[0, c].item(), []
    for start in range(signal.shape[1] - width + 1):
        gap = torch.zeros(1, width, dtype=torch.float64)
        covered = torch.cat([signal[:, :start], gap, signal[:, start + width :]], 1)
        drops.append(whole - model(covered[None])[0, c].item())
    return drops


def slide_and_restore(model, signal, c, width):
    drops = np.zeros(signal.shape[1] - width + 1, dtype=np.float32)
    with torch.inference_mode():
        for start in range(len(drops)):
            kept = signal[:, start : start + width].clone()
            signal[:, start : start + width] = 0
            drops[start] = -model(signal[None])[0, c]
            signal[:, start : start + width] = kept
        return drops + model(signal[None])[0, c].numpy()


def training_left_on(model, signal, c, width):
    model.train()
    return slide(drop)(model, signal, c, width)


def keeps_the_window(model, signal, c, width):
    drops = []
    for start in range(signal.shape[1] - width + 1):
        covered = torch.zeros_like(signal)
        covered[0, start : start + width] = signal[0, start : start + width]
        drops.append((model(signal[None]) - model(covered[None]))[0, c])
    return torch.stack(drops)


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
    "shortcuts/occlusion-in-time": [
        lambda: (slide(drop),),
        lambda: (slide_batch,),
        lambda: (slide_precise,),
        lambda: (slide_and_restore,),
        lambda: (lambda *a: slide(drop)(*a).tolist(),),
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
    "shortcuts/occlusion-in-time": [
        (lambda: (slide(lambda w, m, c: m[c] - w[c]),), "turned around"),
        (lambda: (slide(lambda w, m, c: m[c]),), "logits themselves"),
        (lambda: (slide(lambda w, m, c: w.softmax(0)[c] - m.softmax(0)[c]),), "drops in probability"),
        (lambda: (slide(lambda w, m, c: w.log_softmax(0)[c] - m.log_softmax(0)[c]),), "logarithm"),
        (lambda: (slide(lambda w, m, c: w[w.argmax()] - m[w.argmax()]),), "not the one that wins"),
        (lambda: (slide(lambda w, m, c: w[2] - m[2]),), "class 2, whatever"),
        (lambda: (slide(lambda w, m, c: drop(w, m, c).abs()),), "Keep the sign"),
        (lambda: (slide(lambda w, m, c: w - m),), "pick class `c`"),
        (lambda: (slide(lambda w, m, c: (w - m)[c : c + 1]),), "shape"),
        (lambda: (slide(drop, last=0),), "last window"),
        (lambda: (slide(drop, last=-3),), "places; you have"),
        (lambda: (slide(drop, wider=1),), "too wide"),
        (lambda: (slide(drop, wider=-1),), "too narrow"),
        (lambda: (slide(drop, value=1.0),), "not with 1"),
        (lambda: (keeps_the_window,), "Cover samples"),
        (lambda: (slide(drop, fresh=False, keep=True),), "changed its argument `signal`"),
        (lambda: (slide(drop, fresh=False),), "fresh copy"),
        (lambda: (slide(lambda w, m, c: drop(w, m, c) / 0),), "infinity"),
        (lambda: (training_left_on,), "training mode"),
        (lambda: (silent(slide(drop)),), "returns nothing"),
        (lambda: (raises,), "undefined_name"),
    ],
}


# What the lesson claims ----------------------------------------------------------------------------------------------


def learn(network, x, y, epochs, lr):
    torch.manual_seed(0)
    optimizer = torch.optim.Adam(network.parameters(), lr)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(50):
            loss = nn.functional.cross_entropy(network(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network.eval()


def right(network, x, y):
    with torch.no_grad():
        return (network(x).argmax(1) == y).float().mean().item()


def test_a_quarter_turn_leaves_the_upright_network_the_0_and_less_than_a_quarter_in_all():
    mnist = data.load("mnist").torch()
    if not mnist.real:
        pytest.skip("the figures are those of the real MNIST")
    digits, truth = mnist.test.images[:400], mnist.test.labels[:400]
    for angle in (-90, 90):
        said = running.predict(checkpoints.load("mnist"), distort.rotate(digits, angle)).argmax(1)
        assert (said == truth).float().mean() < 0.25
        assert (said[truth == 0] == 0).float().mean() > 0.9


def test_some_units_answer_to_related_classes_and_others_to_classes_that_look_nothing_alike():
    fashion = data.load("fashion").torch()
    if not fashion.real:
        pytest.skip("the figures are those of the real FashionMNIST")
    images, labels = fashion.test.images[:1000], fashion.test.labels[:1000]
    hidden = hooks.activations(checkpoints.load("fashion"), images, ["classifier.relu3"])["classifier.relu3"]
    means = torch.stack([hidden[labels == c].mean(0) for c in range(10)])
    top, order = means.sort(0, descending=True)
    family = torch.tensor([0, 1, 0, 0, 0, 2, 0, 2, 3, 2])  # tops, trousers, shoes, bags
    awake, alike = top[0] > 0.05, family[order[0]] == family[order[1]]
    assert len(top[0]) == 128
    assert (awake & alike).sum() > 20
    assert (awake & ~alike & (top[1] > 2 * top[2])).any()


def test_a_convolution_in_time_hears_the_odd_beat_and_occlusion_finds_it():
    beats, new = sequences.heartbeats(1200), sequences.heartbeats(60, seed=1)
    torch.manual_seed(0)
    layers = nn.Conv1d(1, 8, 15), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(8, 16, 7), nn.ReLU(), nn.AdaptiveMaxPool1d(1)
    listener = learn(nn.Sequential(*layers, nn.Flatten(), nn.Linear(16, 3)), beats.signals, beats.labels, 6, 0.01)
    assert right(listener, new.signals, new.labels) > 0.95
    found = []
    for signal, label, at in zip(*new, strict=True):
        if label:
            drops = slide(drop)(listener, signal, label, 20)
            found.append(abs(int(drops.argmax()) + 10 - int(at)) <= 10)
    assert sum(found) > 0.9 * len(found)


def test_a_film_cannot_be_read_from_one_frame_and_backward_is_the_opposite():
    (x, y), (new_x, new_y) = sequences.moving_shapes(1600), sequences.moving_shapes(400, seed=1)

    def network(convolution, pooling):
        return nn.Sequential(convolution, nn.ReLU(), pooling, nn.Flatten(), nn.Linear(8, 4))

    torch.manual_seed(0)
    still = learn(network(nn.Conv2d(1, 8, 5), nn.AdaptiveAvgPool2d(1)), x[:, :, 0], y, 6, 0.02)
    torch.manual_seed(0)
    moving = learn(network(nn.Conv3d(1, 8, (2, 5, 5)), nn.AdaptiveAvgPool3d(1)), x, y, 8, 0.02)
    assert abs(right(still, new_x[:, :, 0], new_y) - 0.25) < 0.1
    assert right(moving, new_x, new_y) > 0.9
    assert right(moving, new_x.flip(2), new_y) < 0.2
    opposite = (new_y + 2) % 4
    assert right(moving, new_x.flip(2), opposite) > 0.9
