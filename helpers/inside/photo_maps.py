"""Every map of one photograph, for one class after another, as quickly as a control can be moved.

A photograph takes its time to pass through a network. What it left there is kept, once by the plain rule and once by
the guided one, so that another class costs only the way back, and another layer for Grad-CAM only a part of it. The
masks of occlusion are scored in steps, the first of which covers the whole photograph.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from helpers.filters.geometry import receptive_field
from helpers.inside.fields import at_centers
from helpers.inside.occlusion import as_fill, masked_logits, window_starts
from helpers.inside.relu_rules import relu_rule
from helpers.inside.scores import as_target, need_gradients
from helpers.network.hooks import record
from helpers.network.photonet import WINDOWS, PhotoNet
from helpers.network.running import Images, as_images, evaluating, logits_of

#: Layers at which Grad-CAM can be asked for.
LAYERS = tuple(name for name in WINDOWS if name != "classes")
#: A mask covers a fifth of a photograph's side, 48 of 227 pixels, and moves by a third of itself: this share.
STEP = 1 / 14


class PhotoMaps:
    """One photograph in a network, and what each method says about a class: maps ``(H, W)`` over the photograph.

    The numbers are those of :mod:`helpers.inside.attribution` and of ``photonet.class_maps``.

    Args:
        model: the network; judged in evaluation mode, and to be left alone while the maps are asked for.
        image: ``(3, H, W)`` in [0, 1].

    Attributes:
        logits: ``(1000,)``.

    Raises:
        RuntimeError: inside ``torch.inference_mode()``.
        ValueError: for an image that the network does not take.
    """

    def __init__(self, model: PhotoNet, image: Images) -> None:
        need_gradients(model)
        self.model, self.image = model, as_images(model, image, "CHW").detach()
        self._pixels: dict[str, Tensor] = {}
        self._scores: dict[str, Tensor] = {}
        self._last: dict[str, tuple[int, list[Tensor]]] = {}
        for rule in ("plain", "guided"):
            following = nullcontext() if rule == "plain" else relu_rule(model, rule)
            # The channels of a pixel side by side: max pooling takes a fraction of the time.
            x = self.image[None].clone(memory_format=torch.channels_last).requires_grad_()
            recorded = record(model, [*LAYERS, "maps"] if rule == "plain" else [], detach=False)
            with evaluating(model), torch.enable_grad(), following, recorded as kept:
                self._scores[rule] = logits_of(model, x)
            self._pixels[rule] = x
            if rule == "plain":
                self._kept = kept
        self.logits = self._scores["plain"][0].detach()

    def class_map(self, target: int) -> Tensor:
        """The map of a class, at least 0, whose mean is the logit: ``(h, w)`` at the size of the last layer."""
        return self._kept["maps"][0, self._checked(target)].detach()

    def gradient(self, target: int, window: int = 1) -> Tensor:
        """How strongly the logit answers to each pixel, as :func:`~helpers.inside.attribution.saliency`: ``(H, W)``.

        For the eye it can be averaged over a window of an odd number of pixels.
        """
        slope = self._slopes("plain", target)[0].abs().amax(0)
        return functional.avg_pool2d(slope[None], window, stride=1, padding=window // 2)[0]

    def guided(self, target: int) -> Tensor:
        """Guided backpropagation, signed, with its colors: ``(3, H, W)``."""
        return self._slopes("guided", target)[0]

    def grad_cam(self, target: int, layer: str) -> Tensor:
        """Grad-CAM at one of :data:`LAYERS`, at the layer's own size ``(h, w)``.

        Raises:
            ValueError: for another layer.
        """
        if layer not in LAYERS:
            raise ValueError(f"Grad-CAM is asked for at one of {', '.join(LAYERS)}; got {layer!r}.")
        maps = self._kept[layer]
        weights = self._slopes("plain", target)[1 + LAYERS.index(layer)].mean((1, 2), keepdim=True)
        return (weights * maps[0].detach()).sum(0).relu()

    def placed(self, small: Tensor, layer: str) -> Tensor:
        """A map of a layer over the photograph, ``(H, W)``: each value at the center of what its unit sees."""
        last = "classes" if layer == "maps" else layer
        windows = list(WINDOWS.values())[: list(WINDOWS).index(last) + 1]
        field = receptive_field([(1, 1, 0), *windows])[-1]
        height, width = self.image.shape[1:]
        return at_centers(small[None], field, (height, width))[0]

    def _slopes(self, rule: str, target: int) -> list[Tensor]:
        """Gradients of a class's logit by one of the rules, for the pixels and, by the plain rule, all :data:`LAYERS`.

        Those of the last class are kept, so that another layer costs nothing.
        """
        number = self._checked(target)
        if rule not in self._last or self._last[rule][0] != number:
            to = [self._pixels[rule], *(self._kept[layer] for layer in LAYERS if rule == "plain")]
            with torch.enable_grad():
                found = torch.autograd.grad(self._scores[rule][0, number], to, retain_graph=True)
            self._last[rule] = (number, [gradient[0] for gradient in found])
        return self._last[rule][1]

    def _checked(self, target: int) -> int:
        return int(as_target(target, self.logits[None])[0])


class Masks:
    """What is known of an occlusion so far: the logits under some masks.

    Attributes:
        boxes: ``(n, 4)``, top, left, bottom, right of each mask in pixels, the last two exclusive.
        logits: ``(n, classes)``.
        base: ``(classes,)``, of the uncovered photograph.
        sides: of the photograph, height and width.
        left: how many masks are still to come.
    """

    def __init__(self, boxes: Tensor, logits: Tensor, base: Tensor, sides: tuple[int, int], left: int) -> None:
        self.boxes, self.logits, self.base, self.sides, self.left = boxes, logits, base, sides, left

    def map(self, target: int) -> Tensor:
        """``(H, W)``: the mean drop in logit over the masks that cover a pixel, as ``Occlusion.map``; 0 without any."""
        drops = self.base[target] - self.logits[:, target]
        return (self._down * drops) @ self._across.T / self._covered

    @cached_property
    def _down(self) -> Tensor:
        """Which rows each mask covers, ``(H, n)``, as ones and zeros."""
        return _within(self.sides[0], self.boxes[:, 0], self.boxes[:, 2])

    @cached_property
    def _across(self) -> Tensor:
        """Which columns each mask covers, ``(W, n)``."""
        return _within(self.sides[1], self.boxes[:, 1], self.boxes[:, 3])

    @cached_property
    def _covered(self) -> Tensor:
        """How many masks cover a pixel, ``(H, W)``, or 1 where none does."""
        return (self._down @ self._across.T).clamp(min=1)


def _within(length: int, first: Tensor, end: Tensor) -> Tensor:
    places = torch.arange(length)[:, None]
    return ((places >= first) & (places < end)).float()


def refined(model: PhotoNet, image: Images, value: float = 0.5) -> Iterator[Masks]:
    """Occlusion in nine steps: a coarse map at once, a fine one at last, and between any two steps time for others.

    A mask covers about a fifth of the side (48 of 227 pixels). First the masks stand side by side; then come those
    between them, by thirds. The last map is that of ``occlusion(model, image, size, size // 3, value)``.

    Args:
        model: the network.
        image: ``(3, H, W)`` in [0, 1].
        value: what the masks are filled with.

    Yields:
        The masks so far.
    """
    x = as_images(model, image, "CHW").detach()
    step = max(1, round(min(x.shape[1:]) * STEP))
    size = 3 * step
    fill = as_fill(value, x)
    tops, lefts = (window_starts(n, size, step) for n in x.shape[1:])
    with evaluating(model), torch.no_grad():
        base = logits_of(model, x[None].to(memory_format=torch.channels_last))[0]
    done: list[Tensor] = []
    boxes: list[Tensor] = []
    total = len(tops) * len(lefts)
    for first in ((0, 0), (1, 1), (2, 2), (0, 1), (1, 0), (1, 2), (2, 1), (0, 2), (2, 0)):
        rows, columns = (torch.tensor(starts[i::3]) for starts, i in zip((tops, lefts), first, strict=True))
        top, left = (t.flatten() for t in torch.meshgrid(rows, columns, indexing="ij"))
        bottom, right = ((s + size).clamp(max=n) for s, n in zip((top, left), x.shape[1:], strict=True))
        if not len(top):  # a tiny image has no masks in between
            continue
        boxes.append(torch.stack([top, left, bottom, right], 1))
        with evaluating(model), torch.no_grad():
            done.append(masked_logits(model, x, fill, boxes[-1]))
        known = torch.cat(boxes)
        yield Masks(known, torch.cat(done), base, (x.shape[1], x.shape[2]), total - len(known))
