"""What every interactive tool is built on: controls above one kept figure, shown as one bundle that has a picture."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets
from matplotlib import rc_context
from matplotlib.figure import Figure
from traitlets import Unicode

from helpers import display
from helpers.plots.redraw import Redraw
from helpers.plots.style import BAD, RC, SHARPNESS, bundle, jpeg_of_pixels, png, png_of_pixels

#: The most a picture may take of the page: a widget has a margin of 2 pixels on each side.
WIDEST = "calc(100% - 4px)"


class NamedImage(widgets.Image):
    """An image with words for screen readers: ``tooltip`` becomes its title, which they read as its name.

    ipywidgets 8.1 shows an error in the place of any widget that has a tooltip but no ``description`` (issue 3860).
    """

    description = Unicode("").tag(sync=True)


def flow(*parts: widgets.Widget) -> widgets.HBox:
    """A row that wraps where the page is narrow."""
    return widgets.HBox(parts, layout=widgets.Layout(flex_flow="row wrap", grid_gap="4px 18px", align_items="center"))


class Explorer:
    """Base class of the interactive tools.

    A tool says three things: its ``alt`` text, its controls (:meth:`controls`), and how the values of the controls
    change the artists of its figure (:meth:`draw`). The figure is made once and kept, and a step of a slider draws only
    the artists that it changed (:class:`~helpers.plots.redraw.Redraw`). The picture goes into an ``ipywidgets.Image``.

    A tool is displayed as one bundle: the live widget where a kernel runs, the PNG of its present state everywhere else
    (before the notebook is run, in HTML, in slides, on the web), and constant words.

    Args:
        values: starting values of the controls, by name.

    Raises:
        ValueError: if a name is not that of a control, or a value is not allowed there.
    """

    #: What the tool shows, for readers who cannot see it. Constant, so that stored outputs do not change.
    alt: str = ""
    #: Controls that change nothing in the picture the tool starts with, each with the reason; the browser test moves
    #: all the others and wants to see a new picture.
    inert: Mapping[str, str] = {}
    #: How a picture travels to the page: ``"png"`` or, where it is mostly photographs, ``"jpeg"``, made in a quarter of
    #: the time and with half the bytes. Stored is always a PNG.
    travels_as: str = "png"
    _paused = False

    def __init__(self, **values: Any) -> None:
        self._busy = threading.RLock()  # JupyterLab answers a control in another thread than a cell
        self._controls = dict(self.controls())
        with rc_context(RC):  # artists take their style when they are made
            self.figure = self.build()
        self._redraw = Redraw(self.figure)
        for name, value in values.items():
            self._set(name, value)
        self.error = widgets.HTML().add_class("explorer-error")
        place = widgets.Layout(max_width=WIDEST, align_self="flex-start")
        self.image = NamedImage(format=self.travels_as, layout=place, tooltip=self.alt).add_class("explorer-picture")
        for name, control in self._controls.items():
            control.observe(self._changed, names="value")
            control.add_class(f"control-{name}")
        self.box = self.arrange(self._controls)
        if below := display.captions():
            self.box = widgets.VBox([self.box, widgets.HTML(below)])
        self.box.add_class("explorer")
        self.update()

    # -- what a tool defines ------------------------------------------------------------------------------------------

    def controls(self) -> Mapping[str, widgets.Widget]:
        """Name → widget, in the order in which they stand. Called once, before :meth:`build`."""
        raise NotImplementedError

    def build(self) -> Figure:
        """Make the figure and its artists, once; keep the artists as attributes for :meth:`draw`."""
        raise NotImplementedError

    def draw(self, **values: Any) -> None:
        """Change the artists to show these values of the controls."""
        raise NotImplementedError

    def arrange(self, controls: Mapping[str, widgets.Widget]) -> widgets.Widget:
        """Lay out controls and picture: the controls in rows that wrap, above the picture."""
        return self.page(flow(*controls.values()))

    # -- what every tool has ------------------------------------------------------------------------------------------

    def page(self, *rows: widgets.Widget) -> widgets.VBox:
        """Rows of controls, and below them the line for mistakes and the picture."""
        return widgets.VBox([*rows, self.error, self.image])

    @property
    def values(self) -> dict[str, Any]:
        """The present values of all controls that have one."""
        return {name: control.value for name, control in self._controls.items() if hasattr(control, "value")}

    def set(self, **values: Any) -> None:
        """Set several controls at once and draw once, as a cell or a test would."""
        with self.quiet():
            for name, value in values.items():
                self._set(name, value)
        self.update()

    @contextlib.contextmanager
    def quiet(self) -> Any:
        """Controls changed inside do not redraw, so that one that sets others draws only once."""
        before, self._paused = self._paused, True
        try:
            yield
        finally:
            self._paused = before

    def update(self) -> None:
        """Draw the present values; a value that cannot be drawn is explained in a line instead of a traceback."""
        with self._busy:
            try:
                self.draw(**self.values)
                self.error.value = ""
            except Exception as error:
                self._redraw.forget()  # some artists may have changed already
                if not isinstance(error, ValueError):
                    raise
                self._explain(str(error))
                return
            pixels = self._redraw.pixels()
            with self.image.hold_sync():
                self.image.width = str(round(pixels.shape[1] / SHARPNESS))
                self.image.value = (jpeg_of_pixels if self.travels_as == "jpeg" else png_of_pixels)(pixels)

    def _set(self, name: str, value: Any) -> None:
        if name not in self._controls:
            raise ValueError(f"{type(self).__name__} has no control {name!r}; it has {', '.join(self._controls)}.")
        try:
            self._controls[name].value = value
        except Exception as error:  # ipywidgets raises TraitError, an Exception without a public home
            raise ValueError(f"{value!r} is not a possible value of {name!r}: {error}") from error

    def _changed(self, change: Any) -> None:
        if self._paused:
            return
        try:
            self.update()
        except Exception as error:
            # Jupyter hides what a control raises in a log that nobody opens; a cell that calls update() sees it all.
            self._explain(f"The tool stopped with {type(error).__name__}: {error}")

    def _explain(self, sentence: str) -> None:
        """Show a sentence between controls and picture, legible on light and on dark pages."""
        self.error.value = display.box(BAD, display.rich(sentence), role="alert")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        with self._busy:
            data, about = bundle(png(self.figure, tight=False), self.alt)
            self._redraw.forget()  # the figure was drawn by somebody else
        return display.with_widget(data, self.box), about

    def __repr__(self) -> str:
        return f"[{self.alt}]"
