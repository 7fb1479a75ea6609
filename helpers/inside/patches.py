"""What excites the filters of a first layer most: of all patches in some images, the one with the largest response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from helpers.network.hooks import Layer, activations, find_layer


@dataclass(frozen=True)
class Exciting:
    """The patch with the strongest response of each of F filters.

    Attributes:
        values: the responses, ``(F,)``.
        sources: name of the image that each patch was found in, F of them.
        corners: row and column of its upper left pixel there, ``(F, 2)``.
        patches: its pixels, ``(F, C, k, k)``.
    """

    values: Tensor
    sources: tuple[str, ...]
    corners: Tensor
    patches: Tensor


def most_exciting(model: nn.Module, images: Mapping[str, Tensor], layer: Layer = "conv1") -> Exciting:
    """Slide the filters of a first layer over images, and keep the patch with the largest response of each.

    Args:
        model: a network whose ``layer`` looks at the image itself.
        images: name → image ``(C, H, W)``, of any sizes.
        layer: a convolution without padding and dilation, by name or as the module.

    Raises:
        ValueError: without an image, or for another kind of layer.
    """
    name, filters = find_layer(model, layer)
    if not isinstance(filters, nn.Conv2d) or filters.padding != (0, 0) or filters.dilation != (1, 1):
        raise ValueError("Patches are cut for a convolution without padding and without gaps, such as conv1.")
    if not images:
        raise ValueError("Give at least one image, by name.")
    (high, wide), (down, right) = filters.kernel_size, filters.stride
    best: list[tuple[float, str, int, int]] = []
    for source, image in images.items():
        maps = activations(model, image[None], name)[name][0]
        tops, places = maps.flatten(1).max(dim=1)
        found = [
            (value, source, place // maps.shape[2] * down, place % maps.shape[2] * right)
            for value, place in zip(tops.tolist(), places.tolist(), strict=True)
        ]
        best = [max(pair, key=lambda one: one[0]) for pair in zip(best or found, found, strict=True)]
    return Exciting(
        torch.tensor([value for value, *_ in best]),
        tuple(source for _, source, _, _ in best),
        torch.tensor([(row, column) for *_, row, column in best]),
        torch.stack([images[source][:, r : r + high, c : c + wide] for _, source, r, c in best]),
    )
