"""The first-layer browser: every filter of a network for photographs, and the patch that excites it most."""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets as widgets
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from torch import Tensor
from torch.nn.functional import conv2d

from helpers.explorers.base import Explorer
from helpers.explorers.class_maps import lit
from helpers.explorers.parts import MARK, inches, menu, panel, slider
from helpers.filters.geometry import receptive_field
from helpers.inside.fields import at_centers
from helpers.inside.patches import Exciting, most_exciting
from helpers.network.photonet import WINDOWS, PhotoNet
from helpers.plots.colors import color_sheet, colored, tiled
from helpers.plots.style import FAINT, as_array, figure

ALL = "all of them"
COLUMNS = 12
#: This share of the places where a filter responds is fainter than what is shown at full strength.
BRIGHT = 0.9


class FirstLayerBrowser(Explorer):
    """All filters of the first layer beside the patches that excite them most, and one of them looked at closely.

    Args:
        models: networks for photographs by name, such as the trained one and one with random weights.
        photographs: name → image (3, H, W) in [0, 1].
        values: starting values of the controls: ``number``, ``photograph`` and ``network``.

    Raises:
        ValueError: if there is no network or no photograph.
    """

    alt = (
        "First-layer browser: the 96 filters of a network for photographs on one sheet, and on another, in the same "
        "order, the patch of the photographs that excites each most. Below, one filter, its patch with the response "
        "and the cosine, and the photograph faded where the filter does not respond."
    )

    def __init__(self, models: Mapping[str, PhotoNet], photographs: Mapping[str, Tensor], **values: str | int) -> None:
        if not models or not photographs:
            raise ValueError("Give at least one network and one photograph, by name.")
        self.models, self.photographs = dict(models), dict(photographs)
        self._found: dict[tuple[str, str], Exciting] = {}
        self._sheets: tuple[str, str] | None = None
        self._field = receptive_field([(1, 1, 0), WINDOWS["conv1"]])[-1]
        super().__init__(**values)

    def controls(self) -> Mapping[str, widgets.Widget]:
        """The filter, the photographs that are searched, and the network if there are several."""
        networks = {"network": menu("network", self.models)} if len(self.models) > 1 else {}
        last = len(next(iter(self.models.values())).conv1.weight) - 1
        return {"number": slider("filter", 0, last), "photograph": menu("search", [ALL, *self.photographs]), **networks}

    def build(self) -> Figure:
        """Two sheets above, three pictures below."""
        drawn = figure(8.0, 5.3, layout=None)
        sheets = [panel(inches(drawn, left, 2.55, 3.75, 2.5), size=12) for left in (0.35, 4.2)]
        close = [panel(inches(drawn, left, 0.05, 1.95, 1.95), size=12) for left in (0.75, 3.15, 5.55)]
        self._pictures, self._titles = zip(*sheets, *close, strict=True)
        self._titles[0].set_text("all filters of the first layer")
        self._titles[1].set_text("for each, the patch that excites it most")
        box = {"fill": False, "edgecolor": MARK, "linewidth": 2.0, "clip_on": False}
        self._marks = [title.axes.add_patch(Rectangle((0, 0), 1, 1, **box)) for title in self._titles[:2]]
        self._spot = self._titles[4].axes.add_patch(Rectangle((0, 0), 1, 1, **box))
        self._spot.set_path_effects([withStroke(linewidth=5.0, foreground="white")])  # some photographs are red
        weights = next(iter(self.models.values())).conv1.weight
        for first in range(0, len(weights), COLUMNS):  # the number of the first filter of each row
            height = first // COLUMNS * (weights.shape[-1] + 1) + (weights.shape[-1] - 1) / 2
            self._titles[0].axes.text(-2, height, str(first), ha="right", va="center", color=FAINT, fontsize=10)
        return drawn

    def draw(self, number: int, photograph: str, network: str | None = None) -> None:
        """Search once for each network and choice of photographs, then look at one filter."""
        name = next(iter(self.models)) if network is None else network
        model, key = self.models[name], (name, photograph)
        first = model.part("relu1")  # the rest of the network is not asked
        if key not in self._found:
            some = self.photographs if photograph == ALL else {photograph: self.photographs[photograph]}
            self._found[key] = most_exciting(first, some)
        found, filters = self._found[key], model.conv1.weight.detach()
        patches = as_array(found.patches).transpose(0, 2, 3, 1)
        if self._sheets != key:
            self._pictures[0].set_data(color_sheet(filters, COLUMNS))
            self._pictures[1].set_data(tiled(patches, COLUMNS))
            self._sheets = key
        side = filters.shape[-1]
        for mark in self._marks:
            row, column = divmod(number, COLUMNS)
            mark.set_bounds(column * (side + 1) - 1, row * (side + 1) - 1, side + 1, side + 1)
        patch, image = found.patches[number], self.photographs[found.sources[number]]
        self._pictures[2].set_data(colored(filters[[number]])[0])
        self._pictures[3].set_data(patches[number])
        seen = 255 * patch - model.door.mean  # what the door makes of it
        alike = torch.cosine_similarity(filters[number].flatten(), seen.flatten(), dim=0)
        own = model.conv1.weight[[number]], model.conv1.bias[[number]]  # one filter, not all of them
        with torch.no_grad():
            response = conv2d(model.door(image[None]), *own, stride=model.conv1.stride).relu()[0]
        spot = as_array(at_centers(response, self._field, (image.shape[1], image.shape[2]))[0])
        if spot.any():  # one place alone would be seen if the strongest set the scale
            spot = spot.clip(max=np.quantile(spot[spot > 0], BRIGHT))
        self._pictures[4].set_data(lit(as_array(image).transpose(1, 2, 0), spot))
        row, column = found.corners[number].tolist()
        self._spot.set_bounds(column - 0.5, row - 0.5, side, side)
        self._titles[2].set_text(f"filter {number}\nbetween ±{float(filters[number].abs().max()):.2f}")
        self._titles[3].set_text(f"its patch: response {float(found.values[number]):.0f}\ncosine {float(alike):.2f}")
        self._titles[4].set_text(f"{found.sources[number]}\nwhere the filter responds")
