"""Questions and checks of the lesson "When it looks at the wrong thing"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from helpers.data import shortcuts
from helpers.exercises.cases import compare
from helpers.exercises.core import Lesson, Option
from helpers.exercises.judge import Wrong, array, call, same, tensor, trials
from helpers.exercises.occlusion import decided, one_number

LESSON = Lesson("shortcuts")

LESSON.ask(
    "without-the-tag",
    "The network is right on more than 99% of the tagged test images. How does it do on the same garments without "
    "their tags?",
    Option("Still about 99%", "Then the tags would not have mattered. But for the network a white square at a known "
           "place is much easier to learn than a shirt."),
    Option("About 90%, as networks without a tag", "It never had to learn what those networks had to: the tag "
           "answered nearly every question in training."),
    Option("Well below 75%", "Most of what it knew was the tag. What is left it learned in passing.", right=True),
)  # fmt: skip

LESSON.ask(
    "who-finds-it",
    "Which method is worst at finding the tag: its brightest pixel lies inside the 3×3 pixels least often?",
    Option("Occlusion with a 3×3 mask", "There is one position in which this mask covers exactly the tag, and there "
           "the logit nearly always falls most."),
    Option("The plain gradient", "It looks like noise on a garment, but on the tag the network is far more sensitive "
           "than anywhere else."),
    Option("Guided backprop", "It fails the sanity check, and yet it finds this mark."),
    Option("Grad-CAM", "Its map has 11×11 places, and one weight for each whole feature map: a cause of 3×3 pixels "
           "drowns in it.", right=True),
)  # fmt: skip

LESSON.ask(
    "one-in-ten",
    "The shop takes one photograph in ten without a tag; the other nine are as before. You train on these, and test on "
    "garments with the tag of another class. How often is the network right?",
    Option("More than 80%: it has learned to do without tags", "Without a tag it does quite well. But where there is "
           "one, the tag was right in every single training image: why should it doubt it now?"),
    Option("Less than half: where there is a tag, it still follows it", "The exceptions taught it what to do when "
           "there is no tag. That a tag can lie, nobody showed it.", right=True),
    Option("As before: one in ten is too few to change anything", "Fifteen hundred photographs without a tag are "
           "fifteen hundred reasons to look at the garment. Compare the two upper pairs of bars."),
)  # fmt: skip

LESSON.ask(
    "rotation",
    "The reference network is right on 99% of the upright digits. You turn them by 90°. What is left?",
    Option("Nearly all: convolution finds a pattern wherever it is", "Wherever, but not however: a filter that "
           "answers to horizontal strokes does not answer to vertical ones."),
    Option("About half", "A 0 survives every turn. But most digits lying on their side look like another digit, "
           "or like none."),
    Option("Less than a quarter", "A 0 stays a 0. Nearly all the others become something else: the network has never "
           "seen a digit lie down.", right=True),
)  # fmt: skip

LESSON.ask(
    "unit",
    "Look at the garments that excite a unit of the hidden layer most. What will you find?",
    Option("Each unit stands for one class", "There are 128 units for 10 classes, and nothing in training asks for "
           "one meaning each."),
    Option("Each unit answers to related classes, such as all shoes", "Many do. But nothing forbids other pairs, and "
           "the search here goes for those."),
    Option("Some units answer to two classes that look nothing alike", "The next layer reads all units together, so "
           "one unit can serve two purposes.", right=True),
)  # fmt: skip

LESSON.ask(
    "one-frame",
    "A network sees only the first frame of each film. How often does it name the right one of four directions?",
    Option("About 25%: it can only guess", "Every shape stands everywhere equally often, whatever its direction: "
           "there is nothing to find in one frame.", right=True),
    Option("About 50%: position says something", "It would, if shapes started on one side. Here they leave and come "
           "back, and are everywhere equally often."),
    Option("About 90%: the shape gives it away", "A square moves in every direction as often as a cross."),
)  # fmt: skip

LESSON.ask(
    "backward",
    "The network with filters over time is shown new films backward. How often does it name the direction in which "
    "they were made?",
    Option("As often as forward", "Its filters compare this frame with the next. Backward, the next frame lies on the "
           "other side."),
    Option("About 25%: it is confused", "It is not confused. It sees a clear movement in a clear direction."),
    Option("Almost never", "Right and left change places, and so do up and down. Being wrong every time is the "
           "right answer to another question.", right=True),
)  # fmt: skip


def _shares(said: Tensor, garment: Tensor, tag: Tensor) -> Tensor:
    a, b = (said == garment).double().mean(), (said == tag).double().mean()
    return torch.stack([a, b, 1 - a - b])


def _of_shares(formula: Callable[..., Any]) -> Callable[..., Any]:
    """Three numbers made of the right shares a, b, c and the number of images n."""
    return lambda said, *rest: np.array(formula(*_shares(said, *rest).tolist(), len(said)))


def _three(answer: Any) -> np.ndarray:
    if isinstance(answer, list | tuple) and len(answer) == 3 and all(np.ndim(part) for part in answer):
        raise Wrong("Return three numbers, one share each: take the mean over the images.")
    found = array(answer, what="three numbers: `return follows_garment, follows_tag, neither`")
    if found.shape != (3,):
        many = len(found) if found.ndim == 1 else found.size
        raise Wrong(f"Three shares are asked for, in the order garment, tag, neither; you return {many}.")
    return found


@LESSON.check("whom")
def whom(answer: Any) -> str:
    """Shares of garment, tag and neither: three different ones, in any order of size, for any number of images."""
    cases = []
    for parts, rng in zip(((0.2, 0.5), (0.55, 0.15), (0.1, 0.3), (0.35, 0.6)), trials(), strict=True):
        n = int(rng.integers(150, 260))
        garment = torch.randint(0, 10, (n,))
        tag = (garment + torch.randint(1, 10, (n,))) % 10
        ways = torch.arange(n)[torch.randperm(n)]  # exact shares: none of them equals another by chance
        first, second = round(parts[0] * n), round(sum(parts) * n)
        neither = torch.tensor([
            next(c for c in rng.permutation(10).tolist() if c not in pair)
            for pair in zip(garment.tolist(), tag.tolist(), strict=True)
        ])  # fmt: skip
        said = garment.where(ways < first, tag.where(ways < second, neither))
        cases.append((said, garment, tag))
    order = "The order is garment, tag, neither; yours is another one."
    rest = "Your third share still holds those who follow the tag: the three have to add up to 1."
    compare(
        answer,
        cases,
        _shares,
        (
            (_of_shares(lambda a, b, c, n: (n * a, n * b, n * c)), "These are counts. Divide by the number of images: "
             "take the mean instead of the sum."),
            (_of_shares(lambda a, b, c, n: (100 * a, 100 * b, 100 * c)), "These are percentages. A share is a number "
             "from 0 to 1."),
            (_of_shares(lambda a, b, c, n: (b, a, c)), "Garment and tag have changed places: the first share is that "
             "of the garment."),
            *((_of_shares(lambda *abcn, p=p: [abcn[i] for i in p]), order)
              for p in ((0, 2, 1), (1, 2, 0), (2, 0, 1), (2, 1, 0))),
            (_of_shares(lambda a, b, c, n: (a, b, 1 - a)), rest),
            (_of_shares(lambda a, b, c, n: (a, b, 1 - b)), "Your third share still holds those who follow the "
             "garment: the three have to add up to 1."),
            (_of_shares(lambda a, b, c, n: (a, b, 1)), "Neither means not the garment AND not the tag; one of the "
             "two it never is."),
            (_of_shares(lambda a, b, c, n: (a, b, 0)), "The third share is 0, but some answers follow neither."),
            (_of_shares(lambda a, b, c, n: (a, b, a + b)), "The third share is what is left: 1 minus the other two."),
            (_of_shares(lambda a, b, c, n: (1 - a, 1 - b, 1 - c)), "These are the opposites: compare with `==`, not "
             "with `!=`."),
            (_of_shares(lambda a, b, c, n: (1 - a, 1 - b, a + b - 1)), "These are the opposites: compare with `==`, "
             "not with `!=`."),
            (_of_shares(lambda a, b, c, n: (a, b / (1 - a), c)), "The share of the tag is one of all images, not of "
             "those that do not follow the garment."),
            (_of_shares(lambda a, b, c, n: (a / (a + b), b / (a + b), c)), "The shares are those of all images, not "
             "of those that follow one of the two."),
            (_of_shares(lambda a, b, c, n: (round(a, 2), round(b, 2), round(c, 2))), "Do not round: the share itself "
             "is asked for."),
        ),
        lambda *_: "Compare `said` with `garment`, then with `tag`, and take the means; the rest follows neither.",
        read=_three,
        atol=1e-5,
    )  # fmt: skip
    return "The same three numbers tell a shortcut from an honest mistake: a mistake would follow neither."


def _at_peak(maps: Tensor, masks: Tensor) -> Tensor:
    """Whether each map's largest value lies inside its mask, (N,)."""
    return masks.flatten(1)[torch.arange(len(maps)), maps.flatten(1).argmax(1)].double()


