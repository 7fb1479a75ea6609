"""Filters from elsewhere: a network's filters replaced by the nearest ones of a small bank, to see what they did.

The likeness of two filters is the cosine of the angle between their weights, without its sign: a filter turned into its
negative finds the same edges, and the layer behind it can turn the sign of what it reads.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from helpers.network.hooks import find_layer

Filters = Tensor | np.ndarray | Sequence[np.ndarray] | Sequence[Tensor]


def _rows(filters: Filters, name: str) -> Tensor:
    """Filters as rows of weights, (n, weights)."""
    if isinstance(filters, Tensor):
        rows = filters.detach().float()
    else:
        rows = torch.as_tensor(np.stack([np.asarray(f, dtype=np.float32) for f in filters]))
    if rows.ndim < 2 or not len(rows):
        raise ValueError(f"{name} must hold at least one filter, (n, ...); the shape is {tuple(rows.shape)}.")
    return rows.flatten(1)


def cosines(filters: Filters, bank: Filters) -> Tensor:
    """Cosine of the angle between every filter and every filter of a bank, ``(filters, bank)``, each in [-1, 1].

    $cos(a, b) = a·b / (|a| |b|)$. A filter of zeros has no direction: its cosines are 0.

    Raises:
        ValueError: if the filters of one and of the other do not have equally many weights.
    """
    first, second = _rows(filters, "filters"), _rows(bank, "the bank")
    if first.shape[1] != second.shape[1]:
        raise ValueError(f"Filters of {first.shape[1]} and of {second.shape[1]} weights cannot be compared.")
    return nn.functional.normalize(first, dim=1) @ nn.functional.normalize(second, dim=1).T


class Nearest(NamedTuple):
    """For every filter its nearest relative in a bank: its number there ``number`` and the signed ``cosine``, (n,)."""

    number: Tensor
    cosine: Tensor


def nearest(filters: Filters, bank: Filters) -> Nearest:
    """Find for each filter the filter of the bank with the largest cosine, whatever its sign."""
    found = cosines(filters, bank)
    index = found.abs().argmax(1)
    return Nearest(index, found.gather(1, index[:, None])[:, 0])


def projected(filters: Tensor, bank: Filters) -> Tensor:
    """Replace each filter by the nearest multiple of a filter in the bank, in the shape of ``filters``.

    Of all multiples of all filters b in the bank, c·b with c = w·b / |b|² and the largest |cosine| has the smallest
    distance to w: the orthogonal projection onto the nearest line.
    """
    rows = _rows(filters, "filters")
    index, cosine = nearest(filters, bank)
    directions = nn.functional.normalize(_rows(bank, "the bank"), dim=1)[index]
    return (directions * (cosine * rows.norm(dim=1))[:, None]).view_as(filters)


def transplant(model: nn.Module, bank: Filters, layer: str = "features.conv1") -> nn.Module:
    """Copy a network and replace the filters of one convolution by the nearest multiples of the filters in a bank.

    Biases and all other layers stay as they are; nothing is trained.

    Args:
        model: a network; it stays as it is.
        bank: filters of the size of the layer's, ``(n, height, width)`` or ``(n, channels, height, width)``.
        layer: dotted name of the convolution.

    Returns:
        The copy, in evaluation mode.

    Raises:
        ValueError: if there is no such layer, it is no convolution, or the bank's filters have another size.
    """
    patient = copy.deepcopy(model)
    name, module = find_layer(patient, layer)
    if not isinstance(module, nn.Conv2d):
        raise ValueError(f"{name} is a {type(module).__name__}: filters can only be put into an nn.Conv2d.")
    with torch.no_grad():
        module.weight.copy_(projected(module.weight.detach(), bank))
    return patient.eval()
