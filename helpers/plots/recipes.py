"""Kernels with their numbers, and below each what it makes of an image: the recipe and the dish."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib

from helpers.plots.pictures import color_bar, compose, written
from helpers.plots.style import RC, Kind, Picture, as_array, as_picture, figure, limit, show


def recipes(
    kernels: Sequence[Any],
    results: Sequence[Any],
    titles: Sequence[str],
    *,
    kind: Kind | Sequence[Kind] = "response",
    unit: str = "",
    form: str = "g",
    percentile: float = 100.0,
    side: float = 1.9,
    alt: str = "",
) -> Picture:
    """Two rows: kernels with their numbers, and below each its result; all results of one kind share a scale.

    Args:
        kernels: arrays (h, w), or None where nothing stands above a result, such as the image itself.
        results: one array (H, W) below each.
        titles: one for each column.
        kind: palette of all the results, or one each.
        unit: what the numbers of the color bar are.
        form: format of the numbers, ``"g"`` or ``".2f"``.
        percentile: where the scale ends, of the absolute values.
        side: width of one picture in inches.
        alt: alternative text; composed from the titles if not given.

    Raises:
        ValueError: if there is not one kernel (or None) and one title for each result.
    """
    if not len(kernels) == len(results) == len(titles):
        raise ValueError(f"{len(kernels)} kernels, {len(results)} results, {len(titles)} titles: one each is needed.")
    arrays = [as_picture(result) for result in results]
    kinds = [kind] * len(arrays) if isinstance(kind, str) else list(kind)
    with matplotlib.rc_context(RC):
        drawn = figure(len(arrays) * side * 1.06 + 1.05, 2 * side + 0.7, "compressed")
        upper, lower = drawn.subplots(2, len(arrays), squeeze=False)
        for axes, kernel, title in zip(upper, kernels, titles, strict=True):
            axes.set_title(title)
            if kernel is None:
                axes.set_axis_off()
            else:
                written(axes, as_array(kernel), "weights", form, side)
        for k in dict.fromkeys(kinds):
            chosen = [i for i, other in enumerate(kinds) if other == k]
            top = limit([arrays[i] for i in chosen], percentile)
            artists = [show(lower[i], arrays[i], k, top) for i in chosen]
            if k != "image":
                color_bar(drawn, artists[0], [lower[i] for i in chosen], unit, clipped=percentile < 100)
    return Picture(drawn, alt or compose("", titles, len(arrays), kinds[-1]))
