"""Correlation, written several ways side by side, and the convolutional layer built on it. NumPy only.

`correlate2d` slides a kernel over one gray image; `conv_layer` is the layer of a network. The results are those of
`torch.nn.functional.conv2d`, in the image's own float32 or float64. What else looks through windows is importable from
here too: patches, im2col, pooling (`filters.windows`), output sizes and receptive fields (`filters.geometry`).

Every function refuses, with one sentence (TypeError for the wrong kind of array, ValueError for the rest), an image
that is not a finite float32 or float64 array, the wrong number of dimensions or channels, a stride below 1, a kernel
that does not fit. A kernel may also hold whole numbers.
"""

import math

import numpy as np

from helpers.filters.conv_layer import Gradients, conv_layer, conv_layer_backward, conv_matrix
from helpers.filters.geometry import Pair, ReceptiveField, fits, leftover, output_size, pair, receptive_field
from helpers.filters.windows import (
    COPY_LIMIT,
    checked,
    checked_kernel,
    global_average,
    im2col,
    options,
    padded,
    patches,
    pool2d,
    refuse_large,
    windows_of,
)

Array = np.ndarray

IN_CACHE = 2**18
"""Bytes of copied windows up to which copying all of them is the fastest way (measured by benchmarks/convolve.py)."""

__all__ = [
    "METHODS", "Gradients", "ReceptiveField", "conv_layer", "conv_layer_backward", "conv_matrix", "convolve2d",
    "correlate2d", "correlate2d_loops", "correlate2d_matmul", "correlate2d_rows", "correlate2d_shift",
    "correlate2d_windows", "fits", "global_average", "im2col", "leftover", "output_size", "patches", "pool2d",
    "receptive_field",
]  # fmt: skip


def correlate2d_loops(image: Array, kernel: Array, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1) -> Array:
    """Correlate (H, W) with (kh, kw) in two loops over the output: what a correlation is. Slow; meant to be read."""
    image, kernel, windows, (sy, sx), (dy, dx) = _prepared(image, kernel, stride, padding, dilation)
    kh, kw = kernel.shape
    response = np.zeros(windows.shape[:2], image.dtype)
    for row in range(response.shape[0]):
        for column in range(response.shape[1]):
            top, left = row * sy, column * sx
            patch = image[top : top + dy * kh : dy, left : left + dx * kw : dx]
            response[row, column] = (patch * kernel).sum()
    return response


def correlate2d_windows(image: Array, kernel: Array, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1) -> Array:
    """Correlate (H, W) with (kh, kw) as one contraction of a strided view of all windows, (rows, columns, kh, kw)."""
    _, kernel, windows, _, _ = _prepared(image, kernel, stride, padding, dilation)
    refuse_large(windows.nbytes, "the copy of all windows that the contraction makes")
    # tensordot(windows, kernel, 2) is the same sum, but copies the windows in runs of kw numbers: slower several times.
    return np.tensordot(kernel, windows, axes=((0, 1), (2, 3)))


def correlate2d_matmul(image: Array, kernel: Array, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1) -> Array:
    """Correlate (H, W) with (kh, kw) as one matrix product: (positions, kh·kw) patches times (kh·kw) weights."""
    image, kernel, windows, stride, dilation = _prepared(image, kernel, stride, padding, dilation)
    columns = im2col(image, kernel.shape, stride, dilation=dilation)  # the image is padded by now
    return (columns @ kernel.reshape(-1)).reshape(windows.shape[:2])


def correlate2d_shift(image: Array, kernel: Array, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1) -> Array:
    """Correlate (H, W) with (kh, kw) by shift and add: each weight times the whole image, shifted to its place."""
    image, kernel, windows, _, _ = _prepared(image, kernel, stride, padding, dilation)
    response = np.zeros(windows.shape[:2], image.dtype)
    product = np.empty_like(response)  # one buffer for every product: no more memory than two maps
    for (row, column), weight in np.ndenumerate(kernel):
        np.multiply(windows[:, :, row, column], weight, out=product)
        response += product
    return response


