"""Read a network layer by layer: the shape of its maps, where its parameters and its multiplications sit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import nn

from helpers.explorers.base import Explorer
from helpers.explorers.parts import menu, slider
from helpers.network.costs import Cost, layer_costs
from helpers.plots.style import COLORS, FAINT, INK, figure

CONV, DENSE, CHOSEN = COLORS[0], COLORS[2], COLORS[1]


class NetworkReader(Explorer):
    """Every layer of a network as a box and two bars; a slider reads one of them aloud.

    Args:
        networks: name → (network, shape of one image).
        values: starting values of the controls, such as ``layer=13``.

    Raises:
        ValueError: if there is no network, or one without weights.
    """

    alt = (
        "Network reader: for every layer a box as high as its maps and as wide as their number, a bar with its "
        "parameters and a bar with its multiplications; the chosen layer is orange and explained in words."
    )

    def __init__(self, networks: Mapping[str, tuple[nn.Module, tuple[int, ...]]], **values: Any) -> None:
        self.networks = {name: layer_costs(model, shape) for name, (model, shape) in networks.items()}
        if not self.networks or not all(self.networks.values()):
            raise ValueError("Give at least one network by name, each with convolutions or dense layers.")
        super().__init__(**values)

    def controls(self) -> Mapping[str, widgets.Widget]:
        """The network, the layer that is read aloud, and whether the bars are logarithmic."""
        network = menu("network", self.networks)
        layer = slider("layer", 1, len(next(iter(self.networks.values()))), width="380px")

        def fit(change: Any) -> None:
            with self.quiet():
                layer.max = len(self.networks[change["new"]])

        network.observe(fit, names="value")
        scale = widgets.ToggleButtons(options=["linear", "logarithmic"])
        scale.style.button_width = "110px"
        return {"network": network, "layer": layer, "scale": scale}

    def build(self) -> Figure:
        """Three rows that share their columns, one column per layer, and two lines of text."""
        drawn = figure(9.5, 5.0, layout=None)
        self._rows = [drawn.add_axes((0.02, y, 0.965, h)) for y, h in ((0.745, 0.22), (0.455, 0.2), (0.165, 0.2))]
        for axes in self._rows:
            axes.set_axis_off()
        self._said = [drawn.text(0.02, y, "", fontsize=12, color=INK, va="center") for y in (0.095, 0.035)]
        self._heads = [drawn.text(0.02, y, "", fontsize=12, color=INK, va="center") for y in (0.975, 0.695, 0.405)]
        self._made: list[Any] = []
        return drawn

    def draw(self, network: str, layer: int, scale: str) -> None:
        """Boxes and bars of all layers, and what the chosen one is in words."""
        rows = self.networks[network]
        chosen = min(layer, len(rows)) - 1
        for artist in self._made:
            artist.remove()
        self._made = []
        for axes in self._rows:
            axes.set(xlim=(-0.5, len(rows) - 0.5), ylim=(0, 1.25))
        self._boxes(rows, chosen)
        totals = [sum(row.parameters for row in rows), sum(row.multiplications for row in rows)]
        self._bars(self._rows[1], [row.parameters for row in rows], rows, chosen, scale)
        self._bars(self._rows[2], [row.multiplications for row in rows], rows, chosen, scale)
        self._heads[0].set_text("maps, drawn by their square roots: taller is larger, wider is more of them")
        self._heads[1].set_text(f"parameters: {totals[0]:,} in all")
        self._heads[2].set_text(f"multiplications for one image: {totals[1]:,} in all")
        for text, sentence in zip(self._said, explain(rows, chosen), strict=True):
            text.set_text(sentence)

    def _boxes(self, rows: list[Cost], chosen: int) -> None:
        side = max(row.output[-1] for row in rows if row.kind == "conv") if rows[0].kind == "conv" else 1
        most = max(row.output[0] for row in rows)
        for i, row in enumerate(rows):
            high = math.sqrt(row.output[-1] / side) if row.kind == "conv" else 0.07
            wide = 0.06 + 0.8 * math.sqrt(row.output[0] / most)
            box = Rectangle((i - wide / 2, 0.22), wide, 0.8 * high, color=_color(row, i == chosen))
            self._rows[0].add_patch(box)
            size = "×".join(map(str, row.output)) if len(rows) <= 8 else f"{row.output[-1]}"
            below = self._rows[0].text(i, 0.18, size, ha="center", va="top", fontsize=11, color=INK)
            self._made += [box, below]

    def _bars(self, axes: Any, values: list[int], rows: list[Cost], chosen: int, scale: str) -> None:
        longest = max(values)
        for i, value in enumerate(values):
            high = value / longest if scale == "linear" else max(math.log10(max(value, 1)) / math.log10(longest), 0)
            bar = Rectangle((i - 0.38, 0), 0.76, high, color=_color(rows[i], i == chosen))
            axes.add_patch(bar)
            label = axes.text(i, high + 0.03, _short(value), ha="center", va="bottom", fontsize=11, color=INK)
            self._made += [bar, label]
        (base,) = axes.plot([-0.5, len(values) - 0.5], [0, 0], color=FAINT, linewidth=1)
        self._made.append(base)


def explain(rows: list[Cost], index: int) -> tuple[str, str]:
    """Two sentences about one layer of a network: its parameters, and its multiplications, with their arithmetic."""
    row = rows[index]
    shares = [getattr(row, what) / sum(getattr(r, what) for r in rows) for what in ("parameters", "multiplications")]
    own = row.output[0]
    bias = row.parameters - own * row.inputs * math.prod(row.kernel) > 0
    plus = "+1" if bias else ""
    if row.kind == "conv":
        k = "·".join(map(str, row.kernel))
        size = "×".join(map(str, row.kernel))
        first = (
            f"{index + 1}. {row.name}: {own} filters of {size} on {row.inputs} maps:  ({row.inputs}·{k}{plus})·{own}"
        )
        second = f"at {row.output[1]}·{row.output[2]} places:  {row.inputs}·{k}·{own}·{row.output[1]}·{row.output[2]}"
    else:
        first = f"{index + 1}. {row.name}: {own:,} units read {row.inputs:,} values:  ({row.inputs:,}{plus})·{own:,}"
        second = f"each once:  {row.inputs:,}·{own:,}"
    return (
        f"{first} = {row.parameters:,} parameters, {shares[0]:.1%}",
        f"{second} = {row.multiplications:,} multiplications, {shares[1]:.1%}",
    )


def _color(row: Cost, chosen: bool) -> str:
    return CHOSEN if chosen else CONV if row.kind == "conv" else DENSE


def _short(value: int) -> str:
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= size:
            return f"{value / size:.3g} {letter}"
    return str(value)
