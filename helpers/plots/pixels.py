"""Pictures of few pixels, and captions, without what takes most of the time of a redraw: resampling and layout."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from helpers.plots.style import DPI, FAINT, INK, RC, Kind, colormap


class Pixels(Artist):
    """An image in the upper left of its axes, as large as fits; without slow resampling.

    Args:
        fit: give the axes the shape of the image.
        framed: draw a thin line around it. The four lines of a Matplotlib frame take longer than the image.
    """

    def __init__(self, fit: bool = False, framed: bool = False) -> None:
        super().__init__()
        self.set_zorder(0)
        self._data, self._stretch, self._fit, self._framed = np.zeros((1, 1, 4), np.uint8), False, fit, framed

    def set_data(self, pixels: np.ndarray, stretch: bool = False) -> None:
        """Take colors (H, W, 4), bytes; ``stretch`` fills the axes without keeping the pixels square."""
        if self._fit and pixels.shape != self._data.shape:
            self.axes.set_box_aspect(pixels.shape[0] / pixels.shape[1])
            self.axes.apply_aspect()
        self._data, self._stretch = pixels, stretch

    def draw(self, renderer: Any) -> None:
        """Repeat every pixel as often as its square on the screen demands, and copy the result into the figure."""
        left, bottom, right, top = (round(v) for v in self.axes.bbox.extents)
        height, width = self._data.shape[:2]
        scale = ((top - bottom) / height, (right - left) / width)
        tall, wide = scale if self._stretch else (min(scale), min(scale))
        rows = (np.arange(round(height * tall)) / tall).astype(int)
        columns = (np.arange(round(width * wide)) / wide).astype(int)
        whole = np.ascontiguousarray(self._data).view(np.uint32)[..., 0]  # one number for a pixel's four bytes
        shown = whole[:, columns.clip(max=width - 1)][rows[::-1].clip(max=height - 1)]
        around = 1 if self._framed else 0  # half of the line's two pixels; the other half lies on the image
        if self._framed:
            lined = np.full((len(rows) + 2, len(columns) + 2), _LINE)
            lined[2:-2, 2:-2] = shown[1:-1, 1:-1]
            shown = lined
        gc = renderer.new_gc()
        place = (left - around, top - len(rows) - around)
        renderer.draw_image(gc, *place, shown.view(np.uint8).reshape(*shown.shape, 4))
        gc.restore()


_LINE = np.array([*(round(255 * part) for part in to_rgb(FAINT)), 255], np.uint8).view(np.uint32)[0]


@cache
def _font(size: float) -> ImageFont.FreeTypeFont:
    """The font of the house style, so many points high."""
    return ImageFont.truetype(findfont(RC["font.family"]), size * DPI / 72)


@lru_cache(maxsize=256)
def _mask(text: str, size: float, center: bool) -> tuple[np.ndarray, int]:
    """How much of each pixel the letters cover, bytes, lowest row first, and the height of a line.

    Kept, because most captions stay what they are while a slider moves.
    """
    font, lines = _font(size), text.split("\n")
    step = round(1.3 * size * DPI / 72)
    lengths = [font.getlength(line) for line in lines]
    mask = Image.new("L", (int(max(lengths)) + 4, step * len(lines) + step // 3))  # room below the last line
    pen = ImageDraw.Draw(mask)
    for i, (line, length) in enumerate(zip(lines, lengths, strict=True)):
        pen.text(((mask.width - length) / 2 if center else 0, step * (i + 1)), line, 255, font=font, anchor="ls")
    return np.asarray(mask)[::-1], step


class Caption(Artist):
    """Lines of text in the house style. Matplotlib's own text takes several milliseconds a line, which a slider feels.

    Args:
        x: where the lines start (``center``: their middle), as a share of the axes, or of the figure without axes.
        y: base line of the last line, likewise; with ``hang`` the top of the first line.
        size: of the letters, in points.
        pad: how far above y the text stands, in points.
        center: put the middle of each line at x.
        hang: let the text hang down from y.
    """

    def __init__(
        self, x: float, y: float, size: float, pad: float = 0.0, center: bool = False, hang: bool = False
    ) -> None:
        super().__init__()
        self._place, self._size, self._pad = (x, y), size, pad
        self._center, self._hang, self._text, self._color = center, hang, "", INK

    def set_text(self, text: str) -> None:
        """Take other words; a line break begins a new line."""
        self._text = text

    def get_text(self) -> str:
        """The words."""
        return self._text

    def set_color(self, color: str) -> None:
        """Take another color; that of ink to begin with."""
        self._color = color

    def draw(self, renderer: Any) -> None:
        """Draw the lines as a mask, and lay the color over the figure where it is set."""
        if not self._text or not self.get_visible():
            return
        mask, step = _mask(self._text, self._size, self._center)
        tall, wide = mask.shape
        shown = np.empty((tall, wide, 4), np.uint8)
        shown[..., :3] = np.array(to_rgb(self._color)) * 255
        shown[..., 3] = mask
        left, bottom, right, top = (self.axes or self.get_figure()).bbox.extents
        x = left + self._place[0] * (right - left) - (wide / 2 if self._center else 0)
        y = bottom + self._place[1] * (top - bottom) + self._pad * DPI / 72
        y -= tall - step + _font(self._size).getmetrics()[0] if self._hang else step // 3
        gc = renderer.new_gc()
        renderer.draw_image(gc, round(x), round(y), shown)
        gc.restore()


def captioned(
    drawn: Figure, place: tuple[float, float, float, float], size: float, pad: float
) -> tuple[Pixels, Caption]:
    """A framed picture with a caption above its middle.

    Args:
        drawn: the figure.
        place: left, bottom, width and height, as shares of it.
        size: of the caption's letters, in points.
        pad: from frame to caption, in points.

    Returns:
        The :class:`Pixels` and the :class:`Caption`: what a redraw has to draw.
    """
    axes = drawn.add_axes(place)
    axes.set_axis_off()
    picture = axes.add_artist(Pixels(fit=True, framed=True))
    words = axes.add_artist(Caption(0.5, 1, size, pad=pad, center=True))
    return picture, words


_COLORS: dict[str, np.ndarray] = {}


def paint(values: np.ndarray, kind: Kind, top: float) -> np.ndarray:
    """Colors (H, W, 4) of numbers; NaN is white. Coloring few numbers is cheaper than coloring many screen pixels."""
    if kind not in _COLORS:
        colors = colormap(kind)(np.linspace(0, 1, 255), bytes=True)
        _COLORS[kind] = np.vstack([colors, [[255, 255, 255, 255]]]).astype(np.uint8)
    part = values / top if kind == "activation" else (values / top + 1) / 2
    index = np.where(np.isnan(part), 255, np.clip(part, 0, 1) * 254 + 0.5)
    return _COLORS[kind][index.astype(np.uint8)]


def screen_colors(image: np.ndarray) -> np.ndarray:
    """Screen colors (H, W, 4) of an image (H, W) or (C, H, W), cut off below 0 (black) and above 1 (white)."""
    image = np.clip(image if image.ndim == 3 else image[None], 0, 1)
    color = np.broadcast_to(image[:1], (3, *image.shape[1:])) if len(image) != 3 else image
    shown = np.full((*image.shape[1:], 4), 255, np.uint8)
    shown[..., :3] = np.moveaxis(color, 0, 2) * 255 + 0.5
    return shown
