"""Images as points of a map: every picture drawn at its place, in the color of its class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import to_rgb

from helpers.plots.style import INK, RC, Picture, as_array, figure, frame

#: Ten colors that stay apart for color-blind readers, on white: Okabe and Ito's, and three darker ones.
TEN = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7A5195", "#8C6D1F", "#A50026",
)  # fmt: skip


def canvas(points: np.ndarray, images: np.ndarray, labels: np.ndarray, side: int = 700, scale: int = 1) -> np.ndarray:
    """A white square (side, side, 3) with each image's ink (N, H, W) in the color of its class at its point (N, 2).

    Where images overlap the darker ink stays, so the order of the images does not matter.
    """
    points, height, width = np.asarray(points, dtype=float), *images.shape[1:]
    low, span = points.min(0), np.maximum(np.ptp(points, axis=0), 1e-9)
    room = side - np.array([width, height]) * scale
    corners = ((points - low) / span * room).round().astype(int)
    corners[:, 1] = room[1] - corners[:, 1]  # up is up
    sheet = np.ones((side, side, 3), dtype=np.float32)
    for (x, y), image, label in zip(corners, images, labels, strict=True):
        ink = np.kron(image, np.ones((scale, scale)))[..., None]
        color = np.array(to_rgb(TEN[int(label) % len(TEN)]), dtype=np.float32)
        place = sheet[y : y + height * scale, x : x + width * scale]
        np.minimum(place, 1 - ink * (1 - color), out=place)
    return sheet


def cloud(
    maps: Sequence[Any],
    images: Any,
    labels: Any,
    classes: Sequence[str],
    titles: Sequence[str] | None = None,
    *,
    title: str = "",
    side: float = 4.8,
    alt: str = "",
) -> Picture:
    """Maps whose points are the images themselves, side by side, each in the color of its class.

    Args:
        maps: points (N, 2), one array for each map.
        images: (N, H, W) or (N, 1, H, W) in [0, 1].
        labels: (N,) class numbers; they choose the colors.
        classes: names for the legend.
        titles: one per map.
        title: above all of them.
        side: width of one map in inches.
        alt: alternative text; composed from the titles if not given.

    Raises:
        ValueError: if points, images and labels do not belong together.
    """
    pictures, numbers = as_array(images), as_array(labels)
    pictures = pictures.reshape(len(pictures), *pictures.shape[-2:])
    points = [as_array(p) for p in maps]
    if any(p.shape != (len(pictures), 2) for p in points) or len(numbers) != len(pictures):
        raise ValueError(
            f"Every map needs one point (x, y) for each of the {len(pictures)} images and {len(numbers)} labels; "
            f"the maps have the shapes {', '.join(str(p.shape) for p in points)}."
        )
    titles = list(titles) if titles is not None else [""] * len(points)
    with matplotlib.rc_context(RC):
        drawn = figure(len(points) * side, side + 0.75 + 0.3 * any(titles) + 0.35 * bool(title))
        for axes, where, name in zip(drawn.subplots(1, len(points), squeeze=False)[0], points, titles, strict=True):
            axes.imshow(canvas(where, pictures, numbers), interpolation="antialiased")
            frame(axes)
            axes.set_title(name)
        present = [i for i in range(len(classes)) if (numbers == i).any()]
        handles = [matplotlib.lines.Line2D([], [], marker="s", linestyle="", color=TEN[i % 10]) for i in present]
        columns = 10 if sum(len(str(classes[i])) for i in present) < 40 else 5  # long names take two rows
        names = [str(classes[i]) for i in present]
        drawn.legend(handles, names, loc="outside lower center", ncols=columns, fontsize=10, handletextpad=0.1)
        if title:
            drawn.suptitle(title, fontsize=14, color=INK)
    return Picture(drawn, alt or f"{title or 'Images as points of a map'}: {'; '.join(titles)}")
