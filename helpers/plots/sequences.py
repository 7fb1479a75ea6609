"""Pictures of what has one direction: signals over time, colored by a map, and filters over letters as logos."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.patches import PathPatch
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D

from helpers.plots.pictures import color_bar
from helpers.plots.style import COLORS, FAINT, INK, RC, Picture, as_array, figure, limit, scale

#: Colors of A, C, G and T, as is usual in sequence logos.
LETTER_COLORS = {"A": COLORS[2], "C": COLORS[0], "G": COLORS[4], "T": COLORS[1]}


def signals(
    rows: Sequence[Any],
    names: Sequence[str],
    *,
    maps: Sequence[Any] = (),
    marks: Sequence[float | None] = (),
    unit: str = "",
    xlabel: str = "sample",
    width: float = 9.5,
    alt: str = "",
) -> Picture:
    """Signals in rows, each a line; a map of a signal is the color behind it, red for positive and blue for negative.

    Args:
        rows: signals, each (length,).
        names: one for each, written at its left.
        maps: a number for each sample, (length,), one map a signal; all share one scale around zero.
        marks: a position for each signal, marked by a triangle, or None.
        unit: what the numbers of the maps are, at the color bar.
        xlabel: name and unit of the horizontal axis.
        width: inches.
        alt: alternative text; composed from the names if not given.

    Raises:
        ValueError: if there is no signal, or not one name, map and mark for each.
    """
    lines, colors = [as_array(row) for row in rows], [as_array(row) for row in maps]
    if not lines or len(names) != len(lines) or (colors and [c.shape for c in colors] != [x.shape for x in lines]):
        raise ValueError("Each signal needs a name, and a map of its own length if there are maps.")
    low, high = min(float(x.min()) for x in lines), max(float(x.max()) for x in lines)
    top = limit(colors, 99) if colors else 1.0
    with matplotlib.rc_context(RC):
        drawn = figure(width, 0.95 * len(lines) + 0.75)
        panels = drawn.subplots(len(lines), 1, sharex=True, squeeze=False)[:, 0]
        for i, (axes, line, name) in enumerate(zip(panels, lines, names, strict=True)):
            if colors:
                place = (-0.5, len(line) - 0.5, low - 0.3, high + 0.6)
                artist = axes.imshow(colors[i][None], extent=place, aspect="auto", **scale("response", top))
            axes.plot(line, color=INK, linewidth=1.6)
            if i < len(marks) and marks[i] is not None:
                axes.plot([marks[i]], [high + 0.35], "v", color=INK, markersize=8)
            axes.set(xlim=(-0.5, len(line) - 0.5), ylim=(low - 0.3, high + 0.6), yticks=[])
            axes.set_ylabel(name, rotation=0, ha="right", va="center", labelpad=8)
            axes.tick_params(axis="x", length=3 if axes is panels[-1] else 0)
        panels[-1].set_xlabel(xlabel)
        if colors:
            color_bar(drawn, artist, list(panels), unit, clipped=True)
    return Picture(drawn, alt or f"Signals: {', '.join(names)}")


def logos(
    filters: Sequence[Any],
    titles: Sequence[str] = (),
    *,
    letters: str = "ACGT",
    columns: int = 3,
    ylabel: str = "weight",
    alt: str = "",
) -> Picture:
    """Filters over letters as logos: in each column the letters stand as high as their weights, negative ones below.

    Args:
        filters: each (letters, length).
        titles: one for each, or none.
        letters: what the channels stand for.
        columns: logos in a row.
        ylabel: what the height of a letter is.
        alt: alternative text; composed from the titles if not given.

    Raises:
        ValueError: if there is no filter, or one has not a row for each letter.
    """
    arrays = [as_array(one) for one in filters]
    if not arrays or any(one.ndim != 2 or len(one) != len(letters) for one in arrays):
        raise ValueError(f"A logo needs a filter with a row for each of the letters {', '.join(letters)}.")
    high = max(float(one.clip(min=0).sum(0).max()) for one in arrays)
    low = min(float(one.clip(max=0).sum(0).min()) for one in arrays)
    columns = min(columns, len(arrays))
    count = math.ceil(len(arrays) / columns)
    with matplotlib.rc_context(RC):
        drawn = figure(3.3 * columns + 0.5, 2.3 * count + 0.3)
        panels = drawn.subplots(count, columns, sharey=True, squeeze=False)
        for axes in panels.ravel()[len(arrays) :]:
            axes.set_axis_off()
        for i, (axes, one) in enumerate(zip(panels.ravel(), arrays, strict=False)):
            _logo(axes, one, letters)
            axes.set(xlim=(-0.6, one.shape[1] - 0.4), ylim=(1.05 * low, 1.05 * high), xticks=range(one.shape[1]))
            axes.set_title(titles[i] if titles else "")
        for axes in panels[:, 0]:
            axes.set_ylabel(ylabel)
    return Picture(drawn, alt or f"Logos: {', '.join(titles)}")


def _logo(axes: Axes, weights: Any, letters: str) -> None:
    """Stack the letters of each column, the largest outermost; what is below zero is pale."""
    axes.axhline(0, color=FAINT, linewidth=1)
    for column in range(weights.shape[1]):
        up = down = 0.0
        for row in abs(weights[:, column]).argsort():
            value = float(weights[row, column])
            bottom = up if value > 0 else down + value
            up, down = (up + value, down) if value > 0 else (up, down + value)
            glyph = TextPath((0, 0), letters[row], size=1, prop=FontProperties(family="DejaVu Sans", weight="bold"))
            box = glyph.get_extents()
            place = Affine2D().translate(-box.x0, -box.y0).scale(0.9 / box.width, abs(value) / box.height)
            shape = place.translate(column - 0.45, bottom).transform_path(glyph)
            color = LETTER_COLORS.get(letters[row], INK)
            axes.add_patch(PathPatch(shape, facecolor=color, linewidth=0, alpha=1.0 if value > 0 else 0.3))
