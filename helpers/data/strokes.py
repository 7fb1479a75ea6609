"""From pen strokes to an image such as MNIST's, by the steps that made MNIST out of scanned forms.

LeCun et al. (1998): the ink is scaled, keeping its proportions, to fit a box of 20×20 pixels, which turns black and
white into gray; then it is moved so that its center of mass is in the middle of 28×28 pixels. Garments are scaled to
the whole picture and centered by their outline, as in FashionMNIST (Xiao et al. 2017).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

Point = tuple[float, float]
Stroke = Sequence[Point]

#: Pixels per side at which strokes are drawn before they are scaled down: several for each of the 28.
FINE = 280


class Placed(NamedTuple):
    """An image and how it came about.

    ``image`` ``(28, 28)`` float32 in [0, 1]; ``box`` top, left, bottom, right of the scaled ink in it, in pixels;
    ``center`` row and column of the center of mass. Both are None where there is no ink.
    """

    image: np.ndarray
    box: tuple[float, float, float, float] | None
    center: Point | None


def paint(strokes: Iterable[Stroke], thickness: float = 0.08, fill: bool = False) -> np.ndarray:
    """Rasterize pen strokes: ``(280, 280)`` float32, 0 for paper and 1 for ink.

    Args:
        strokes: each a list of points (x, y) in [0, 1], x to the right and y down; a single point is a dot.
        thickness: of the round pen, as a share of the side.
        fill: also ink what the strokes enclose.

    Raises:
        ValueError: if the pen has no thickness, or a point is not two finite numbers.
    """
    if not 0 < thickness <= 1:
        raise ValueError(f"The pen's thickness is a share of the side, above 0 and at most 1; got {thickness}.")
    # Drawn at half the size of a pixel and averaged, so that edges are smooth before anything is scaled.
    side, radius = 2 * FINE, thickness * FINE
    sheet = Image.new("L", (side, side))
    pen = ImageDraw.Draw(sheet)
    for stroke in strokes:
        points = np.asarray(stroke, dtype=float)
        if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
            raise ValueError(f"A stroke is a list of points (x, y); this one has the shape {points.shape}.")
        points = points * side
        if len(points) > 1:
            pen.line([tuple(p) for p in points], fill=255, width=max(1, round(2 * radius)))
        for x, y in points:
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    ink = np.asarray(sheet.reduce(2), dtype=np.float32) / 255
    if fill:
        from scipy.ndimage import binary_fill_holes

        ink = np.maximum(ink, binary_fill_holes(ink > 0.5))
    return ink


def place(ink: np.ndarray, box: int = 20, side: int = 28, by_mass: bool = True) -> Placed:
    """Scale the ink into a box and center it.

    Args:
        ink: ``(H, W)``, any size, 0 for paper.
        box: the longer side of the ink becomes so many pixels.
        side: of the result.
        by_mass: put the center of mass into the middle (MNIST), else the middle of the outline (FashionMNIST).

    Raises:
        ValueError: if the box is larger than the image, or ``ink`` is not one gray picture.
    """
    ink = np.asarray(ink, dtype=np.float32)
    if ink.ndim != 2 or not 1 <= box <= side:
        raise ValueError(f"Give one gray picture (H, W) and a box of 1 to {side} pixels; got {ink.shape} and {box}.")
    result = np.zeros((side, side), dtype=np.float32)
    rows, columns = np.flatnonzero(ink.max(1) > 0), np.flatnonzero(ink.max(0) > 0)
    if not len(rows):
        return Placed(result, None, None)
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    longest = max(cut.shape)
    height, width = (max(1, round(n * box / longest)) for n in cut.shape)
    scaled = np.asarray(Image.fromarray(cut).resize((width, height), Image.Resampling.BOX))
    down, across = (float(c) for c in mass_center(scaled)) if by_mass else (height / 2, width / 2)
    # As in MNIST, by whole pixels; ink that is heavy on one side stops at the edge of the picture.
    top = int(np.clip(round(side / 2 - down), 0, side - height))
    left = int(np.clip(round(side / 2 - across), 0, side - width))
    result[top : top + height, left : left + width] = scaled.clip(0, 1)
    return Placed(result, (top, left, top + height, left + width), mass_center(result))


def mass_center(image: np.ndarray) -> Point:
    """Return row and column of the center of mass; NaN for an image without ink.

    The corner of the image is (0, 0), and the middle of its first pixel (0.5, 0.5).
    """
    total = image.sum()
    if total <= 0:
        return float("nan"), float("nan")
    rows, columns = (np.arange(n) + 0.5 for n in image.shape)
    return float(rows @ image.sum(1) / total), float(columns @ image.sum(0) / total)


def digit(strokes: Iterable[Stroke], thickness: float = 0.08, fill: bool = False) -> Placed:
    """Return strokes as a digit of MNIST: 20×20 box, center of mass in the middle of 28×28."""
    return place(paint(strokes, thickness, fill))


def garment(strokes: Iterable[Stroke], thickness: float = 0.08, fill: bool = True) -> Placed:
    """Return strokes as a garment of FashionMNIST: the whole 28×28, centered by its outline, cloth not quite white."""
    placed = place(paint(strokes, thickness, fill), box=28, by_mass=False)
    return placed._replace(image=placed.image * np.float32(0.8))


def turned(strokes: Iterable[Stroke], degrees: float) -> list[list[Point]]:
    """Return the strokes, turned about the middle of the sheet, counterclockwise for positive angles."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return [
        [(float(0.5 + cosine * (x - 0.5) + sine * (y - 0.5)), float(0.5 - sine * (x - 0.5) + cosine * (y - 0.5)))
         for x, y in stroke]
        for stroke in strokes
    ]  # fmt: skip


