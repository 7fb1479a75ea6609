"""The hand-made filters, by name, as float32 arrays.

Every filter is written for *correlation* (lay it over the image, multiply, sum), the operation of ``filters.convolve``
and of every deep-learning library. A filter whose weights sum to zero is silent on flat regions; one whose weights sum
to one keeps the brightness of the image.
"""

import numpy as np

from helpers.filters.geometry import whole

Array = np.ndarray

# name -> (weights, divisor, what it answers to), in the order in which the lessons display them
_PRESETS: dict[str, tuple[list[list[int]], int, str]] = {
    "identity": ([[0, 0, 0], [0, 1, 0], [0, 0, 0]], 1, "Copies the center pixel: the response is the image itself."),
    "vertical edges": (
        [[1, 0, -1], [1, 0, -1], [1, 0, -1]],
        1,
        "Positive on a vertical edge that is bright on its left, negative on one that is bright on its right.",
    ),
    "horizontal edges": (
        [[1, 1, 1], [0, 0, 0], [-1, -1, -1]],
        1,
        "Positive on a horizontal edge that is bright above, negative on one that is bright below.",
    ),
    "falling diagonal": (
        [[0, 1, 1], [-1, 0, 1], [-1, -1, 0]],
        1,
        "Positive on an edge that falls from top left to bottom right and is bright above it.",
    ),
    "rising diagonal": (
        [[1, 1, 0], [1, 0, -1], [0, -1, -1]],
        1,
        "Positive on an edge that rises from bottom left to top right and is bright above it.",
    ),
    "sobel x": (
        [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
        1,
        "Slope to the right: positive where the image gets brighter from left to right, smoothed from top to bottom.",
    ),
    "sobel y": (
        [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
        1,
        "Slope downward: positive where the image gets brighter from top to bottom, smoothed from left to right.",
    ),
    "laplacian": (
        [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
        1,
        "Curvature: negative on a pixel brighter than its four neighbors, positive on a darker one, in any direction.",
    ),
    "high-pass": (
        [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
        1,
        "Fine detail: positive on a pixel brighter than its eight neighbors, zero wherever the image is flat.",
    ),
    "box blur": (
        [[1, 1, 1], [1, 1, 1], [1, 1, 1]],
        9,
        "The mean of the nine pixels: keeps the brightness, smears edges and noise.",
    ),
    "gaussian blur": (
        [[1, 2, 1], [2, 4, 2], [1, 2, 1]],
        16,
        "A mean in which near pixels count more: a softer blur than the box.",
    ),
    "sharpen": (
        [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
        1,
        "The image minus its Laplacian: keeps the brightness and exaggerates every edge.",
    ),
    "emboss": (
        [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]],
        1,
        "Keeps the brightness and adds the slope toward the bottom right, as if light fell across a relief.",
    ),
}

# name -> weights of (red, green, blue); each sums to zero, so that gray and white leave the filter silent
_COLORS: dict[str, tuple[float, float, float]] = {
    "red": (1, -0.5, -0.5),
    "green": (-0.5, 1, -0.5),
    "blue": (-0.5, -0.5, 1),
    "yellow": (0.5, 0.5, -1),
    "magenta": (0.5, -1, 0.5),
    "cyan": (-1, 0.5, 0.5),
}

NAMES: tuple[str, ...] = tuple(_PRESETS)
"""The 3×3 presets that ``get`` and ``describe`` know, in display order."""

COLORS: tuple[str, ...] = tuple(_COLORS)
"""The colors that ``color`` knows."""


def get(name: str) -> Array:
    """Return the preset ``name`` as a new float32 array of shape (3, 3).

    Raises:
        ValueError: lists the names if there is no such preset.
    """
    weights, divisor, _ = _PRESETS[_known(name, NAMES, "kernel")]
    return np.array(weights, np.float32) / np.float32(divisor)


def describe(name: str) -> str:
    """Return one short sentence that says what the preset ``name`` responds to.

    Raises:
        ValueError: lists the names if there is no such preset.
    """
    return _PRESETS[_known(name, NAMES, "kernel")][2]


def diagonal(size: int = 7) -> Array:
    """Return a filter of shape (size, size) for edges that fall from top left to bottom right and are bright above.

    0 on the diagonal, +1 above it, −1 below it.

    Raises:
        ValueError: if ``size`` is under 2.
    """
    row, column = np.indices((whole(size, "size", 2),) * 2)
    return np.sign(column - row).astype(np.float32)


def four_edges(size: int = 4) -> Array:
    """Return four edge filters, shape (4, size, size), made from the first by negation and transposition.

    In order: bright on the right, on the left, at the bottom, at the top. The first two answer to vertical edges, the
    last two to horizontal ones. With an odd size the middle line is 0.

    Raises:
        ValueError: if ``size`` is under 2.
    """
    side = np.sign(2 * np.arange(whole(size, "size", 2)) - size + 1).astype(np.float32)
    right = np.tile(side, (size, 1))
    return np.stack([right, 0 - right, right.T, 0 - right.T])  # 0 - x, not -x: no negative zeros in a printed filter


def color(name: str, size: int = 3) -> Array:
    """Return a filter of shape (3, size, size) for a red-green-blue image that fires on patches of one color.

    A patch of the pure color scores 1; gray, white and black patches score 0; the complementary color scores −1.

    Raises:
        ValueError: lists the colors if there is no such name.
    """
    weights = np.array(_COLORS[_known(name, COLORS, "color")], np.float32)
    size = whole(size, "size", 1)
    return np.broadcast_to(weights[:, None, None] / np.float32(size * size), (3, size, size)).copy()


def _known(name: object, names: tuple[str, ...], what: str) -> str:
    """Return the canonical spelling of ``name`` ("Sobel_X" finds "sobel x"), or say which names there are."""
    wanted = str(name).lower().replace("_", " ").replace("-", " ").strip()
    for known in names:
        if known.replace("-", " ") == wanted:
            return known
    raise ValueError(f"there is no {what} {name!r}: choose one of {', '.join(names)}.")
