"""Correlation, the layer and its gradients against torch, SciPy and autograd on random settings; what is refused."""

import tracemalloc

import numpy as np
import pytest
import torch
from scipy import ndimage, signal
from torch.nn import functional

from helpers.filters import conv_layer, convolve

torch.set_num_threads(1)
TOLERANCE = {np.float32: 2e-5, np.float64: 1e-11}


def settings(seed):
    """One random (image shape, kernel shape, stride, padding, dilation) in which at least one window fits."""
    rng = np.random.default_rng(seed)
    while True:
        (height, width), (kh, kw) = rng.integers(4, 17, 2), rng.integers(1, 6, 2)
        stride, padding, dilation = (tuple(map(int, rng.integers(low, 4, 2))) for low in (1, 0, 1))
        fits = [
            n + 2 * p > d * (k - 1) for n, k, p, d in zip((height, width), (kh, kw), padding, dilation, strict=True)
        ]
        if all(fits):
            return rng, (int(height), int(width)), (int(kh), int(kw)), stride, padding, dilation


def awkward(array, rng):
    """The same numbers in a memory layout that is not contiguous: strided, transposed, or running backward."""
    kind = rng.integers(4)
    if kind == 0:
        spread = np.full((*array.shape[:-1], 2 * array.shape[-1]), 7, array.dtype)
        spread[..., ::2] = array
        return spread[..., ::2]
    if kind == 1:
        return array.swapaxes(-1, -2).copy().swapaxes(-1, -2)
    if kind == 2:
        return array[..., ::-1, ::-1].copy()[..., ::-1, ::-1]
    return array


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_correlation_equals_torch(dtype):
    for seed in range(40):
        rng, shape, size, stride, padding, dilation = settings(seed)
        image, kernel = rng.standard_normal(shape).astype(dtype), rng.standard_normal(size).astype(dtype)
        expected = functional.conv2d(
            torch.tensor(image)[None, None], torch.tensor(kernel)[None, None], None, stride, padding, dilation
        )[0, 0].numpy()
        before = image.copy()
        response = convolve.correlate2d(awkward(image, rng), awkward(kernel, rng), stride, padding, dilation)
        assert response.dtype == dtype
        np.testing.assert_allclose(response, expected, atol=TOLERANCE[dtype])
        np.testing.assert_array_equal(image, before)


def test_correlation_and_convolution_equal_scipy():
    rng = np.random.default_rng(0)
    image, kernel = rng.random((40, 31)), rng.standard_normal((5, 4))
    response = convolve.correlate2d(image, kernel)
    np.testing.assert_allclose(response, signal.correlate2d(image, kernel, mode="valid"), atol=1e-12)
    np.testing.assert_allclose(
        convolve.convolve2d(image, kernel), signal.convolve2d(image, kernel, mode="valid"), atol=1e-12
    )
    odd = rng.standard_normal((3, 5))
    np.testing.assert_allclose(
        convolve.correlate2d(image, odd, padding=(1, 2)),
        ndimage.correlate(image, odd, mode="constant"),
        atol=1e-12,
    )


def test_by_hand():
    image = np.arange(16, dtype=np.float32).reshape(4, 4)
    kernel = np.array([[1, 0], [0, -1]])  # whole numbers are welcome in a kernel
    response = convolve.correlate2d(image, kernel)
    assert response.tolist() == [[-5.0] * 3] * 3
    assert response.dtype == np.float32
    assert convolve.convolve2d(image, kernel).tolist() == [[5.0] * 3] * 3
    assert convolve.correlate2d(image, kernel, stride=3).shape == (1, 1)
    assert convolve.correlate2d(image, kernel, dilation=3).tolist() == [[-15.0]]