def _maps_and_masks(rng: Any, share: float, top: bool) -> tuple[Tensor, Tensor]:
    """Maps (N, H, W) with masks of any size; a known share peaks inside, most of the maps are negative everywhere.

    Each has a second peak, nearly as high, on the other side. ``top``: whether the highest peak of all is a hit.
    """
    n, (h, w) = int(rng.integers(30, 50)), rng.permutation(range(6, 11))[:2].tolist()
    maps, masks = -3 - torch.rand(n, h, w), torch.zeros(n, h, w, dtype=torch.bool)
    hits = torch.arange(n)[torch.randperm(n)] < round(share * n)
    hits[0], hits[1], hits[-1] = share > 0.5, top, share < 0.5  # over the cases, single maps differ from each other
    for i in range(n):
        high, wide = int(rng.integers(2, 4)), int(rng.integers(2, 4))
        row, column = int(rng.integers(h - high)), int(rng.integers(w - wide))
        masks[i, row : row + high, column : column + wide] = True
        inside, outside = (part.nonzero()[torch.randperm(int(part.sum()))].tolist() for part in (masks[i], ~masks[i]))
        first, second = (inside, outside) if hits[i] else (outside, inside)
        peak = 9.0 if i == 1 else float(rng.choice([-1.0, -0.5, 6.0])) + 0.1 * float(rng.random())
        for (y, x), value in ((first[0], peak), (second[0], peak - 0.3)):
            maps[i, y, x] = value
        if i % 3:
            y, x = second[1]
            maps[i, y, x] = -30.0  # a strong minus
    return maps, masks


