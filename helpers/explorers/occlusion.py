"""The occlusion explorer: cover a part of an image, by hand or everywhere, and see what the network misses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor, nn

from helpers.explorers.base import KeptExplorer
from helpers.inside import attribution
from helpers.inside.occlusion import FILLS, cover, fill_of
from helpers.network import running
from helpers.plots.style import BAD, COLORS, GOOD, INK, as_array, colormap, figure, frame, limit


class OcclusionExplorer(KeptExplorer):
    """A mask on an image: move it by hand and watch the probabilities, or read the map of all its positions.

    Args:
        model: the network; the fast exact method is used where the network is a chain of layers.
        images: (N, C, H, W) in [0, 1].
        labels: true classes, (N,).
        classes: names of the classes.
        values: starting values of the controls.
    """

    alt = (
        "Occlusion explorer: an image with a mask to move, the probabilities the network gives it, and the map of the "
        "mean drop in logit of a chosen class over all positions of the mask."
    )

    def __init__(self, model: nn.Module, images: Any, labels: Any, classes: Sequence[str], **values: Any) -> None:
        self.model, self.classes = model, [str(name) for name in classes]
        self.images, self.labels = torch.as_tensor(images), torch.as_tensor(labels)
        self._found: tuple[Any, attribution.Occlusion] | None = None
        self._incremental = True
        super().__init__(**values)

    def controls(self) -> Mapping[str, widgets.Widget]:
        """Image, class, and the mask: its size, stride, fill, and the row and column of its corner."""
        height, width = self.images.shape[-2:]
        style = {"style": {"description_width": "56px"}, "layout": widgets.Layout(width="270px")}
        classes = [("true class", -1), *((name, i) for i, name in enumerate(self.classes))]
        return {
            "image": widgets.IntSlider(max=len(self.images) - 1, description="image", **style),
            "size": widgets.IntSlider(value=7, min=1, max=min(height, width, 16), description="size", **style),
            "row": widgets.IntSlider(value=10, max=height - 1, description="row", **style),
            "target": widgets.Dropdown(options=classes, description="class", **style),
            "stride": widgets.IntSlider(value=1, min=1, max=7, description="stride", **style),
            "column": widgets.IntSlider(value=10, max=width - 1, description="column", **style),
            "fill": widgets.Dropdown(options=list(FILLS), description="fill", **style),
        }

    def build(self) -> Figure:
        """The image with its mask, the bars, and the map."""
        drawn = figure(9.4, 3.1, layout=None)
        height, width = self.images.shape[-2:]
        blank = np.zeros((height, width))
        left = drawn.add_axes((0.005, 0.02, 0.3, 0.86))
        self._shown = left.imshow(blank, cmap=colormap("image"), vmin=0, vmax=1)
        self._mask = left.add_patch(Rectangle((0, 0), 1, 1, fill=False, edgecolor="#ffd400", linewidth=2.2))
        self._name = left.set_title("")
        middle = drawn.add_axes((0.4, 0.11, 0.19, 0.77))
        self._bars = middle.barh(range(len(self.classes)), [0.0] * len(self.classes), color=COLORS[0])
        middle.set_yticks(range(len(self.classes)), self.classes, fontsize=10)
        middle.set(xlim=(0, 1), xticks=[0, 0.5, 1])
        middle.invert_yaxis()
        self._answer = middle.set_title("")
        right = drawn.add_axes((0.625, 0.02, 0.3, 0.86))
        self._map = right.imshow(blank, cmap=colormap("response"), vmin=-1, vmax=1)
        self._ink = right.imshow(np.zeros((height, width, 4)))
        self._title = right.set_title("")
        for axes in (left, right):
            frame(axes)
        bar = drawn.colorbar(self._map, cax=drawn.add_axes((0.938, 0.1, 0.012, 0.7)))
        bar.set_ticks([-1, 0, 1], labels=["−", "0", "+"])
        bar.outline.set_visible(False)
        self.moving = [
            self._shown, self._mask, self._name, *self._bars, self._answer, self._map, self._ink, self._title,
        ]  # fmt: skip
        return drawn

    def still(self) -> None:
        """Axes, class names and color bar never change."""

    def draw(self, image: int, size: int, row: int, target: int, stride: int, column: int, fill: str) -> None:
        """Mask the image at one place and score it; look up the map of all places, computed once for each setting."""
        original = self.images[image]
        value = fill_of(fill, original)
        found = self._everywhere((image, size, stride, fill), original, size, stride, value)
        covered = cover(original, row, column, size, value)
        chances = as_array(running.predict(self.model, covered[None]).softmax(1))[0]
        truth, said = int(self.labels[image]), int(chances.argmax())
        chosen = truth if target < 0 else target
        self._shown.set_data(as_array(covered).mean(axis=0))
        self._mask.set_bounds(column - 0.5, row - 0.5, size, size)
        self._name.set_text(f"a {self.classes[truth]}")
        for i, (bar, chance) in enumerate(zip(self._bars, chances, strict=True)):
            bar.set_width(float(chance))
            bar.set_color(GOOD if i == truth else (BAD if i == said else COLORS[0]))
        self._answer.set_text(f"it says {self.classes[said]}, {chances[said]:.0%}")
        drop = as_array(found.maps[chosen])
        top = limit([drop], 99)
        self._map.set_data(drop / top)
        outline = np.zeros((*drop.shape, 4))
        outline[..., 3] = 0.22 * (as_array(original).mean(axis=0) > 0.5)
        self._ink.set_data(outline)
        self._title.set_text(f"drop in logit of {self.classes[chosen]}, ±{top:.2g}")
        self._title.set_color(INK)

    def _everywhere(
        self, key: tuple, image: Tensor, size: int, stride: int, value: float | Tensor
    ) -> attribution.Occlusion:
        if self._found is None or self._found[0] != key:
            try:
                found = attribution.occlusion(self.model, image, size, stride, value, incremental=self._incremental)
            except ValueError:
                if not self._incremental:
                    raise
                # A network that is not a chain of layers, or a setting that is wrong for both ways.
                found = attribution.occlusion(self.model, image, size, stride, value)
                self._incremental = False
            self._found = (key, found)
        return self._found[1]
