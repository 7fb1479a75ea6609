"""A few exceptions: how many garments without their tag must a network see before a lying tag no longer fools it?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets
import numpy as np
from matplotlib.figure import Figure

from helpers.data import CLASSES
from helpers.explorers.base import Explorer
from helpers.explorers.parts import LABEL, inches, menu, panel
from helpers.inside.exceptions import CONDITIONS, Study, load
from helpers.plots.style import COLORS, FAINT, figure

SEEDS = "a point for each seed"


class ExceptionsExplorer(Explorer):
    """A stored study of networks that learned tagged garments; the slider sets the share that came without a tag.

    Left, the accuracies of all its networks with the right tag, no tag, and a lying tag. Right, a garment with a lying
    tag: what the network of the first seed says, and what that answer rests on.

    Args:
        study: the study; the stored one if not given.
        values: starting values of the controls, such as ``share=0.1``.
    """

    alt = (
        "A few exceptions: a slider sets the share of training garments without a tag. Three curves over that share "
        "show the accuracy with the right tag, no tag, and a lying tag; beside them is a garment with a lying tag, "
        "what the network says, and a map of what the answer rests on: the tag or the garment."
    )

    def __init__(self, study: Study | None = None, **values: Any) -> None:
        self.study = load() if study is None else study
        self._shown: int | None = None  # the number of epochs whose curves are drawn
        super().__init__(**values)

    def controls(self) -> Mapping[str, widgets.Widget]:
        """The share of garments without a tag, the epochs, and the garment to look at."""
        garments = [(f"{self._name(truth)} with the tag of {self._name(tag)}", i)
                    for i, (truth, tag) in enumerate(zip(self.study.truths, self.study.tags, strict=True))]  # fmt: skip
        share = widgets.SelectionSlider(
            options=[(f"{share:.0%}", round(float(share), 4)) for share in self.study.shares],
            description="without tag",
            style={"description_width": LABEL},
            layout=widgets.Layout(width="420px", max_width="100%"),
        )
        epochs = menu("epochs", [int(n) for n in self.study.epochs], width="170px")
        return {"share": share, "epochs": epochs, "garment": menu("garment", garments, width="330px")}

    def build(self) -> Figure:
        """The curves with their points, one for each seed, and the two images."""
        drawn = figure(10.2, 3.5, layout=None)
        axes = inches(drawn, 0.7, 0.62, 4.1, 2.5)
        shares = self.study.shares
        self._lines, self._points = [], []
        for color in COLORS[: len(CONDITIONS)]:
            self._lines += axes.plot(shares, 0 * shares, color=color)
            spread = np.repeat(shares, self.study.accuracy.shape[2])
            self._points += axes.plot(spread, 0 * spread, "o", color=color, markersize=3.5, alpha=0.6)
        self._now = axes.axvline(0, color=FAINT, linestyle="--", linewidth=1.4, zorder=3)  # over what stays
        axes.set(xlim=(-0.02, 1.02), ylim=(0, 1.03), xlabel="share of training garments without a tag")
        axes.set_title(f"accuracy, {SEEDS}", fontsize=12, loc="left")
        ticks = [0, 0.25, 0.5, 0.75, 1]
        axes.set_xticks(ticks, [f"{tick:.0%}" for tick in ticks])
        axes.set_yticks(ticks, [f"{tick:.0%}" for tick in ticks])
        axes.grid(axis="y", alpha=0.25)
        self._names = [
            drawn.text(0.475, 0.74 - 0.14 * i, "", color=color, fontsize=12, va="center")
            for i, color in enumerate(COLORS[: len(CONDITIONS)])
        ]
        self._garment, title = panel(inches(drawn, 6.2, 0.62, 1.9, 1.9), size=11)
        title.set_text("wears a lying tag")
        self._evidence, self._said = panel(inches(drawn, 8.2, 0.62, 1.9, 1.9), "activation", size=11)
        drawn.text(0.9975, 0.085, "bright: the answer rests on these pixels", fontsize=11, color=FAINT, ha="right")
        return drawn

    def draw(self, share: float, epochs: int, garment: int) -> None:
        """Show the networks of one share; the curves change with the epochs only."""
        study = self.study
        here = study.at(share, epochs).mean(0)
        t, e = int(np.abs(study.shares - share).argmin()), int(np.flatnonzero(study.epochs == epochs)[0])
        for i, name in enumerate(self._names):
            name.set_text(f"{CONDITIONS[i]}: {here[i]:.0%}")
        if e != self._shown:
            for i, (line, points) in enumerate(zip(self._lines, self._points, strict=True)):
                line.set_ydata(study.accuracy[:, e, :, i].mean(1))
                points.set_ydata(study.accuracy[:, e, :, i].ravel())
            self._shown = e
        self._now.set_xdata([share, share])
        self._garment.set_data(study.images[garment])
        self._evidence.set_data(study.evidence[t, e, garment])
        said = study.said[t, e, garment]
        winner = int(said.argmax())
        why = {int(study.tags[garment]): ", as the tag does", int(study.truths[garment]): ", what it is"}
        self._said.set_text(f"says {self._name(winner)}\n{said[winner]:.0%}{why.get(winner, '')}")

    def _name(self, number: Any) -> str:
        return CLASSES["fashion"][int(number)]
