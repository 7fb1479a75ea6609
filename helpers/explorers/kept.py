"""Tools that redraw only what moves: the rest of the figure is kept as a finished picture and put back each time."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from matplotlib.artist import Artist

from helpers.explorers.base import Explorer
from helpers.plots.style import png_of_pixels


class KeptExplorer(Explorer):
    """An explorer fast enough to be played: a step of a slider draws a few artists instead of the whole figure.

    A tool fills ``moving`` in its ``build`` with the artists that a step may change, back to front. If the rest of its
    figure is not always the same, :meth:`still` says what it depends on.
    """

    moving: list[Artist]
    _kept: tuple[Hashable, Any] | None = None

    def still(self) -> Hashable:
        """What everything that is not in ``moving`` depends on: when it changes, the whole figure is drawn once."""
        return None

    def render(self) -> bytes:
        """Draw what moves over the kept picture of all the rest."""
        canvas, now = self.figure.canvas, self.still()
        if self._kept is None or self._kept[0] != now:
            for artist in self.moving:
                artist.set_animated(True)
            canvas.draw()
            self._kept = (now, canvas.copy_from_bbox(self.figure.bbox))
            for artist in self.moving:
                artist.set_animated(False)
        canvas.restore_region(self._kept[1])
        for artist in self.moving:
            if artist.get_visible() and (artist.axes is None or artist.axes.get_visible()):
                self.figure.draw_artist(artist)
        return png_of_pixels(canvas.buffer_rgba())