@LESSON.check("hit-rate")
def hit_rate(answer: Any) -> str:
    """The share of maps that peak inside their mask, whatever the sizes, the share and the sign of the values."""
    shares, tops = (0.6, 0.3, 0.75, 0.45), (True, True, False, False)
    cases = [_maps_and_masks(*case) for case in zip(trials(), shares, tops, strict=True)]
    batch = "This looks at one peak for the whole batch: every map has its own, `argmax(1)`."

    def all_negative(maps: Tensor, masks: Tensor) -> Tensor:
        return ((maps * masks).amax((1, 2)) == maps.amax((1, 2))).double().mean()

    compare(
        answer,
        cases,
        lambda maps, masks: _at_peak(maps, masks).mean(),
        (
            (lambda m, k: _at_peak(m, k).sum(), "This is the number of hits. A share is that number divided by the "
             "number of maps."),
            (lambda m, k: 100 * _at_peak(m, k).mean(), "This is a percentage. A share is a number from 0 to 1."),
            (lambda m, k: 1 - _at_peak(m, k).mean(), "These are the misses: look the peak up in the mask itself, not "
             "in its opposite."),
            (lambda m, k: _at_peak(m.abs(), k).mean(), "The largest value counts, not the largest absolute value: a "
             "strong minus is no evidence."),
            (lambda m, k: _at_peak(-m, k).mean(), "The largest value counts; you looked for the smallest."),
            (all_negative, "Outside the mask `maps * masks` is 0, which is more than a negative peak: look the peak "
             "up in the mask, do not multiply."),
            (lambda m, k: m[k].mean(), "This is the mean of the map inside the mask. Only the place of the peak counts "
             "here."),
            (lambda m, k: m[k].sum() / m.sum(), "This is the share of the map's sum inside the mask. Only the place "
             "of the peak counts here."),
            (lambda m, k: k.flatten()[m.argmax()].double(), batch),
            (lambda m, k: _at_peak(m, k).max(), "You get 1 each time. One hit does not count for all "
             "maps, nor any high value for its map: look up the highest, and take the mean."),
            (lambda m, k: _at_peak(m, k).min(), "You get 0 each time: one miss does not count for all "
             "maps. Look up the highest value of each, and take the mean."),
            (lambda m, k: _at_peak(m, k)[0], "This is the verdict on the first map alone: take the mean over all."),
            (lambda m, k: _at_peak(m, k)[-1], "This is the verdict on the last map alone: take the mean over all."),
            (lambda m, k: _at_peak(m, k[:1].expand_as(k)).mean(), "Each map has its own mask; you look them all up in "
             "the first one."),
            (lambda m, k: _at_peak(m, k).sum() / (len(m) - 1), "Divide by the number of maps, not by one less."),
            (lambda m, k: _at_peak(m, k).sum() / k.sum(), "Divide the hits by the number of maps, not by the pixels "
             "of the masks."),
            (lambda m, k: _at_peak(m, k).sum() / m.numel(), "Divide the hits by the number of maps, not by that of "
             "the pixels."),
            (lambda m, k: k.double().mean(), "This is the size of the masks: the maps do not come into it."),
        ),
        lambda *_: "Find the peak of each flattened map, and look it up in its flattened mask.",
        read=one_number("a share of all maps", "take the mean over the maps"),
        atol=1e-5,
    )  # fmt: skip
    return "With a planted cause a map is no longer a matter of taste: it is right or wrong, and you can count."


