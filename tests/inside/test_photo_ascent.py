"""Gradient ascent on photographs: steps of one length, the way a linear score points, and nothing left behind."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from helpers.inside import photo_ascent
from helpers.network import photonet

PLAIN = {"shift": 0, "blur_every": 0}


@pytest.fixture(scope="module")
def network():
    return photonet.load()  # or its stand-in with random weights


def test_every_step_has_the_length_that_was_asked_for_and_goes_along_the_gradient():
    torch.manual_seed(0)
    slopes, start = torch.randn(2, 3, 20, 30), torch.full((2, 3, 20, 30), 0.5)
    found = photo_ascent.climb(lambda x: (slopes * x).sum((1, 2, 3)), start, steps=3, step=0.01, frames=4, **PLAIN)
    for before, after in zip(found.frames, found.frames[1:], strict=False):
        change = (after - before).flatten(1)
        torch.testing.assert_close(change.square().mean(1).sqrt(), torch.full((2,), 0.01))
        torch.testing.assert_close(torch.cosine_similarity(change, slopes.flatten(1)), torch.ones(2))
    assert found.steps == [0, 1, 2, 3]
    assert torch.equal(found.frames[0], start)
    assert torch.equal(found.frames[-1], found.images)
    assert found.history.shape == (4, 2)
    assert (found.history.diff(dim=0) > 0).all()
    torch.testing.assert_close(found.scores, found.history[-1])
    assert start.eq(0.5).all()


def test_shifts_are_undone_and_repeat_with_the_seed():
    """A score of the mean has the same slope wherever the image is moved; one of a corner visits its neighborhood."""
    start = torch.full((1, 3, 40, 40), 0.5)
    plain, moved = (
        photo_ascent.climb(lambda x: x.mean((1, 2, 3)), start, steps=4, shift=shift, blur_every=0) for shift in (0, 5)
    )
    torch.testing.assert_close(moved.images, plain.images)

    def corner(x):
        return x[:, :, 20, 20].sum(1)

    one, same, other = (
        photo_ascent.climb(corner, start, steps=40, step=0.001, shift=3, blur_every=0, seed=seed) for seed in (0, 0, 1)
    )
    assert torch.equal(one.images, same.images)
    assert not torch.equal(one.images, other.images)
    rows, columns = (one.images[0, 0] != 0.5).nonzero(as_tuple=True)
    for places in (rows, columns):
        assert 17 <= places.min() < 20 < places.max() <= 23


def test_images_stay_in_the_range_and_a_score_without_a_slope_moves_nothing():
    start = torch.rand(1, 3, 16, 16)
    loud = photo_ascent.climb(lambda x: x.sum((1, 2, 3)), start, steps=5, step=1, **PLAIN)
    assert loud.images.eq(1).all()
    still = photo_ascent.climb(lambda x: (0 * x).sum((1, 2, 3)), start, steps=2, **PLAIN)
    assert torch.equal(still.images, start)
    seen = []
    photo_ascent.climb(lambda x: x.sum((1, 2, 3)), start, steps=3, watch=lambda step, x: seen.append(step))
    assert seen == [1, 2, 3]


@pytest.mark.parametrize("deviation", [0.5, 1.0, 2.0])
def test_the_blur_is_a_gaussian(deviation):
    images = torch.rand(2, 3, 24, 31, dtype=torch.float64)
    wanted = gaussian_filter(images.numpy(), (0, 0, deviation, deviation), mode="nearest", truncate=3)
    np.testing.assert_allclose(photo_ascent.blurred(images, deviation).numpy(), wanted, atol=1e-12)
    assert photo_ascent.blurred(images, 0) is images


def test_stretched_images_fill_the_range():
    images = 0.4 + 0.1 * torch.rand(2, 3, 50, 50)
    wide = photo_ascent.stretched(images)
    assert wide.flatten(1).amin(1).eq(0).all()
    assert wide.flatten(1).amax(1).eq(1).all()
    assert (wide == 0).float().mean() < 0.02
    order = images[0].flatten().argsort()
    assert (wide[0].flatten()[order].diff() >= 0).all()
    assert torch.isfinite(photo_ascent.stretched(torch.full((1, 3, 9, 9), 0.3))).all()


def test_gray_noise_is_the_same_for_every_count():
    three = photo_ascent.gray_noise(3, 20)
    assert three.shape == (3, 3, 20, 20)
    assert torch.equal(photo_ascent.gray_noise(1, 20), three[:1])
    assert three.std() == pytest.approx(6 / 255, rel=0.1)
    assert three.mean() == pytest.approx(0.5, abs=0.01)
    assert not torch.equal(photo_ascent.gray_noise(1, 20, seed=1), three[:1])


def test_classes_climb_and_leave_no_trace(network):
    state, weights = torch.get_rng_state(), [p.clone() for p in network.parameters()]
    network.train()
    found = photo_ascent.class_pictures(network, [309, 953], size=80, steps=8)
    assert network.training
    network.eval()
    assert torch.equal(torch.get_rng_state(), state)
    assert all(p.grad is None and torch.equal(p, w) for p, w in zip(network.parameters(), weights, strict=True))
    assert not any(m._forward_hooks for m in network.modules())
    assert found.images.shape == (2, 3, 80, 80)
    assert (found.scores > found.history[0]).all() or not network.trained
    with torch.no_grad():
        before_relu = network.part("classes")(found.images)[[0, 1], [309, 953]].mean((1, 2))
    torch.testing.assert_close(found.scores, before_relu, rtol=1e-4, atol=1e-4)
    alone = photo_ascent.class_pictures(network, [309], size=80, steps=1)
    both = photo_ascent.class_pictures(network, [309, 953], size=80, steps=1)
    torch.testing.assert_close(alone.images[0], both.images[0], rtol=0, atol=1e-3)


def test_after_thirty_steps_the_network_sees_the_class(network):
    if not network.trained:
        pytest.skip("random weights know no classes")
    chosen = [photonet.number(name) for name in ("tarantula", "pineapple")]
    found = photo_ascent.class_pictures(network, chosen, size=83, steps=30)
    with torch.no_grad():
        assert network(found.images).argmax(1).tolist() == chosen


@pytest.mark.parametrize("options", [{"steps": 0}, {"step": 0}, {"shift": -1}, {"blur_every": -1}, {"deviation": -0.5}])
def test_bad_numbers_are_named(options):
    with pytest.raises(ValueError, match="steps must be at least 1"):
        photo_ascent.climb(lambda x: x.sum((1, 2, 3)), torch.rand(1, 3, 9, 9), **options)


@pytest.mark.parametrize("classes", [[], [1000], [-1], [0.5]])
def test_a_class_that_the_network_does_not_have(network, classes):
    with pytest.raises(ValueError, match="has the classes 0 to 999"):
        photo_ascent.class_pictures(network, classes, steps=1)
