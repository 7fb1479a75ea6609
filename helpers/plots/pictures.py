"""Pictures of pixels: rows and grids of images, filters and maps, and grids whose numbers can be read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from helpers.plots.style import (
    INK,
    RC,
    SIGNED,
    Kind,
    Picture,
    as_array,
    as_list,
    as_picture,
    colormap,
    figure,
    frame,
    legible,
    limit,
    positive,
    scale,
    show,
    wrap,
)


def images(
    pictures: Iterable[Any],
    titles: Sequence[str] | None = None,
    *,
    kind: Kind | Sequence[Kind] = "image",
    columns: int | None = None,
    rows: Sequence[str] | None = None,
    title: str = "",
    unit: str | Mapping[str, str] = "",
    shared: bool = True,
    percentile: float = 100.0,
    side: float = 2.0,
    boxes: Mapping[int, Sequence[tuple[float, float, float, float]]] | None = None,
    alt: str = "",
) -> Picture:
    """Pictures in a grid, each with its title; those of one kind share one scale and one color bar.

    Args:
        pictures: arrays or tensors, each (H, W), (1, H, W), (H, W, 3) or (3, H, W); ``None`` leaves its place empty.
        titles: one per picture.
        kind: ``"image"`` (gray, 0 to 1), ``"weights"``, ``"response"`` (signed) or ``"activation"`` (from 0), for all
            the pictures or one each.
        columns: pictures per row; all in one row up to eight if not given.
        rows: a name for each row, written at its left.
        title: above the whole grid.
        unit: what the numbers of the color bar are, or kind → unit; there is no bar for ``"image"``.
        shared: one scale for all pictures of a kind; ``False`` gives every picture its own.
        percentile: where the scale ends, of the absolute values (99 hides single extreme pixels).
        side: width of one picture in inches.
        boxes: index of a picture → frames (top, left, height, width) drawn into it, in pixels, numbered from 1.
        alt: alternative text; composed from the titles if not given.

    Raises:
        ValueError: if there is no picture, or not one title for each.
    """
    arrays = [None if p is None else as_picture(p) for p in as_list(pictures)]
    if all(array is None for array in arrays):
        raise ValueError("There is no picture to show: pass at least one.")
    if columns is not None and (columns != int(columns) or columns < 1):
        raise ValueError(f"columns is how many pictures stand in a row, at least 1; got {columns}.")
    positive(side=side)
    if boxes is not None and not isinstance(boxes, Mapping):
        raise TypeError("boxes is a dictionary: the number of a picture, and a list of (top, left, height, width).")
    for index, frames in (boxes or {}).items():
        if not -len(arrays) <= index < len(arrays) or any(len(frame) != 4 for frame in frames):
            raise ValueError(
                f"boxes has (top, left, height, width) for pictures from 0 to {len(arrays) - 1}; got {index}: {frames}."
            )
    titles = list(titles) if titles is not None else [""] * len(arrays)
    if len(titles) != len(arrays):
        raise ValueError(f"Every picture needs a title: {len(arrays)} pictures, {len(titles)} titles.")
    kinds = [kind] * len(arrays) if isinstance(kind, str) else list(kind)
    columns = columns or min(len(arrays), 8)
    count = math.ceil(len(arrays) / columns)
    if rows is not None and len(rows) != count:
        raise ValueError(f"Every row needs a name: {count} rows, {len(rows)} names.")
    lines = max(t.count("\n") + 1 for t in titles) if any(titles) else 0
    tallest = max(a.shape[0] / a.shape[1] for a in arrays if a is not None)
    bars = [k for k in dict.fromkeys(kinds) if k != "image"] if shared else []
    titled = math.ceil(max((i + 1 for i, t in enumerate(titles) if t), default=0) / columns)  # rows that have titles
    # Rather too high: the compressed layout leaves no gaps, and what stays empty at the edge is not stored.
    height = count * (side * tallest + 0.15) + titled * 0.32 * lines + 0.5 * bool(title)
    margin = 0.12 * max(map(len, rows)) + 0.45 if rows else 0.0
    with matplotlib.rc_context(RC):
        drawn = figure(columns * side * 1.06 + 1.05 * len(bars) + margin, height, "compressed")
        grid = drawn.subplots(count, columns, squeeze=False)
        for i, axes in enumerate(grid.ravel()):
            if i >= len(arrays) or arrays[i] is None:
                axes.set_axis_off()
        for k in dict.fromkeys(kinds):
            chosen = [i for i, other in enumerate(kinds) if other == k and arrays[i] is not None]
            top = limit([arrays[i] for i in chosen], percentile) if shared else None
            panels = [grid.ravel()[i] for i in chosen]
            artists = [show(a, arrays[i], k, top, titles[i]) for a, i in zip(panels, chosen, strict=True)]
            if k in bars:
                name = unit if isinstance(unit, str) else unit.get(k, "")
                color_bar(drawn, artists[0], panels, name, clipped=percentile < 100)
        for index, frames in (boxes or {}).items():
            _boxes(grid.ravel()[index], frames)
        for name, axes in zip(rows or [], grid[:, 0], strict=False):
            axes.set_ylabel(name, rotation=0, ha="right", va="center", labelpad=8)
        if title:
            drawn.suptitle(title, fontsize=14, color=INK)
    return Picture(drawn, alt or compose(title, titles, len(arrays), kinds[0]))


def _boxes(axes: Axes, frames: Sequence[tuple[float, float, float, float]]) -> None:
    """Frames with their numbers, visible on light and on dark ground."""
    for i, (top, left, height, width) in enumerate(frames, start=1):
        for color, line in (("black", 3.2), ("#ffd400", 1.8)):
            corner = (left - 0.5, top - 0.5)
            axes.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=color, linewidth=line))
        if len(frames) > 1:
            label = axes.text(
                left - 1, top - 1, f"{i}", color="#ffd400", fontsize=12, weight="bold", ha="right", va="bottom"
            )
            label.set_path_effects([withStroke(linewidth=2.5, foreground="black")])


def color_bar(drawn: Figure, artist: Any, panels: Sequence[Axes], unit: str, clipped: bool = False) -> None:
    """A color bar with its unit beside the panels that share its scale."""
    extend = ("both" if artist.norm.vmin < 0 else "max") if clipped else "neither"
    bar = drawn.colorbar(artist, ax=list(panels), extend=extend, aspect=16, pad=0.02, shrink=0.95)
    bar.outline.set_visible(False)
    bar.set_label(unit)
    bar.locator = matplotlib.ticker.MaxNLocator(5)
    bar.update_ticks()


def compose(title: str, titles: Sequence[str], count: int, kind: str) -> str:
    """Alternative text from the titles, for pictures whose titles say what they show."""
    named = "; ".join(" ".join(t.split()) for t in titles if t)
    what = {
        "image": "images",
        "weights": "grids of weights",
        "response": "signed maps",
        "activation": "activation maps",
    }
    lead = title or f"{count} {what[kind]}"
    return f"{lead}: {named}" if named else f"{lead} ({count} {what[kind]})"


def mosaic(
    maps: Any,
    *,
    kind: Kind = "activation",
    columns: int = 8,
    top: float | None = None,
    percentile: float = 100.0,
    title: str = "",
    unit: str = "",
    numbered: bool = True,
    shared: bool = True,
    width: float = 8.0,
    alt: str = "",
) -> Picture:
    """Many small maps (N, H, W) as one contact sheet on one scale, each with its number in the corner.

    The scale ends at ``top``, else at the given percentile of the absolute values (99 lets weak maps be seen).
    ``shared=False`` stretches every map to its own maximum: shapes compare, strengths do not, and the bar says so.
    """
    array = as_array(maps)
    if array.ndim == 4 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 3:
        raise ValueError(f"mosaic shows maps of shape (N, H, W); got {array.shape}.")
    if not shared:
        peak = np.abs(array).max(axis=(1, 2), keepdims=True)
        array = array / np.where(peak == 0, 1, peak)
    zoom = max(1, 18 // max(array.shape[1:]))  # keeps the gap between 3×3 filters narrower than a weight
    sheet = tile(array.repeat(zoom, axis=1).repeat(zoom, axis=2), columns)
    with matplotlib.rc_context(RC):
        ratio = sheet.shape[0] / sheet.shape[1]
        drawn = figure(width + 1.0 * (kind != "image"), width * ratio + 0.4 * len(title.splitlines()))
        axes = drawn.add_subplot()
        end = limit([array], percentile) if top is None else top
        gap = "#9db8d0" if kind == "image" else "white"  # neither ink nor paper
        colors = scale(kind, end) | {"cmap": colormap(kind).with_extremes(bad=gap)}
        artist = axes.imshow(sheet, interpolation="nearest", **colors)
        frame(axes)
        for spine in axes.spines.values():
            spine.set_visible(False)
        if numbered:
            number(axes, array, columns, zoom, light=kind in ("activation", "image"))
        if title:
            axes.set_title(title)
        if kind != "image":
            name = unit if shared else f"{unit or 'value'} / largest in its map"
            color_bar(drawn, artist, [axes], name, clipped=end < np.abs(array).max())
    return Picture(drawn, alt or compose(title, [], len(array), kind))


def tile(maps: np.ndarray, columns: int, gap: int = 1) -> np.ndarray:
    """Maps (N, H, W) set side by side with a gap of NaN pixels: (rows·H + gaps, columns·W + gaps)."""
    count, height, width = maps.shape
    rows = math.ceil(count / columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap), np.nan, dtype=np.float32)
    for i, one in enumerate(maps):
        y, x = i // columns * (height + gap), i % columns * (width + gap)
        sheet[y : y + height, x : x + width] = one
    return sheet


def number(axes: Axes, maps: np.ndarray, columns: int, zoom: int, light: bool) -> None:
    """Write each map's number into its upper left corner, with a rim that keeps it legible on any pixel."""
    rim = [withStroke(linewidth=1.6, foreground=INK if light else "white")]
    height, width = (zoom * n for n in maps.shape[1:])
    for i in range(len(maps)):
        y, x = i // columns * (height + 1), i % columns * (width + 1)
        color = "white" if light else INK
        axes.text(x, y, f"{i}", color=color, fontsize=10, va="top", ha="left", path_effects=rim)