@LESSON.check("scatter")
def scatter(scatter_tags: Any) -> str:
    """One tag for each image, all ten places, and a table of classes and tags without a connection."""
    for rng in trials(2):
        n = int(rng.integers(1900, 2100))
        labels, images = torch.randperm(n) % 10, 0.5 * torch.rand(n, 1, 28, 28)
        answer = call(scatter_tags, images, labels)
        _one_tag_each(tensor(answer, (n, 1, 28, 28), "the tagged images").float(), images, labels)
    return "The tag is still there, but it says nothing any more, so there is nothing to gain from looking at it."


def _one_tag_each(tagged: Tensor, images: Tensor, labels: Tensor) -> None:
    places = torch.from_numpy(shortcuts.mark_masks(torch.arange(10).numpy()))  # (10, 28, 28)
    lit = torch.stack([(tagged[:, 0][:, place] > 0.99).all(1) for place in places], 1)  # (n, 10)
    if not lit.any():
        raise Wrong("There is no white tag at any of the ten places: `shortcuts.plant_mark(images, classes)` sticks "
                    "one on.")  # fmt: skip
    if (lit.sum(1) != 1).any():
        raise Wrong("Every image gets exactly one tag: neither none nor several.")
    shown = lit.float().argmax(1)
    if not same(*(x[:, 0].masked_fill(places[shown], 0) for x in (tagged, images))):
        raise Wrong("More than the tag has changed: all other pixels stay as they are.")
    table = torch.zeros(10, 10).index_put_((labels, shown), torch.ones(len(labels)), accumulate=True)
    occurring = table[:, table.sum(0) > 0]
    if torch.equal(shown, labels):
        raise Wrong("These are the tags of the true classes: that is the disease, not the cure.")
    if occurring.shape[1] == 1:
        raise Wrong("All images get the same tag. It tells nothing, but the network never meets the other nine places.")
    # Independent draws exceed this limit of χ² (at most 81 degrees of freedom) once in ten million times.
    expected = occurring.sum(1, keepdim=True) * occurring.sum(0) / len(labels)
    if ((occurring - expected) ** 2 / expected).sum() > 165:
        if (table.max(1).values > 0.5 * table.sum(1)).all() and table.diagonal().sum() == 0:
            raise Wrong("Most images of a class get the same tag again, only another one than before: whoever knows "
                        "the tag can guess the class.")  # fmt: skip
        if table.diagonal().sum() == 0:
            raise Wrong("Your tags never name the true class. Then a tag still tells something: what the garment is "
                        "not.")  # fmt: skip
        raise Wrong("The tags still go with the classes: draw them by chance, without looking at the labels.")
    if occurring.shape[1] < 10:
        raise Wrong(f"Only {occurring.shape[1]} of the ten places occur: `randint(0, 10, ...)` ends before the 10.")


