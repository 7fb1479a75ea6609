"""Right and wrong answers to its exercises, and the claims of its prose and its predictions."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from helpers.data import sequences
from tests.lessons.common import printing, right


def channels(text):
    return torch.tensor([[float(letter == row) for letter in text] for row in "ACGT"])


def channels_by_scatter(text):
    out = np.zeros((4, len(text)), dtype=np.int8)
    for place, letter in enumerate(text):
        out["ACGT".index(letter), place] = 1
    return out


def channels_by_library(text):
    numbers = torch.tensor(["ACGT".index(letter) for letter in text])
    return functional.one_hot(numbers, 4).T


def rows_of(order):
    return lambda text: torch.tensor([[float(letter == row) for letter in text] for row in order(text)])


def slide(signal, weights, bias):
    width = weights.shape[1]
    places = signal.shape[1] - width + 1
    return torch.stack([(signal[:, t : t + width] * weights).sum() + bias for t in range(places)])


def slide_by_loops(signal, weights, bias):
    (channels, width), length = weights.shape, signal.shape[1]
    out = []
    for t in range(length - width + 1):
        total = bias
        for c in range(channels):
            for k in range(width):
                total += (signal[c, t + k] * weights[c, k]).item()
        out.append(total)
    return out


def slide_numpy(signal, weights, bias):
    rows = [np.correlate(x, w, mode="valid") for x, w in zip(signal.numpy(), weights.numpy(), strict=True)]
    return np.sum(rows, axis=0) + bias


def slide_from(first, last, step=1):
    def sliding(signal, weights, bias):
        width = weights.shape[1]
        starts = range(first, signal.shape[1] - width + 1 + last, step)
        return torch.stack([(signal[:, t : t + width] * weights).sum() + bias for t in starts])

    return sliding


def slide_in_place(signal, weights, bias):
    answer = slide(signal, weights, bias)
    signal *= 2
    return answer


def mutations(read=lambda before, after, c: after[c] - before[c], *, clear=True, fresh=True, put=1.0):
    def answer(model, letters, c):
        effects, changed = torch.zeros(letters.shape), letters.clone()
        with torch.no_grad():
            before = model(letters[None])[0]
            for place in range(letters.shape[1]):
                for row in range(4):
                    changed = letters.clone() if fresh else changed
                    if clear:
                        changed[:, place] = 0
                    changed[row, place] = max(put, float(changed[row, place]))
                    effects[row, place] = read(before, model(changed[None])[0], c)
        return effects

    return answer


def mutations_batch(model, letters, c):
    length = letters.shape[1]
    batch = letters.repeat(4 * length, 1, 1)
    for row in range(4):
        for place in range(length):
            batch[row * length + place, :, place] = torch.eye(4)[row]
    return (model(batch) - model(letters[None]))[:, c].view(4, length)  # requires grad


def mutations_precise(model, letters, c):
    model, letters = copy.deepcopy(model).double(), letters.double()
    before = model(letters[None])[0, c].item()
    out = np.zeros(letters.shape)
    for place in range(letters.shape[1]):
        for row, column in enumerate(torch.eye(4, dtype=torch.float64)):
            parts = [letters[:, :place], column[:, None], letters[:, place + 1 :]]
            out[row, place] = model(torch.cat(parts, 1)[None])[0, c].item() - before
    return out


def mutations_restored(model, letters, c):
    effects = []
    with torch.inference_mode():
        before = model(letters[None])[0, c].item()
        for row in range(4):
            effects.append([])
            for place in range(letters.shape[1]):
                kept = letters[:, place].clone()
                letters[:, place] = torch.eye(4)[row]
                effects[-1].append(model(letters[None])[0, c].item() - before)
                letters[:, place] = kept
    return effects


def mutations_in_place(model, letters, c):
    answer = mutations()(model, letters, c)
    letters[:, 0] = 0
    return answer


def mutations_in_training(model, letters, c):
    model.train()
    return mutations()(model, letters, c)


RIGHT = {
    "sequences/one-hot": [
        lambda: (channels,),
        lambda: (channels_by_scatter,),
        lambda: (channels_by_library,),
        lambda: (lambda text: [[letter == row for letter in text] for row in "ACGT"],),
    ],
    "sequences/slide": [
        lambda: (slide,),
        lambda: (slide_by_loops,),
        lambda: (slide_numpy,),
        lambda: (lambda x, w, b: functional.conv1d(x[None], w[None], torch.tensor([b], dtype=x.dtype))[0, 0],),
    ],
    "sequences/mutate": [
        lambda: (mutations(),),
        lambda: (mutations_batch,),
        lambda: (mutations_precise,),
        lambda: (mutations_restored,),
    ],
}

WRONG = {
    "sequences/one-hot": [
        (lambda: (lambda text: channels(text).T,), "channels come first"),
        (lambda: (rows_of(lambda _: "ATCG"),), "A, T, C, G"),
        (lambda: (rows_of(lambda _: "ATGC"),), "A, T, G, C"),
        (lambda: (rows_of(lambda _: "TGCA"),), "upside down"),
        (lambda: (rows_of(lambda text: sorted(set(text))),), "has a row too"),
        (lambda: (rows_of(lambda text: dict.fromkeys(text)),), "same order"),
        (lambda: (lambda text: ["ACGT".index(letter) for letter in text],), "three times C"),
        (lambda: (lambda text: [["ACGT".index(letter) for letter in text]],), "one channel"),
        (lambda: (lambda text: channels(text).sum(1),), "counts"),
        (lambda: (lambda text: 1 - channels(text),), "swapped"),
        (lambda: (lambda text: channels(text[::-1]),), "backward"),
        (lambda: (lambda text: 2 * channels(text),), "Row 0 is 1"),
        (lambda: (lambda text: channels(text)[:, :-1],), "The shape should be"),
        (lambda: (lambda text: text,), "a string"),
        (lambda: (printing,), "is there a `return`"),
    ],
    "sequences/slide": [
        (lambda: (lambda x, w, b: slide(x, w, 0.0),), "bias is missing"),
        (lambda: (lambda x, w, b: slide(x, w, -b),), "not subtracted"),
        (lambda: (lambda x, w, b: slide(x, w, len(w) * b),), "once for each channel"),
        (lambda: (lambda x, w, b: slide(x, w, b).relu(),), "ReLU"),
        (lambda: (lambda x, w, b: slide(x, w.flip(1), b),), "runs backward"),
        (lambda: (lambda x, w, b: slide(x, w.flip(0), b),), "upside down"),
        (lambda: (lambda x, w, b: slide(x, w / w.numel(), b),), "mean of the products"),
        (lambda: (lambda x, w, b: slide(x[:1], w[:1], b),), "first channel alone"),
        (lambda: (slide_from(0, -1),), "last window"),
        (lambda: (slide_from(1, 0),), "first window"),
        (lambda: (lambda x, w, b: slide_from(0, 0, w.shape[1])(x, w, b),), "do not overlap"),
        (lambda: (lambda x, w, b: [slide(x[[i]], w[[i]], b) for i in range(len(x))],), "channels are summed"),
        (lambda: (lambda x, w, b: functional.conv1d(x[None], w[None], padding=1)[0, 0] + b,), "places; your shape"),
        (lambda: (lambda x, w, b: 2 * slide(x, w, b),), "At each place"),
        (lambda: (slide_in_place,), "changed its argument `signal`"),
        (lambda: (printing,), "is there a `return`"),
    ],
    "sequences/mutate": [
        (lambda: (mutations(lambda b, a, c: b[c] - a[c]),), "turned around"),
        (lambda: (mutations(lambda b, a, c: a[c]),), "new logits"),
        (lambda: (mutations(lambda b, a, c: a.softmax(0)[c] - b.softmax(0)[c]),), "in probability"),
        (lambda: (mutations(lambda b, a, c: (a[c] - b[c]).abs()),), "Keep the sign"),
        (lambda: (mutations(lambda b, a, c: a[b.argmax()] - b.max()),), "not the one that wins"),
        (lambda: (mutations(lambda b, a, c: a.max() - b.max()),), "not the one that wins"),
        (lambda: (mutations(lambda b, a, c: a[2] - b[2]),), "class 2, whatever"),
        (lambda: (mutations(lambda b, a, c: (a - b).sum()),), "added up"),
        (lambda: (mutations(fresh=False),), "fresh copy"),
        (lambda: (mutations(clear=False),), "Two letters stand"),
        (lambda: (mutations(put=0.0),), "put none in its place"),
        (lambda: (lambda *a: mutations()(*a).T,), "The shape should be"),
        (lambda: (lambda *a: mutations()(*a).amin(0),), "Four numbers"),
        (lambda: (lambda *a: 2 * mutations()(*a),), "For each place and letter"),
        (lambda: (mutations_in_place,), "changed its argument `letters`"),
        (lambda: (mutations_in_training,), "training mode"),
        (lambda: (printing,), "is there a `return`"),
    ],
}


# What the lesson claims, with other seeds than its own ----------------------------------------------------------------


def learn(network, x, y, epochs, lr, seed):
    torch.manual_seed(seed)
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(50):
            loss = functional.cross_entropy(network(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network.eval()


def share(network, x, y):
    with torch.no_grad():
        return (network(x).argmax(1) == y).float().mean().item()


def seeded(seed, layers):
    torch.manual_seed(seed)
    return nn.Sequential(*layers())


def listener():
    yield from (nn.Conv1d(1, 8, 15), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(8, 16, 7), nn.ReLU())
    yield from (nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(16, 3))


def reader():
    yield from (nn.Conv1d(4, 8, 6), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(8, 2))


def watcher(frames=2):
    yield from (nn.Conv3d(1, 8, (frames, 5, 5)), nn.ReLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(8, 4))


def test_about_three_quarters_of_the_signals_are_read_without_their_order():
    beats, new = sequences.heartbeats(1200), sequences.heartbeats(300, seed=1)
    for seed in (1, 2):
        order = torch.randperm(200, generator=torch.Generator().manual_seed(seed))
        ordered = learn(seeded(seed, listener), beats.signals, beats.labels, 6, 0.01, seed)
        shuffled = learn(seeded(seed, listener), beats.signals[..., order], beats.labels, 6, 0.01, seed)
        assert share(ordered, new.signals, new.labels) > 0.98
        assert 0.65 < share(shuffled, new.signals[..., order], new.labels) < 0.85
    assert right("sequences/shuffled") == ["About three quarters"]


def test_occlusion_finds_the_odd_beat_with_another_seed():
    beats, new = sequences.heartbeats(1200), sequences.heartbeats(90, seed=1)
    network = learn(seeded(1, listener), beats.signals, beats.labels, 6, 0.01, 1)
    starts, samples = torch.arange(189)[:, None], torch.arange(200)
    covers = (samples >= starts) & (samples < starts + 12)
    found = []
    for signal, label, at in zip(*new, strict=True):
        if label:
            with torch.no_grad():
                drops = network(signal[None])[0, label] - network((signal * ~covers)[:, None])[:, label]
            needed = (drops[:, None] * covers).sum(0) / covers.sum(0)
            found.append(abs(int(needed.argmax()) - int(at)) <= 6)
    assert sum(found) > 0.9 * len(found)


def test_a_real_promoter_is_known_by_six_letters_and_random_filters_find_no_motif():
    (x, y, _), (new, labels, _) = sequences.dna(2000), sequences.dna(1000, seed=1)
    network = learn(seeded(0, reader), x, y, 10, 0.02, 0)
    assert share(network, new, labels) > 0.99
    promoter = sequences.one_hot(sequences.PROMOTER)
    with torch.no_grad():
        assert network(promoter[None]).softmax(1)[0, 1] > 0.99
    effects = mutations()(network, promoter, 1)
    assert (effects[:, 5:11].amin(0) < -4).all(), "six columns are blue"
    assert torch.cat([effects[:, :5], effects[:, 11:]], 1).abs().max() < 1
    first, lead = network[0], network[4].weight.detach().diff(dim=0)[0]
    best = int((lead * first.weight.detach().norm(dim=(1, 2))).argmax())
    with torch.no_grad():
        response = first(promoter[None])[0, best]
    assert response[5] == pytest.approx(4.1, abs=0.3)
    assert response[torch.arange(55) != 5].max() < 0  # "Everywhere else it is below 0"
    for place in (*range(5, 11), 30):
        for row in torch.eye(4):
            other = promoter.clone()
            other[:, place] = row
            with torch.no_grad():
                motif = float(network(other[None]).softmax(1)[0, 1])
            if place == 30 or other.equal(promoter):
                assert motif > 0.99, "every letter will do"
            else:
                assert motif < 0.1, "no other letter is forgiven"
    frozen = seeded(1, reader)
    frozen[0].requires_grad_(False)
    assert share(learn(frozen, x, y, 10, 0.02, 1), new, labels) < 0.7


@pytest.mark.parametrize("seed", [1, 2])
def test_a_film_needs_its_order_and_backward_is_the_opposite(seed):
    (x, y), (new, labels) = sequences.moving_shapes(1600), sequences.moving_shapes(400, seed=1)
    moving = learn(seeded(seed, watcher), x, y, 8, 0.02, seed)
    still = learn(seeded(seed, lambda: watcher(1)), x[:, :, :1], y, 8, 0.02, seed)
    frozen = seeded(seed, watcher)
    frozen[0].requires_grad_(False)
    learn(frozen, x, y, 8, 0.02, seed)
    assert share(moving, new, labels) > 0.95
    assert share(moving, new.flip(2), labels) < 0.05
    assert share(moving, new.flip(2), (labels + 2) % 4) > 0.95
    assert abs(share(still, new[:, :, :1], labels) - 0.25) < 0.06
    assert share(frozen, new, labels) < 0.65
    assert right("sequences/backward") == ["Almost never"]
