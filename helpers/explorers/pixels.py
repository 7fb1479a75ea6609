"""Pictures of few pixels, put on the screen without the resampling that takes most of the time of a redraw."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.artist import Artist

from helpers.plots.style import Kind, colormap


class Pixels(Artist):
    """An image in the upper left of its axes, as large as fits; without slow resampling."""

    def __init__(self) -> None:
        super().__init__()
        self.set_zorder(0)
        self._data, self._stretch = np.zeros((1, 1, 4), np.uint8), False

    def set_data(self, pixels: np.ndarray, stretch: bool = False) -> None:
        """Take colors (H, W, 4), bytes; ``stretch`` fills the axes without keeping the pixels square."""
        self._data, self._stretch = pixels, stretch

    def draw(self, renderer: Any) -> None:
        """Repeat every pixel as often as its square on the screen demands, and copy the result into the figure."""
        left, bottom, right, top = (round(v) for v in self.axes.bbox.extents)
        height, width = self._data.shape[:2]
        scale = ((top - bottom) / height, (right - left) / width)
        tall, wide = scale if self._stretch else (min(scale), min(scale))
        rows = (np.arange(round(height * tall)) / tall).astype(int)
        columns = (np.arange(round(width * wide)) / wide).astype(int)
        whole = np.ascontiguousarray(self._data).view(np.uint32)[..., 0]  # one number for a pixel's four bytes
        shown = whole[:, columns.clip(max=width - 1)][rows[::-1].clip(max=height - 1)]
        gc = renderer.new_gc()
        renderer.draw_image(gc, left, top - len(rows), shown.view(np.uint8).reshape(*shown.shape, 4))
        gc.restore()


_COLORS: dict[str, np.ndarray] = {}


def paint(values: np.ndarray, kind: Kind, top: float) -> np.ndarray:
    """Colors (H, W, 4) of numbers; NaN is white. Coloring few numbers is cheaper than coloring many screen pixels."""
    if kind not in _COLORS:
        colors = colormap(kind)(np.linspace(0, 1, 255), bytes=True)
        _COLORS[kind] = np.vstack([colors, [[255, 255, 255, 255]]]).astype(np.uint8)
    part = values / top if kind == "activation" else (values / top + 1) / 2
    index = np.where(np.isnan(part), 255, np.clip(part, 0, 1) * 254 + 0.5)
    return _COLORS[kind][index.astype(np.uint8)]


def screen_colors(image: np.ndarray) -> np.ndarray:
    """Screen colors (H, W, 4) of an image (C, H, W) in [0, 1]."""
    color = np.broadcast_to(image[:1], (3, *image.shape[1:])) if len(image) != 3 else image
    shown = np.full((*image.shape[1:], 4), 255, np.uint8)
    shown[..., :3] = np.moveaxis(color, 0, 2) * 255 + 0.5
    return shown
