"""Signals and films say what they claim, and no frame gives a film away."""

import numpy as np
import pytest
import torch

from helpers.data import sequences


def test_signals_are_balanced_and_repeat():
    one, again = sequences.heartbeats(90, seed=4), sequences.heartbeats(90, seed=4)
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not torch.equal(one.signals, sequences.heartbeats(90, seed=5).signals)
    assert one.signals.shape == (90, 1, 200)
    assert torch.bincount(one.labels).tolist() == [30, 30, 30]
    assert ((one.odd == -1) == (one.labels == 0)).all()


def test_the_odd_beat_is_where_it_is_said_to_be():
    signals, labels, odd = sequences.heartbeats(150, noise=0.0)
    for signal, label, at in zip(signals[:, 0], labels, odd, strict=True):
        if label == 0:
            assert signal.min() > -0.5
        elif label == 1:
            assert abs(int(signal.argmin()) - int(at)) <= 1
            assert signal.min() < -0.8
        else:
            assert signal[at] > 0.85
            assert signal[at - 3 : at + 4].min() > 0.4, "wide: three samples away it is still high"


def test_letters_hold_the_motif_once_or_its_letters_in_another_order():
    letters, labels, places = sequences.dna(200, seed=2)
    assert letters.shape == (200, 4, 60)
    assert (letters.sum(1) == 1).all()
    assert torch.bincount(labels).tolist() == [100, 100]
    for columns, label, at in zip(letters, labels, places, strict=True):
        text = sequences.spelled(columns)
        assert text.count("TATAAA") == int(label)
        assert sorted(text[at : at + 6]) == sorted("TATAAA")
        assert torch.equal(sequences.one_hot(text), columns)
        assert not label or text.index("TATAAA") == at
    again = sequences.dna(200, seed=2)
    assert all(torch.equal(a, b) for a, b in zip(again, (letters, labels, places), strict=True))
    assert not torch.equal(sequences.dna(200, seed=3).letters, letters)


def test_the_real_promoter_has_its_box_31_letters_before_the_start():
    assert len(sequences.PROMOTER) == 60
    assert sequences.PROMOTER.index("TATAAAAG") == 36 - 31
    assert sequences.PROMOTER.count("TATAAA") == 1


def test_films_move_one_pixel_per_frame_in_their_direction():
    films, labels = sequences.moving_shapes(40, noise=0.0)
    assert films.shape == (40, 1, 6, 16, 16)
    for film, label in zip(films[:, 0], labels, strict=True):
        step = {"right": (0, 1), "down": (1, 0), "left": (0, -1), "up": (-1, 0)}[sequences.DIRECTIONS[label]]
        for f in range(5):
            assert torch.equal(film[f].roll(step, (0, 1)), film[f + 1])


def test_a_frame_knows_nothing_about_the_direction():
    """Frames are whole shapes anywhere: their mean over many films is the same for every direction."""
    films, labels = sequences.moving_shapes(4000, noise=0.0, seed=3)
    means = torch.stack([films[labels == k, 0, 0].mean(0) for k in range(4)])
    assert (means - means.mean(0)).abs().max() < 0.05
    sums = films.sum((3, 4))
    assert (sums == sums[:, :, :1]).all()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: sequences.heartbeats(0), "at least one signal"),
        (lambda: sequences.heartbeats(3, length=60), "at least 150 samples"),
        (lambda: sequences.dna(0), "at least one text"),
        (lambda: sequences.dna(3, length=5), "room for a motif"),
        (lambda: sequences.dna(3, motif="AAAA"), "two different letters"),
        (lambda: sequences.one_hot("TATU"), "A, C, G, T"),
        (lambda: sequences.one_hot(""), "A, C, G, T"),
        (lambda: sequences.moving_shapes(3, frames=1), "at least one film"),
        (lambda: sequences.moving_shapes(3, side=4), "side of 8"),
    ],
)
def test_what_cannot_be_drawn_is_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_shapes_are_four_and_differ():
    shapes = sequences._shapes()
    assert shapes.shape == (4, 5, 5)
    assert len({s.tobytes() for s in shapes}) == 4
    assert np.isin(shapes, (0, 1)).all()