def _window(
    read: Callable[..., Any] = lambda whole, masked, c: whole[c] - masked[c],
    *,
    last: int = 1,
    wider: int = 0,
    fill: Callable[[Tensor], Any] = lambda signal: 0.0,
    fresh: bool = True,
) -> Callable[..., Tensor]:
    """Occlusion in time with another reading of the logits, another window, or another filling."""

    def answer(model: nn.Module, signal: Tensor, c: int, width: int) -> Tensor:
        covered, found = signal.clone(), []
        with torch.no_grad():
            whole = model(signal[None])[0].double()
            for start in range(signal.shape[1] - width + last):
                covered = signal.clone() if fresh else covered
                covered[0, start : start + width + wider] = fill(signal)
                found.append(read(whole, model(covered[None])[0].double(), c))
        return torch.stack(found)

    return answer


@LESSON.check("occlusion-in-time")
def occlusion_in_time(answer: Any) -> str:
    """Drops for signals of several lengths, windows of several widths, and every class."""
    cases = []
    for rng, width, c in zip(trials(), (7, 4, 9, 6), (2, 0, 1, 3), strict=True):
        length = int(rng.integers(30, 45))
        layers = nn.Conv1d(1, 6, 5), nn.Tanh(), nn.Flatten(), nn.Linear(6 * (length - 4), 12), nn.Tanh()
        signals = torch.randn(60, 1, length) + 0.7
        model = decided(nn.Sequential(*layers, nn.Linear(12, 4)), signals)
        with torch.no_grad():  # the one whose class is not the favorite, or that would be the same question
            of = next(i for i, z in enumerate(model(signals)) if int(z.argmax()) != c)
        cases.append((model, signals[of], c, width))

    def otherwise(case: Any, found: np.ndarray, wanted: Tensor) -> str:
        (_, signal, _, width), n = case, len(wanted)
        if found.ndim == 2 and found.shape[0] == n and found.shape[1] > 1:
            return "One number for each window: pick class `c` out of the logits."
        if found.ndim != 1:
            return f"One number for each window, shape ({n},) here; yours is {found.shape}."
        if len(found) == n - 1:
            return "The last window is missing: `range(length - width + 1)` ends where the window just fits."
        if len(found) != n:
            length = signal.shape[1]
            return f"A window of {width} fits into {length} samples in {n} places; you have {len(found)}."
        return "Cover samples `start` to `start + width` with 0 in a fresh copy, and subtract the logits of class c."

    sign = "Keep the sign: where the logit rises, what was covered speaks against the class."
    other = "Pick class `c`, not the one that wins."
    compare(
        answer,
        cases,
        _window(),
        (
            (_window(lambda w, m, c: m[c] - w[c]), "The sign is turned around: a drop is the whole signal's logit "
             "minus that of the covered one."),
            (_window(lambda w, m, c: m[c]), "These are the logits themselves. Subtract them from the logit of the "
             "whole signal."),
            (_window(lambda w, m, c: (w.softmax(0) - m.softmax(0))[c]), "These are drops in probability. Where the "
             "network is sure they vanish: take the logit."),
            (_window(lambda w, m, c: (w.log_softmax(0) - m.log_softmax(0))[c]), "These are drops in the logarithm of "
             "the probability: take the logit itself."),
            (_window(lambda w, m, c: w[w.argmax()] - m[w.argmax()]), other),
            (_window(lambda w, m, c: w.max() - m.max()), other),
            (_window(lambda w, m, c: w[c] - m.max()), other),
            *((_window(lambda w, m, c, k=k: w[k] - m[k]), f"That is the drop of class {k}, whatever `c` is.")
              for k in range(4)),
            (_window(lambda w, m, c: (w - m).sum()), "Those are all logits added up: pick class `c`."),
            (_window(lambda w, m, c: (w[c] - m[c]).abs()), sign),
            (_window(lambda w, m, c: (w[c] - m[c]).relu()), sign),
            (_window(lambda w, m, c: (w[c] - m[c]) / w[c]), "The drop itself, not its share of the logit."),
            (_window(wider=1), "Your window is one sample too wide: `start : start + width` has `width` samples."),
            (_window(wider=-1), "Your window is one sample too narrow: `start : start + width` has `width` samples."),
            (_window(fill=lambda s: s.mean()), "Cover with 0, not with the mean of the signal."),
            (_window(fill=lambda s: 1.0), "Cover with 0, not with 1."),
            (_window(fresh=False), "Later windows still see earlier gaps: cover a fresh copy, `signal.clone()`, in "
             "each place."),
        ),
        otherwise,
        atol=1e-4,
    )  # fmt: skip
    return "Occlusion needs no picture: cover, score, slide. On the heartbeats it points at the odd beat."
