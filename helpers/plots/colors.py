"""Color filters as pictures: gray is 0, and each filter is stretched to its own largest weight."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from helpers.plots.style import as_array


def colored(filters: Any) -> np.ndarray:
    """Weights (N, 3, h, w) as colors (N, h, w, 3) in [0, 1]: middle gray is 0, full red a large positive weight of red.

    Every filter is stretched to its own largest weight, so that patterns compare and strengths do not.

    Raises:
        ValueError: if they are not filters for three colors.
    """
    array = as_array(filters)
    if array.ndim != 4 or array.shape[1] != 3 or not array.size:
        raise ValueError(f"Color filters have the shape (N, 3, h, w); got {array.shape}.")
    largest = np.abs(array).max((1, 2, 3), keepdims=True)
    return np.moveaxis(0.5 + 0.5 * array / np.where(largest == 0, 1, largest), 1, -1)


def color_sheet(filters: Any, columns: int = 16) -> np.ndarray:
    """Color filters (N, 3, h, w) side by side as one picture in color, with white lines between them.

    Raises:
        ValueError: if they are not filters for three colors, or there is no column.
    """
    return tiled(colored(filters), columns)


def tiled(panels: np.ndarray, columns: int = 16) -> np.ndarray:
    """Pictures (N, h, w, 3) side by side as one, with white lines of one pixel between them.

    Raises:
        ValueError: if there is no column.
    """
    if columns < 1:
        raise ValueError(f"A sheet has at least one column; got {columns}.")
    count, height, width = panels.shape[:3]
    sheet = np.ones((math.ceil(count / columns) * (height + 1) - 1, columns * (width + 1) - 1, 3))
    for i, one in enumerate(panels):
        y, x = i // columns * (height + 1), i % columns * (width + 1)
        sheet[y : y + height, x : x + width] = one
    return sheet
