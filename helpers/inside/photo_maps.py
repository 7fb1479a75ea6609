"""Every map of one photograph, for one class after another, as quickly as a control can be moved.

A photograph takes its time to pass through a network. What it left there is kept, so that another class costs only the
two ways back, by the plain rule and by the guided one. The masks of occlusion are scored in steps, the first of which
covers the whole photograph.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional

from helpers.filters.geometry import receptive_field
from helpers.inside.fields import at_centers
from helpers.inside.occlusion import as_fill, masked_logits, window_starts
from helpers.inside.scores import as_target, need_gradients
from helpers.network.hooks import hooked
from helpers.network.photonet import WINDOWS, PhotoNet
from helpers.network.running import Images, as_images, evaluating, logits_of

#: Layers at which Grad-CAM can be asked for.
LAYERS = tuple(name for name in WINDOWS if name != "classes")
#: A mask covers a fifth of a photograph's side, 48 of 227 pixels, and moves by a third of itself: this share.
STEP = 1 / 14


@dataclass(frozen=True)
class ClassMaps:
    """What each method says about one class of a photograph ``(3, H, W)``, a megabyte in all.

    Attributes:
        class_map: at least 0, with the logit as its mean; ``(h, w)``, at the size of the last layer.
        gradient: how strongly the logit answers to each pixel, ``(H, W)``, as
            :func:`~helpers.inside.attribution.saliency`.
        guided: guided backpropagation, signed, with its colors, ``(3, H, W)``.
        grad_cam: Grad-CAM by name of each of :data:`LAYERS`, ``(h, w)``, at the layer's own size.
    """

    class_map: Tensor
    gradient: Tensor
    guided: Tensor
    grad_cam: dict[str, Tensor]


class PhotoMaps:
    """One photograph in a network, and what each method says about any class.

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
        self._model, self._image = model, as_images(model, image, "CHW").detach()
        self._way = way = threading.local()  # each thread goes back by its own rule
        x = self._image[None].clone().requires_grad_()
        self._kept: dict[str, Tensor] = {}
        asked = {model.get_submodule(name): name for name in (*LAYERS, "maps")}

        def keep(module: nn.Module, inputs: object, output: Tensor) -> None:
            self._kept[asked[module]] = output  # itself: no layer of this network overwrites what it is given

        # On its way back to a ReLU, the guided rule stops what is negative; the ReLU itself stops the rest. The hook
        # does not know of these maps: a circle would keep them in memory when nobody needs them anymore.
        def watch(module: nn.Module, inputs: object, output: Tensor) -> None:
            output.register_hook(lambda gradient: gradient.clamp(min=0) if way.rule == "guided" else gradient)

        relus = [module for module in model.modules() if isinstance(module, nn.ReLU)]
        hooks = [*((module, watch) for module in relus), *((module, keep) for module in asked)]
        with evaluating(model), torch.enable_grad(), hooked(hooks):
            self._scores = logits_of(model, x)
        self.logits = self._scores[0].detach()

    def of(self, target: int) -> ClassMaps:
        """Go back from a class by both rules at once, on two cores.

        Raises:
            ValueError: for a class that there is not.
        """
        number = int(as_target(target, self.logits[None])[0])
        with ThreadPoolExecutor(1) as other:
            colors = other.submit(self._back, "guided", number, LAYERS[:1])
            slopes = self._back("plain", number, LAYERS)
        with torch.no_grad():
            cams = {
                layer: (slopes[layer].mean((1, 2), keepdim=True) * self._kept[layer][0]).sum(0).relu()
                for layer in LAYERS
            }
        seen = self._kept["maps"][0, number].detach().clone()  # a view would keep all thousand
        return ClassMaps(seen, slopes["pixels"].abs().amax(0), colors.result()["pixels"], cams)

    def _back(self, rule: str, number: int, layers: Sequence[str]) -> dict[str, Tensor]:
        """Gradients of a class's logit by one of the rules, for some layers and for the pixels."""
        self._way.rule = rule
        with torch.enable_grad():
            kept = [self._kept[layer] for layer in layers]
            found = torch.autograd.grad(self._scores[0, number], kept, retain_graph=True)
        with torch.no_grad():
            pixels = _before(self._model.conv1, found[0], self._image.shape[1:]) * self._model.door.scale
        return {"pixels": pixels[0], **{layer: g[0] for layer, g in zip(layers, found, strict=True)}}


def placed(small: Tensor, layer: str, sides: tuple[int, int]) -> Tensor:
    """A map of a layer over a photograph of these sides ``(H, W)``: each value at the center of what its unit sees."""
    last = "classes" if layer == "maps" else layer
    windows = list(WINDOWS.values())[: list(WINDOWS).index(last) + 1]
    return at_centers(small[None], receptive_field([(1, 1, 0), *windows])[-1], sides)[0]


def _before(layer: nn.Conv2d, gradient: Tensor, sides: torch.Size) -> Tensor:
    """Send a gradient back through a convolution of stride 2 without padding, to its input ``(N, C, H, W)``.

    Of a filter that moves by two pixels, all pixels in even rows and even columns meet the same weights, and so do the
    three other kinds. So one ordinary convolution answers for four pixels at each place, and they are put side by side.
    PyTorch's own way has as many results and takes more than twice as long where the input has three channels.
    """
    filters, channels, height, width = layer.weight.shape
    down, across = (height + 1) // 2, (width + 1) // 2
    even = functional.pad(layer.weight, (0, width % 2, 0, height % 2)).view(filters, channels, down, 2, across, 2)
    turned = even.permute(1, 3, 5, 0, 2, 4).flip(4, 5).reshape(4 * channels, filters, down, across)
    four = functional.conv2d(gradient, turned, padding=(down - 1, across - 1))
    found = functional.pixel_shuffle(four, 2)
    return functional.pad(found, (0, sides[1] - found.shape[3], 0, sides[0] - found.shape[2]))


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
        base = logits_of(model, x[None])[0]
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
