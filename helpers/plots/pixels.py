"""Images of few pixels in Matplotlib's axes, without what takes most of the time of drawing them: resampling."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.image import AxesImage

from helpers.plots.style import SIGNED, Kind, colormap


class Pixels(AxesImage):
    """What ``imshow`` draws, several times as fast: colors are looked up before the pixels are enlarged, not after.

    The limits of the axes follow the shape of the image, as long as nobody sets them.
    """

    def set_data(self, A: Any) -> None:
        """Take other numbers, (H, W), or colors, (H, W, 3) or (H, W, 4); the shape may be another one."""
        super().set_data(A)
        height, width = self.get_size()
        extent = [-0.5, width - 0.5, height - 0.5, -0.5]
        if extent != self._extent:
            self.set_extent(extent)

    def make_image(
        self, renderer: Any, magnification: float = 1.0, unsampled: bool = False
    ) -> tuple[np.ndarray, float, float, None]:
        """Repeat every pixel as often as the screen demands; returns the colors and their lower left corner."""
        left, right, bottom, top = self.get_extent()
        corners = self.get_transform().transform([(left, bottom), (right, top)])
        colors = np.ascontiguousarray(self.to_rgba(self.get_array(), bytes=True))
        whole = colors.view(np.uint32)[::-1, :, 0]  # one number for a pixel's four bytes; the lowest row comes first
        (x, columns), (y, rows) = (_enlarged(*ends, n) for ends, n in zip(corners.T, whole.shape[::-1], strict=True))
        shown = whole[:, columns][rows]
        return shown.view(np.uint8).reshape(*shown.shape, 4), x, y, None


def _enlarged(low: float, high: float, count: int) -> tuple[int, np.ndarray]:
    """The first screen pixel between two places, and for each from there on the one of ``count`` pixels it shows."""
    first, last = round(low), round(high)
    shown = (np.arange(first, last) + 0.5 - low) * (count / (high - low))
    return first, shown.astype(int).clip(0, count - 1)


def pixels(axes: Axes, kind: Kind = "image", top: float = 1.0, data: Any = ((0.0,),)) -> Pixels:
    """Put an image into axes, in the colors of its kind; its ``set_data`` and ``set_clim`` change it later."""
    norm = Normalize(-top if kind in SIGNED else 0.0, top)
    artist = Pixels(axes, cmap=colormap(kind), norm=norm, interpolation="nearest", origin="upper")
    artist.set_data(np.asarray(data))
    artist.set_clip_path(axes.patch)
    axes.set_aspect("equal")
    axes.add_image(artist)
    return artist
