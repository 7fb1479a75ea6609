"""Diagrams of windows: where they land on a row of pixels, and a filter as deep as its input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from helpers.filters.geometry import leftover, output_size, span
from helpers.plots.style import BAD, COLORS, INK, RC, Picture, as_array, colormap, figure, limit


def rulers(
    cases: Sequence[tuple[int, int, int, int, int]],
    titles: Sequence[str] | None = None,
    *,
    columns: int = 2,
    width: float = 9.6,
    alt: str = "",
) -> Picture:
    """Rows of pixels, and below each the windows that fit on it, one bar for each output value.

    Padding is drawn in pale blue; pixels that no window reaches are orange, like the outline of the window that would
    run off the edge.

    Args:
        cases: one (pixels, kernel, stride, padding, dilation) for each row of pixels.
        titles: one per case; the arguments in words if not given.
        columns: cases side by side.
        width: inches.
        alt: alternative text; composed from the titles if not given.
    """
    rows = -(-len(cases) // columns)
    counts = [output_size(*case) for case in cases]
    bars = [count + (leftover(*case) > 0) for count, case in zip(counts, cases, strict=True)]  # one that runs off, too
    said = [
        f"{n} pixels, window {k}, stride {s}" + f", padding {p}" * (p > 0) + f", dilation {d}" * (d > 1)
        for n, k, s, p, d in cases
    ]
    titles = list(titles) if titles is not None else said
    tallest = [max(bars[i : i + columns]) for i in range(0, len(bars), columns)]
    with matplotlib.rc_context(RC):
        drawn = figure(width, sum(0.2 * (n + 2.2) + 0.38 for n in tallest))
        panels = drawn.subplots(rows, columns, squeeze=False, height_ratios=[n + 2.2 for n in tallest]).ravel()
        longest = max(n + 2 * p for n, _, _, p, _ in cases)
        for axes in panels[len(cases) :]:
            axes.set_axis_off()
        for i, case in enumerate(cases):
            _ruler(panels[i], *case)
            panels[i].set(xlim=(-0.6, longest + 1.1), ylim=(tallest[i // columns] + 1.2, -0.3))
            panels[i].set_title(f"{titles[i]}: {counts[i]} windows", fontsize=13)
    return Picture(drawn, alt or "; ".join(f"{t}: {c} windows" for t, c in zip(titles, counts, strict=True)))


def _ruler(axes: Axes, n: int, kernel: int, stride: int, padding: int, dilation: int) -> None:
    axes.set_axis_off()
    count, lost, whole = (
        output_size(n, kernel, stride, padding, dilation),
        leftover(n, kernel, stride, padding, dilation),
        n + 2 * padding,
    )
    for x in range(whole):
        inside = padding <= x < n + padding
        ground = COLORS[4] if x >= whole - lost else "#dfe4e9" if inside else "#bcd9ee"
        axes.add_patch(Rectangle((x, 0), 1, 0.85, facecolor=ground, edgecolor="white", linewidth=1.2))
        if inside:  # the number of the pixel; padding has none
            axes.text(x + 0.5, 0.44, str(x - padding), ha="center", va="center", fontsize=11, color=INK)
    for window in range(count + (lost > 0)):
        off, left, y = window == count, window * stride, window + 1.1
        for sample in range(kernel):
            cell = Rectangle((left + sample * dilation, y), 1, 0.72, linewidth=1.0)
            cell.set(facecolor="white" if off else COLORS[0], edgecolor=BAD if off else "white")
            cell.set_linestyle((0, (2, 2)) if off else "-")
            axes.add_patch(cell)
        if dilation > 1 and not off:
            axes.plot([left + 1, left + span(kernel, dilation) - 1], [y + 0.36] * 2, color=COLORS[0], linewidth=1)


def deep_filter(patch: Any, weights: Any, response: float, *, alt: str = "") -> Picture:
    """A filter as deep as its input: the slices of a patch, those of the filter below them, and their one response.

    Args:
        patch: what the filter sees, (C, k, k), values from 0 up.
        weights: the filter, (C, k, k).
        response: the sum of their products and the bias.
        alt: alternative text; composed from the shape and the response if not given.

    Raises:
        ValueError: if patch and filter have not the same shape (C, k, k).
    """
    seen, own = as_array(patch), as_array(weights)
    if seen.ndim != 3 or seen.shape != own.shape:
        raise ValueError(f"Give a patch and a filter of one shape (C, k, k); got {seen.shape} and {own.shape}.")
    depth, size, _ = own.shape
    said = f"{response + 0.0:.2f}".replace("-", "−")
    width = 8.0
    step = width / depth
    with matplotlib.rc_context(RC):
        drawn = figure(9.6, 3.5, layout=None)
        axes = drawn.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set(xlim=(0, 9.6), ylim=(0, 3.5))
        v, u = np.mgrid[0 : size + 1, 0 : size + 1] / size
        tops = (limit([seen]), limit([own]))
        rows = (
            (1.98, seen, "activation", 0.0, tops[0], "the patch"),
            (0.3, own, "weights", -tops[1], tops[1], "the filter"),
        )
        for base, stack, kind, low, top, name in rows:
            for i, grid in enumerate(stack):
                x, y = 0.15 + i * step + 0.86 * step * u, base + 0.85 * (1 - v) + 0.2 * u
                axes.pcolormesh(
                    x, y, grid, cmap=colormap(kind), vmin=low, vmax=top, edgecolors="#8a929b", linewidth=0.4
                )
            axes.text(0.15, base + 1.2, f"{name}: {depth} grids of {size}×{size}", fontsize=13, va="center")
        axes.text(0.15 + width / 2, 1.72, "×", ha="center", va="center", fontsize=20)
        axes.annotate("", (8.75, 1.75), (8.25, 1.75), arrowprops={"arrowstyle": "->", "color": INK, "lw": 1.6})
        axes.add_patch(Rectangle((8.8, 1.48), 0.66, 0.54, facecolor="white", edgecolor=INK))
        axes.text(9.13, 1.75, said, ha="center", va="center", fontsize=13)
        axes.text(9.5, 1.18, f"sum of {own.size}\nproducts + bias", ha="right", va="center", fontsize=11)
    grids = f"{depth} grids of {size}×{size}"
    return Picture(
        drawn,
        alt or f"A patch of {grids}, and below it one filter of {grids}: {own.size} products, one response, {said}.",
    )
