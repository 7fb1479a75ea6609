"""The neighbor explorer: who looks like whom, by pixels and by features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
from matplotlib.figure import Figure

from helpers.explorers.base import Explorer
from helpers.explorers.parts import menu, panel, slider
from helpers.inside import features
from helpers.plots.style import BAD, GOOD, INK, as_array, figure

SHOWN = 7


class NeighborExplorer(Explorer):
    """A test image and its nearest neighbors in several spaces, one row for each, with their distances.

    Args:
        spaces: name → (rows of the bank (N, D), rows of the queries (Q, D)).
        bank: images of the bank, (N, H, W), and their labels, (N,).
        queries: images to look up, (Q, H, W), and their labels, (Q,).
        classes: names of the classes.
        values: starting values of the controls.
    """

    alt = (
        "Neighbor explorer: a test image and its seven nearest neighbors in several spaces, one row each, with their "
        "distances; a neighbor of another class has an orange name."
    )

    def __init__(
        self,
        spaces: Mapping[str, tuple[np.ndarray, np.ndarray]],
        bank: tuple[Any, Any],
        queries: tuple[Any, Any],
        classes: Sequence[str],
        **values: Any,
    ) -> None:
        self.spaces, self.classes = dict(spaces), [str(name) for name in classes]
        self._bank, self._bank_labels = as_array(bank[0]), as_array(bank[1])
        self._queries, self._query_labels = as_array(queries[0]), as_array(queries[1])
        self._bank = self._bank.reshape(len(self._bank), *self._bank.shape[-2:])
        self._queries = self._queries.reshape(len(self._queries), *self._queries.shape[-2:])
        for name, (rows, looked_up) in self.spaces.items():
            if len(rows) != len(self._bank) or len(looked_up) != len(self._queries):
                raise ValueError(f"Every image needs one row in the space {name!r}: {len(rows)} and {len(looked_up)}.")
        super().__init__(**values)

    def controls(self) -> Mapping[str, widgets.Widget]:
        """The image and the metric."""
        metrics = [("L1", "l1"), ("MSE", "mse"), ("cosine", "cosine")]
        return {"image": slider("image", 0, len(self._queries) - 1), "metric": menu("metric", metrics, "mse")}

    def build(self) -> Figure:
        """One row of panels for each space, the query at the left."""
        rows = len(self.spaces)
        drawn = figure(9.4, 1.5 * rows + 0.1, layout=None)
        width = 1 / (SHOWN + 2.1)
        self._panels = []
        for r, name in enumerate(self.spaces):
            bottom = 1 - (r + 1) / rows + 0.01
            drawn.text(0.002, bottom + 0.4 / rows, name, fontsize=12, color=INK, va="center")
            for c in range(SHOWN + 1):
                place = (0.125 + c * width * 0.97 + 0.012 * (c > 0), bottom, width * 0.9, 0.76 / rows)
                self._panels.append(panel(drawn.add_axes(place), size=11, pad=3))
        return drawn

    def draw(self, image: int, metric: str) -> None:
        """Look the image up in every space."""
        truth = int(self._query_labels[image])
        for r, (rows, looked_up) in enumerate(self.spaces.values()):
            found = features.nearest(rows, looked_up[image : image + 1], SHOWN, metric)
            pictures = [self._queries[image], *self._bank[found.indices[0]]]
            labels = [truth, *self._bank_labels[found.indices[0]]]
            below = ["", *(f"{distance:#.3g}".rstrip(".") for distance in found.distances[0])]
            for c, (picture, label, distance) in enumerate(zip(pictures, labels, below, strict=True)):
                artist, name = self._panels[r * (SHOWN + 1) + c]
                artist.set_data(picture)
                color = INK if c == 0 else (GOOD if label == truth else BAD)
                name.set(text=f"{self.classes[int(label)]}\n{distance}".rstrip(), color=color)
