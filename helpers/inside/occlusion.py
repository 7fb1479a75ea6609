"""Cover a part of the image, score it again, move on: how much does the network miss what was under the mask?

The method of Zeiler & Fergus (2013), for every position of a square mask and all classes in one go.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from helpers.inside.occlusion_incremental import incremental_logits, stages_of
from helpers.network.running import Images, as_images, evaluating, images_at_once, logits_of

#: What :func:`fill_of` knows.
FILLS = ("black", "gray", "white", "mean", "blur")


@dataclass(frozen=True)
class Occlusion:
    """What a network said about one image under a mask in every position.

    Attributes:
        logits: ``(rows, columns, classes)``, the logits with the mask in each of its positions.
        predicted: ``(rows, columns)``, the class with the highest logit under each mask.
        base: ``(classes,)``, the logits of the uncovered image.
        windows: ``(rows, columns, 4)``, each mask as top, left, bottom, right in pixels, the last two exclusive.
        size: side of the mask in pixels.
        stride: pixels from one position to the next.
    """

    logits: Tensor
    predicted: Tensor
    base: Tensor
    windows: Tensor
    size: int
    stride: int

    @cached_property
    def maps(self) -> Tensor:
        """``(classes, H, W)``: for each class and pixel the mean drop in logit over the masks that cover the pixel.

        Positive where the image is evidence for the class. For the thousand classes of a photograph that is 200 MB:
        :meth:`map` gives one of them.
        """
        return _spread(self.drops, self.windows)

    def map(self, target: int) -> Tensor:
        """``(H, W)``: the map of one class, ``maps[target]``.

        Raises:
            ValueError: if there is no such class.
        """
        if isinstance(target, bool) or not 0 <= target < len(self.base) or target != int(target):
            raise ValueError(f"The network has the classes 0 to {len(self.base) - 1}; {target!r} is not one of them.")
        return _spread(self.drops[..., int(target), None], self.windows)[0]

    @property
    def drops(self) -> Tensor:
        """``(rows, columns, classes)``: how far each logit falls under each mask."""
        return self.base - self.logits

    @property
    def probabilities(self) -> Tensor:
        """``(rows, columns, classes)``: softmax of the logits under each mask."""
        return self.logits.softmax(-1)


def window_starts(length: int, size: int, stride: int) -> list[int]:
    """Where masks start along one axis: 0, s, 2s... until the last pixel is covered; ``ceil((length - size)/s) + 1``.

    Raises:
        ValueError: if the mask does not fit, or its stride would leave pixels that no mask covers.
    """
    whole = all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in (size, stride))
    if not whole or not 1 <= size <= length:
        raise ValueError(
            f"The mask's size has to be a whole number from 1 to {length}, the side of the image; got {size!r}."
        )
    if not 1 <= stride <= size:
        raise ValueError(
            f"The stride has to be from 1 to the mask's size {size}, or pixels stay uncovered; got {stride!r}."
        )
    return [i * stride for i in range(-(-(length - size) // stride) + 1)]


def cover(x: Images, top: int, left: int, size: int, value: float | Images = 0.0) -> Tensor:
    """A copy of one image ``(C, H, W)`` with one square mask, cut off at the border, as :func:`occlusion` lays it."""
    image = torch.as_tensor(x).detach().clone()
    where = (slice(None), slice(max(top, 0), max(top + size, 0)), slice(max(left, 0), max(left + size, 0)))
    image[where] = as_fill(value, image)[where]
    return image


def occlusion(
    model: nn.Module,
    x: Images,
    size: int = 7,
    stride: int = 1,
    value: float | Images = 0.0,
    *,
    chunk: int | None = None,
    incremental: bool | None = None,
) -> Occlusion:
    """Slide a mask over one image and score every position, for all classes at once.

    Masks start at 0, s, 2s... on both axes and the last one is cut off at the border, as in Captum, whose map is the
    same; tf-explain and many blog posts give each mask's score to one cell instead and never cover the last pixels.
    A mask that changes no pixel (black on black) is not sent through the network: its logits are those of the image.

    Args:
        model: any network with one image batch in and logits out; judged in evaluation mode and left as it was.
        x: one image ``(C, H, W)``.
        size: side of the mask in pixels.
        stride: pixels from one position to the next, at most ``size``.
        value: what the mask is filled with, in the units of x: a number, one number for each channel ``(C,)``, or an
            image ``(C, H, W)`` to be seen through the window, such as a blurred copy of x.
        chunk: masked images that go through the network at once. It changes the time, not the result: what stays in
            the processor's cache is fastest, a few dozen digits or four photographs, and the channels-last layout
            spares max pooling most of its work.
        incremental: recompute only what each mask can reach: the same numbers in a fraction of the time. True is
            possible for :class:`~helpers.network.models.ConvNet`, and for
            :class:`~helpers.network.photonet.PhotoNet` with images of 227×227 and some other sizes; None takes this way
            where it is possible.

    Returns:
        The :class:`Occlusion`, on the device of x.

    Raises:
        TypeError: if x is not an array of floats.
        ValueError: for a wrong shape, size, stride, value or chunk, a network that does not take the image, or
            ``incremental=True`` where that is not possible.
    """
    if chunk is not None and (not isinstance(chunk, int) or chunk < 1):
        raise ValueError(f"chunk has to be a whole number of at least 1, not {chunk!r}.")
    home = x.device if isinstance(x, Tensor) else torch.device("cpu")
    with evaluating(model), torch.no_grad():
        image = as_images(model, x, "CHW")
        fill = as_fill(value, image)
        height, width = image.shape[1:]
        if incremental and stages_of(model, (height, width)) is None:
            raise ValueError("incremental=True is for a ConvNet or PhotoNet as it was built: leave it out here.")
        tops, lefts = window_starts(height, size, stride), window_starts(width, size, stride)
        windows = _windows(tops, lefts, size, (height, width))
        boxes = windows.flatten(0, 1)
        changes = _changes((image != fill).any(0).cpu(), boxes)
        base = logits_of(model, image[None])
        logits = base.repeat(len(boxes), 1)
        if changes.any():
            masked = masked_logits(model, image, fill, boxes[changes], chunk, incremental is not False)
            logits[changes.to(logits.device)] = masked
        logits = logits.unflatten(0, (len(tops), len(lefts)))
    logits, base, windows = (t.to(home) for t in (logits, base[0], windows))
    return Occlusion(logits, logits.argmax(-1), base, windows, size, stride)


def fill_of(name: str, image: Tensor) -> float | Tensor:
    """What a mask is filled with: a gray value, or a blurred copy of the image ``(C, H, W)`` seen through the mask.

    Raises:
        ValueError: if there is no such fill.
    """
    if name == "blur":
        return functional.avg_pool2d(image[None], 7, stride=1, padding=3)[0]
    values = {"black": 0.0, "gray": 0.5, "white": 1.0, "mean": float(image.mean())}
    if name not in values:
        raise ValueError(f"The fill is one of {', '.join(FILLS)}; got {name!r}.")
    return values[name]


def as_fill(value: float | Images, image: Tensor) -> Tensor:
    """The filling as an image of the shape of ``image``.

    Raises:
        ValueError: if the value is neither a number, nor ``(C,)``, nor an image of the same shape, or is not finite.
    """
    fill = torch.as_tensor(value, dtype=image.dtype, device=image.device)
    if fill.ndim == 1 and len(fill) == len(image):
        fill = fill[:, None, None]
    elif fill.ndim and fill.shape != image.shape:
        shape, wanted = tuple(fill.shape), tuple(image.shape)
        raise ValueError(f"value is a number, one for each of {len(image)} channels or an image {wanted}; got {shape}.")
    if not torch.isfinite(fill).all():
        raise ValueError("value holds NaN or infinity; a mask is filled with pixel values, for these images 0 to 1.")
    return fill.expand_as(image)


def _changes(differs: Tensor, boxes: Tensor) -> Tensor:
    """For each box, is there a pixel in it at which the image differs from the filling? By a summed-area table."""
    table = functional.pad(differs.long(), (1, 0, 1, 0)).cumsum(0).cumsum(1)
    top, left, bottom, right = boxes.unbind(1)
    return table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left] > 0


def masked_logits(
    model: nn.Module, image: Tensor, fill: Tensor, boxes: Tensor, chunk: int | None = None, incremental: bool = True
) -> Tensor:
    """Logits of an image with each box covered, ``(len(boxes), classes)``; only what a box changes where that is known.

    Args:
        model: the network, in evaluation mode; called without gradients.
        image: ``(C, H, W)``.
        fill: what is seen through the boxes, ``(C, H, W)``.
        boxes: ``(n, 4)``, top, left, bottom, right in pixels, the last two exclusive.
        chunk: boxes at a time.
        incremental: False sends every masked image through the whole network.
    """
    pieces = stages_of(model, (image.shape[1], image.shape[2])) if incremental else None
    if pieces is not None:  # patches are small, so that more of them stay in the cache
        return incremental_logits(pieces, image, fill, boxes, chunk or max(16, images_at_once(image.shape, 256)))
    chunk = chunk or images_at_once(image.shape, 32)
    rows = torch.arange(image.shape[1], device=image.device)
    columns = torch.arange(image.shape[2], device=image.device)
    logits = []
    for part in boxes.to(image.device).split(chunk):
        top, left, bottom, right = part[:, :, None].unbind(1)
        down = (rows >= top) & (rows < bottom)
        across = (columns >= left) & (columns < right)
        inside = (down[:, :, None] & across[:, None, :])[:, None]
        masked = torch.where(inside, fill, image)
        logits.append(logits_of(model, masked))
    return torch.cat(logits)


def _windows(tops: list[int], lefts: list[int], size: int, shape: tuple[int, int]) -> Tensor:
    """Top, left, bottom, right of each mask, ``(rows, columns, 4)``."""
    top, left = torch.meshgrid(torch.tensor(tops), torch.tensor(lefts), indexing="ij")
    return torch.stack([top, left, (top + size).clamp(max=shape[0]), (left + size).clamp(max=shape[1])], -1)


def _spread(drops: Tensor, windows: Tensor) -> Tensor:
    """Mean drop ``(classes, H, W)`` over the windows that cover each pixel, from ``(rows, columns, classes)``.

    A square window is a product of two intervals, so that the sum over windows is one matrix product for each axis.
    """
    top, left, bottom, right = windows.cpu().unbind(-1)
    down, across = (
        ((torch.arange(int(last[-1]))[:, None] >= first) & (torch.arange(int(last[-1]))[:, None] < last)).double()
        for first, last in ((top[:, 0], bottom[:, 0]), (left[0], right[0]))
    )
    by_rows = torch.tensordot(down, drops.cpu().double(), ([1], [0]))  # (H, columns, classes)
    total = torch.tensordot(across, by_rows, ([1], [1])).permute(2, 1, 0)  # (classes, H, W)
    return (total / torch.outer(down.sum(1), across.sum(1))).to(drops.device, drops.dtype).contiguous()