def correlate2d_rows(image: Array, kernel: Array, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1) -> Array:
    """Correlate (H, W) with (kh, kw) row by row of the kernel: one matrix product, then kh shifted maps added up."""
    image, kernel, windows, (sy, sx), (dy, dx) = _prepared(image, kernel, stride, padding, dilation)
    (rows, columns), (kh, kw), height = windows.shape[:2], kernel.shape, len(image)
    refuse_large(_rows_bytes(height, columns, (kh, kw), image.itemsize), "the shifted copies of the image")
    strips = windows_of(image, (1, kw), (1, sx), (1, dx), (0, 0))[:, :, 0].transpose(2, 0, 1)  # (kw, height, columns)
    maps = (kernel @ strips.reshape(kw, -1)).reshape(kh, height, columns)  # every kernel row on every image row
    response = np.zeros((rows, columns), image.dtype)
    for row in range(kh):
        response += maps[row, row * dy : row * dy + sy * (rows - 1) + 1 : sy]
    return response


METHODS = {
    "loops": correlate2d_loops,
    "windows": correlate2d_windows,
    "matmul": correlate2d_matmul,
    "shift": correlate2d_shift,
    "rows": correlate2d_rows,
}
"""The implementations that `correlate2d` chooses from, by name."""


def correlate2d(
    image: Array, kernel: Array, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1, method: str = "auto"
) -> Array:
    """Return the feature map (H', W') of an image (H, W) under a kernel (kh, kw), in the image's dtype.

    Output (r, c) is the sum of kernel times the window at (r·stride, c·stride) of the image framed by `padding` zeros,
    whose samples lie `dilation` pixels apart. H' and W' are `output_size` of H and W. `method` is one of `METHODS`:

    - "loops": two loops in Python, the definition. Never fast.
    - "windows", "matmul": every window copied, kh·kw times the image, for one product. The fastest on small images
      (28×28) or with a large stride, while the copies fit into the processor's cache.
    - "rows": kw copies of the image for one product, then kh additions. The fastest from there on.
    - "shift": kh·kw passes over the image, nothing copied. The least memory: for images so large that copies hurt.
    - "auto": "windows" while the copies are small, then "rows", and "shift" before the copies pass 512 MiB.
    """
    if method == "auto":
        method = _choice(image, kernel, stride, padding)
    if method not in METHODS:
        raise ValueError(f"there is no method {method!r}: choose auto, {', '.join(METHODS)}.")
    return METHODS[method](image, kernel, stride, padding, dilation)


def convolve2d(image: Array, kernel: Array, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1) -> Array:
    """Return the convolution of mathematics: the correlation with the kernel turned by 180 degrees (both axes flipped).

    Shapes and errors as in `correlate2d`. Networks learn their weights, so they skip the flip and keep the name.
    """
    return correlate2d(image, checked_kernel(kernel)[::-1, ::-1], stride, padding, dilation)


def _prepared(image: Array, kernel: Array, stride: Pair, padding: Pair, dilation: Pair) -> tuple:
    """Return the padded image, the kernel in its dtype, the view of all windows, and stride and dilation as pairs."""
    image = checked(image, "the image", {2: "one gray image (H, W)"})
    kernel = checked_kernel(kernel).astype(image.dtype, copy=False)
    _, stride, padding, dilation = options(1, stride, padding, dilation)
    image = padded(image, padding)
    return image, kernel, windows_of(image, kernel.shape, stride, dilation, padding), stride, dilation


def _rows_bytes(height: int, columns: int, kernel: tuple[int, int], itemsize: int) -> int:
    """Return the bytes that correlate2d_rows takes: kw strips of the padded image, and kh maps to be added up."""
    return sum(kernel) * height * columns * itemsize


def _choice(image: Array, kernel: Array, stride: Pair, padding: Pair) -> str:
    """Return the fastest method whose copies stay small; wrong input goes to any of them, to be named there."""
    if getattr(image, "ndim", None) != 2 or getattr(kernel, "ndim", None) != 2:
        return "windows"
    (top, left), (sy, sx) = pair(padding, "padding", 0), pair(stride, "stride", 1)
    height, width = image.shape[0] + 2 * top, image.shape[1] + 2 * left
    if height * width * math.prod(kernel.shape) * image.itemsize <= IN_CACHE * sy * sx:
        return "windows"
    return "rows" if _rows_bytes(height, width // sx + 1, kernel.shape, image.itemsize) <= COPY_LIMIT else "shift"
