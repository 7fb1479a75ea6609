"""Charts of numbers: curves, bars, probabilities and the confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np

from helpers.plots.style import BAD, COLORS, FAINT, GOOD, RC, Picture, as_array, as_picture, figure, positive, show


def curves(
    series: Mapping[str, Any],
    *,
    x: Any = None,
    xlabel: str = "",
    ylabel: str = "",
    title: str = "",
    ylim: tuple[float, float] | None = None,
    log: str = "",
    marker: str = "",
    mark: Mapping[str, float] | None = None,
    ends: bool = False,
    width: float = 8.0,
    height: float = 3.6,
    alt: str = "",
) -> Picture:
    """Lines in one chart, each named in the legend or at its end.

    Args:
        series: name → values, or name → (x values, values).
        x: x values of every series that does not bring its own; 0, 1, 2... if not given.
        xlabel: name and unit of the horizontal axis.
        ylabel: name and unit of the vertical axis.
        title: above the chart.
        ylim: limits of the vertical axis.
        log: axes with a logarithmic scale: ``""``, ``"x"``, ``"y"`` or ``"xy"``.
        marker: matplotlib marker of the points.
        mark: name → x position of vertical dashed lines.
        ends: write each name at the right end of its line instead of a legend.
        width: inches.
        height: inches.
        alt: alternative text; composed from the labels if not given.

    Raises:
        TypeError: if the series have no names.
        ValueError: if a series is no list of numbers, or its x values are not as many.
    """
    if not isinstance(series, Mapping) or not (mark is None or isinstance(mark, Mapping)):
        raise TypeError('Lines and marks have names: pass a dictionary such as {"training": losses}.')
    positive(width=width, height=height)
    with matplotlib.rc_context(RC):
        drawn = figure(width, height)
        axes = drawn.add_subplot()
        for name, values in series.items():
            own = isinstance(values, tuple) and len(values) == 2
            ys = as_array(values[1] if own else values)
            if ys.ndim == 0 or ys.dtype.kind not in "biuf":
                raise ValueError(f"{name!r} is a list of numbers; got {values!r}.")
            xs = as_array(values[0]) if own else (np.arange(len(ys)) if x is None else as_array(x))
            if len(xs) != len(ys):
                raise ValueError(f"Every value of {name!r} needs its x: there are {len(ys)} and {len(xs)}.")
            axes.plot(xs, ys, label=name, marker=marker or None)
        for name, place in (mark or {}).items():
            axes.axvline(place, color=FAINT, linestyle="--", linewidth=1.4)
            axes.text(place, 0.02, f" {name}", transform=axes.get_xaxis_transform(), color=FAINT, fontsize=11)
        axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
        if ylim is not None:
            axes.set_ylim(*ylim)
        if "x" in log:
            axes.set_xscale("log")
        if "y" in log:
            axes.set_yscale("log")
        axes.grid(axis="y", alpha=0.25)
        if ends:
            _name_ends(axes, 0.23 / height)
        elif len(series) > 1:
            axes.legend()
    names = ", ".join(series)
    return Picture(drawn, alt or f"{title or 'Chart'}: {ylabel or 'value'} against {xlabel or 'position'} for {names}")


def curve_row(
    panels: Mapping[str, tuple[Any, Mapping[str, Any]]],
    *,
    ylabel: str = "",
    ylim: tuple[float, float] | None = None,
    width: float = 11.0,
    height: float = 2.9,
    alt: str = "",
) -> Picture:
    """The same lines in several charts side by side, with one vertical axis and one legend above them.

    Args:
        panels: name and unit of a horizontal axis → (its x values, name of a line → its y values).
        ylabel: name and unit of the vertical axis.
        ylim: limits of the vertical axis.
        width: of the whole row, in inches.
        height: inches.
        alt: alternative text; composed from the labels if not given.

    Raises:
        ValueError: if there is no chart, or they do not all show the same lines.
    """
    names = list(dict.fromkeys(name for _, lines in panels.values() for name in lines))
    if not names or any(list(lines) != names for _, lines in panels.values()):
        raise ValueError("A row of charts needs at least one chart, and the same lines in all of them.")
    with matplotlib.rc_context(RC):
        drawn = figure(width, height)
        grid = drawn.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (xlabel, (x, lines)) in zip(grid, panels.items(), strict=True):
            for values in lines.values():
                axes.plot(as_array(x), as_array(values), marker="o", markersize=4.5)
            axes.set(xlabel=xlabel, xticks=as_array(x)[:: -(-len(x) // 6)])  # at most six of the points have numbers
            axes.grid(axis="y", alpha=0.25)
        grid[0].set_ylabel(ylabel)
        if ylim is not None:
            grid[0].set_ylim(*ylim)
        if len(names) > 1:
            drawn.legend(grid[0].get_lines(), names, loc="outside upper center", ncols=len(names))
    return Picture(drawn, alt or f"{ylabel or 'value'} against {', '.join(panels)} for {', '.join(names)}")


def _name_ends(axes: Any, gap: float) -> None:
    """Write the names of the lines at their right ends, at least ``gap`` (of the height of the axes) apart."""
    axes.autoscale_view()  # the limits, now and not at the first drawing
    to_axes = axes.transScale + axes.transLimits
    ends = [
        (*to_axes.transform(line.get_xydata()[-1]), line)
        for line in axes.get_lines()
        if not line.get_label().startswith("_")
    ]
    below = -1.0
    for x, y, line in sorted(ends, key=lambda end: end[1]):
        below = max(y, below + gap)
        text = f"  {line.get_label()}"
        axes.text(x, below, text, color=line.get_color(), va="center", transform=axes.transAxes, fontsize=12)


def bars(
    values: Mapping[str, float],
    *,
    xlabel: str = "",
    title: str = "",
    form: str = "{:,.0f}",
    highlight: str | Sequence[str] = (),
    log: bool = False,
    width: float = 8.0,
    alt: str = "",
) -> Picture:
    """Horizontal bars with their numbers written at the end; ``highlight`` names those in the second color."""
    chosen = {highlight} if isinstance(highlight, str) else set(highlight)
    with matplotlib.rc_context(RC):
        drawn = figure(width, 0.46 * len(values) + 0.75 + 0.3 * bool(title))
        axes = drawn.add_subplot()
        colors = [COLORS[1] if name in chosen else COLORS[0] for name in values]
        drawn_bars = axes.barh(list(values), list(values.values()), color=colors, height=0.68)
        axes.bar_label(drawn_bars, [form.format(v).replace("-", "−") for v in values.values()], padding=4, fontsize=12)
        axes.invert_yaxis()
        axes.margins(x=0.14)
        if log:
            axes.set_xscale("log")
        axes.set(xlabel=xlabel, title=title)
        axes.tick_params(axis="y", length=0, labelsize=12)
        axes.spines["left"].set_visible(False)
    listed = ", ".join(f"{name} {form.format(value)}".replace(" -", " −") for name, value in values.items())
    return Picture(drawn, alt or f"{title or 'Bars'}: {listed}")


def verdicts(chances: Any, truth: int | None = None) -> list[str]:
    """Colors of the bars of probabilities (K,): the true class green, a wrong winner red, all others blue."""
    colors = [COLORS[0]] * len(chances)
    if truth is not None:
        colors[int(np.argmax(chances))] = BAD
        colors[truth] = GOOD
    return colors


def probabilities(
    images: Any,
    values: Any,
    classes: Sequence[str],
    labels: Sequence[int] | None = None,
    *,
    columns: int = 4,
    title: str = "",
    alt: str = "",
) -> Picture:
    """Each image above the probabilities (N, classes) it is given; true class green, a wrong winner red."""
    pictures, table = [as_picture(i) for i in images], as_array(values)
    rows = -(-len(pictures) // columns)
    with matplotlib.rc_context(RC):
        drawn = figure(columns * 2.3, rows * (2.0 + 0.27 * len(classes)) + 0.4 * bool(title))
        grid = drawn.subplots(rows * 2, columns, squeeze=False, height_ratios=[1.7, 0.27 * len(classes)] * rows)
        for axes in grid.ravel():
            axes.set_axis_off()
        for i, (picture, p) in enumerate(zip(pictures, table, strict=True)):
            above, below = grid[i // columns * 2, i % columns], grid[i // columns * 2 + 1, i % columns]
            above.set_axis_on()
            show(above, picture)
            below.set_axis_on()
            truth = None if labels is None else int(labels[i])
            below.barh(range(len(classes)), p, color=verdicts(p, truth))
            below.set_yticks(range(len(classes)), classes if i % columns == 0 else [], fontsize=10)
            below.set_xticks([0, 1])
            below.set_xlim(0, 1)
            below.invert_yaxis()
        if title:
            drawn.suptitle(title, fontsize=14)
    said = "; ".join(f"{classes[int(p.argmax())]} {p.max():.0%}" for p in table)
    return Picture(drawn, alt or f"{title or 'Images and their probabilities'}: the winners are {said}")


def confusion(matrix: Any, classes: Sequence[str], *, title: str = "", side: float = 6.6, alt: str = "") -> Picture:
    """The confusion matrix, true classes in rows; color shows only mistakes, so that the diagonal cannot drown them."""
    table = as_array(matrix).astype(int)
    wrong = table.copy()
    np.fill_diagonal(wrong, 0)
    with matplotlib.rc_context(RC):
        drawn = figure(side + 0.9, side)
        axes = drawn.add_subplot()
        top = max(int(wrong.max()), 1)
        artist = axes.imshow(wrong, cmap="Reds", vmin=0, vmax=top)
        for (y, x), count in np.ndenumerate(table):
            if count:
                color = FAINT if y == x else ("white" if wrong[y, x] > 0.6 * top else "black")
                axes.text(x, y, f"{count:,}", ha="center", va="center", fontsize=10, color=color)
        names = [str(c) for c in classes]
        slant = {"rotation": 45, "ha": "right"} if max(map(len, names)) > 3 else {}
        axes.set_xticks(range(len(names)), names, **slant)
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(length=0)
        axes.set(xlabel="the network says", ylabel="true class", title=title)
        bar = drawn.colorbar(artist, ax=axes, shrink=0.8, aspect=22)
        bar.set_label("images confused")
        bar.outline.set_visible(False)
    y, x = np.unravel_index(wrong.argmax(), wrong.shape)
    most = f"most often {names[y]} is taken for {names[x]}, {wrong[y, x]} times" if wrong.any() else "no mistakes"
    return Picture(
        drawn, alt or f"{title or 'Confusion matrix'}: {table.sum():,} images, {wrong.sum():,} mistakes, {most}"
    )