def numbers(
    grids: Sequence[Any],
    titles: Sequence[str] | None = None,
    *,
    kind: Kind | Sequence[Kind] = "weights",
    signs: Sequence[str] | None = None,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    wide: float = 1.0,
    blocks: int = 0,
    form: str = "g",
    title: str = "",
    side: float = 2.6,
    alt: str = "",
) -> Picture:
    """Small grids whose numbers are written into their cells, with signs between them: patch × weights = products.

    Args:
        grids: arrays (H, W), at most about 12×12 to stay readable.
        titles: one per grid.
        kind: palette of all the grids, or one each.
        signs: what stands between the grids, such as ``("×", "=")``; nothing if not given.
        rows: names of the rows, written at the left of the first grid.
        columns: names of the columns, written below each grid.
        wide: width of a cell over its height.
        blocks: thick lines between blocks of so many rows and columns of the first grid; none if 0.
        form: format of the numbers, ``"g"`` or ``".2f"``.
        title: above everything.
        side: width of one square grid in inches.
        alt: alternative text; composed from the titles if not given.
    """
    arrays = [np.atleast_2d(as_array(g)) for g in grids]
    titles = list(titles) if titles is not None else [""] * len(arrays)
    kinds = [kind] * len(arrays) if isinstance(kind, str) else list(kind)
    signs = list(signs or [""] * (len(arrays) - 1))
    largest = max(max(a.shape) for a in arrays)
    widths = [max(wide * a.shape[1] / largest, 0.3) for a in arrays]
    ratios = [w for pair in zip(widths, [0.14] * len(arrays), strict=True) for w in pair][:-1]
    with matplotlib.rc_context(RC):
        lines = max((t.count("\n") + 1 for t in titles if t), default=0)
        drawn = figure(side * sum(ratios) + 0.2, side + 0.1 + 0.3 * lines + 0.4 * bool(title))
        cells = drawn.subplots(1, len(ratios), width_ratios=ratios, squeeze=False)[0]
        for i, (array, k) in enumerate(zip(arrays, kinds, strict=True)):
            written(cells[2 * i], array, k, form, side * widths[i])
            cells[2 * i].set(title=titles[i], aspect=1 / wide)
            cells[2 * i].tick_params(length=0)
            if rows and i == 0:
                cells[0].set_yticks(range(len(rows)), rows)
            if columns:
                cells[2 * i].set_xticks(range(len(columns)), columns)
        for draw, length in zip((cells[0].axhline, cells[0].axvline), arrays[0].shape if blocks else (), strict=False):
            for line in range(blocks, length, blocks):
                draw(line - 0.5, color="white", linewidth=5)
        for axes, sign in zip(cells[1::2], signs, strict=True):
            axes.set_axis_off()
            axes.text(0.5, 0.5, sign, ha="center", va="center", fontsize=22, transform=axes.transAxes)
        if title:
            drawn.suptitle(title, fontsize=14)
    return Picture(drawn, alt or compose(title, titles, len(arrays), kinds[0]))


