"""Maps of images: every image a point, drawn as itself or as a dot, in the color of its class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from helpers.plots.pixels import pixels
from helpers.plots.style import DPI, INK, RC, Picture, as_array, figure, frame

#: Ten colors that stay apart for color-blind readers, on white: Okabe and Ito's, and three darker ones.
TEN = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7A5195", "#8C6D1F", "#A50026",
)  # fmt: skip


def color_of(label: Any) -> str:
    """The color of a class by its number."""
    return TEN[int(label) % len(TEN)]


def canvas(points: np.ndarray, images: np.ndarray, labels: np.ndarray, side: int = 700) -> np.ndarray:
    """A white square (side, side, 3) with the ink of images (N, H, W) in the color of their class, at points (N, 2).

    Where images overlap the darker ink stays, so the order of the images does not matter.
    """
    sheet = np.ones((side, side, 3), dtype=np.float32)
    for (x, y), image, label in zip(_corners(points, images, sheet), images, labels, strict=True):
        color = np.array(to_rgb(color_of(label)), dtype=np.float32)
        place = sheet[y : y + image.shape[0], x : x + image.shape[1]]
        np.minimum(place, 1 - image[..., None] * (1 - color), out=place)
    return _bytes(sheet)


def spread(
    points: np.ndarray, images: np.ndarray, labels: np.ndarray, size: tuple[int, int], rim: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """A white sheet (height, width, 3) with gray images (N, H, W), framed in the color of their class, at their points.

    An image that would overlap an earlier one is left out. Returns also the middle (N, 2) of each image on the sheet,
    NaN for those left out.
    """
    sheet, middles = np.ones((*size, 3), dtype=np.float32), np.full((len(images), 2), np.nan)
    framed = np.pad(images, ((0, 0), (rim, rim), (rim, rim)))
    height, width = framed.shape[1:]
    taken = np.zeros(size, dtype=bool)
    for i, (x, y) in enumerate(_corners(points, framed, sheet)):
        place = slice(y, y + height), slice(x, x + width)
        if taken[place].any():
            continue
        taken[place] = True
        sheet[place] = to_rgb(color_of(labels[i]))
        sheet[y + rim : y + height - rim, x + rim : x + width - rim] = images[i][..., None]
        middles[i] = x + width / 2, y + height / 2
    return _bytes(sheet), middles


def _bytes(sheet: np.ndarray) -> np.ndarray:
    """Colors in [0, 1] as bytes: Matplotlib needs a fraction of the memory to draw them."""
    return (255 * sheet + 0.5).astype(np.uint8)


def _corners(points: np.ndarray, images: np.ndarray, sheet: np.ndarray) -> np.ndarray:
    """Upper left corners (N, 2), column and row, at which the images stand on the sheet; up is up."""
    points = np.asarray(points, dtype=float)
    low, span = points.min(0), np.maximum(np.ptp(points, axis=0), 1e-9)
    room = np.array([sheet.shape[1] - images.shape[2], sheet.shape[0] - images.shape[1]])
    corners = ((points - low) / span * room).round().astype(int)
    corners[:, 1] = room[1] - corners[:, 1]
    return corners


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
    pictures, numbers = _flat(images), as_array(labels)
    points = _points(maps, len(pictures), numbers)
    titles = list(titles) if titles is not None else [""] * len(points)
    with matplotlib.rc_context(RC):
        drawn = figure(len(points) * side, side + _below(numbers, classes) + 0.3 * any(titles) + 0.35 * bool(title))
        for axes, where, name in zip(drawn.subplots(1, len(points), squeeze=False)[0], points, titles, strict=True):
            axes.imshow(canvas(where, pictures, numbers), interpolation="antialiased")
            frame(axes)
            axes.set_title(name)
        legend(drawn, numbers, classes, "outside lower center")
        if title:
            drawn.suptitle(title, fontsize=14, color=INK)
    return Picture(drawn, alt or f"{title or 'Images as points of a map'}: {'; '.join(titles)}")


def album(
    points: Any,
    images: Any,
    labels: Any,
    classes: Sequence[str],
    *,
    wrong: Any = None,
    title: str = "",
    width: float = 9.0,
    height: float = 5.0,
    alt: str = "",
) -> Picture:
    """A map whose points are gray images in frames of the color of their class; images do not overlap.

    Args:
        points: (N, 2).
        images: (N, H, W) or (N, 1, H, W) in [0, 1]; one that would overlap an earlier one is left out.
        labels: (N,) class numbers; they choose the colors of the frames.
        classes: names for the legend.
        wrong: (N,) booleans: images that a network gets wrong carry a cross.
        title: above the map.
        width: of the map in inches; images are as sharp as the sheet has pixels.
        height: of the map in inches.
        alt: alternative text.

    Raises:
        ValueError: if points, images and labels do not belong together.
    """
    pictures, numbers = _flat(images), as_array(labels)
    (where,) = _points([points], len(pictures), numbers)
    crosses = wrong is not None
    sheet, middles = spread(where, pictures, numbers, (round(DPI * height), round(DPI * width)))
    with matplotlib.rc_context(RC):
        drawn = figure(width, height + _below(numbers, classes, crosses) + 0.35 * bool(title))
        axes = drawn.add_subplot()
        frame(axes)
        pixels(axes, data=sheet)
        axes.set_title(title)
        if crosses:
            cross(axes, middles[as_array(wrong).astype(bool)] + np.array([10, -10]), 8)
        legend(drawn, numbers, classes, "outside lower center", crosses=crosses)
    return Picture(drawn, alt or f"{title or 'Images as points of a map'}")


def dots(
    maps: Sequence[Any],
    labels: Any,
    classes: Sequence[str],
    titles: Sequence[str],
    *,
    side: float = 2.6,
    alt: str = "",
) -> Picture:
    """Maps whose points are dots in the color of their class, side by side; both axes of a map have one scale.

    Args:
        maps: points (N, 2), one array for each map.
        labels: (N,) class numbers; they choose the colors.
        classes: names for the legend.
        titles: one per map.
        side: width of one map in inches.
        alt: alternative text; composed from the titles if not given.

    Raises:
        ValueError: if points and labels do not belong together.
    """
    numbers = as_array(labels)
    points = _points(maps, len(numbers), numbers)
    with matplotlib.rc_context(RC):
        drawn = figure(len(points) * side, side + _below(numbers, classes) + 0.3)
        for axes, where, name in zip(drawn.subplots(1, len(points), squeeze=False)[0], points, titles, strict=True):
            axes.scatter(where[:, 0], where[:, 1], c=[color_of(n) for n in numbers], s=14, linewidths=0)
            reach = 0.55 * np.ptp(where, axis=0).max()
            middle = (where.min(0) + where.max(0)) / 2
            axes.set(
                title=name,
                xlim=(middle[0] - reach, middle[0] + reach),
                ylim=(middle[1] - reach, middle[1] + reach),
                aspect="equal",
            )
            frame(axes)
        legend(drawn, numbers, classes, "outside lower center")
    return Picture(drawn, alt or f"Dots on maps: {'; '.join(titles)}")


def cross(axes: Axes, points: np.ndarray, size: float) -> Line2D:
    """Mark points (N, 2) with crosses that show on light and on dark ground; returns the artist."""
    (marks,) = axes.plot(points[:, 0], points[:, 1], "x", color=INK, markersize=size, markeredgewidth=2.4)
    marks.set_path_effects([withStroke(linewidth=5, foreground="white")])
    return marks


def legend(
    drawn: Figure,
    numbers: np.ndarray,
    classes: Sequence[str],
    place: str | tuple[float, float],
    columns: int = 0,
    crosses: bool = False,
) -> None:
    """A colored square and the name for each class on the map, and what a cross means."""
    present = _present(numbers, classes)
    handles = [Line2D([], [], marker="s", linestyle="", color=color_of(i)) for i in present]
    names = [str(classes[i]) for i in present]
    if crosses:
        handles.append(Line2D([], [], marker="x", linestyle="", color=INK, markeredgewidth=2.4))
        names.append("misread")
    columns = columns or -(-len(names) // _rows(numbers, classes, crosses))
    drawn.legend(handles, names, loc=place, ncols=columns, fontsize=11, handletextpad=0.1)


def _present(numbers: np.ndarray, classes: Sequence[str]) -> list[int]:
    return [i for i in range(len(classes)) if (numbers == i).any()]


def _rows(numbers: np.ndarray, classes: Sequence[str], crosses: bool = False) -> int:
    """Rows of a legend: long names take two."""
    return 1 if sum(len(str(classes[i])) for i in _present(numbers, classes)) + 7 * crosses < 40 else 2


def _below(numbers: np.ndarray, classes: Sequence[str], crosses: bool = False) -> float:
    """Inches that a legend below a map takes."""
    return 0.2 + 0.24 * _rows(numbers, classes, crosses)


def _flat(images: Any) -> np.ndarray:
    pictures = as_array(images)
    return pictures.reshape(len(pictures), *pictures.shape[-2:])


def _points(maps: Sequence[Any], count: int, numbers: np.ndarray) -> list[np.ndarray]:
    points = [as_array(p) for p in maps]
    if any(p.shape != (count, 2) for p in points) or len(numbers) != count:
        raise ValueError(
            f"Every map needs one point (x, y) for each of the {count} images and {len(numbers)} labels; "
            f"the maps have the shapes {', '.join(str(p.shape) for p in points)}."
        )
    return points
