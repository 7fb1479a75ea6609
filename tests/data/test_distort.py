"""Turned, moved, scaled, noisy: held against exact cases and SciPy."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from helpers.data import distort


@pytest.fixture
def images():
    torch.manual_seed(3)
    return torch.rand(4, 2, 11, 11, dtype=torch.float64)


@pytest.mark.parametrize("quarter", [-1, 0, 1, 2, 3])
def test_quarter_turns_are_exact_and_counterclockwise(images, quarter):
    torch.testing.assert_close(distort.rotate(images, 90.0 * quarter), torch.rot90(images, quarter, (2, 3)))


@pytest.mark.parametrize(("height", "width"), [(11, 11), (12, 17)])
def test_any_angle_agrees_with_scipy_inside(height, width):
    image = torch.rand(1, 1, height, width, dtype=torch.float64)
    theirs = ndimage.rotate(image[0, 0].numpy(), 23.0, reshape=False, order=1, mode="grid-constant")
    ours = distort.rotate(image, 23.0)[0, 0].numpy()
    np.testing.assert_allclose(ours[3:-3, 3:-3], theirs[3:-3, 3:-3], atol=1e-12)


def test_whole_pixels_move_exactly_and_black_comes_in(images):
    moved = distort.shift(images, right=2, down=-3)
    torch.testing.assert_close(moved[:, :, :-3, 2:], images[:, :, 3:, :-2])
    assert moved[:, :, -3:].abs().max() < 1e-12
    assert moved[:, :, :, :2].abs().max() < 1e-12


def test_half_a_pixel_is_the_mean_of_two(images):
    moved = distort.shift(images, right=0.5)
    torch.testing.assert_close(moved[..., 1:], (images[..., 1:] + images[..., :-1]) / 2)


def test_scale_agrees_with_scipy_and_keeps_the_middle(images):
    for factor in (0.6, 1.7):
        ours = distort.scale(images, factor)
        assert torch.allclose(ours[:, :, 5, 5], images[:, :, 5, 5])
        theirs = ndimage.affine_transform(
            images[0, 0].numpy(), [1 / factor] * 2, offset=5 - 5 / factor, order=1, mode="grid-constant"
        )
        np.testing.assert_allclose(ours[0, 0].numpy(), theirs, atol=1e-12)


def test_each_image_can_have_an_amount_of_its_own(images):
    angles = torch.tensor([0.0, 10.0, -40.0, 170.0])
    together = distort.rotate(images.transpose(2, 3), angles)
    alone = torch.cat([distort.rotate(images.transpose(2, 3)[i : i + 1], a) for i, a in enumerate(angles)])
    torch.testing.assert_close(together, alone)


def test_many_images_at_a_time_are_as_few(images, monkeypatch):
    angles = torch.tensor([0.0, 10.0, -40.0, 170.0])
    whole = distort.warp(images, angles, factor=0.8, right=angles / 50, down=1.0)
    monkeypatch.setattr(distort, "CHUNK", 3)
    torch.testing.assert_close(distort.warp(images, angles, factor=0.8, right=angles / 50, down=1.0), whole)
    assert distort.rotate(images[:0], 10.0).shape == (0, 2, 11, 11)


def test_turn_scale_and_shift_in_one_go_are_the_three_in_this_order():
    blob = torch.zeros(1, 1, 41, 41, dtype=torch.float64)
    y, x = torch.meshgrid(torch.arange(41.0), torch.arange(41.0), indexing="ij")
    blob[0, 0] = torch.exp(-((x - 26) ** 2 + (y - 20) ** 2) / 18)
    once = distort.warp(blob, degrees=90, factor=1.5, right=4, down=3)[0, 0]
    at = divmod(int(once.argmax()), 41)
    assert at == (20 - 9 + 3, 20 + 4)  # 6 to the right, turned up, 6·1.5 = 9 above the middle, then moved


def test_noise_has_its_deviation_repeats_and_stays_in_range():
    gray = torch.full((1, 1, 200, 200), 0.5)
    noisy = distort.noise(gray, 0.1, seed=1)
    assert noisy.std().item() == pytest.approx(0.1, rel=0.02)
    assert torch.equal(noisy, distort.noise(gray, 0.1, seed=1))
    assert not torch.equal(noisy, distort.noise(gray, 0.1, seed=2))
    assert distort.noise(gray, 5.0).min() == 0
    assert torch.equal(distort.noise(gray, 0.0), gray)


def test_random_turns_stay_within_their_limits():
    images = torch.zeros(200, 1, 21, 21)
    images[:, :, 10, 20] = 1  # at the right edge, in the middle row
    turned = distort.random_turns(images, 30, seed=5)
    assert torch.equal(turned, distort.random_turns(images, 30, seed=5))
    mass = turned.sum((0, 1))
    rows = torch.nonzero(mass.sum(1) > 1e-6)[:, 0]
    assert rows.min() >= 4
    assert rows.max() <= 16
    assert len(rows) > 6


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: distort.rotate(x[0], 3), r"\(N, C, H, W\)"),
        (lambda x: distort.rotate(x, [1.0, 2.0]), "one angle or one for each of 4"),
        (lambda x: distort.scale(x, 0.0), "above 0"),
        (lambda x: distort.noise(x, -0.1), "at least 0"),
    ],
)
def test_what_does_not_fit_is_named(images, change, words):
    with pytest.raises(ValueError, match=words):
        change(images)
