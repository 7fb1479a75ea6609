"""Occlusion that recomputes only what a mask can reach, with the same result, for the two networks of the series.

A mask of 7×7 pixels changes 9×9 of the 26×26 values behind a 3×3 convolution, 5×5 of 13×13 behind the pooling, and so
on; everything else is as in the uncovered image, which goes through once. So for each mask only a small patch travels
from stage to stage. A stage of ConvNet is a convolution, its ReLU and its pooling; one of PhotoNet the same, a fire
module, or a pooling. All patches of a stage have the size of the largest, so that they form one batch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from helpers.network.models import ConvNet
from helpers.network.photonet import PhotoNet


class Stage(NamedTuple):
    """A part of a network, and the window through which one of its outputs sees its inputs.

    Attributes:
        run: maps ``(N, C, h, w)`` → maps.
        kernel: side of the window.
        stride: inputs from one window to the next.
        padding: zeros around the inputs, which ``run`` adds itself; only with ``stride`` 1 and 2·padding + 1 inputs.
    """

    run: Callable[[Tensor], Tensor]
    kernel: int
    stride: int = 1
    padding: int = 0


class Stages(NamedTuple):
    """A network in pieces: what happens to each pixel alone, the stages, and what follows them, up to the logits."""

    door: Callable[[Tensor], Tensor]
    stages: tuple[Stage, ...]
    head: Callable[[Tensor], Tensor]


class _Patches(NamedTuple):
    """Changed values, one patch for each of n masks.

    Attributes:
        low: ``(2, n)``, where the patch begins in its map, by rows and columns.
        high: ``(2, n)``, where it ends, exclusive.
        values: ``(N, C, h, w)``, where the values are found.
        first: ``(n,)``, index of each patch's first value in the N·h·w places of ``values``.
    """

    low: Tensor
    high: Tensor
    values: Tensor
    first: Tensor


def stages_of(model: nn.Module, shape: tuple[int, int]) -> Stages | None:
    """The pieces of a ConvNet or a PhotoNet that has the layers it was built with; None for any other network.

    None as well where a hook may change what a layer answers, and for images of a height and width on which a pooling
    of PhotoNet ends beyond its maps.
    """
    if any(m._forward_hooks or m._forward_pre_hooks for m in model.modules()):
        return None
    if type(model) is ConvNet and _as_built(model):
        convolutions = [layer for layer in model.features if isinstance(layer, nn.Conv2d)]
        return Stages(
            nn.Identity(), tuple(Stage(partial(_stage, conv), 4, 2) for conv in convolutions), model.classifier
        )
    if type(model) is PhotoNet and str(model) == _photonet() and all(map(_poolings_fit, shape)):
        first = nn.Sequential(model.conv1, model.relu1, model.pool1)
        fires = {name: Stage(layer, 3, 1, 1) for name, layer in model.named_children() if name.startswith("fire")}
        early, late = ([fires[f"fire{i}"] for i in numbers] for numbers in ((2, 3, 4), (5, 6, 7, 8)))
        pools = Stage(model.pool4, 3, 2), Stage(model.pool8, 3, 2)
        stages = (Stage(first, 11, 4), *early, pools[0], *late, pools[1])
        return Stages(lambda x: 255 * x - model.door.mean, stages, partial(_named, model))
    return None


def incremental_logits(pieces: Stages, image: Tensor, fill: Tensor, boxes: Tensor, chunk: int) -> Tensor:
    """Logits of the image with each box covered, ``(n, classes)``.

    Args:
        pieces: of a network in evaluation mode; called without gradients.
        image: ``(C, H, W)``.
        fill: what is seen through the boxes, ``(C, H, W)``.
        boxes: ``(n, 4)``, top, left, bottom, right in pixels, the last two exclusive.
        chunk: boxes at a time.
    """
    uncovered, fill = (pieces.door(x[None]).to(memory_format=torch.channels_last) for x in (image, fill))
    maps = [uncovered]
    for stage in pieces.stages:
        maps.append(stage.run(maps[-1]))
    logits = []
    for part in boxes.to(image.device).split(chunk):
        low, high = part[:, :2].T, part[:, 2:].T
        patches = _Patches(low, high, fill, low[0] * fill.shape[3] + low[1])
        for stage, before, after in zip(pieces.stages, maps, maps[1:], strict=False):
            patches = _next(stage, before, patches, (after.shape[2], after.shape[3]))
        whole = (maps[-1].shape[2], maps[-1].shape[3])
        logits.append(pieces.head(_cut(maps[-1], patches, torch.zeros_like(low), whole)))
    return torch.cat(logits)


def _next(stage: Stage, before: Tensor, patches: _Patches, sides: tuple[int, int]) -> _Patches:
    """What of a stage's outputs, maps of these sides, differs from those for ``before``."""
    run, kernel, stride, padding = stage
    ends = torch.tensor(sides, device=before.device)[:, None]
    # Output o sees its inputs o·stride − padding and the kernel − 1 behind it.
    low = (-((kernel - 1 - padding - patches.low) // stride)).clamp(min=0).minimum(ends - 1)
    high = ((patches.high - 1 + padding) // stride + 1).minimum(ends)
    size = (high - low).amax(1, keepdim=True).clamp(min=1)
    number = torch.arange(low.shape[1], device=before.device)
    if padding:  # what is computed at the edge of a cut is wrong, unless it is the edge of the maps
        lengths = (size + 2 * padding).minimum(ends)
        start = (low - padding).clamp(min=0).minimum(ends - lengths)
        rows, columns = lengths[:, 0].tolist()
        values = run(_cut(before, patches, start, (rows, columns)))
        at = low - start
        return _Patches(low, high, values, number * rows * columns + at[0] * columns + at[1])
    low = low.minimum(ends - size)
    rows, columns = ((size[:, 0] - 1) * stride + kernel).tolist()
    values = run(_cut(before, patches, low * stride, (rows, columns)))
    return _Patches(low, low + size, values, number * int(size[0]) * int(size[1]))


def _cut(base: Tensor, patches: _Patches, start: Tensor, sides: tuple[int, int]) -> Tensor:
    """Pieces ``(n, C, *sides)`` out of maps that are ``base`` except for one patch each, channels last."""
    height, width = base.shape[2:]
    y, x = (s[:, None] + torch.arange(n, device=base.device) for s, n in zip(start, sides, strict=True))
    inside = [(c >= low[:, None]) & (c < high[:, None]) for c, low, high in zip((y, x), *patches[:2], strict=True)]
    dy, dx = y - patches.low[0, :, None], x - patches.low[1, :, None]
    changed = (height * width + patches.first[:, None] + dy * patches.values.shape[3])[:, :, None] + dx[:, None]
    unchanged = (y * width)[:, :, None] + x[:, None]
    index = torch.where(inside[0][:, :, None] & inside[1][:, None], changed, unchanged)
    table = torch.cat([values.permute(0, 2, 3, 1).flatten(0, 2) for values in (base, patches.values)])
    return table.index_select(0, index.flatten()).view(*index.shape, -1).permute(0, 3, 1, 2)


def _as_built(model: ConvNet) -> bool:
    layers = list(model.features)
    return [type(layer) for layer in layers] == 2 * [nn.Conv2d, nn.ReLU, nn.MaxPool2d] and all(
        (conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups) == ((3, 3), (1, 1), (0, 0), (1, 1), 1)
        and (pool.kernel_size, pool.stride, pool.padding, pool.dilation, pool.ceil_mode) == (2, 2, 0, 1, False)
        for conv, pool in zip(layers[::3], layers[2::3], strict=True)
    )


def _stage(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """Convolution, ReLU and 2×2 max pooling, whose own function also notes where each maximum was: twice the time."""
    x = functional.conv2d(x, conv.weight, conv.bias).relu_()
    height, width = (n - n % 2 for n in x.shape[2:])
    rows = torch.maximum(x[:, :, :height:2, :width], x[:, :, 1:height:2, :width])
    return torch.maximum(rows[..., ::2], rows[..., 1::2])


@cache
def _photonet() -> str:
    with torch.device("meta"):
        return str(PhotoNet())


def _poolings_fit(length: int) -> bool:
    """Whether each of PhotoNet's three poolings ends with its maps, for images of this height or width."""
    units = (length - 7) // 2 + 1
    for _ in range(3):
        if units < 3 or units % 2 == 0:
            return False
        units = (units - 1) // 2
    return True


def _named(model: PhotoNet, x: Tensor) -> Tensor:
    """PhotoNet's last layers, from ``fire9`` on. What its last convolution sees in its ring of padding is its bias."""
    maps = model.fire9(x).permute(0, 2, 3, 1).flatten(1, 2)  # (N, places, 512)
    weight, bias = model.classes.weight.flatten(1), model.classes.bias
    assert bias is not None
    seen = functional.linear(maps, weight, bias).relu_().sum(1)
    height, width = x.shape[2:]
    places = (height + 2) * (width + 2)
    return (seen + (places - height * width) * bias.relu()) / places
