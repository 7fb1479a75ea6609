"""Diagrams of windows: where they land on a row of pixels."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from helpers.filters.geometry import leftover, output_size, span
from helpers.plots.style import BAD, COLORS, INK, RC, Picture, figure


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
