"""Gradient ascent on photographs: waves that add up to images, jolts that leave them whole, and nothing left behind."""

import math

import numpy as np
import pytest
import torch

from helpers.inside import photo_ascent
from helpers.network import photonet


@pytest.fixture(scope="module")
def network():
    return photonet.load()  # or its stand-in with random weights


def test_a_wave_is_a_wave_of_its_frequency_and_fine_ones_count_less():
    size = 32
    heights = []
    for cycles in (1, 4, 16):
        strengths = torch.zeros(1, 3, size, size // 2 + 1, 2)
        strengths[0, 0, 0, cycles, 0] = 1.0
        image = photo_ascent.painted(strengths)
        plain = torch.logit(image)
        x = torch.arange(size) * 2 * math.pi * cycles / size
        assert np.corrcoef(plain[0, 0, 0], torch.cos(x))[0, 1] > 0.999
        torch.testing.assert_close(plain[0, 0], plain[0, 0, :1].expand(size, size))  # the same in every row
        heights.append(float(plain[0, 0].abs().max() / (1 if cycles < size // 2 else 0.5)))
    np.testing.assert_allclose(np.array(heights) * [1, 4, 16], heights[0], rtol=1e-4)


def test_no_waves_are_gray_and_the_first_color_is_brightness():
    gray = photo_ascent.painted(torch.zeros(2, 3, 22, 12, 2))
    torch.testing.assert_close(gray, torch.full((2, 3, 22, 22), 0.5))
    strengths = torch.zeros(1, 3, 22, 12, 2)
    strengths[0, 0, 0, 1, 0] = 3.0
    red, green, blue = photo_ascent.painted(strengths)[0]
    assert red.std() > 0.1
    torch.testing.assert_close(red, blue, rtol=0, atol=0.02)
    torch.testing.assert_close(red, green, rtol=0, atol=0.02)


def test_the_start_is_the_same_for_every_count():
    three = photo_ascent.waves(3, 20)
    assert torch.equal(photo_ascent.waves(1, 20), three[:1])
    assert not torch.equal(photo_ascent.waves(1, 20, seed=1), three[:1])
    assert photo_ascent.painted(three).std() < 0.1


def test_a_jolt_moves_turns_and_scales_and_repeats_with_the_seed():
    images = torch.full((2, 3, 60, 60), 0.5)
    images[:, :, 28:33, 28:33] = 1.0
    seen = set()
    for seed in range(6):
        one, same = (photo_ascent.jolted(images, torch.Generator().manual_seed(seed)) for _ in range(2))
        assert torch.equal(one, same)
        assert one.shape == (2, 3, 60 + 24, 60 + 24)
        weight = one[0, 0] - 0.5
        rows, columns = ((weight.sum(1 - axis) * torch.arange(84.0)).sum() / weight.sum() for axis in (0, 1))
        assert 32 < rows < 52
        assert 32 < columns < 52
        assert 15 < weight.sum() / 0.5 < 35
        seen.add((round(float(rows)), round(float(columns))))
    assert len(seen) > 3


def test_classes_climb_and_leave_no_trace(network):
    state, weights = torch.get_rng_state(), [p.clone() for p in network.parameters()]
    network.train()
    steps = []
    found = photo_ascent.class_pictures(
        network, [309, 953], size=80, steps=8, watch=lambda step, x: steps.append((step, tuple(x.shape)))
    )
    assert network.training
    network.eval()
    assert torch.equal(torch.get_rng_state(), state)
    assert all(p.grad is None and torch.equal(p, w) for p, w in zip(network.parameters(), weights, strict=True))
    assert not any(m._forward_hooks for m in network.modules())
    assert found.images.shape == (2, 3, 80, 80)
    assert steps == [(i, (2, 3, 80, 80)) for i in range(1, 9)]
    assert found.history.shape == (8, 2)
    assert (found.scores > found.history[0]).all() or not network.trained
    with torch.no_grad():
        before_relu = network.part("classes")(found.images)[[0, 1], [309, 953]].mean((1, 2))
    torch.testing.assert_close(found.scores, before_relu, rtol=1e-4, atol=1e-3)


def test_a_class_alone_climbs_as_among_others(network):
    alone = photo_ascent.class_pictures(network, [309], size=80, steps=2)
    both = photo_ascent.class_pictures(network, [309, 953], size=80, steps=2)
    torch.testing.assert_close(alone.images[0], both.images[0], rtol=0, atol=5e-3)


def test_after_thirty_steps_the_network_sees_the_class(network):
    if not network.trained:
        pytest.skip("random weights know no classes")
    chosen = [photonet.number(name) for name in ("tarantula", "pineapple")]
    found = photo_ascent.class_pictures(network, chosen, size=84, steps=30)
    with torch.no_grad():
        assert network(found.images).argmax(1).tolist() == chosen


def test_the_stop_button_keeps_what_was_found(network):
    def stop(step, images):
        if step == 3:
            raise KeyboardInterrupt

    found = photo_ascent.class_pictures(network, [309], size=40, steps=50, watch=stop)
    assert len(found.history) == 3
    assert torch.equal(found.images, photo_ascent.class_pictures(network, [309], size=40, steps=3).images)


@pytest.mark.parametrize("options", [{"steps": 0}, {"lr": 0}, {"size": 20}, {"size": 81}])
def test_bad_numbers_are_named(network, options):
    with pytest.raises(ValueError, match="steps must be at least 1"):
        photo_ascent.class_pictures(network, [3], **options)


@pytest.mark.parametrize("classes", [[], [1000], [-1], [0.5]])
def test_a_class_that_the_network_does_not_have(network, classes):
    with pytest.raises(ValueError, match="has the classes 0 to 999"):
        photo_ascent.class_pictures(network, classes, steps=1)
