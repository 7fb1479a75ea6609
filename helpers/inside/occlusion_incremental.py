"""Occlusion of a ConvNet that recomputes only what a mask can reach, with the same result.

A mask of 7×7 pixels changes 9×9 of the 26×26 values behind a 3×3 convolution, 5×5 of 13×13 behind the pooling, and so
on; everything else is as in the uncovered image, which goes through once. So for each mask only a small patch travels
from stage to stage, where a stage is a convolution, its ReLU and its pooling. All patches of a stage have the size of
the largest, so that they form one batch.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from helpers.network.models import ConvNet


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


def can_be_incremental(model: nn.Module) -> bool:
    """Whether the network is a ConvNet with the layers it was built with, and no hook that may change their outputs."""
    if type(model) is not ConvNet or any(m._forward_hooks or m._forward_pre_hooks for m in model.modules()):
        return False
    layers = list(model.features)
    return [type(layer) for layer in layers] == 2 * [nn.Conv2d, nn.ReLU, nn.MaxPool2d] and all(
        (conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups) == ((3, 3), (1, 1), (0, 0), (1, 1), 1)
        and (pool.kernel_size, pool.stride, pool.padding, pool.dilation, pool.ceil_mode) == (2, 2, 0, 1, False)
        for conv, pool in zip(layers[::3], layers[2::3], strict=True)
    )


def incremental_logits(model: ConvNet, image: Tensor, fill: Tensor, boxes: Tensor, chunk: int) -> Tensor:
    """Logits of the image with each box covered, ``(n, classes)``.

    Args:
        model: a network that :func:`can_be_incremental`, in evaluation mode; called without gradients.
        image: ``(C, H, W)``.
        fill: what is seen through the boxes, ``(C, H, W)``.
        boxes: ``(n, 4)``, top, left, bottom, right in pixels, the last two exclusive.
        chunk: boxes at a time.
    """
    uncovered = image[None].to(memory_format=torch.channels_last)
    stages = []
    for conv in (layer for layer in model.features if isinstance(layer, nn.Conv2d)):
        before, uncovered = uncovered, _stage(conv, uncovered)
        stages.append((conv, before, uncovered.shape[2]))
    logits = []
    for part in boxes.to(image.device).split(chunk):
        low, high = part[:, :2].T, part[:, 2:].T
        patches = _Patches(low, high, fill[None], low[0] * fill.shape[2] + low[1])
        for conv, before, side in stages:
            # Output o of a stage sees its inputs 2·o to 2·o + 3: a convolution of 3 with a pooling of 2 behind it.
            low = ((patches.low - 2) // 2).clamp(0, side - 1)
            high = ((patches.high + 1) // 2).clamp(max=side)
            size = max(1, int((high - low).max()))
            low = low.clamp(max=side - size)
            values = _stage(conv, _cut(before, patches, 2 * low, 2 * size + 2))
            patches = _Patches(low, low + size, values, torch.arange(len(part), device=image.device) * size**2)
        logits.append(model.classifier(_cut(uncovered, patches, torch.zeros_like(low), uncovered.shape[2])))
    return torch.cat(logits)


def _cut(base: Tensor, patches: _Patches, start: Tensor, size: int) -> Tensor:
    """Squares ``(n, C, size, size)`` out of maps that are ``base`` except for one patch each, channels last."""
    height, width = base.shape[2:]
    y, x = start[:, :, None] + torch.arange(size, device=base.device)
    inside = [(c >= low[:, None]) & (c < high[:, None]) for c, low, high in zip((y, x), *patches[:2], strict=True)]
    dy, dx = y - patches.low[0, :, None], x - patches.low[1, :, None]
    changed = (height * width + patches.first[:, None] + dy * patches.values.shape[3])[:, :, None] + dx[:, None]
    unchanged = (y * width)[:, :, None] + x[:, None]
    index = torch.where(inside[0][:, :, None] & inside[1][:, None], changed, unchanged)
    table = torch.cat([values.permute(0, 2, 3, 1).flatten(0, 2) for values in (base, patches.values)])
    return table.index_select(0, index.flatten()).view(*index.shape, -1).permute(0, 3, 1, 2)


def _stage(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """Convolution, ReLU and 2×2 max pooling, whose own function also notes where each maximum was: twice the time."""
    x = functional.conv2d(x, conv.weight, conv.bias).relu_()
    height, width = (n - n % 2 for n in x.shape[2:])
    rows = torch.maximum(x[:, :, :height:2, :width], x[:, :, 1:height:2, :width])
    return torch.maximum(rows[..., ::2], rows[..., 1::2])
