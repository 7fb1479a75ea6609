"""Predictions and checks of the lesson "Signals, letters, films"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from helpers.data.sequences import LETTERS, one_hot
from helpers.exercises.cases import compare
from helpers.exercises.core import Lesson, Option
from helpers.exercises.judge import trials

LESSON = Lesson("sequences")

LESSON.ask(
    "shuffled",
    "The 200 samples of every signal change places, in all signals in the same way. The network is trained anew on "
    "these. On how many of the shuffled new signals is it right? (Three classes: guessing gives 33%.)",
    Option("Nearly all: every number is still there", "The numbers are, their neighbors are not: a filter of 15 "
           "samples now sees 15 moments from all over the signal."),
    Option("About three quarters", "Without any order the numbers still tell something: a beat upside down brings low "
           "values, a wide one brings more high ones. The rest was in the order.", right=True),
    Option("About a third", "It would be, if only the order told the classes apart. But which values occur tells "
           "something too."),
)  # fmt: skip

LESSON.ask(
    "seeds",
    "Six networks like this one, trained alike except for their seed. In each you take the filter that argues most for "
    "\"motif\". What do they spell?",
    Option("All six spell TATAAA: there is one right answer", "One right answer for the network, but not for one "
           "filter: eight of them share the work."),
    Option("Some spell TATAAA, others a piece of it, a few places off", "A filter that begins a letter or two "
           "late still finds most of the word, and others find the rest.", right=True),
    Option("Six different words, since any filter will do", "Letters that are not in the motif do not tell the "
           "classes apart. Every one of the six holds a piece of it."),
)  # fmt: skip

LESSON.ask(
    "backward",
    "The network with filters over time is shown new films backward. How often does it name the direction in which "
    "they were made?",
    Option("Almost never", "Right and left change places, and so do up and down. For a film played backward that is "
           "the right answer.", right=True),
    Option("About 25%: it is confused", "It is not confused. It sees a clear movement in a clear direction."),
    Option("As often as forward", "Its filters compare a frame with the next one. Backward, the next frame lies on "
           "the other side."),
)  # fmt: skip


def _channels(text: str, order: str = LETTERS) -> Tensor:
    return torch.tensor([[float(letter == wanted) for letter in text] for wanted in order])


@LESSON.check("one-hot")
def one_hot_letters(answer: Any) -> str:
    """Texts of several lengths as four channels; not every letter occurs in each."""
    cases = []
    for rng, letters in zip(trials(4), ("ACGT", "GT", "CA", "TGCA"), strict=True):
        text = "".join(rng.choice(list(letters), size=int(rng.integers(7, 14))))
        cases.append((text + letters,))

    def otherwise(_: Any, found: Any, wanted: Any) -> str:
        if np.shape(found) != np.shape(wanted):
            return f"The shape should be {tuple(np.shape(wanted))}: a row for each of A, C, G, T, a column for each " \
                   f"letter. Yours is {np.shape(found)}."  # fmt: skip
        return "Row 0 is 1 where the text has an A, row 1 where it has a C, then G, then T; all else is 0."

    compare(
        answer,
        cases,
        _channels,
        (
            (lambda t: _channels(t).T, "One row for each letter of the text. The channels come first: turn it around."),
            (lambda t: _channels(t, "ATCG"), "Your rows are A, T, C, G. The order here is A, C, G, T."),
            (lambda t: _channels(t, "ATGC"), "Your rows are A, T, G, C. The order here is A, C, G, T."),
            (lambda t: _channels(t, "TGCA"), "Your rows stand upside down: the first is A."),
            (lambda t: _channels(t, "".join(dict.fromkeys(t))), "Your rows follow the letters as they come in the "
             "text. All texts need the same order: A, C, G, T."),
            (lambda t: _channels(t, "".join(sorted(set(t)))), "A letter that does not occur has a row too, all 0."),
            (lambda t: torch.tensor([float(LETTERS.index(c)) for c in t]), "These are the letters' numbers. T is not "
             "three times C: every letter gets a channel of its own."),
            (lambda t: _channels(t).argmax(0)[None].double(), "These are the letters' numbers in one channel. T is not "
             "three times C: every letter gets a channel of its own."),
            (lambda t: _channels(t).sum(1), "These are the counts of the letters: their places are lost."),
            (lambda t: 1 - _channels(t), "0 and 1 are swapped."),
            (lambda t: _channels(t).flip(1), "Your text runs backward."),
        ),
        otherwise,
    )  # fmt: skip
    return "Four channels, as an image has three colors. No letter is larger than another, or nearer to it."


def _slide(signal: Tensor, weights: Tensor, bias: float = 0.0) -> Tensor:
    windows = signal.unfold(1, weights.shape[1], 1)  # (channels, places, width)
    return torch.einsum("cpk,ck->p", windows, weights) + bias


@LESSON.check("slide")
def slide(answer: Any) -> str:
    """A filter over signals of several channels, lengths and widths."""
    cases = []
    for rng in trials():
        channels, width, length = int(rng.integers(2, 5)), int(rng.integers(3, 6)), int(rng.integers(11, 17))
        width += width == channels
        cases.append((torch.randn(channels, length), torch.randn(channels, width), float(rng.normal()) + 2.0))

    def otherwise(case: Any, found: Any, wanted: Any) -> str:
        (signal, weights, _), n = case, len(wanted)
        if np.shape(found) == (len(signal), n):
            return "One number for each place: the channels are summed, too."
        if np.shape(found) != (n,):
            return f"A window of {weights.shape[1]} fits into {signal.shape[1]} samples in {n} places; your shape is " \
                   f"{np.shape(found)}."  # fmt: skip
        return "At each place: multiply the window by the weights, sum over all channels and samples, add the bias."

    compare(
        answer,
        cases,
        _slide,
        (
            (lambda x, w, b: _slide(x, w), "The bias is missing."),
            (lambda x, w, b: _slide(x, w) - b, "The bias is added, not subtracted."),
            (lambda x, w, b: _slide(x, w) + len(w) * b, "The bias is added once, not once for each channel."),
            (lambda x, w, b: _slide(x, w, b).relu(), "A ReLU is a layer of its own: negative responses stay."),
            (lambda x, w, b: _slide(x, w.flip(1), b), "Your filter runs backward. A layer of a network slides it as it "
             "is."),
            (lambda x, w, b: _slide(x, w.flip(0), b), "Channel c of the signal meets channel c of the filter; yours "
             "are upside down."),
            (lambda x, w, b: _slide(x, w / w.numel(), b), "This is the mean of the products. Their sum is asked for."),
            (lambda x, w, b: _slide(x[:1], w[:1], b), "You look at the first channel alone."),
            (lambda x, w, b: _slide(x, w, b)[:-1], "The last window is missing: `range(length - width + 1)`."),
            (lambda x, w, b: _slide(x, w, b)[1:], "The first window is missing: it begins at sample 0."),
            (lambda x, w, b: _slide(x, w, b)[:: w.shape[1]], "Your windows do not overlap: the filter moves by one "
             "sample."),
            (lambda x, w, b: torch.stack([_slide(x[i : i + 1], w[i : i + 1], b) for i in range(len(x))]), "One number "
             "for each place: the channels are summed, too."),
        ),
        otherwise,
        atol=1e-3,
    )  # fmt: skip
    return "The same three lines as for an image, with one direction less. `nn.Conv1d` gives these numbers."


def _changes(read: Callable[[Tensor, Tensor, int], Tensor], fresh: bool = True) -> Callable[..., Tensor]:
    """The effect of each letter at each place, (4, length), read off the logits in this way."""

    def answer(model: nn.Module, letters: Tensor, c: int) -> Tensor:
        effects, changed = torch.zeros(letters.shape, dtype=torch.float64), letters.clone()
        with torch.no_grad():
            before = model(letters[None])[0].double()
            for place in range(letters.shape[1]):
                for row in range(len(LETTERS)):
                    changed = letters.clone() if fresh else changed
                    changed[:, place] = 0
                    changed[row, place] = 1
                    effects[row, place] = read(before, model(changed[None])[0].double(), c)
        return effects

    return answer


def _not_cleared(model: nn.Module, letters: Tensor, c: int) -> Tensor:
    effects = torch.zeros(letters.shape, dtype=torch.float64)
    with torch.no_grad():
        before = model(letters[None])[0].double()
        for place in range(letters.shape[1]):
            for row in range(len(LETTERS)):
                changed = letters.clone()
                changed[row, place] = 1
                effects[row, place] = model(changed[None])[0].double()[c] - before[c]
    return effects


def _only_cleared(model: nn.Module, letters: Tensor, c: int) -> Tensor:
    effects = torch.zeros(letters.shape, dtype=torch.float64)
    with torch.no_grad():
        before = model(letters[None])[0].double()
        for place in range(letters.shape[1]):
            changed = letters.clone()
            changed[:, place] = 0
            effects[:, place] = model(changed[None])[0].double()[c] - before[c]
    return effects


@LESSON.check("mutate")
def mutate(answer: Any) -> str:
    """The change of a logit for every letter at every place, for several networks, texts and classes."""
    cases = []
    for rng, c in zip(trials(), (2, 0, 1, 3), strict=True):
        length = int(rng.integers(8, 12))
        layers = nn.Conv1d(4, 6, 3), nn.Tanh(), nn.Flatten(), nn.Linear(6 * (length - 2), 4)
        model = nn.Sequential(*layers).eval()
        with torch.no_grad():
            for weighted in (model[0], model[3]):
                weighted.weight.mul_(5)
            texts = ["".join(rng.choice(list(LETTERS), size=length)) for _ in range(40)]
            logits = model(torch.stack([one_hot(text) for text in texts]))
        of = next((i for i, z in enumerate(logits) if int(z.argmax()) != c), 0)  # c is not the favorite
        cases.append((model, one_hot(texts[of]), c))

    def otherwise(case: Any, found: Any, wanted: Any) -> str:
        if np.shape(found) == (case[1].shape[1],):
            return "Four numbers for each place, one for each letter that could stand there."
        if np.shape(found) != np.shape(wanted):
            return f"The shape should be {tuple(wanted.shape)}: four letters, {wanted.shape[1]} places. Yours is " \
                   f"{np.shape(found)}."  # fmt: skip
        return "For each place and letter: a fresh copy, the column set to 0, the letter's row to 1; then the logit " \
               "of class c minus that of the unchanged text."  # fmt: skip

    other = "Pick class `c`, not the one that wins."
    compare(
        answer,
        cases,
        _changes(lambda b, a, c: a[c] - b[c]),
        (
            (_changes(lambda b, a, c: b[c] - a[c]), "The sign is turned around: a change is the new logit minus the "
             "old one."),
            (_changes(lambda b, a, c: a[c]), "These are the new logits. Subtract that of the unchanged text."),
            (_changes(lambda b, a, c: (a.softmax(0) - b.softmax(0))[c]), "These are changes in probability. Take the "
             "logit."),
            (_changes(lambda b, a, c: (a[c] - b[c]).abs()), "Keep the sign: some letters help the class, others hurt "
             "it."),
            (_changes(lambda b, a, c: a[b.argmax()] - b[b.argmax()]), other),
            (_changes(lambda b, a, c: a.max() - b.max()), other),
            *((_changes(lambda b, a, c, k=k: a[k] - b[k]), f"That is the change of class {k}, whatever `c` is.")
              for k in range(4)),
            (_changes(lambda b, a, c: (a - b).sum()), "Those are all logits added up: pick class `c`."),
            (_changes(lambda b, a, c: a[c] - b[c], fresh=False), "Later changes still see earlier ones: begin with a "
             "fresh copy each time."),
            (_not_cleared, "Two letters stand at one place: set the whole column to 0 before you put the new letter "
             "in."),
            (_only_cleared, "You take the letter away and put none in its place: set the row of the new letter to 1."),
        ),
        otherwise,
        atol=1e-3,
    )  # fmt: skip
    return "Biologists call this in-silico mutagenesis: every mutation is tried in the computer before one in a dish."