def _arc(x: float, y: float, rx: float, ry: float, start: float, end: float, count: int = 24) -> list[Point]:
    """Points on an ellipse; angles in degrees, 0 to the right, growing clockwise as y points down."""
    angles = np.radians(np.linspace(start, end, count))
    return [(float(x + rx * np.cos(a)), float(y + ry * np.sin(a))) for a in angles]


#: One handwriting of the ten digits: strokes of points (x, y) in [0, 1], in the order in which a pen draws them.
DIGITS: dict[str, list[list[Point]]] = {
    "0": [_arc(0.5, 0.5, 0.2, 0.32, -90, 270)],
    "1": [[(0.56, 0.16), (0.53, 0.4), (0.5, 0.62), (0.47, 0.85)]],
    "2": [[*_arc(0.49, 0.34, 0.19, 0.18, -160, 45), (0.5, 0.6), (0.3, 0.82), (0.48, 0.82), (0.74, 0.81)]],
    "3": [[*_arc(0.47, 0.33, 0.19, 0.17, -150, 80), *_arc(0.47, 0.66, 0.21, 0.17, -80, 150)]],
    "4": [[(0.34, 0.17), (0.3, 0.35), (0.28, 0.52), (0.5, 0.52), (0.74, 0.5)],
          [(0.66, 0.16), (0.63, 0.5), (0.6, 0.85)]],
    "5": [[(0.36, 0.17), (0.34, 0.32), (0.33, 0.46), *_arc(0.46, 0.62, 0.2, 0.2, -115, 140)],
          [(0.36, 0.17), (0.7, 0.16)]],
    "6": [[(0.6, 0.15), (0.45, 0.3), (0.34, 0.5), *_arc(0.49, 0.66, 0.17, 0.17, 180, -180)]],
    "7": [[(0.29, 0.19), (0.5, 0.18), (0.71, 0.18), (0.6, 0.42), (0.5, 0.63), (0.43, 0.85)]],
    "8": [[*_arc(0.5, 0.33, 0.15, 0.16, 90, -270), *_arc(0.5, 0.67, 0.18, 0.18, -90, 270)]],
    "9": [[*_arc(0.49, 0.35, 0.17, 0.18, 0, -360), (0.65, 0.5), (0.62, 0.68), (0.58, 0.85)]],
}  # fmt: skip

#: Outlines of two garments, closed, to be filled.
GARMENTS: dict[str, list[list[Point]]] = {
    "trouser": [[(0.34, 0.1), (0.66, 0.1), (0.72, 0.5), (0.74, 0.92), (0.62, 0.92), (0.5, 0.32), (0.38, 0.92),
                 (0.26, 0.92), (0.28, 0.5), (0.34, 0.1)]],
    "T-shirt": [[(0.38, 0.14), (0.46, 0.2), (0.54, 0.2), (0.62, 0.14), (0.9, 0.3), (0.82, 0.46), (0.7, 0.4),
                 (0.71, 0.88), (0.29, 0.88), (0.3, 0.4), (0.18, 0.46), (0.1, 0.3), (0.38, 0.14)]],
}  # fmt: skip
