"""The convolutional layer by hand: forward, backward, and written out as a matrix. NumPy only.

Lessons reach these names through ``helpers.filters.convolve``.
"""

from typing import NamedTuple

import numpy as np

from helpers.filters.geometry import Pair, Two
from helpers.filters.windows import checked, checked_kernel, options, padded, patches, refuse_large, windows_of

Array = np.ndarray

COLUMNS_AT_ONCE = 2**22
"""Bytes of patches (4 MiB) that ``conv_layer`` lays out at a time: a bounded cost for any number and size of images."""


class Gradients(NamedTuple):
    """What ``conv_layer_backward`` returns: gradients in the shapes of the images, the weights and the bias."""

    images: Array
    weights: Array
    bias: Array


def conv_layer(
    images: Array, weights: Array, bias: Array | None = None, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1
) -> Array:
    """Return the maps of a bank of O filters; equals ``torch.nn.functional.conv2d``.

    Each filter is as deep as its input: map o is the sum over the channels of their correlations, plus bias[o].

    Args:
        images: (N, C, H, W), float32 or float64.
        weights: (O, C, kh, kw).
        bias: (O), or None for zeros.
        stride: pixels from one window to the next.
        padding: rows and columns of zeros on each side.
        dilation: pixels from one sample of a window to the next.

    Returns:
        (N, O, H', W'), in the dtype of the images.

    Raises:
        TypeError, ValueError: as in ``filters.convolve``, and if the channels or the length of the bias do not match.
    """
    images, weights, windows, _, _ = _prepared(images, weights, stride, padding, dilation)
    (count, _, rows, columns, _, _), filters = windows.shape, len(weights)
    windows = windows.transpose(0, 1, 4, 5, 2, 3)  # (N, C, kh, kw, H', W'): long runs, quick to copy
    flat = weights.reshape(filters, -1)
    maps = np.empty((count, filters, rows, columns), images.dtype)
    row_bytes = flat.shape[1] * columns * images.itemsize
    some_rows = min(rows, max(1, COLUMNS_AT_ONCE // row_bytes))
    some_images = max(1, COLUMNS_AT_ONCE // (row_bytes * rows))
    for first in range(0, count, some_images):
        for top in range(0, rows, some_rows):
            part = windows[first : first + some_images, ..., top : top + some_rows, :]
            product = flat @ part.reshape(len(part), flat.shape[1], -1)  # (O, C·kh·kw) · (n, C·kh·kw, positions)
            maps[first : first + some_images, :, top : top + some_rows] = product.reshape(
                len(part), filters, -1, columns
            )
    if bias is not None:
        bias = checked_kernel(bias, "the bias", "(O)")
        if len(bias) != filters:
            raise ValueError(f"the bias has {len(bias)} numbers for {filters} filters: give one per filter.")
        maps += bias.astype(images.dtype, copy=False)[:, None, None]
    return maps


def conv_layer_backward(
    grad_output: Array, images: Array, weights: Array, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1
) -> Gradients:
    """Return the gradients of a loss with respect to images, weights and bias: the backward pass of ``conv_layer``.

    A weight is shared, so its gradient is a sum over every place it touched: output gradient times the pixel it met
    there. A pixel collects, from every window that saw it, output gradient times the weight it met. The bias of a
    filter was added everywhere: the sum of the output gradient.

    Args:
        grad_output: (N, O, H', W'), the gradient of the loss with respect to the maps.
        images: (N, C, H, W), and the other arguments as they were given to ``conv_layer``.

    Raises:
        TypeError, ValueError: as in ``conv_layer``, and if ``grad_output`` has not the shape of the maps.
    """
    images, weights, windows, (sy, sx), (dy, dx) = _prepared(images, weights, stride, padding, dilation)
    grad_output = checked(grad_output, "grad_output", {4: "(N, O, H', W')"}).astype(images.dtype, copy=False)
    count, _, rows, columns, kh, kw = windows.shape
    if grad_output.shape != (count, len(weights), rows, columns):
        raise ValueError(
            f"grad_output has shape {grad_output.shape}: these images and weights give maps of shape "
            f"{(count, len(weights), rows, columns)}."
        )
    grad_images, grad_weights = np.zeros_like(images), np.zeros_like(weights)
    for row, column in np.ndindex(kh, kw):
        met = windows[..., row, column]  # (N, C, H', W'): the pixel that this weight meets in each window
        grad_weights[:, :, row, column] = np.tensordot(grad_output, met, axes=((0, 2, 3), (0, 2, 3)))
        down = slice(row * dy, row * dy + sy * (rows - 1) + 1, sy)
        right = slice(column * dx, column * dx + sx * (columns - 1) + 1, sx)
        back = np.tensordot(weights[:, :, row, column], grad_output, axes=(0, 1))  # (C, N, H', W')
        grad_images[:, :, down, right] += back.swapaxes(0, 1)
    _, _, (top, left), _ = options(1, stride, padding, dilation)
    height, width = grad_images.shape[2:]
    return Gradients(
        np.ascontiguousarray(grad_images[:, :, top : height - top, left : width - left]),
        grad_weights,
        grad_output.sum(axis=(0, 2, 3)),
    )


def conv_matrix(kernel: Array, image_shape: Two) -> Array:
    """Return the matrix (H'·W', H·W) that correlates an image of shape (H, W), flattened row by row, with a kernel.

    One row per output, one column per pixel: the dense layer that this correlation is, with its few weights repeated
    along the diagonals (a block Toeplitz matrix) and zero everywhere else. Its transpose carries gradients back.

    Raises:
        TypeError, ValueError: as in ``filters.convolve``, and above 512 MiB.
    """
    kernel = checked_kernel(kernel)
    if not isinstance(image_shape, (tuple, list)) or len(image_shape) != 2:
        raise ValueError(f"image_shape is {image_shape!r}: give (H, W), such as image.shape.")
    (height, width), _, _, _ = options(tuple(image_shape), 1, 0, 1)
    refuse_large(height * width * kernel.itemsize, "the image")
    # Number the pixels: the patches of that picture say which pixel each weight meets.
    met = patches(np.arange(float(height * width)).reshape(height, width), kernel.shape).astype(int)
    outputs = met.shape[0] * met.shape[1]
    refuse_large(outputs * height * width * kernel.itemsize, "the matrix of this convolution")
    matrix = np.zeros((outputs, height * width), kernel.dtype)
    matrix[np.arange(outputs)[:, None], met.reshape(outputs, -1)] = kernel.reshape(-1)
    return matrix


def _prepared(
    images: Array, weights: Array, stride: Pair, padding: Pair, dilation: Pair
) -> tuple[Array, Array, Array, Two, Two]:
    """Return padded images, weights in their dtype, the view of all windows, and stride and dilation as pairs."""
    images = checked(images, "images", {4: "(N, C, H, W)"})
    weights = checked_kernel(weights, "weights", "(O, C, kh, kw)").astype(images.dtype, copy=False)
    if images.shape[1] != weights.shape[1]:
        raise ValueError(
            f"images have {images.shape[1]} channels and weights {weights.shape[1]}: a filter is as deep as its input, "
            "(O, C, kh, kw) for (N, C, H, W)."
        )
    _, stride, padding, dilation = options(1, stride, padding, dilation)
    images = padded(images, padding)
    return images, weights, windows_of(images, weights.shape[2:], stride, dilation, padding), stride, dilation
