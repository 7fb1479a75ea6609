"""The house style: palettes, fonts, and the ``Picture`` that carries its own alternative text.

Colors mean the same thing in every lesson. Images are gray from 0 to 1. Weights are purple (negative) to orange
(positive). Responses and attributions are blue (negative) to red (positive), white at zero. Activations, which are
never negative, run from black at zero to bright. All four palettes are safe for color-blind readers.
"""

from __future__ import annotations

import base64
import html
import io
import struct
import textwrap
import zlib
from collections.abc import Iterable
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from PIL import Image

from helpers import display
from helpers.plots.canvas import Canvas

Kind = Literal["image", "weights", "response", "activation"]

#: From purple to orange without the two ends of PuOr, which on a screen are nearly black and brown.
_WEIGHTS = LinearSegmentedColormap.from_list("weights", matplotlib.colormaps["PuOr_r"](np.linspace(0.14, 0.86, 257)))
matplotlib.colormaps.register(_WEIGHTS, force=True)

PALETTES: dict[str, str] = {"image": "gray", "weights": "weights", "response": "RdBu_r", "activation": "magma"}
SIGNED = ("weights", "response")
MUCH_ROOM = 170_000  # bytes of a stored picture
#: Okabe and Ito's colors, in the order in which lines and bars use them.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
INK, FAINT, GOOD, BAD = "#1d2733", "#8a94a0", "#009E73", "#D55E00"
#: Dots per inch of the stored pixels, and how many of them make one pixel of the page (sharp on a projector).
DPI, SHARPNESS = 150, 1.5

RC: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.labelsize": 12,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": matplotlib.cycler(color=COLORS),
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "lines.linewidth": 2.4,
    "legend.frameon": False,
    "legend.fontsize": 12,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "image.interpolation": "nearest",
    "svg.hashsalt": "picture",
}


def use_style() -> None:
    """Apply the house style to figures that a cell draws with matplotlib itself."""
    matplotlib.rcParams.update(RC)


def figure(width: float = 9.0, height: float = 3.0, layout: str | None = "constrained") -> Figure:
    """A figure in the house style that belongs to nobody else: never shown twice, never left open. Inches."""
    with matplotlib.rc_context(RC):
        drawn = Figure(figsize=(width, height), dpi=DPI, layout=layout)
        Canvas(drawn)
    return drawn


def png(drawn: Figure, tight: bool = True) -> bytes:
    """The figure as PNG bytes: the same figure gives the same bytes.

    They are meant to be stored, so they are as large as what is drawn: no title is cut, no empty margin kept. Colors
    are reduced to the best 256, a third of the size and no difference to the eye. Photographs keep their true colors,
    because a small vivid spot may lose its own, unless they take much room and stand alone (beside them, colors that
    mean numbers would get too few). Colors are never dithered, because a color may stand for a number. A tool keeps its
    size (``tight=False``), so that nothing jumps when it comes to life.
    """
    with matplotlib.rc_context(RC), io.BytesIO() as buffer:
        drawn.canvas.draw()
        drawn.set_layout_engine("none")  # it would move everything a little again at every drawing
        with io.BytesIO() as whole:
            drawn.savefig(whole, format="png", dpi=drawn.dpi, bbox_inches="tight" if tight else None, pad_inches=0.06)
            picture = Image.open(whole).convert("RGB")
        photographs = {np.shape(shown.get_array())[2:] == (3,) for axes in drawn.axes for shown in axes.images}
        if True not in photographs:
            picture = picture.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
        picture.save(buffer, "png", optimize=True)
        if photographs == {True} and buffer.tell() > MUCH_ROOM:
            buffer.seek(0)
            buffer.truncate()
            picture.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(buffer, "png", optimize=True)
        return buffer.getvalue()


def png_of_pixels(pixels: Any) -> bytes:
    """Colors (H, W, 4), bytes, as an opaque PNG, written as quickly as possible.

    Every row is stored as its difference from the row above (the PNG filter "up"). Pictures of pixels are mostly
    blocks, so the differences are mostly zeros, and zlib passes over zeros two to three times faster than Pillow's
    search for the best filter of each row.
    """
    height, width = np.shape(pixels)[:2]
    drawn = Image.frombuffer("RGBA", (width, height), np.ascontiguousarray(pixels), "raw", "RGBA", 0, 1)
    # Pillow drops the fourth color of each pixel eight times faster than NumPy skips it in a subtraction.
    colors = np.asarray(drawn.convert("RGB")).reshape(height, 3 * width)
    rows = np.empty((height, 1 + 3 * width), dtype=np.uint8)
    rows[:, 0] = 2  # the filter's number
    rows[0, 1:] = colors[0]
    np.subtract(colors[1:], colors[:-1], out=rows[1:, 1:])
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows, 1)),
        (b"IEND", b""),
    )
    chunks = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def jpeg_of_pixels(pixels: Any) -> bytes:
    """Colors (H, W, 4), bytes, as a JPEG in which no eye finds a difference, and text stays as sharp as it is."""
    height, width = np.shape(pixels)[:2]
    drawn = Image.frombuffer("RGBA", (width, height), np.ascontiguousarray(pixels), "raw", "RGBA", 0, 1)
    with io.BytesIO() as buffer:
        drawn.convert("RGB").save(buffer, "jpeg", quality=93, subsampling="4:4:4")
        return buffer.getvalue()


