"""Questions and checks of the lesson "When it looks at the wrong thing"."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from helpers.data import shortcuts
from helpers.exercises.core import Lesson, Option, Wrong, call

LESSON = Lesson("shortcuts")

LESSON.ask(
    "without-the-tag",
    "The network is right on more than 99 % of the tagged test images. How does it do on the same garments without "
    "their tags?",
    Option("Still about 99 %", "Then the tags would not have mattered. But for the network a white square at a known "
           "place is much easier to learn than a shirt."),
    Option("About 90 %, as networks without a tag", "It never had to learn what those networks had to: the tag "
           "answered nearly every question in training."),
    Option("Well below 75 %", "Most of what it knew was the tag. What is left it learned in passing.", right=True),
)  # fmt: skip

LESSON.ask(
    "who-finds-it",
    "Which method is worst at finding the tag: its brightest pixel lies inside the 3×3 pixels least often?",
    Option("Occlusion with a 3×3 mask", "There is one position in which this mask covers exactly the tag, and there "
           "the logit falls most."),
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
    Option("More than 80 %: it has learned to do without tags", "Without a tag it does quite well. But where there is "
           "one, the tag was right in every single training image: why should it doubt it now?"),
    Option("Less than half: where there is a tag, it still follows it", "The exceptions taught it what to do when "
           "there is no tag. That a tag can lie, nobody showed it.", right=True),
    Option("As before: one in ten is too few to change anything", "Fifteen hundred photographs without a tag are "
           "fifteen hundred reasons to look at the garment. Compare the two upper pairs of bars."),
)  # fmt: skip

LESSON.ask(
    "rotation",
    "The reference network is right on 99 % of the upright digits. You turn them by 90°. What is left?",
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
    Option("About 25 %: it can only guess", "Every shape stands everywhere equally often, whatever its direction: "
           "there is nothing to find in one frame.", right=True),
    Option("About 50 %: position says something", "It would, if shapes started on one side. Here they leave and come "
           "back, and are everywhere equally often."),
    Option("About 90 %: the shape gives it away", "A square moves in every direction as often as a cross."),
)  # fmt: skip

LESSON.ask(
    "backward",
    "The network with filters over time is shown new films backward. How often does it name the direction in which "
    "they were made?",
    Option("As often as forward", "Its filters compare this frame with the next. Backward, the next frame lies on the "
           "other side."),
    Option("About 25 %: it is confused", "It is not confused. It sees a clear movement in a clear direction."),
    Option("Almost never", "Right and left change places, and so do up and down. Being wrong every time is the "
           "right answer to another question.", right=True),
)  # fmt: skip


@LESSON.check("whom")
def _(whom: Any) -> str:
    garment = torch.randint(0, 10, (203,))
    tag = (garment + torch.randint(1, 10, (203,))) % 10
    pick = torch.rand(203)
    third = (garment + 0).where(pick < 0.3, tag)
    neither = torch.tensor(
        [next(c for c in range(10) if c not in (g, t)) for g, t in zip(garment.tolist(), tag.tolist(), strict=True)]
    )
    said = third.where(pick < 0.85, neither)
    answer = call(whom, said.clone(), garment.clone(), tag.clone())
    try:
        shares = [float(share) for share in answer]
    except (TypeError, ValueError) as error:
        raise Wrong("Return three numbers: `return follows_garment, follows_tag, neither`.") from error
    wanted = [(said == garment).float().mean().item(), (said == tag).float().mean().item()]
    wanted.append((said == neither).float().mean().item())
    if len(shares) != 3:
        raise Wrong(f"Three shares are asked for, in the order garment, tag, neither; you return {len(shares)}.")

    def close(other: list[float]) -> bool:
        return all(abs(a - b) < 1e-4 for a, b in zip(shares, other, strict=True))

    if close([203 * share for share in wanted]):
        raise Wrong("These are counts. Divide by the number of images: take the mean instead of the sum.")
    if close([100 * share for share in wanted]):
        raise Wrong("These are percentages. A share is a number from 0 to 1.")
    if close([wanted[1], wanted[0], wanted[2]]):
        raise Wrong("Garment and tag have changed places: the first share is that of the garment.")
    if close([wanted[0], wanted[1], 1 - wanted[0]]):
        raise Wrong("Your third share still holds those who follow the tag: the three have to add up to 1.")
    if not close(wanted):
        raise Wrong("Compare `said` with `garment`, then with `tag`, and take the means; the rest follows neither.")
    return "The same three numbers tell a shortcut from an honest mistake: a mistake would follow neither."


@LESSON.check("hit-rate")
def _(hit_rate: Any) -> str:
    maps, masks = torch.randn(40, 7, 9) - 4, torch.zeros(40, 7, 9, dtype=torch.bool)
    rows, columns, hits = torch.randint(0, 5, (40,)), torch.randint(0, 7, (40,)), torch.zeros(40, dtype=torch.bool)
    # 24 hits, always: no share that a mistake can give (16, 26, all or none of 40) is the right one by chance.
    hits[torch.cat([torch.tensor([0]), 2 + torch.randperm(38)[:23]])] = True
    for i in range(40):
        masks[i, rows[i] : rows[i] + 2, columns[i] : columns[i] + 2] = True
        inside, outside = (part.nonzero()[torch.randperm(int(part.sum()))].tolist() for part in (masks[i], ~masks[i]))
        (y, x), (v, u) = (inside if hits[i] else outside)[0], (inside if i % 3 else outside)[1]
        maps[i, y, x], maps[i, v, u] = (9.0 if i == 0 else 5.0), -30.0
    answer = call(hit_rate, maps.clone(), masks.clone())
    if isinstance(answer, Tensor) and answer.numel() > 1:
        raise Wrong(f"One number for all maps is asked for, this has the shape {tuple(answer.shape)}: take the mean.")
    rate, wanted = float(answer), hits.float().mean().item()

    def same(other: float) -> bool:
        return abs(rate - other) < 1e-5

    strongest = masks.flatten(1)[range(40), maps.abs().flatten(1).argmax(1)].float().mean().item()
    if not same(wanted):
        if same(hits.sum().item()):
            raise Wrong("This is the number of hits. A share is that number divided by the number of maps.")
        if same(1 - wanted):
            raise Wrong("These are the misses: look the peak up in the mask itself, not in its opposite.")
        if same(strongest):
            raise Wrong("The largest value counts, not the largest absolute value: a strong minus is no evidence.")
        if same(maps[masks].mean().item()):
            raise Wrong("This is the mean of the map inside the mask. Only the place of the peak counts here.")
        if same(float(masks.flatten()[maps.argmax()])):
            raise Wrong("This looks at one peak for the whole batch: every map has its own, `argmax(1)`.")
        if same(masks.float().mean().item()):
            raise Wrong("This is the size of the masks: the maps do not come into it.")
        raise Wrong("Find the peak of each flattened map, and look it up in its flattened mask.")
    return "With a planted cause a map is no longer a matter of taste: it is right or wrong, and you can count."


@LESSON.check("scatter")
def _(scatter_tags: Any) -> str:
    labels = torch.arange(600) % 10
    images = 0.5 * torch.rand(600, 1, 28, 28)
    before = images.clone()
    answer = call(scatter_tags, images, labels)
    if not torch.equal(images, before):
        raise Wrong("The images that came in have changed: work on a copy; `plant_mark` makes one.")
    if not isinstance(answer, Tensor) or answer.shape != images.shape:
        raise Wrong(f"Return the tagged images, a tensor {tuple(images.shape)}.")
    places = torch.from_numpy(shortcuts.mark_masks(torch.arange(10).numpy()))  # (10, 28, 28)
    lit = torch.stack([(answer[:, 0][:, place] > 0.99).all(1) for place in places], 1)  # (600, 10)
    if not lit.any():
        raise Wrong("There is no tag in your images: `shortcuts.plant_mark(images, classes)` sticks one on.")
    if (lit.sum(1) != 1).any():
        raise Wrong("Every image gets exactly one tag: neither none nor several.")
    shown = lit.float().argmax(1)
    if torch.equal(shown, labels):
        raise Wrong("These are the tags of the true classes: that is the disease, not the cure.")
    if len(shown.unique()) == 1:
        raise Wrong("All images get the same tag. It tells nothing, but the network never meets the other nine places.")
    table = torch.zeros(10, 10).index_put_((labels, shown), torch.ones(600), accumulate=True)
    if (table.max(1).values > 30).all():
        raise Wrong("Each class has a tag of its own again, only another one: whoever knows the tag knows the class.")
    if len(shown.unique()) < 10:
        raise Wrong(f"Only {len(shown.unique())} of the ten places occur: `randint(0, 10, ...)` ends before the 10.")
    if (table.diagonal() == 0).all():
        raise Wrong("Your tags never name the true class. Then a tag still tells something: what the garment is not.")
    expected = 60 / 10
    if ((table - expected) ** 2 / expected).sum() > 160:
        raise Wrong("The tags still go with the classes: draw them by chance, without looking at the labels.")
    if not torch.equal(answer[:, 0][~places[shown]], images[:, 0][~places[shown]]):
        raise Wrong("More than the tag has changed: all other pixels stay as they are.")
    return "The tag is still there, but it says nothing any more, so there is nothing to gain from looking at it."


@LESSON.check("occlusion-in-time")
def _(occlusion_in_time: Any) -> str:
    torch.manual_seed(torch.randint(0, 10**6, (1,)).item())
    model = nn.Sequential(nn.Conv1d(1, 4, 5), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 32, 3)).eval()
    signal, c, width = torch.randn(1, 36), 2, 7
    given = signal.clone()
    answer = call(occlusion_in_time, model, given, c, width)
    if not torch.equal(given, signal):
        raise Wrong(
            "The signal itself has changed, so later windows see earlier gaps: cover a fresh `clone()` each time."
        )
    answer = torch.as_tensor(answer).detach().float()
    with torch.no_grad():
        covered = signal.repeat(30, 1)
        for start in range(30):
            covered[start, start : start + width] = 0
        logits, whole = model(covered[:, None]), model(signal[None])
    if answer.ndim == 2 and answer.shape[0] == 30:
        raise Wrong("One number for each window: pick class `c` out of the logits.")
    if answer.ndim != 1:
        raise Wrong(f"One number for each window, shape (30,) here; yours is {tuple(answer.shape)}.")
    if len(answer) == 29:
        raise Wrong("The last window is missing: `range(length - width + 1)` ends where the window just fits.")
    if len(answer) != 30:
        raise Wrong(f"A window of {width} fits into 36 samples in 30 places; you have {len(answer)}.")
    wanted = (whole - logits)[:, c]

    def same(other: Tensor) -> bool:
        return torch.allclose(answer, other, atol=1e-5)

    if not same(wanted):
        if same(-wanted):
            raise Wrong("The sign is turned around: a drop is the whole signal's logit minus that of the covered one.")
        if same(logits[:, c]):
            raise Wrong("These are the logits themselves. Subtract them from the logit of the whole signal.")
        if same((whole.softmax(1) - logits.softmax(1))[:, c]):
            raise Wrong("These are drops in probability. Where the network is sure they vanish: take the logit.")
        raise Wrong(
            "Cover samples `start` to `start + width` with 0 in a fresh copy, and subtract the logits of class c."
        )
    return "Occlusion needs no picture: cover, score, slide. On the heartbeats it points at the odd beat."
