"""The offline stand-in: images to learn from when neither the real files nor a network can be had.

``digits`` are real handwriting: scikit-learn's 8×8 digits, enlarged to 28×28. ``garments`` are drawn here, piece by
piece, at random in length, width, pattern and shade. Both are the same on every call.
"""

from functools import cache

import numpy as np

Part = tuple[np.ndarray, np.ndarray]

# The real sets begin with these labels, and lessons speak of the first images by number.
FIRST_DIGITS = (5, 0, 4, 1, 9, 2, 1, 3, 1, 4)
FIRST_TEST_DIGITS = (7, 2, 1, 0, 4, 1, 4, 9, 5, 9, 0, 6, 9, 0, 1, 5, 9, 7, 3, 4, 9, 6, 6)
FIRST_GARMENTS = (9, 0, 0, 3, 0, 2, 7, 2, 5, 5)
FIRST_TEST_GARMENTS = (9, 2, 1, 1, 6, 1, 4, 6, 5, 7)


def begin_with(labels: np.ndarray, first: tuple[int, ...]) -> np.ndarray:
    """Return an order of all items, indices (N,), that begins with the labels ``first``; the rest stay as they are."""
    left = list(range(len(labels)))
    order = []
    for label in first:
        order.append(next(index for index in left if labels[index] == label))
        left.remove(order[-1])
    return np.array(order + left)


@cache
def digits() -> tuple[Part, Part]:
    """Return ((images, labels), (images, labels)) for training and test: uint8 (N, 28, 28) and (N,)."""
    from PIL import Image
    from sklearn.datasets import load_digits

    small, labels = load_digits(return_X_y=True)
    small = small.reshape(-1, 8, 8) / 16
    # Resizing the identity matrix gives the matrix that resizes: all images are enlarged in two products.
    grow = np.asarray(Image.fromarray(np.eye(8, dtype=np.float32)).resize((8, 20), Image.Resampling.BICUBIC))
    large = np.clip(grow @ small @ grow.T, 0, 1)
    large = np.clip((large - 0.35) / 0.55, 0, 1)  # ink of a pen: nearly black or nearly white, gray at the edge
    rng = np.random.default_rng(0)
    order = rng.permutation(len(labels))
    cut = len(order) - 360

    def placed(index: np.ndarray, shifts: np.ndarray) -> np.ndarray:
        canvas = np.zeros((len(index), 28, 28), np.uint8)
        ink = large[index]
        mass = ink.sum((1, 2))
        row = (ink.sum(2) * np.arange(20)).sum(1) / mass
        column = (ink.sum(1) * np.arange(20)).sum(1) / mass
        # As in MNIST, the center of mass of the ink sits in the middle of the picture.
        tops = np.clip(np.rint(13.5 - row).astype(int) + shifts[:, 0], 0, 8)
        lefts = np.clip(np.rint(13.5 - column).astype(int) + shifts[:, 1], 0, 8)
        for picture, digit, top, left in zip(canvas, ink, tops, lefts, strict=True):
            picture[top : top + 20, left : left + 20] = np.rint(255 * digit)
        return canvas

    def part(index: np.ndarray, first: tuple[int, ...], variants: int) -> Part:
        index = index[begin_with(labels[index], first)]
        images = [placed(index, np.zeros((len(index), 2), int))]
        rest = np.tile(index, variants - 1)
        images.append(placed(rest, rng.integers(-2, 3, (len(rest), 2))))
        shuffled = len(first) + rng.permutation(len(index) * variants - len(first))
        order = np.concatenate([np.arange(len(first)), shuffled])
        return np.concatenate(images)[order], np.tile(labels[index], variants)[order]

    return part(order[:cut], FIRST_DIGITS, 4), part(order[cut:], FIRST_TEST_DIGITS, 1)


# The share of each kind of garment that has stripes or checks.
PATTERNED = np.array([0.5, 0.15, 0.4, 0.6, 0.15, 0.0, 0.5, 0.1, 0.3, 0.1])


def _woven(plain: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give drawn garments (N, 28, 28) a pattern, folds, light from one side and a grain: uint8 (N, 28, 28)."""

    def uniform(low: float, high: float) -> np.ndarray:
        return rng.uniform(low, high, (len(labels), 1, 1)).astype(np.float32)

    y, x = np.mgrid[:28, :28].astype(np.float32) - 13.5
    # Stripes across, along, or both; never finer than three pixels, which would turn into an even gray.
    across, along = rng.random((2, len(labels), 1, 1)) < 0.6
    wave = across * np.cos(2 * np.pi * y / uniform(3, 6) + uniform(0, 6)) + along * np.cos(
        2 * np.pi * x / uniform(3, 6)
    )
    depth = uniform(0.12, 0.4) * (rng.random(len(labels)) < PATTERNED[labels])[:, None, None]
    folds = uniform(0, 0.1) * np.cos((x * uniform(-1, 1) + y * uniform(-0.4, 0.4)) * 0.9 + uniform(0, 6))
    light = 1 - uniform(0, 0.25) * (np.abs(x) / 14) ** 2 + uniform(-0.012, 0.012) * x + uniform(-0.008, 0.008) * y
    grain = 0.04 * rng.standard_normal(plain.shape, np.float32)
    cloth = plain * (light + folds + grain) * (1 - depth * (0.5 + 0.5 * np.clip(wave, -1, 1)))
    return np.clip(np.rint(cloth), 0, 255).astype(np.uint8)


@cache
def garments() -> tuple[Part, Part]:
    """Return ((images, labels), (images, labels)) for training and test: uint8 (N, 28, 28) and (N,), N 6,000 and 1,000.

    Every class is equally frequent, as in FashionMNIST.
    """
    from helpers.data.garments import plain

    def part(each: int, first: tuple[int, ...], seed: int) -> Part:
        rng = np.random.default_rng(seed)
        labels = rng.permutation(np.repeat(np.arange(10), each))
        labels = labels[begin_with(labels, first)]
        return _woven(plain(labels, rng), labels, rng), labels

    return part(600, FIRST_GARMENTS, 10), part(100, FIRST_TEST_GARMENTS, 20)
