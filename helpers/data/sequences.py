"""Signals, letters and films with a known answer: convolution in one dimension and in three.

``heartbeats`` draws signals over time in which one beat may be odd, and says where; ``dna`` draws letters that may hold
a word; ``moving_shapes`` draws films whose class is the direction of movement, so that no single frame gives it away.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

RHYTHMS = ("regular", "one beat upside down", "one beat too wide")
DIRECTIONS = ("right", "down", "left", "up")
LETTERS = "ACGT"
#: The core of many promoters: proteins that start the reading of a gene bind here (the "TATA box").
MOTIF = "TATAAA"
#: Real: 60 letters around the start of the major late genes of adenovirus 2, from 36 before the start to 24 after it.
#: The TATA box begins 31 letters before the start (Hu and Manley, PNAS 78:820, 1981).
PROMOTER = "GGGGCTATAAAAGGGGGTGGGGGCGCGTTCGTCCTCACTCTCTTCCGCATCGCTGTCTGC"
_STEPS = ((0, 1), (1, 0), (0, -1), (-1, 0))


class Signals(NamedTuple):
    """``signals`` ``(N, 1, length)``, ``labels`` ``(N,)`` of :data:`RHYTHMS`, ``odd`` ``(N,)``: sample at which the odd
    beat peaks, −1 in a regular signal."""

    signals: Tensor
    labels: Tensor
    odd: Tensor


class Words(NamedTuple):
    """``letters`` ``(N, 4, length)``, one-hot in the order of :data:`LETTERS`; ``labels`` ``(N,)``, 1 where the motif
    is; ``places`` ``(N,)``: where the motif, or its letters in another order, begins."""

    letters: Tensor
    labels: Tensor
    places: Tensor


class Films(NamedTuple):
    """``films`` ``(N, 1, frames, H, W)`` in [0, 1] and ``labels`` ``(N,)`` of :data:`DIRECTIONS`."""

    films: Tensor
    labels: Tensor


def heartbeats(count: int, length: int = 200, noise: float = 0.08, seed: int = 0) -> Signals:
    """Draw signals by formula, not recorded from anybody: five or so beats each, of which one may be odd.

    A beat is a small bump, a sharp peak between two dips, and a broad bump. In the second class one peak points down,
    in the third one is three times as wide. Rate, start, height and the noise are random.

    Raises:
        ValueError: if there is no signal to draw, or it has no room for three beats.
    """
    if count < 1 or length < 150:
        raise ValueError(f"Ask for at least one signal of at least 150 samples; got {count} of {length}.")
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % len(RHYTHMS))
    time = np.arange(length, dtype=float)
    signals, odd = np.zeros((count, length)), np.full(count, -1)
    for i, label in enumerate(labels):
        period = rng.uniform(36, 46)
        peaks = rng.uniform(-period / 2, period / 2) + period * np.arange(-1, length / period + 2)
        inside = np.flatnonzero((peaks > 20) & (peaks < length - 20))
        chosen = rng.choice(inside) if label else -1
        for k, peak in enumerate(peaks):
            turn = -1 if label == 1 and k == chosen else 1
            width = 3 if label == 2 and k == chosen else 1
            signals[i] += _beat(time - peak, turn, width) * rng.uniform(0.9, 1.1)
        if label:
            odd[i] = round(peaks[chosen])
    signals += noise * rng.standard_normal(signals.shape)
    return Signals(
        torch.from_numpy(signals.astype(np.float32))[:, None], torch.from_numpy(labels), torch.from_numpy(odd)
    )


def _beat(t: np.ndarray, turn: int, width: int) -> np.ndarray:
    def bump(middle: float, spread: float) -> np.ndarray:
        return np.exp(-0.5 * ((t - middle) / spread) ** 2)

    peak = bump(0, 1.3 * width) - 0.25 * bump(-3 * width, 1.2 * width) - 0.3 * bump(3.2 * width, 1.3 * width)
    return 0.15 * bump(-9, 2.2) + turn * peak + 0.3 * bump(14, 3.5)


def one_hot(text: str) -> Tensor:
    """Letters as channels: ``(4, length)``, 1 in the row of each letter, in the order A, C, G, T.

    Raises:
        ValueError: if there is another letter, or none.
    """
    if not text or set(text) - set(LETTERS):
        raise ValueError(f"DNA has the letters {', '.join(LETTERS)}; got {text[:20]!r}.")
    return torch.tensor([[float(letter == wanted) for letter in text] for wanted in LETTERS])


def spelled(columns: Tensor) -> str:
    """The letter with the largest number in each column of ``(4, length)``, such as the weights of a filter."""
    return "".join(LETTERS[i] for i in columns.argmax(0).tolist())


def dna(count: int, length: int = 60, motif: str = MOTIF, seed: int = 0) -> Words:
    """Draw letters by chance, half of them with the motif somewhere, the other half with its letters in another order.

    So counting letters does not help. Only where the motif is meant to be does it occur.

    Raises:
        ValueError: if there is nothing to draw, no room for the motif, or nothing in it to put into another order.
    """
    if count < 1 or length < len(motif) or len(set(motif)) < 2:
        raise ValueError(
            f"Ask for at least one text with room for a motif of two different letters; got {count} of {length} "
            f"letters with {motif!r}."
        )
    rng = np.random.default_rng(seed)
    word = np.array([LETTERS.index(letter) for letter in motif])
    labels = rng.permutation(np.arange(count) % 2)
    texts, places = np.zeros((count, length), dtype=np.int64), np.zeros(count, dtype=np.int64)
    for i, label in enumerate(labels):
        while True:
            text, start = rng.integers(len(LETTERS), size=length), int(rng.integers(length - len(word) + 1))
            text[start : start + len(word)] = word if label else rng.permutation(word)
            windows = np.lib.stride_tricks.sliding_window_view(text, len(word))
            if (windows == word).all(1).sum() == label:
                break
        texts[i], places[i] = text, start
    letters = torch.nn.functional.one_hot(torch.from_numpy(texts), len(LETTERS)).float().mT.contiguous()
    return Words(letters, torch.from_numpy(labels), torch.from_numpy(places))


def moving_shapes(count: int, frames: int = 6, side: int = 16, noise: float = 0.1, seed: int = 0) -> Films:
    """Draw shapes that move by one pixel each frame and wrap around at the edges.

    A square, a ring, a cross or an L starts anywhere. Because of the wrap-around, every place is equally likely in
    every frame: a single frame says nothing about the direction.

    Raises:
        ValueError: if there is no film to draw, no movement, or no room.
    """
    if count < 1 or frames < 2 or side < 8:
        raise ValueError(
            f"Ask for at least one film of 2 frames with a side of 8; got {count}, {frames} frames and side {side}."
        )
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % len(DIRECTIONS))
    films = np.zeros((count, frames, side, side), dtype=np.float32)
    shapes = _shapes()
    for i, label in enumerate(labels):
        first = np.zeros((side, side), dtype=np.float32)
        first[:5, :5] = shapes[rng.integers(len(shapes))]
        start = rng.integers(side, size=2)
        for f in range(frames):
            films[i, f] = np.roll(first, start + f * np.array(_STEPS[label]), (0, 1))
    films = (films + noise * rng.standard_normal(films.shape).astype(np.float32)).clip(0, 1)
    return Films(torch.from_numpy(films)[:, None], torch.from_numpy(labels))


def _shapes() -> np.ndarray:
    """Square, ring, cross and L, ``(4, 5, 5)``."""
    rows = [
        [".....", ".XXXX", ".XXXX", ".XXXX", ".XXXX"],
        [".XXX.", "X...X", "X...X", "X...X", ".XXX."],
        ["..X..", "..X..", "XXXXX", "..X..", "..X.."],
        ["X....", "X....", "X....", "X....", "XXXX."],
    ]
    return np.array([[[c == "X" for c in row] for row in shape] for shape in rows], dtype=np.float32)
