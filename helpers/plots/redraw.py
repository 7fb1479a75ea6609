"""Redraw a figure quickly: only the artists that changed, and what lies above them, over a kept picture of the rest."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from operator import attrgetter

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

#: How many redraws back an artist must have changed to be counted among those that change.
MEMORY = 10


class Redraw:
    """The pixels of a figure after each change of its artists, the same to the byte as those of a full drawing.

    Matplotlib's setters mark an artist as ``stale``. What changed in the last redraws is left out of a kept picture of
    the figure and drawn over it, together with everything that stands above it in the same axes, in Matplotlib's order.
    An axes whose limits, ticks, place or list of artists changed is drawn as a whole. When something else changes for
    the first time, the kept picture is made anew, which takes as long as a full drawing.

    Two axes, or an axes and a text of the figure, must not overlap where both change.

    Args:
        figure: drawn on an Agg canvas; its artists are changed by their setters, never by writing into an array.
    """

    def __init__(self, figure: Figure) -> None:
        self._figure = figure
        self._recent: deque[set[Artist]] = deque(maxlen=MEMORY)
        self._moving: set[Artist] = set()
        self._kept: object = None
        self._states: dict[Axes, tuple] = {}

    def pixels(self) -> np.ndarray:
        """Draw what changed since the last call; returns all the pixels, (H, W, 4) bytes, valid until the next call."""
        canvas, changed = self._figure.canvas, set(self._changed())
        if not self._states:  # the first drawing: everything is new
            canvas.draw()
            self._figure.set_layout_engine("none")  # it would move everything a little again at every drawing
        else:
            self._recent.append(changed)
            if self._kept is None or not changed <= self._moving:
                self._moving = set().union(*self._recent)
                self._keep()
            canvas.restore_region(self._kept)
            for artist in self._above():
                artist.draw(canvas.get_renderer())
        for axes in self._figure.axes:
            self._states[axes] = _state(axes)
            for artist in axes.get_children():
                artist.stale = False
        for artist in self._figure.get_children():
            artist.stale = False
        return np.asarray(canvas.buffer_rgba())

    def forget(self) -> None:
        """Draw everything at the next call: something was changed that was not drawn here."""
        self._states, self._kept = {}, None

    def _changed(self) -> Iterator[Artist]:
        """Artists that are stale, and axes of which more than an artist changed."""
        for child in self._figure.get_children():
            if not isinstance(child, Axes):
                if child.stale:
                    yield child
            elif self._states.get(child) != _state(child) or any(axis.stale for axis in (child.xaxis, child.yaxis)):
                yield child
            else:
                yield from (artist for artist in child.get_children() if artist.stale)

    def _above(self) -> list[Artist]:
        """What has to be drawn over the kept picture, bottom first."""
        found: list[Artist] = []
        for child in sorted(self._figure.get_children(), key=attrgetter("zorder")):
            if not isinstance(child, Axes) or child in self._moving:
                found += [child] if child in self._moving else []
            elif child.get_visible():
                hidden = set() if child.axison else {child.xaxis, child.yaxis, *child.spines.values()}
                stack = [a for a in sorted(child.get_children(), key=attrgetter("zorder")) if a not in hidden]
                first = next((i for i, artist in enumerate(stack) if artist in self._moving), len(stack))
                found += [artist for artist in stack[first:] if artist is not child.patch]
        return found

    def _keep(self) -> None:
        """Keep a picture of all that does not move."""
        above = self._above()
        for artist in above:
            artist.set_animated(True)
        self._figure.canvas.draw()
        self._kept = self._figure.canvas.copy_from_bbox(self._figure.bbox)
        for artist in above:
            artist.set_animated(False)


def _state(axes: Axes) -> tuple:
    """Where an axes stands and what it holds; asking for the limits brings them up to date."""
    return axes.get_visible(), axes.axison, *axes.bbox.extents, *axes.viewLim.extents, *axes.get_children()