def written(axes: Axes, array: np.ndarray, kind: Kind, form: str, side: float = 2.6) -> None:
    """One grid with its numbers, in black or white as the color beneath demands."""
    artist = show(axes, array, kind, remark=False)
    texts = {place: f"{value + 0.0:{form}}".replace("-", "−") for place, value in np.ndenumerate(array)}
    size = min(14.0, 72 * side / array.shape[1] / (0.68 * max(map(len, texts.values())) + 0.4))
    palette, norm = colormap(kind), artist.norm
    for (y, x), value in np.ndenumerate(array):
        color = legible(palette(norm(value)))
        axes.text(x, y, texts[y, x], ha="center", va="center", fontsize=size, color=color)
    axes.set_xticks(np.arange(array.shape[1] + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(array.shape[0] + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white" if kind in SIGNED else "#777777", linewidth=0.8)
    axes.tick_params(which="minor", length=0)


def overlay(
    image: Any,
    maps: Sequence[Any],
    titles: Sequence[str] | None = None,
    *,
    kind: Kind = "response",
    percentile: float = 99.0,
    unit: str = "",
    title: str = "",
    columns: int | None = None,
    side: float = 2.2,
    alt: str = "",
) -> Picture:
    """The image, and beside it maps of the same size laid over its faint outline: where in the image a map speaks."""
    base = as_picture(image)
    gray = base if base.ndim == 2 else base.mean(axis=2)
    arrays = [as_picture(m) for m in maps]
    titles = list(titles) if titles is not None else [""] * len(arrays)
    columns = columns or min(len(arrays) + 1, 6)
    rows = math.ceil((len(arrays) + 1) / columns)
    with matplotlib.rc_context(RC):
        titles = [wrap(name, 24) for name in titles]
        lines = max(t.count("\n") + 1 for t in ["image", *titles])
        height = rows * (side * gray.shape[0] / gray.shape[1] + 0.15 + 0.32 * lines) + 0.5 * bool(title)
        drawn = figure(columns * side * 1.06 + 1.05, height, "compressed")
        grid = drawn.subplots(rows, columns, squeeze=False).ravel()
        for axes in grid[len(arrays) + 1 :]:
            axes.set_axis_off()
        show(grid[0], base, "image", title="image")
        top = limit(arrays, percentile)
        for axes, array, name in zip(grid[1:], arrays, titles, strict=False):
            artist = show(axes, array, kind, top, name)
            axes.contour(gray, levels=[0.5], colors=[INK if kind in SIGNED else "white"], linewidths=0.7, alpha=0.6)
        color_bar(drawn, artist, list(grid[: len(arrays) + 1]), unit, clipped=percentile < 100)
        if title:
            drawn.suptitle(title, fontsize=14)
    return Picture(drawn, alt or compose(title, titles, len(arrays), kind))
