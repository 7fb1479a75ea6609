"""Plausible wrong answers and the hints they earn, and what the lesson claims."""

import pytest
import torch
from torch import nn

from helpers.data import sequences, shortcuts
from helpers.exercises import check


def shares(said, garment, tag):
    return (said == garment).float().mean().item(), (said == tag).float().mean().item()


def counts(said, garment, tag):
    a, b = (said == garment).sum().item(), (said == tag).sum().item()
    return a, b, len(said) - a - b


def percentages(said, garment, tag):
    a, b = shares(said, garment, tag)
    return 100 * a, 100 * b, 100 * (1 - a - b)


def swapped(said, garment, tag):
    a, b = shares(said, garment, tag)
    return b, a, 1 - a - b


def not_garment(said, garment, tag):
    a, b = shares(said, garment, tag)
    return a, b, 1 - a


def at_peak(maps, masks):
    return masks.flatten(1)[torch.arange(len(maps)), maps.flatten(1).argmax(1)].float()


def tags_of(classes):
    return lambda images, labels: shortcuts.plant_mark(images, classes(labels))


def in_place(images, labels):
    images[:, :, 1:4, 1:4] = 1
    return images


def two_tags(images, labels):
    once = shortcuts.plant_mark(images, torch.randint(0, 5, labels.shape))
    return shortcuts.plant_mark(once, torch.randint(5, 10, labels.shape))


def never_the_truth(labels):
    return (labels + torch.randint(1, 10, labels.shape)) % 10


def mostly_the_truth(labels):
    return labels.where(torch.rand(labels.shape) < 0.4, torch.randint(0, 10, labels.shape))


def slide(read, *, last=1, fresh=True, keep=False):
    def occlusion_in_time(model, signal, c, width):
        drops, covered = [], signal if keep else signal.clone()
        with torch.no_grad():
            whole = model(signal[None])[0].clone()
            for start in range(signal.shape[1] - width + last):
                covered = signal.clone() if fresh else covered
                covered[0, start : start + width] = 0
                drops.append(read(whole, model(covered[None])[0], c))
        return torch.stack(drops)

    return occlusion_in_time


def drop(whole, masked, c):
    return whole[c] - masked[c]


WRONG = {
    "shortcuts/whom": [
        (lambda: (counts,), "counts"),
        (lambda: (percentages,), "percentages"),
        (lambda: (swapped,), "changed places"),
        (lambda: (not_garment,), "add up to 1"),
        (lambda: (shares,), "Three shares"),
        (lambda: (lambda s, g, t: 0.5,), "Return three numbers"),
        (lambda: (lambda s, g, t: (0.0, 0.0, 1.0),), "Compare `said`"),
    ],
    "shortcuts/hit-rate": [
        (lambda: (lambda m, k: at_peak(m, k).sum(),), "number of hits"),
        (lambda: (lambda m, k: at_peak(m, ~k).mean(),), "misses"),
        (lambda: (lambda m, k: at_peak(m.abs(), k).mean(),), "largest absolute value"),
        (lambda: (lambda m, k: m[k].mean(),), "mean of the map"),
        (lambda: (lambda m, k: at_peak(m, k),), "One number"),
        (lambda: (lambda m, k: k.float().mean(),), "size of the masks"),
        (lambda: (lambda m, k: k.flatten()[m.argmax()].float(),), "one peak for the whole batch"),
        (lambda: (lambda m, k: -1.0,), "look it up"),
    ],
    "shortcuts/scatter": [
        (lambda: (tags_of(lambda y: y),), "the disease"),
        (lambda: (tags_of(lambda y: (y + 1) % 10),), "Each class has a tag of its own"),
        (lambda: (tags_of(lambda y: 0 * y + 3),), "the same tag"),
        (lambda: (tags_of(lambda y: torch.randint(0, 9, y.shape)),), "Only 9 of the ten"),
        (lambda: (tags_of(never_the_truth),), "never name the true class"),
        (lambda: (tags_of(mostly_the_truth),), "still go with the classes"),
        (lambda: (lambda x, y: x.clone(),), "no tag"),
        (lambda: (two_tags,), "exactly one tag"),
        (lambda: (in_place,), "work on a copy"),
        (lambda: (lambda x, y: y,), "Return the tagged images"),
        (lambda: (lambda x, y: shortcuts.plant_mark(0.5 * x, torch.randint(0, 10, y.shape)),), "More than the tag"),
    ],
    "shortcuts/occlusion-in-time": [
        (lambda: (slide(lambda w, m, c: m[c] - w[c]),), "turned around"),
        (lambda: (slide(lambda w, m, c: m[c]),), "logits themselves"),
        (lambda: (slide(lambda w, m, c: w.softmax(0)[c] - m.softmax(0)[c]),), "probability"),
        (lambda: (slide(lambda w, m, c: w - m),), "pick class `c`"),
        (lambda: (slide(drop, last=0),), "last window"),
        (lambda: (slide(drop, last=-3),), "in 30 places"),
        (lambda: (slide(drop, fresh=False, keep=True),), "signal itself has changed"),
        (lambda: (slide(drop, fresh=False),), "fresh copy"),
    ],
}


@pytest.mark.parametrize("key", WRONG)
@pytest.mark.parametrize("again", range(8))
def test_hints_do_not_depend_on_chance(key, again):
    for answers, words in WRONG[key]:
        verdict = check(key, *answers())
        assert verdict.status == "wrong", words
        assert words in verdict.message


@pytest.mark.parametrize("again", range(20))
def test_tags_by_chance_are_right_however_they_are_drawn(again):
    by_chance = tags_of(lambda y: torch.randint(0, 10, y.shape))
    shuffled = tags_of(lambda y: y[torch.randperm(len(y))])
    assert check("shortcuts/scatter", by_chance).status == "right"
    assert check("shortcuts/scatter", shuffled).status == "right"


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