def test_a_large_image_is_worked_through_a_part_at_a_time():
    image, kernel = np.random.default_rng(0).random((1200, 900), np.float32), np.ones((7, 5), np.float32)
    tracemalloc.start()
    response = convolve.correlate2d(image, kernel)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * image.nbytes + 2 * conv_layer.COLUMNS_AT_ONCE  # all patches at once are 35 times the image
    np.testing.assert_allclose(response, signal.correlate2d(image, kernel, mode="valid"), rtol=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layer_equals_torch(dtype, monkeypatch):
    for seed in range(40):
        rng, shape, size, stride, padding, dilation = settings(seed)
        count, channels, filters = map(int, rng.integers(1, 5, 3))
        monkeypatch.setattr(
            conv_layer, "COLUMNS_AT_ONCE", int(rng.choice([1, 5_000, 2**22]))
        )  # all the ways to cut the work
        images = rng.standard_normal((count, channels, *shape)).astype(dtype)
        weights = rng.standard_normal((filters, channels, *size)).astype(dtype)
        bias = None if seed % 3 == 0 else rng.standard_normal(filters).astype(dtype)
        expected = functional.conv2d(
            *(None if a is None else torch.tensor(a) for a in (images, weights, bias)), stride, padding, dilation
        )
        maps = convolve.conv_layer(awkward(images, rng), awkward(weights, rng), bias, stride, padding, dilation)
        assert maps.dtype == dtype
        np.testing.assert_allclose(maps, expected.numpy(), atol=5 * TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_backward_equals_autograd(dtype):
    for seed in range(40):
        rng, shape, size, stride, padding, dilation = settings(seed)
        count, channels, filters = map(int, rng.integers(1, 5, 3))
        images = rng.standard_normal((count, channels, *shape)).astype(dtype)
        weights = rng.standard_normal((filters, channels, *size)).astype(dtype)
        tensors = [torch.tensor(a, requires_grad=True) for a in (images, weights, np.zeros(filters, dtype))]
        maps = functional.conv2d(*tensors, stride, padding, dilation)
        grad_output = rng.standard_normal(maps.shape).astype(dtype)
        maps.backward(torch.tensor(grad_output))
        gradients = convolve.conv_layer_backward(
            awkward(grad_output, rng), awkward(images, rng), awkward(weights, rng), stride, padding, dilation
        )
        for ours, tensor in zip(gradients, tensors, strict=True):
            assert ours.dtype == dtype
            np.testing.assert_allclose(ours, tensor.grad.numpy(), atol=20 * TOLERANCE[dtype])


def test_layer_of_one_filter_is_the_sum_of_channel_maps():
    rng = np.random.default_rng(0)
    image, kernel = rng.random((3, 12, 10)), rng.standard_normal((3, 3, 3))
    per_channel = [convolve.correlate2d(image[c], kernel[c]) for c in range(3)]
    np.testing.assert_allclose(convolve.conv_layer(image[None], kernel[None])[0, 0], sum(per_channel), atol=1e-12)


def test_matrix_is_the_correlation_and_its_transpose_the_gradient():
    rng = np.random.default_rng(0)
    for shape, size in [((6, 5), (3, 2)), ((4, 9), (1, 4)), ((5, 5), (5, 5))]:
        image, kernel = rng.standard_normal(shape), rng.standard_normal(size)
        matrix = convolve.conv_matrix(kernel, shape)
        response = convolve.correlate2d(image, kernel)
        assert matrix.shape == (response.size, image.size)
        np.testing.assert_allclose(matrix @ image.ravel(), response.ravel(), atol=1e-12)
        grad = rng.standard_normal(response.shape)
        back = convolve.conv_layer_backward(grad[None, None], image[None, None], kernel[None, None])
        np.testing.assert_allclose(matrix.T @ grad.ravel(), back.images.ravel(), atol=1e-12)


def test_matrix_is_toeplitz_in_one_row():
    matrix = convolve.conv_matrix(np.array([[1, 2, 3]]), (1, 5))
    assert matrix.tolist() == [[1, 2, 3, 0, 0], [0, 1, 2, 3, 0], [0, 0, 1, 2, 3]]
    with pytest.raises(ValueError, match="GiB"):
        convolve.conv_matrix(np.ones((3, 3)), (512, 512))


GOOD = np.ones((6, 6), np.float32)
KERNEL = np.ones((3, 3), np.float32)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (dict(image=GOOD.astype(int)), TypeError, r"the image holds int64 .*float32 or float64"),
        (dict(image=GOOD.astype(np.uint8)), TypeError, r"holds uint8 .*/ 255"),
        (dict(image=GOOD.astype(bool)), TypeError, "holds bool"),
        (dict(image=GOOD.astype(complex)), TypeError, "holds complex128"),
        (dict(image=GOOD.astype(np.float16)), TypeError, "holds float16"),
        (dict(image=GOOD.tolist()), TypeError, r"the image is a list: give a NumPy array"),
        (dict(image=torch.ones(6, 6)), TypeError, r"is a Tensor: .*tensor\.numpy"),
        (dict(image=None), TypeError, "is a NoneType"),
        (dict(image=np.ma.masked_array(GOOD)), TypeError, "is a MaskedArray"),
        (dict(image=np.where(np.eye(6), np.nan, 1)), ValueError, "the image contains NaN or infinity"),
        (dict(image=np.where(np.eye(6), -np.inf, 1)), ValueError, "the image contains NaN or infinity"),
        (dict(image=np.ones((6, 6, 3))), ValueError, r"shape \(6, 6, 3\): one gray image \(H, W\) is needed"),
        (dict(image=np.ones(6)), ValueError, r"shape \(6,\)"),
        (dict(image=np.ones((0, 6))), ValueError, "empty"),
        (dict(kernel=[[1, 2], [3, 4]]), TypeError, "the kernel is a list"),
        (dict(kernel=KERNEL > 0), TypeError, "the kernel holds bool"),
        (dict(kernel=KERNEL * np.nan), ValueError, "the kernel contains NaN"),
        (dict(kernel=np.ones((1, 1, 3, 3))), ValueError, r"the kernel has shape .*\(kh, kw\) is needed"),
        (dict(kernel=np.ones((0, 3))), ValueError, "empty"),
        (dict(kernel=np.ones((7, 1))), ValueError, r"spans 7 pixels does not fit into 6"),
        (dict(kernel=np.ones((3, 1)), dilation=3), ValueError, r"spans 7 pixels does not fit into 6"),
        (dict(stride=0), ValueError, "stride is 0: give a whole number, 1 or more"),
        (dict(stride=-1), ValueError, "stride is -1"),
        (dict(stride=1.5), ValueError, r"stride is 1\.5"),
        (dict(stride=True), ValueError, "stride is True"),
        (dict(stride=(1, 2, 3)), ValueError, r"stride is \(1, 2, 3\): .*\(rows, columns\)"),
        (dict(stride="2"), ValueError, "stride is '2'"),
        (dict(padding=-1), ValueError, "padding is -1: give a whole number, 0 or more"),
        (dict(dilation=0), ValueError, "dilation is 0"),
    ],
)
def test_bad_input_is_named_in_one_sentence(arguments, error, words):
    with pytest.raises(error, match=words) as caught:
        convolve.correlate2d(**({"image": GOOD, "kernel": KERNEL} | arguments))
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")
    assert len(str(caught.value)) < 220


