"""Patches are views, the patch matrix, and pooling against torch."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from helpers.filters import windows
from helpers.filters.convolve import global_average, im2col, patches, pool2d

torch.set_num_threads(1)


def test_patches_are_views_that_follow_the_image():
    image = np.zeros((28, 28), np.float32)
    cut = patches(image, 7, stride=7)
    assert cut.shape == (4, 4, 7, 7)
    assert np.shares_memory(cut, image)
    image[8, 15] = 5
    assert cut[1, 2, 1, 1] == 5
    assert not cut.flags.writeable
    assert patches(image, 7, stride=2).shape == (11, 11, 7, 7)
    padded = patches(image, 7, padding=3)
    assert padded.shape == (28, 28, 7, 7)
    assert not np.shares_memory(padded, image)
    assert padded[8, 15, 3, 3] == 5


@pytest.mark.parametrize("channels", [None, 1, 3])
def test_patches_hold_the_right_pixels(channels):
    rng = np.random.default_rng(0)
    image = rng.random((11, 13) if channels is None else (channels, 11, 13))
    stride, padding, dilation, (kh, kw) = (2, 3), (1, 2), (2, 1), (3, 4)
    frame = np.pad(image, [(0, 0)] * (image.ndim - 2) + [(1, 1), (2, 2)])
    for view, frame_view in ((image, frame), (image[..., ::-1, :], frame[..., ::-1, :])):
        cut = patches(view, (kh, kw), stride, padding, dilation)
        middle = () if channels is None else (channels,)
        assert cut.shape == (5, 5, *middle, kh, kw)
        for row, column in np.ndindex(5, 5):
            top, left = row * 2, column * 3
            np.testing.assert_array_equal(cut[row, column], frame_view[..., top : top + 5 : 2, left : left + 4])


@pytest.mark.parametrize("shape", [(9, 12), (3, 9, 12)])
def test_patch_matrix_is_torch_unfold(shape):
    image = np.random.default_rng(0).random(shape)
    stride, padding, dilation = (2, 1), (1, 0), (1, 2)
    matrix = im2col(image, (3, 2), stride, padding, dilation)
    batch = torch.tensor(image).reshape(1, -1, 9, 12)
    expected = functional.unfold(batch, (3, 2), dilation, padding, stride)[0].T.numpy()
    np.testing.assert_array_equal(matrix, expected)
    cut = patches(image, (3, 2), stride, padding, dilation)
    np.testing.assert_array_equal(matrix, cut.reshape(len(matrix), -1))
    assert not np.shares_memory(im2col(image, 1), image)
    matrix[:] = 0  # a copy, and writable


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 2, 3, (2, 3), (4, 1)])
@pytest.mark.parametrize("stride", [None, 1, 2, (3, 2)])
def test_pooling_equals_torch(size, stride, dtype):
    rng = np.random.default_rng(0)
    image = rng.standard_normal((2, 3, 11, 26)).astype(dtype)[..., ::-1, ::2]
    tensor = torch.tensor(image.copy())
    highest, mean = pool2d(image, size, stride), pool2d(image, size, stride, kind="average")
    assert highest.dtype == mean.dtype == dtype
    np.testing.assert_array_equal(highest, functional.max_pool2d(tensor, size, stride).numpy())
    np.testing.assert_allclose(mean, functional.avg_pool2d(tensor, size, stride).numpy(), atol=1e-6)
    np.testing.assert_array_equal(pool2d(image[0, 0], size, stride), highest[0, 0])


def test_pooling_by_hand():
    window = np.array([[1, 9], [5, 4]], np.float32)
    assert pool2d(window).tolist() == [[9]]
    assert pool2d(window, kind="average").tolist() == [[4.75]]
    assert window.tolist() == [[1, 9], [5, 4]]
    assert pool2d(np.zeros((200, 200))).shape == (100, 100)
    assert pool2d(np.zeros((11, 11))).shape == (5, 5)
    assert pool2d(-np.ones((2, 2))).tolist() == [[-1]]
    pool2d(window, 1)[:] = 0  # size 1 is a copy too
    assert window[0, 1] == 9


def test_global_average_of_a_stack_is_a_vector():
    maps = np.stack([np.full((4, 4), 5.0), np.arange(16.0).reshape(4, 4)])
    assert maps[0].sum() == 80
    assert global_average(maps).tolist() == [5, 7.5]
    assert global_average(maps[0]) == 5
    assert global_average(maps[None].astype(np.float32)).dtype == np.float32
    np.testing.assert_array_equal(global_average(maps), pool2d(maps, 4, kind="average")[:, 0, 0])


IMAGE = np.ones((6, 6))
CALLS = {
    "patches": lambda image: patches(image, 2),
    "im2col": lambda image: im2col(image, 2),
    "pool2d": pool2d,
    "global_average": global_average,
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize(
    ("image", "error", "words"),
    [
        (IMAGE.astype(int), TypeError, "the image holds int64"),
        (IMAGE.astype(bool), TypeError, "holds bool"),
        (IMAGE.astype(complex), TypeError, "holds complex128"),
        (IMAGE.tolist(), TypeError, "is a list"),
        (IMAGE * np.nan, ValueError, "contains NaN"),
        (IMAGE[0], ValueError, r"shape \(6,\)"),
        (IMAGE[:0], ValueError, "empty"),
    ],
)
def test_bad_images_are_named(call, image, error, words):
    with pytest.raises(error, match=words):
        call(image)


def test_bad_options_are_named(monkeypatch):
    with pytest.raises(ValueError, match=r"shape \(1, 1, 6, 6\): \(H, W\) or \(C, H, W\) is needed"):
        patches(IMAGE[None, None], 2)
    for call in (patches, im2col, pool2d):
        with pytest.raises(ValueError, match="spans 7 pixels does not fit into 6"):
            call(IMAGE, 7)
        with pytest.raises(ValueError, match="stride is 0"):
            call(IMAGE, 2, 0)
        with pytest.raises(ValueError, match=r"size is 2\.0"):
            call(IMAGE, 2.0)
    with pytest.raises(ValueError, match='choose "max" or "average"'):
        pool2d(IMAGE, kind="median")
    monkeypatch.setattr(windows, "COPY_LIMIT", 100)
    with pytest.raises(ValueError, match="the matrix of all patches would take"):
        im2col(IMAGE, 2)
