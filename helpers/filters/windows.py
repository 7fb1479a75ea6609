"""Look through small windows: cut an image into patches, lay them out as a matrix, pool them. NumPy only."""

import math

import numpy as np
from numpy.lib.stride_tricks import as_strided

from helpers.filters.geometry import Pair, Two, output_size, pair

Array = np.ndarray

COPY_LIMIT = 2**29
"""Bytes of copied windows (512 MiB) above which a function refuses rather than fill the memory."""


def patches(image: Array, size: Pair, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1) -> Array:
    """Return every patch of an image as a read-only view: nothing is copied unless there is padding.

    Windows that would run over the far edge are left out. Write into the image and the patches change.

    Args:
        image: (H, W) or (C, H, W), float32 or float64.
        size: of a window in pixels, one number or (rows, columns), as the next three.
        stride: pixels from one window to the next.
        padding: rows and columns of zeros on each side.
        dilation: pixels from one sample of a window to the next.

    Returns:
        (rows, columns, size, size) or (rows, columns, C, size, size).

    Raises:
        TypeError, ValueError: if the image is not finite float32 or float64, or no window fits.
    """
    image = checked(image, "the image", {2: "(H, W)", 3: "(C, H, W)"})
    size, stride, padding, dilation = options(size, stride, padding, dilation)
    windows = windows_of(padded(image, padding), size, stride, dilation, padding)
    return windows if image.ndim == 2 else windows.transpose(1, 2, 0, 3, 4)


def im2col(image: Array, size: Pair, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1) -> Array:
    """Return the patches of a (H, W) or (C, H, W) image as the rows of a matrix, (positions, [C·]size·size): a copy.

    Every pixel is copied once for each window that sees it. Arguments as in ``patches``.

    Raises:
        TypeError, ValueError: as ``patches``, and above ``COPY_LIMIT`` bytes.
    """
    windows = patches(image, size, stride, padding, dilation)
    refuse_large(windows.nbytes, "the matrix of all patches")
    # Copied with the positions last, in long runs of neighbors, and then seen transposed: several times faster.
    order = (*range(2, windows.ndim), 0, 1)
    return windows.transpose(order).copy().reshape(-1, windows.shape[0] * windows.shape[1]).T


def pool2d(image: Array, size: Pair = 2, stride: Pair | None = None, kind: str = "max") -> Array:
    """Return the maximum or the average of every window; a remainder at the far edges is dropped, as PyTorch does.

    Args:
        image: (..., H, W), float32 or float64.
        size: of a window in pixels, one number or (rows, columns).
        stride: pixels from one window to the next; None for ``size`` (windows side by side).
        kind: "max" or "average".

    Returns:
        (..., H', W'), in the dtype of the image.

    Raises:
        TypeError, ValueError: if no window fits, there is no such kind, or the image is not finite float32 or float64.
    """
    image = checked(image, "the image", least=2)
    if kind not in ("max", "average"):
        raise ValueError(f'kind is {kind!r}: choose "max" or "average" (or call global_average).')
    size, stride, _, _ = options(size, size if stride is None else stride, 0, 1)
    windows = windows_of(image, size, stride, (1, 1), (0, 0))  # (..., H', W', size, size)
    # One pass over whole maps for each place in the window, which beats many tiny reductions.
    combine = np.maximum if kind == "max" else np.add
    pooled = windows[..., 0, 0].copy()
    for row, column in list(np.ndindex(size))[1:]:
        combine(pooled, windows[..., row, column], out=pooled)
    return pooled if kind == "max" else np.divide(pooled, size[0] * size[1], out=pooled)


def global_average(image: Array) -> Array:
    """Return the mean of every map of an array (..., H, W), as (...): pooling with a window as large as the map.

    Raises:
        TypeError, ValueError: if the image is not finite float32 or float64.
    """
    return checked(image, "the image", least=2).mean(axis=(-2, -1))


