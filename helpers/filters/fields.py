"""Through which pixels an image reaches a unit of the canonical network, and in how many ways."""

from __future__ import annotations

import numpy as np

#: The canonical network as windows: (kernel, stride, padding) of each layer, ReLU as a window of one pixel.
NETWORK: dict[str, tuple[int, int, int]] = {
    "conv1": (3, 1, 0),
    "relu1": (1, 1, 0),
    "pool1": (2, 2, 0),
    "conv2": (3, 1, 0),
    "relu2": (1, 1, 0),
    "pool2": (2, 2, 0),
    "hidden": (5, 1, 0),  # a dense layer looks through a window as large as the whole map
    "output": (1, 1, 0),
}


def paths(layer: str, row: int, column: int, size: int = 28) -> np.ndarray:
    """In how many ways each pixel reaches a unit of the canonical network, (size, size): 0 outside its field.

    A way goes through one place of each layer. Close to the middle of the field there are more of them.
    """
    names = list(NETWORK)
    ways = np.ones((1, 1))
    corner = np.array([row, column])
    for name in reversed(names[: names.index(layer) + 1]):
        kernel, stride, _ = NETWORK[name]
        below = np.zeros([(n - 1) * stride + kernel for n in ways.shape])
        for y, x in np.ndindex(ways.shape):
            below[y * stride : y * stride + kernel, x * stride : x * stride + kernel] += ways[y, x]
        ways, corner = below, corner * stride
    reached = np.zeros((size, size))
    reached[corner[0] : corner[0] + len(ways), corner[1] : corner[1] + ways.shape[1]] = ways
    return reached
