"""The map explorer: pick a point of a map and see which image it is, and who lives next door."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from helpers.explorers.base import Explorer
from helpers.explorers.parts import menu, panel, slider
from helpers.plots.clouds import color_of, legend
from helpers.plots.style import BAD, GOOD, INK, as_array, figure, frame

ALL, CONFUSED = -1, -2
#: The gray of the classes that are not brought forward.
BEHIND = (0.87, 0.89, 0.91)


class MapExplorer(Explorer):
    """Maps of the same images; a chosen point, its image, and its neighbors on the map.

    Args:
        maps: name → points (N, 2).
        images: (N, H, W) or (N, 1, H, W) in [0, 1].
        labels: (N,).
        classes: names of the classes.
        said: what a network says about each image, (N,); then the confused ones can be chosen.
        values: starting values of the controls.
    """

    alt = (
        "Map explorer: a map whose points are images, colored by class, with a cross on those that the network gets "
        "wrong; one class can be brought forward; the chosen point is shown as an image, with the five images nearest "
        "to it on the map."
    )

    def __init__(
        self,
        maps: Mapping[str, np.ndarray],
        images: Any,
        labels: Any,
        classes: Sequence[str],
        said: Any = None,
        **values: Any,
    ) -> None:
        self.maps = {name: as_array(points) for name, points in maps.items()}
        pictures = as_array(images)
        self.images, self.labels = pictures.reshape(len(pictures), *pictures.shape[-2:]), as_array(labels)
        self.classes = [str(name) for name in classes]
        self.said = self.labels if said is None else as_array(said)
        for name, points in self.maps.items():
            if points.shape != (len(self.images), 2):
                raise ValueError(f"The map {name!r} needs one point for each of the {len(self.images)} images.")
        self._forward: tuple[str, int] | None = None
        super().__init__(**values)

    def controls(self) -> Mapping[str, widgets.Widget]:
        """Map, class to bring forward, and a point of it."""
        groups = [("all classes", ALL), *((name, i) for i, name in enumerate(self.classes))]
        if (self.said != self.labels).any():
            groups.append(("the confused ones", CONFUSED))
        return {
            "map": menu("map", self.maps),
            "group": menu("show", groups),
            "point": slider("point", 0, len(self.images) - 1),
        }

    def build(self) -> Figure:
        """The map at the left; at the right the chosen image and its neighbors above the legend."""
        drawn = figure(9.4, 4.8, layout=None)
        self._axes = drawn.add_axes((0.005, 0.015, 0.5, 0.97))
        nowhere = np.zeros(len(self.labels))
        self._colors = np.array([to_rgb(color_of(label)) for label in self.labels])
        self._dots = self._axes.scatter(nowhere, nowhere, s=14, linewidths=0)
        (self._crosses,) = self._axes.plot([], [], "x", markersize=7, color=INK, mew=2)
        (self._near,) = self._axes.plot([], [], "o", markersize=11, markerfacecolor="none", color=INK, mew=1)
        (self._chosen,) = self._axes.plot([], [], "o", markersize=18, markerfacecolor="none", color=INK, mew=2.4)
        frame(self._axes)
        places = [(0.53, 0.575, 0.185, 0.362), *((0.53 + 0.094 * i, 0.29, 0.088, 0.172) for i in range(5))]
        self._panels = [panel(drawn.add_axes(at), size=11 if i else 13, pad=4) for i, at in enumerate(places)]
        drawn.text(0.53, 0.512, "nearest on the map", fontsize=12, color=INK)
        crosses = bool((self.said != self.labels).any())
        legend(
            drawn, self.labels, self.classes, (0.515, 0.0), columns=3 if len(self.classes) > 5 else 5, crosses=crosses
        )
        return drawn

    def draw(self, group: int, point: int, **chosen: Any) -> None:
        """Bring the group forward, mark the point (counted within the group) and show its image."""
        points = self.maps[chosen["map"]]
        members = np.arange(len(self.labels))
        if group >= 0:
            members = np.flatnonzero(self.labels == group)
        elif group == CONFUSED:
            members = np.flatnonzero(self.said != self.labels)
        if len(members) == 0:
            raise ValueError("There is no image of this kind on the map: choose another one.")
        index = int(members[point % len(members)])
        if self._forward != (chosen["map"], group):
            self._forward = (chosen["map"], group)
            forward = np.isin(np.arange(len(points)), members)
            order = np.argsort(forward, kind="stable")  # those brought forward are drawn last
            colors = np.where(forward[:, None], self._colors, BEHIND)
            self._dots.set(offsets=points[order], facecolors=colors[order])
            wrong = points[forward & (self.said != self.labels)]
            self._crosses.set_data(wrong[:, 0], wrong[:, 1])
            margin = 0.04 * np.ptp(points, axis=0)
            low, high = points.min(0) - margin, points.max(0) + margin
            self._axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
        near = np.argsort(((points - points[index]) ** 2).sum(1), kind="stable")
        near = near[near != index][:5]
        self._chosen.set_data(points[[index], 0], points[[index], 1])
        self._near.set_data(points[near, 0], points[near, 1])
        truth, said = int(self.labels[index]), int(self.said[index])
        mistake = "" if said == truth else f", read as {self.classes[said]}"
        for i, ((picture, name), which) in enumerate(zip(self._panels, (index, *near), strict=True)):
            picture.set_data(self.images[which])
            name.set_text(self.classes[int(self.labels[which])] + (mistake if i == 0 else ""))
            name.set_color(INK if i == 0 else (GOOD if self.labels[which] == truth else BAD))