def windows_of(image: Array, size: Two, stride: Two, dilation: Two, padding: Two) -> Array:
    """Return the windows of a padded (..., H, W) array as a read-only view (..., rows, columns, size, size).

    All arguments are pairs, checked before; ``padding`` is what was added already, so that an error can say so.
    """
    *outer, height, width = image.shape
    rows = output_size(height - 2 * padding[0], size[0], stride[0], padding[0], dilation[0])
    columns = output_size(width - 2 * padding[1], size[1], stride[1], padding[1], dilation[1])
    *steps, down, right = image.strides
    steps += [down * stride[0], right * stride[1], down * dilation[0], right * dilation[1]]
    return as_strided(image, (*outer, rows, columns, *size), steps, writeable=False)


def padded(image: Array, padding: Two) -> Array:
    """Return (..., H, W) with ``padding`` rows and columns of zeros on each side; the array itself if that is none."""
    if padding == (0, 0):
        return image
    *outer, height, width = image.shape
    top, left = padding
    framed = np.zeros((*outer, height + 2 * top, width + 2 * left), image.dtype)
    framed[..., top : top + height, left : left + width] = image
    return framed


def checked(array: Array, name: str, shapes: dict[int, str] | None = None, least: int = 1) -> Array:
    """Return ``array`` as a plain, finite float32 or float64 array with an allowed number of dimensions.

    Args:
        array: what a caller was given.
        name: of the array in error messages.
        shapes: each allowed number of dimensions → its shape in words.
        least: dimensions that are needed where ``shapes`` is None.

    Raises:
        TypeError, ValueError: with one sentence that says what is wrong and what to do.
    """
    if not isinstance(array, np.ndarray) or isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"{name} is a {type(array).__name__}: give a NumPy array (np.asarray(...), or tensor.numpy()).")
    if array.dtype not in (np.float32, np.float64):
        raise TypeError(f"{name} holds {array.dtype} numbers: give float32 or float64, such as {_remedy(array.dtype)}.")
    array = np.asarray(array)  # a matrix or another subclass becomes a plain array
    if array.ndim not in shapes if shapes else array.ndim < least:
        wanted = " or ".join(shapes.values()) if shapes else "(..., H, W)"
        raise ValueError(f"{name} has shape {array.shape}: {wanted} is needed.")
    if array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}, which is empty: give at least one pixel along each axis.")
    # A finite sum of squares proves every number finite, in one fast pass; the slower look is for squares that
    # overflow.
    if not (math.isfinite(np.vdot(array, array)) or np.isfinite(array).all()):
        raise ValueError(f"{name} contains NaN or infinity, which would spread: replace them first (np.nan_to_num).")
    return array


def checked_kernel(kernel: Array, name: str = "the kernel", shape: str = "(kh, kw)") -> Array:
    """Return a checked kernel, (kh, kw) or the ``shape`` in words; whole numbers become float64."""
    if isinstance(kernel, np.ndarray) and kernel.dtype.kind in "iu":
        kernel = kernel.astype(np.float64)
    return checked(kernel, name, {shape.count(",") + 1: shape})


def options(size: object, stride: object, padding: object, dilation: object) -> tuple[Two, Two, Two, Two]:
    """Return size, stride, padding and dilation as pairs; ValueError names the one that is no whole number in range."""
    return pair(size, "size", 1), pair(stride, "stride", 1), pair(padding, "padding", 0), pair(dilation, "dilation", 1)


def refuse_large(size: int, what: str) -> None:
    """Raise ValueError when a copy of ``size`` bytes is over ``COPY_LIMIT``."""
    if size > COPY_LIMIT:
        raise ValueError(
            f"{what} would take {size / 2**30:.1f} GiB: take a larger stride or a smaller image, or conv_layer, which "
            "copies a part at a time."
        )


def _remedy(dtype: np.dtype) -> str:
    return "image.astype(np.float32) / 255" if dtype == np.uint8 else "image.astype(np.float32)"
