"""The canvas of every figure: Matplotlib's own, with letters that are drawn once and kept.

Matplotlib 3.11 shapes every text and renders each of its letters anew whenever a figure is drawn, which is half of the
time that a tool takes to redraw. A letter at the same place within its pixel is always the same small bitmap, and what
a text consists of does not change either; so both are looked up. The pixels are those of Matplotlib, to the byte.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib import ft2font
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg, get_hinting_flag

#: Whether this Matplotlib has the private parts that are used here; where one has none, it draws its texts itself.
KNOWN = (
    hasattr(RendererAgg, "_draw_text_glyphs_and_boxes")
    and hasattr(ft2font, "RenderMode")
    and all(hasattr(ft2font.FT2Font, name) for name in ("_layout", "_render_glyph", "_set_transform"))
)
#: As many letters (of some 400 bytes) and texts are kept.
LETTERS, TEXTS = 20_000, 2_000
_letters: dict[tuple, tuple[np.ndarray, int, int]] = {}
_texts: dict[tuple, list[tuple]] = {}


def _remember(kept: dict, key: tuple, value: Any, most: int) -> None:
    if len(kept) >= most:
        kept.clear()
    kept[key] = value


class Renderer(RendererAgg):
    """Matplotlib's renderer, except that it looks up letters and texts."""

    def _draw_text_glyphs_and_boxes(
        self, gc: Any, x: float, y: float, angle: float, glyphs: Iterable[tuple], boxes: Iterable
    ) -> None:
        if not gc.get_antialiased():
            super()._draw_text_glyphs_and_boxes(gc, x, y, angle, glyphs, boxes)
            return
        cos, sin, flags = math.cos(math.radians(angle)), math.sin(math.radians(angle)), get_hinting_flag()
        for font, size, glyph, slant, extend, dx, dy in glyphs:
            # In 64ths of a pixel, upwards: the whole pixels say where the bitmap goes, the rest how it looks.
            right = round(64 * (x + dx * cos - dy * sin))
            up = round(64 * (self.height - y + dx * sin + dy * cos))
            key = (font.fname, size, self.dpi, glyph, slant, extend, angle, flags, right % 64, up % 64)
            found = _letters.get(key)
            if found is None:
                turn = np.array([[cos, -sin], [sin, cos]]) @ [[extend, extend * slant], [0, 1]]
                font.set_size(size, self.dpi)
                font._set_transform((0x10000 * turn).round().astype(int), [right % 64, up % 64])
                made = font._render_glyph(glyph, flags, ft2font.RenderMode.NORMAL)
                found = np.array(made.buffer), made.left, made.top
                _remember(_letters, key, found, LETTERS)
            bitmap, left, top = found
            bottom = int(self.height) - top - up // 64 + bitmap.shape[0]
            self._renderer.draw_text_image(bitmap, left + right // 64, bottom, 0, gc)
        super()._draw_text_glyphs_and_boxes(gc, x, y, angle, (), boxes)

    def draw_text(
        self, gc: Any, x: float, y: float, s: str, prop: Any, angle: float, ismath: Any = False, mtext: Any = None
    ) -> None:
        """Draw a text at (x, y), a place in pixels from the upper left, as Matplotlib calls it."""
        features, language = (mtext.get_fontfeatures(), mtext.get_language()) if mtext is not None else (None, None)
        if ismath or features is not None or language is not None:
            super().draw_text(gc, x, y, s, prop, angle, ismath, mtext)
            return
        font, size, flags = self._prepare_font(prop), prop.get_size_in_points(), get_hinting_flag()
        key = (font, size, self.dpi, s, flags)  # each thread has fonts of its own
        letters = _texts.get(key)
        if letters is None:
            letters = [(i.ft_object, size, i.glyph_index, 0, 1, i.x, i.y) for i in font._layout(s, flags=flags)]
            _remember(_texts, key, letters, TEXTS)
        self._draw_text_glyphs_and_boxes(gc, x, y, angle, letters, ())


class Canvas(FigureCanvasAgg):
    """Matplotlib's canvas with a :class:`Renderer`."""

    _made_for: tuple | None = None

    def get_renderer(self) -> RendererAgg:
        """The renderer of this canvas, kept as long as size and resolution stay."""
        if not KNOWN:
            return super().get_renderer()
        key = (*self.get_width_height(physical=True), self.figure.dpi)
        if key != self._made_for:
            self.renderer, self._made_for = Renderer(*key), key
        return self.renderer
