"""Questions and checks of the lesson "When it looks at the wrong thing"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from helpers.data import shortcuts
from helpers.exercises.cases import compare
from helpers.exercises.core import Lesson, Option
from helpers.exercises.judge import Wrong, array, call, same, tensor, trials
from helpers.exercises.occlusion import one_number

LESSON = Lesson("shortcuts")

LESSON.ask(
    "snow",
    "Ten answers, two of them wrong, and both times snow is where it should not be, or missing where it should be. How "
    "many of the 27 students named the snow?",
    Option("25 before the explanations, and 25 after: the two mistakes give it away", "They do once you know. Before "
           "the explanations, 12 of the 27 named the snow."),
    Option("12 before the explanations, 25 after them", "Fewer than half could read it off ten answers. Nearly all "
           "could read it off the explanations.", right=True),
    Option("2 before the explanations, 5 after them", "They did better: 12 before, and 25 after. What the answers rest "
           "on is easy to see in a photograph."),
)  # fmt: skip

LESSON.ask(
    "without-the-tag",
    "The network is right on more than 99% of the tagged test images. How does it do on the same garments without "
    "their tags?",
    Option("Still about 99%", "Then the tags would not have mattered. But for the network a white square at a known "
           "place is much easier to learn than a shirt."),
    Option("About 90%, like networks trained without tags", "It never had to learn what those networks had to: the tag "
           "gave the answer in every training image."),
    Option("Below 50%", "Most of what it knew was the tag. What is left it learned in passing.", right=True),
)  # fmt: skip

LESSON.ask(
    "brightest",
    "The rival without a network points at the brightest pixel of the image and draws lots among equals. In how many "
    "images does that pixel lie in the tag?",
    Option("About 75%", "The tag is fully white, and hardly anything else is. So a map that points at bright pixels "
           "finds the tag without knowing anything about the network.", right=True),
    Option("About 30%", "Most garments have some pixels as white as the tag, but the tag has nine of them: more than "
           "its share."),
    Option("About 1%: the tag has 9 of 784 pixels", "That would be a pixel drawn from all. But the tag is fully white, "
           "and few other pixels of a photograph are."),
)  # fmt: skip

LESSON.ask(
    "grad-cam",
    "Of all 121 units, 6 or 7 in 100 touch the tag of an image. How often does the strongest unit of Grad-CAM?",
    Option("About 6%, as by chance", "Then its map would know nothing about the tag. It is coarse, but the tag is what "
           "the network looks at, and some of its maps show that."),
    Option("About 30%", "It does better: in most of the images the strongest unit touches the tag."),
    Option("In more than 60% of the images", "The map is coarse, but its strongest unit looks at the tag. Its "
           "brightest pixel seldom lies there, because it is drawn at the center of what the unit sees.", right=True),
)  # fmt: skip

LESSON.ask(
    "one-in-ten",
    "The shop takes one photograph in ten without a tag; the other nine are as before. You train on these, and test on "
    "garments with the tag of another class. How often is the network right?",
    Option("Less than half: where there is a tag, it still follows it", "The exceptions taught it what to do when "
           "there is no tag. That a tag can lie, nobody showed it.", right=True),
    Option("More than 80%: it has learned to do without tags", "Without a tag it does quite well. But where there was "
           "one, it told the truth in every single training image: why should the network doubt it now?"),
    Option("About 15%, as before: one in ten is too few to change anything", "Fifteen hundred photographs without a "
           "tag are fifteen hundred reasons to look at the garment: it is right in about a third."),
)  # fmt: skip

LESSON.ask(
    "unit",
    "To the eye the two halves of a row have little in common. So does each of the three units have two meanings?",
    Option("Yes, all three: nothing looks like a coat and like a bag", "Not to you. But units 71 and 98 need the same "
           "places in both classes, which is one meaning that you have no word for."),
    Option("One of them does; the other two look for one thing in both classes", "Coats and bags share what unit 71 "
           "wants, coats and trousers what unit 98 wants. Unit 46 needs different places in pullovers and sneakers.",
           right=True),
    Option("No: every unit has one meaning", "Nothing in training asks for that. Unit 46 needs a shoulder and a side "
           "in pullovers, and the middle of the shoe in sneakers."),
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
            *((_of_shares(lambda *abcn, d=d: [round(share, d) for share in abcn[:3]]), "Do not round: the share itself "
               "is asked for.") for d in (1, 2, 3)),
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
    if (tagged > 1.01).any():
        raise Wrong("Your tags are brighter than white: a white pixel is 1 here.")
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
