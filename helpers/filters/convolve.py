"""Everything that looks through a window, under one name: correlation, the convolutional layer, pooling, sizes.

``correlate2d`` slides a kernel over one gray image; ``conv_layer`` is the layer of a network. The results are those of
``torch.nn.functional.conv2d``, in the image's own float32 or float64. Lessons write ``convolve.`` before all of these
names; they are defined in ``filters.conv_layer``, ``filters.windows`` (patches, pooling) and ``filters.geometry``
(output sizes, receptive fields).

Every function refuses, with one sentence (TypeError for the wrong kind of array, ValueError for the rest), an image
that is not a finite float32 or float64 array, the wrong number of dimensions or channels, a stride below 1, a kernel
that does not fit. A kernel may also hold whole numbers.
"""

import numpy as np

from helpers.filters.conv_layer import Gradients, conv_layer, conv_layer_backward, conv_matrix
from helpers.filters.geometry import Pair, ReceptiveField, leftover, output_size, receptive_field
from helpers.filters.windows import checked, checked_kernel, global_average, im2col, patches, pool2d

Array = np.ndarray

__all__ = [
    "Gradients", "ReceptiveField", "conv_layer", "conv_layer_backward", "conv_matrix", "convolve2d", "correlate2d",
    "global_average", "im2col", "leftover", "output_size", "patches", "pool2d", "receptive_field",
]  # fmt: skip


def correlate2d(image: Array, kernel: Array, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1) -> Array:
    """Return the feature map of one gray image under one kernel.

    Output (r, c) is the sum of the kernel times the window at (r·stride, c·stride) of the padded image. It is the layer
    with one channel and one filter, and computed as such: a matrix of patches, a few rows at a time, times the weights.

    Args:
        image: (H, W), float32 or float64.
        kernel: (kh, kw).
        stride: pixels from one window to the next, one number or (rows, columns), as the next two.
        padding: rows and columns of zeros on each side.
        dilation: pixels from one sample of a window to the next.

    Returns:
        (H', W'), the ``output_size`` of H and W, in the image's dtype.
    """
    image = checked(image, "the image", {2: "one gray image (H, W)"})
    kernel = checked_kernel(kernel)
    return conv_layer(image[None, None], kernel[None, None], None, stride, padding, dilation)[0, 0]


def convolve2d(image: Array, kernel: Array, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1) -> Array:
    """Return the mathematical convolution: correlation with the kernel rotated by 180° (both axes flipped).

    Shapes and errors as in ``correlate2d``. Networks learn their weights, so they skip the flip and keep the name.
    """
    return correlate2d(image, checked_kernel(kernel)[::-1, ::-1], stride, padding, dilation)