def test_large_finite_numbers_are_not_taken_for_infinity():
    image = np.full((4, 4), 1e30, np.float32)  # its squares overflow
    np.testing.assert_allclose(convolve.correlate2d(image, KERNEL), np.full((2, 2), 9e30), rtol=1e-5)


def test_bad_input_of_the_layer():
    images, weights = np.ones((2, 3, 6, 6)), np.ones((4, 3, 3, 3))
    with pytest.raises(ValueError, match="images have 3 channels and weights 2"):
        convolve.conv_layer(images, weights[:, :2])
    with pytest.raises(ValueError, match=r"images has shape \(3, 6, 6\): \(N, C, H, W\)"):
        convolve.conv_layer(images[0], weights)
    with pytest.raises(ValueError, match=r"weights has shape \(3, 3\)"):
        convolve.conv_layer(images, KERNEL)
    with pytest.raises(ValueError, match="bias has 3 numbers for 4 filters"):
        convolve.conv_layer(images, weights, np.ones(3))
    with pytest.raises(ValueError, match="the bias contains NaN"):
        convolve.conv_layer(images, weights, np.full(4, np.nan))
    with pytest.raises(TypeError, match="images holds int64"):
        convolve.conv_layer(images.astype(int), weights)
    with pytest.raises(ValueError, match="does not fit"):
        convolve.conv_layer(images[..., :2], weights)
    with pytest.raises(ValueError, match=r"maps of shape \(2, 4, 4, 4\)"):
        convolve.conv_layer_backward(np.ones((2, 4, 5, 5)), images, weights)
    with pytest.raises(ValueError, match="image_shape is 5"):
        convolve.conv_matrix(KERNEL, 5)
    with pytest.raises(ValueError, match="does not fit"):
        convolve.conv_matrix(KERNEL, (2, 5))