class Picture:
    """A finished figure with its alternative text; the last expression of a cell shows it.

    Args:
        drawn: the figure.
        alt: what a reader who cannot see it needs to know, in a sentence or two.
    """

    def __init__(self, drawn: Figure, alt: str) -> None:
        self.figure = drawn
        self.alt = " ".join(alt.split())

    def png(self) -> bytes:
        """The picture as PNG bytes."""
        return png(self.figure)

    def save(self, path: str) -> None:
        """Write the picture to a PNG file."""
        with open(path, "wb") as file:
            file.write(self.png())

    def __repr__(self) -> str:
        return f"[{self.alt}]"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        data, about = bundle(self.png(), self.alt)
        if below := display.captions():  # a notebook shows HTML rather than a PNG
            source = f"data:image/png;base64,{base64.b64encode(data['image/png']).decode()}"
            size = f'width="{about["image/png"]["width"]}" style="max-width:100%"'
            data["text/html"] = f'<img alt="{html.escape(self.alt)}" {size} src="{source}">{below}'
        return data, about


def bundle(data: bytes, alt: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parts of a display: PNG and text, with the size on the page and the alternative text as metadata."""
    width, height = (int.from_bytes(data[i : i + 4], "big") for i in (16, 20))
    about = {"alt": alt, "width": round(width / SHARPNESS), "height": round(height / SHARPNESS)}
    return {"image/png": data, "text/plain": f"[{alt}]"}, {"image/png": about}


def as_array(data: Any) -> np.ndarray:
    """Any tensor, list or array as a NumPy array on the CPU, without a gradient."""
    if hasattr(data, "detach"):
        data = data.detach().cpu()
        data = data.float() if data.is_floating_point() else data
    array = np.asarray(data)
    return array.astype(np.float32) if array.dtype == bool else array


def as_picture(data: Any) -> np.ndarray:
    """One image as (H, W) or (H, W, 3): leading axes of length one are dropped, a color axis in front moves to the end.

    Raises:
        ValueError: if it is not one image.
    """
    array = as_array(data)
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 3 and array.shape[-1] not in (3, 4) and array.shape[0] in (3, 4):
        array = np.moveaxis(array, 0, -1)
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim != 2 and not (array.ndim == 3 and array.shape[-1] in (3, 4)):
        raise ValueError(f"One picture is (H, W), (H, W, 3) or (3, H, W); this array has the shape {array.shape}.")
    return array


def limit(arrays: Any, percentile: float = 100.0) -> float:
    """The value at which a palette ends: the given percentile of |a| over all the arrays, and 1 where all are zero."""
    flat = [np.abs(as_array(a)).ravel() for a in arrays]
    values = np.concatenate(flat) if flat else np.zeros(1)
    values = values[np.isfinite(values)]
    top = float(np.percentile(values, percentile)) if values.size else 0.0
    if top == 0.0 and values.size:
        top = float(values.max())
    return top or 1.0


def scale(kind: Kind, top: float = 1.0) -> dict[str, Any]:
    """Palette and limits of a kind of picture, as arguments of ``imshow``.

    Raises:
        ValueError: if there is no such kind.
    """
    if kind not in PALETTES:
        raise ValueError(f"kind is one of {', '.join(PALETTES)}; got {kind!r}.")
    low = -top if kind in SIGNED else 0.0
    return {"cmap": PALETTES[kind], "vmin": low, "vmax": 1.0 if kind == "image" else top}


def colormap(kind: Kind) -> Colormap:
    """The palette of a kind of picture."""
    return matplotlib.colormaps[PALETTES[kind]]


def show(
    axes: Axes, data: Any, kind: Kind = "image", top: float | None = None, title: str = "", remark: bool = True
) -> AxesImage:
    """Draw one picture into axes, framed, without ticks; returns the artist, so that an explorer can redraw it."""
    array = as_picture(data)
    if kind == "image" and array.dtype == np.uint8:  # how files store gray values; other integers are taken as they are
        array = array / 255.0
    array = np.clip(array, 0, 1) if array.ndim == 3 else array
    top = limit([array]) if top is None else top
    artist = axes.imshow(array, interpolation="nearest", **scale(kind, top))
    frame(axes)
    if title:
        axes.set_title(title, parse_math=False)  # the names of somebody's classes may have a $
    if remark and kind != "image" and not np.any(array):
        note(axes, "zero everywhere", color=FAINT if kind != "activation" else "white")
    return artist


def frame(axes: Axes) -> None:
    """A thin frame and no ticks: what a picture of pixels needs."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color(FAINT)
        spine.set_linewidth(0.8)


def legible(color: Any) -> str:
    """Black or white: the one that can be read on this color (red, green, blue, ...) in [0, 1]."""
    return "black" if np.dot(color[:3], (0.3, 0.59, 0.11)) > 0.5 else "white"


def note(axes: Axes, text: str, color: str = FAINT) -> None:
    """A remark in the middle of a picture."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=color, fontsize=11)


def wrap(text: str, width: int) -> str:
    """Break a title into lines of at most ``width`` characters."""
    return "\n".join(textwrap.wrap(text, width)) if text else ""


def positive(**sizes: float) -> None:
    """Refuse sizes that are not above zero.

    Raises:
        ValueError: naming the size.
    """
    for name, size in sizes.items():
        if not size > 0:
            raise ValueError(f"{name} is a number of inches above 0; got {size}.")


def as_list(pictures: Iterable[Any]) -> list[Any]:
    """The pictures of a list, an array or a tensor, one by one.

    Raises:
        TypeError: for a split, a data set, or what is no list at all.
    """
    if hasattr(pictures, "images") or hasattr(pictures, "test"):
        raise TypeError("Give the images alone, as in mnist.test.images[:8].")
    if isinstance(pictures, str) or not hasattr(pictures, "__iter__"):
        raise TypeError(f"Pass a list of pictures, not {type(pictures).__name__}.")
    return list(pictures)
