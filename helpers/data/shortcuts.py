"""A shortcut with a known answer: a small bright block whose place in the image gives the class away.

A network trained on marked images reads the mark instead of the picture, and any map of what it looks at can be
checked: its brightest pixel has to lie inside the block.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

Array = np.ndarray | Tensor


def mark_corners(labels: Array, size: int = 3, side: int = 28, classes: int = 10) -> np.ndarray:
    """Return the top left corner (row, column) of the mark of each label: ``(N, 2)``.

    The classes are laid out along the upper border, then along the lower one, a pixel away from the edge.

    Raises:
        ValueError: if the labels are no classes, or that many marks of that size do not fit beside each other.
    """
    labels = np.asarray(labels)
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(f"Labels go from 0 to {classes - 1}, these from {labels.min()} to {labels.max()}.")
    per_row = -(-classes // 2)
    columns = np.linspace(1, side - 1 - size, per_row).round().astype(int)
    if size < 1 or 2 * size + 2 > side or (per_row > 1 and np.diff(columns).min() < size):
        raise ValueError(f"{classes} marks of {size}×{size} do not fit along two borders of {side} pixels.")
    rows = np.where(labels < per_row, 1, side - 1 - size)
    return np.stack([rows, columns[labels % per_row]], axis=-1)


def mark_masks(labels: Array, size: int = 3, side: int = 28, classes: int = 10) -> np.ndarray:
    """Return where the mark of each label lies: ``(N, side, side)``, bool."""
    row, column = mark_corners(labels, size, side, classes).T[:, :, None]
    at = np.arange(side)
    down, across = (at >= row) & (at < row + size), (at >= column) & (at < column + size)
    return down[:, :, None] & across[:, None, :]


def plant_mark(images: Array, labels: Array, size: int = 3, value: float = 1.0, classes: int = 10) -> Array:
    """Return a copy of the images with the mark of each label in it.

    Args:
        images: ``(N, C, H, W)``, square, NumPy or torch; the copy is of the same kind.
        labels: ``(N,)``: the class the mark encodes, usually the true one. Another one fools the network.
        size: side of the mark in pixels.
        value: its brightness in all channels.
        classes: number of classes, each with a place of its own.

    Raises:
        ValueError: if images and labels do not fit, or the marks do not fit into the images.
    """
    if images.ndim != 4 or images.shape[2] != images.shape[3] or len(images) != len(labels):
        raise ValueError(
            f"Expected square images (N, C, H, W) and N labels, got {tuple(images.shape)} and {len(labels)}."
        )
    masks = mark_masks(labels, size, images.shape[3], classes)[:, None]
    if isinstance(images, Tensor):
        return torch.where(torch.from_numpy(masks).to(images.device), torch.as_tensor(value).to(images), images)
    return np.where(masks, np.asarray(value, images.dtype), images)
