"""Recover a filter from what it does: gradient descent on images and responses alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from helpers.filters.windows import im2col

#: Steps at which the filter is kept: dense in the beginning, where most happens.
STEPS = (
    *(0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100),
    *(120, 150, 200, 250, 300, 400, 500, 600, 800, 1000, 1500, 2000),
)


def recover(
    images: Any, target: Any, rate: float = 1.0, noise: float = 0.0, steps: Sequence[int] = STEPS, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Learn a filter by gradient descent from its responses on images; returns what it was and how wrong, at steps.

    The loss is the mean squared difference between the responses of the two filters. It is quadratic in the weights,
    so the sums over all patches are made once, and every step costs one product of a small matrix.

    Args:
        images: (N, H, W).
        target: the filter to recover, (k, k).
        rate: learning rate.
        noise: standard deviation of what is added to each response.
        steps: the steps to report, growing from 0 on.
        seed: of the first guess and of the noise.

    Returns:
        Filters (len(steps), k, k) and losses (len(steps),); they are infinite where the descent ran away.

    Raises:
        ValueError: if the target is not one square filter, or larger than the images.
    """
    target = np.asarray(target, dtype=float)
    if target.ndim != 2 or target.shape[0] != target.shape[1]:
        raise ValueError(f"The target is one square filter (k, k); this one has the shape {target.shape}.")
    size = len(target)
    patches = np.concatenate([im2col(image, size) for image in np.asarray(images, dtype=float)])
    chance = np.random.default_rng(seed)
    weights = chance.normal(scale=0.3, size=size * size)
    wanted = (
        patches @ target.ravel() + chance.normal(scale=noise, size=len(patches)) if noise else patches @ target.ravel()
    )
    second, first = patches.T @ patches / len(patches), patches.T @ wanted / len(patches)
    constant = float(wanted @ wanted) / len(patches)
    filters, losses = [], []
    with np.errstate(over="ignore", invalid="ignore"):
        for step in range(steps[-1] + 1):
            if step in steps:
                filters.append(weights.reshape(size, size).copy())
                losses.append(max(float(weights @ second @ weights - 2 * weights @ first + constant), 0.0))
            weights = weights - rate * 2 * (second @ weights - first)  # the gradient, a sum over all patches
    losses = np.nan_to_num(np.array(losses), nan=np.inf)
    return np.array(filters), losses
