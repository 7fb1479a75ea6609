"""Where windows land on an image: starting points, windows that run off the edge, pixels that no window reaches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from helpers.plots.style import FAINT, RC, Picture, as_picture, figure, frame, show

FITS, RUNS_OFF, UNSEEN, ADDED = "#56B4E9", "#E69F00", "#D55E00", "#CC79A7"


def places(
    images: Sequence[Any],
    titles: Sequence[str],
    starts: Sequence[Sequence[tuple[int, int]]],
    size: int,
    *,
    inside: tuple[int, int] | None = None,
    side: float = 3.0,
    title: str = "",
    alt: str = "",
) -> Picture:
    """Starting points of square windows on images that may differ in size, all drawn at one scale.

    A blue dot starts a window that fits, an orange one a window that runs off the edge; the last window is framed.
    Pixels that no window reaches are dark orange, and pixels outside ``inside`` (padding) are purple.

    Args:
        images: arrays (H, W) in [0, 1].
        titles: one per image.
        starts: for each image the (row, column) of the upper left pixel of every window.
        size: side of the window in pixels.
        inside: rows and columns of the original at the upper left of a padded image.
        side: width of one panel in inches.
        title: above everything.
        alt: alternative text; composed from the titles if not given.

    Raises:
        ValueError: if an image lacks its title or its starting points.
    """
    arrays = [as_picture(image) for image in images]
    if not arrays or not len(arrays) == len(titles) == len(starts) or not all(map(len, starts)):
        raise ValueError(
            f"Every image needs a title and at least one starting point: there are {len(arrays)} images, "
            f"{len(titles)} titles and starting points for {len(starts)}."
        )
    reach = max(
        max(*array.shape, *np.add(list(tops), size).max(axis=0)) for array, tops in zip(arrays, starts, strict=True)
    )
    with matplotlib.rc_context(RC):
        lines = max(t.count("\n") + 1 for t in titles)
        drawn = figure(len(arrays) * side * 1.04, side + 0.3 * lines + 0.1 + 0.4 * bool(title))
        panels = drawn.subplots(1, len(arrays), squeeze=False)[0]
        for axes, array, name, tops in zip(panels, arrays, titles, starts, strict=True):
            _panel(axes, array, np.array(tops), size, inside)
            axes.set(xlim=(-1.2, reach + 0.2), ylim=(reach + 0.2, -1.2), facecolor="#e9edf1")
            axes.set_title(name)
        if title:
            drawn.suptitle(title, fontsize=14)
    return Picture(drawn, alt or f"{title or 'Where the windows start'}: {'; '.join(titles)}")


def _panel(axes: Axes, array: np.ndarray, starts: np.ndarray, size: int, inside: tuple[int, int] | None) -> None:
    show(axes, array)
    height, width = array.shape
    tint = np.zeros((height, width, 4))
    seen = np.zeros((height, width), dtype=bool)
    for row, column in starts:
        seen[row : row + size, column : column + size] = True
    tint[~seen] = (*matplotlib.colors.to_rgb(UNSEEN), 0.75)
    if inside is not None and inside != (height, width):
        added = np.ones((height, width), dtype=bool)
        added[: inside[0], : inside[1]] = False
        tint[added] = (*matplotlib.colors.to_rgb(ADDED), 0.45)
        axes.add_patch(Rectangle((-0.5, -0.5), inside[1], inside[0], fill=False, edgecolor="white", linewidth=1.2))
    axes.imshow(tint, interpolation="nearest")
    fits = (starts[:, 0] + size <= height) & (starts[:, 1] + size <= width)
    for chosen, color in ((fits, FITS), (~fits, RUNS_OFF)):
        axes.plot(starts[chosen, 1], starts[chosen, 0], ".", color=color, markersize=4.5)
    row, column = starts[-1]
    color = FITS if fits[-1] else RUNS_OFF
    for edge, line in (("black", 4.0), (color, 2.2)):
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), size, size, fill=False, edgecolor=edge, linewidth=line))
    frame(axes)
    for spine in axes.spines.values():
        spine.set_color(FAINT)
