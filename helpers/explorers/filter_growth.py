"""Growing filters: one slider over the steps of learning; a filter, and its nearest relative in a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as widgets
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from helpers.explorers.base import Explorer
from helpers.explorers.parts import LABEL, MARK, inches, panel, slider
from helpers.inside.unlabeled import relatives
from helpers.plots.colors import color_sheet, colored
from helpers.plots.style import figure, frame

COLUMNS = 12


class FilterGrowth(Explorer):
    """Color filters at several steps of their learning, all of them and one enlarged, beside its nearest relative.

    Args:
        snapshots: (step, patterns (n, 3, size, size)) in the order of the steps, at least one.
        network: filters (m, 3, k, k) of a network, k up to size, to look for relatives in.
        values: starting values of the controls, such as ``step=300``.

    Raises:
        ValueError: if there is no snapshot.
    """

    alt = (
        "Growing filters: a slider over the steps of learning changes a sheet of color filters; one of them is shown "
        "enlarged, beside the network's filter that is most like it, with the cosine between the two."
    )

    def __init__(self, snapshots: Sequence[tuple[int, Tensor]], network: Tensor, **values: Any) -> None:
        if not len(snapshots):
            raise ValueError("There is nothing to show: pass at least one snapshot, (step, patterns).")
        self.snapshots, self.network = dict(snapshots), network.detach()
        super().__init__(**{"step": max(self.snapshots)} | values)

    def controls(self) -> Mapping[str, widgets.Widget]:
        """The step, and the number of the filter to enlarge."""
        step = widgets.SelectionSlider(
            options=list(self.snapshots),
            description="step",
            style={"description_width": LABEL},
            layout=widgets.Layout(width="420px", max_width="100%"),
        )
        count = len(next(iter(self.snapshots.values())))
        return {"step": step, "filter": slider("filter", 0, count - 1)}

    def build(self) -> Figure:
        """The sheet at the left, the two enlarged filters at the right."""
        drawn = figure(9.6, 3.9, layout=None)
        self._sheet, self._title = panel(inches(drawn, 0.1, 0.1, 5.1, 3.4))
        self._one, self._name = panel(inches(drawn, 5.45, 0.7, 1.95, 1.95))
        self._other, self._likeness = panel(inches(drawn, 7.6, 0.7, 1.95, 1.95))
        self._sheet.axes.set_axis_off()
        side = next(iter(self.snapshots.values())).shape[-1]
        self._frame = Rectangle((-1, -1), side + 1, side + 1, fill=False, edgecolor=MARK, linewidth=2.4)
        self._frame.set_clip_on(False)
        self._sheet.axes.add_patch(self._frame)
        for artist in (self._one, self._other):
            frame(artist.axes)
        return drawn

    def draw(self, step: int, filter: int) -> None:
        """Show one step, and one filter beside its relative, which is turned to the filter's sign."""
        patterns = self.snapshots[step]
        one = patterns[filter : filter + 1]
        found = relatives(one, self.network)
        nearest = int(found.cosines.abs().argmax())
        cosine = float(found.cosines[nearest])
        self._sheet.set_data(color_sheet(patterns, COLUMNS))
        self._title.set_text(f"all {len(patterns)} filters, step {step:,}")
        size = one.shape[-1] + 1
        self._frame.set_xy((filter % COLUMNS * size - 1, filter // COLUMNS * size - 1))
        self._one.set_data(colored(one)[0])
        self._name.set_text(f"filter {filter}")
        self._other.set_data(colored(self.network[nearest : nearest + 1] * (1 if cosine >= 0 else -1))[0])
        self._likeness.set_text(f"the network's {nearest}\n|cosine| {abs(cosine):.2f}")
