"""Every picture of the series, in one style: a function here takes numbers, returns a ``Picture``, computes nothing."""

from helpers.plots.charts import bars, confusion, curve_row, curves, probabilities
from helpers.plots.clouds import album, cloud, dots
from helpers.plots.colors import color_sheet, colored
from helpers.plots.diagrams import deep_filter, rulers
from helpers.plots.live import LiveCurves, history
from helpers.plots.pictures import images, mosaic, numbers, overlay
from helpers.plots.recipes import recipes
from helpers.plots.sequences import logos, signals
from helpers.plots.style import Picture, use_style
from helpers.plots.window_places import places

__all__ = [
    "LiveCurves",
    "Picture",
    "album",
    "bars",
    "cloud",
    "color_sheet",
    "colored",
    "confusion",
    "curve_row",
    "curves",
    "deep_filter",
    "dots",
    "history",
    "images",
    "logos",
    "mosaic",
    "numbers",
    "overlay",
    "places",
    "probabilities",
    "recipes",
    "rulers",
    "signals",
    "use_style",
]
