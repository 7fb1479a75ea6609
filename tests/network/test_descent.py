"""Gradient descent with momentum: its path against PyTorch and a closed form, and what the lesson says of it."""

import numpy as np
import pytest
import torch

from helpers.network.descent import descend, hump, hump_gradient, valley, valley_gradient


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
def test_the_path_is_that_of_pytorch(beta):
    place = torch.tensor([-4.0, 0.75], dtype=torch.float64, requires_grad=True)
    stepper = torch.optim.SGD([place], lr=0.07, momentum=beta)
    visited = [place.detach().clone()]
    for _ in range(30):
        stepper.zero_grad()
        (0.5 * (0.1 * place[0] ** 2 + 17 * place[1] ** 2)).backward()
        stepper.step()
        visited.append(place.detach().clone())
    np.testing.assert_allclose(descend(valley_gradient, (-4.0, 0.75), 0.07, beta, 30), torch.stack(visited), atol=1e-12)


def test_on_a_steady_slope_the_step_grows_to_one_over_one_minus_beta():
    places = descend(lambda x: np.ones_like(x), 0.0, 0.1, 0.9, 300)
    assert places[-2] - places[-1] == pytest.approx(0.1 / (1 - 0.9))


def test_a_step_is_the_sum_of_all_steps_so_far_with_powers_of_beta():
    gradients = np.random.default_rng(0).normal(size=12)
    feed = iter(gradients)
    places = descend(lambda x: next(feed), 0.0, 1.0, 0.7, 12)
    last = places[-2] - places[-1]
    assert last == pytest.approx(sum(0.7**k * gradients[11 - k] for k in range(12)))


def test_slopes_belong_to_their_heights():
    x = np.linspace(-1, 7, 50)
    np.testing.assert_allclose(hump_gradient(x), (hump(x + 1e-6) - hump(x - 1e-6)) / 2e-6, atol=1e-6)
    place = np.array([1.3, -0.4])
    nudged = [(valley(place + d) - valley(place - d)) / 2e-6 for d in np.eye(2) * 1e-6]
    np.testing.assert_allclose(valley_gradient(place), nudged, atol=1e-6)


@pytest.mark.parametrize(("beta", "past"), [(0.0, False), (0.5, False), (0.8, False), (0.9, True)])
def test_only_enough_momentum_carries_the_ball_over_the_hump(beta, past):
    assert (descend(hump_gradient, 0.0, 0.1, beta, 120)[-1] > 2) == past


def test_momentum_reaches_the_middle_of_the_valley_sooner():
    ends = [np.hypot(*descend(valley_gradient, (-4, 0.75), 0.1, beta, 60)[-1]) for beta in (0.0, 0.9)]
    assert ends[1] < ends[0] / 5


@pytest.mark.parametrize(("lr", "beta"), [(0.1, 1.0), (0.1, -0.1), (0.0, 0.5)])
def test_values_that_make_no_sense_are_refused_with_a_sentence(lr, beta):
    with pytest.raises(ValueError, match="beta lies"):
        descend(valley_gradient, (1, 1), lr, beta, 3)
