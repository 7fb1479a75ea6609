"""The occlusion explorer: cover a part of an image, by hand or everywhere, and see what the network misses."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping

import ipywidgets as widgets
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from helpers.explorers.parts import Bars, ImageExplorer, color_bar, menu, panel, shade, slider
from helpers.inside import attribution
from helpers.inside.occlusion import FILLS, cover, fill_of
from helpers.network import running
from helpers.plots.pixels import pixels
from helpers.plots.style import as_array, figure, limit

#: Seconds of rest before the next image's map is found ahead, how many maps are kept, and how long one may take.
REST, KEPT, QUICK = 0.02, 8, 0.1
#: What a map depends on: image, size, stride, fill.
Key = tuple[int, int, int, str]


class OcclusionExplorer(ImageExplorer):
    """A mask on an image: move it by hand and watch drop and probabilities, or read the map of all its positions."""

    alt = (
        "Occlusion explorer: an image with a mask to move, what the logit of a chosen class loses by it, the "
        "probabilities the network gives, and the map of the mean drop over all positions of the mask."
    )

    def controls(self) -> Mapping[str, widgets.Widget]:
        """Image, class, and the mask: its size, stride, fill, and the row and column of its corner."""
        height, width = self.images.shape[-2:]
        return {
            "image": self.image_slider(),
            "size": slider("size", 1, min(height, width, 16), 7),
            "row": slider("row", 0, height - 1, 10),
            "target": self.class_menu(),
            "stride": slider("stride", 1, 7),
            "column": slider("column", 0, width - 1, 10),
            "fill": menu("fill", FILLS),
        }

    def build(self) -> Figure:
        """The image with its mask, the bars, and the map."""
        self._found: dict[Key, attribution.Occlusion] = {}
        self._last: Key | None = None
        drawn = figure(9.4, 3.1, layout=None)
        left, right = (drawn.add_axes((x, 0.02, 0.3, 0.86)) for x in (0.005, 0.625))
        self._shown, self._name = panel(left, size=13)
        self._mask = left.add_patch(Rectangle((0, 0), 1, 1, fill=False, edgecolor="#ffd400", linewidth=2.2))
        self._bars = Bars(drawn.add_axes((0.4, 0.11, 0.19, 0.77)), self.classes, ticks=(0, 0.5, 1), title=13)
        self._map, self._title = panel(right, "response", size=13)
        self._ink = pixels(right)
        color_bar(drawn, self._map, (0.938, 0.1, 0.012, 0.7))
        return drawn

    def draw(self, image: int, size: int, row: int, target: int, stride: int, column: int, fill: str) -> None:
        """Mask the image at one place and score it; look up the map of all places, computed once for each setting."""
        original = self.images[image]
        value = fill_of(fill, original)
        found = self._everywhere((image, size, stride, fill))
        covered = cover(original, row, column, size, value)
        logits = running.predict(self.model, covered[None])[0]
        chances = as_array(logits.softmax(0))
        truth = int(self.labels[image])
        chosen = truth if target < 0 else target
        self._shown.set_data(as_array(covered).mean(axis=0))
        self._mask.set_bounds(column - 0.5, row - 0.5, size, size)
        here = float(found.base[chosen] - logits[chosen])
        self._name.set_text(f"a {self.classes[truth]}, drop here {here:.1f}".replace("-", "−"))
        said = self._bars.show(chances, truth)
        self._bars.title.set_text(f"it says {self.classes[said]}, {chances[said]:.0%}")
        drop = as_array(found.map(chosen))
        top = limit([drop], 99)
        self._map.set_data(drop / top)
        self._ink.set_data(shade(as_array(original).mean(axis=0) > 0.5))
        self._title.set_text(f"drop in logit of {self.classes[chosen]}, ±{top:.2g}")

    def _everywhere(self, key: Key) -> attribution.Occlusion:
        """The map of all places; where somebody goes from image to image, the next one is found ahead."""
        before, self._last = self._last, key
        started, known = time.perf_counter(), key in self._found
        found = self._kept(key)
        step = key[0] - before[0] if before and before[1:] == key[1:] else 0
        quick = known or time.perf_counter() - started < QUICK
        if quick and abs(step) == 1 and 0 <= key[0] + step < len(self.images):
            with contextlib.suppress(RuntimeError):  # a script has no loop
                asyncio.get_running_loop().call_later(REST, self._find_ahead, (key[0] + step, *key[1:]))
        return found

    def _kept(self, key: Key) -> attribution.Occlusion:
        if key not in self._found:
            image, size, stride, fill = key
            value = fill_of(fill, self.images[image])
            self._found[key] = attribution.occlusion(self.model, self.images[image], size, stride, value)
            while len(self._found) > KEPT:
                self._found.pop(next(iter(self._found)))
        return self._found[key]

    def _find_ahead(self, key: Key) -> None:
        with self._busy:
            if self._last and abs(key[0] - self._last[0]) == 1 and key[1:] == self._last[1:]:
                self._kept(key)
