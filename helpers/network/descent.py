"""Gradient descent with momentum on two slopes that can be drawn: one with a hump, one that is a narrow valley."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

#: Curvature of the valley along its floor and across it.
FLAT, STEEP = 0.1, 17.0


def hump(x: Any) -> Any:
    """Height of the slope: downhill to x = 4, with a hump at x = 2 in the way."""
    x = np.asarray(x, dtype=float)
    return 0.5 * (0.1 * (x - 4) ** 2 + 0.45 * np.exp(-((x - 2) ** 2) / (2 * 0.35**2)))


def hump_gradient(x: Any) -> Any:
    """Slope of :func:`hump`."""
    x = np.asarray(x, dtype=float)
    return 0.5 * (0.2 * (x - 4) - 0.45 * (x - 2) / 0.35**2 * np.exp(-((x - 2) ** 2) / (2 * 0.35**2)))


def valley(place: Any) -> Any:
    """Height of the valley at a place (..., 2): flat along the first axis, 170 times as steep along the second."""
    place = np.asarray(place, dtype=float)
    return 0.5 * (FLAT * place[..., 0] ** 2 + STEEP * place[..., 1] ** 2)


def valley_gradient(place: Any) -> Any:
    """Gradient (..., 2) of :func:`valley`."""
    return np.asarray(place, dtype=float) * np.array([FLAT, STEEP])


def descend(gradient: Callable[[Any], Any], start: Any, lr: float, beta: float, steps: int) -> np.ndarray:
    """The places (steps + 1, ...) that gradient descent with momentum visits, as ``torch.optim.SGD`` does.

    Every step is ``move = beta · move + gradient``, then ``place = place − lr · move`` (Polyak, 1964).

    Raises:
        ValueError: if ``beta`` is not in [0, 1) or ``lr`` is not above 0.
    """
    if not 0 <= beta < 1 or lr <= 0:
        raise ValueError(f"beta lies from 0 up to, but not including, 1, and lr above 0; got {beta} and {lr}.")
    place = np.asarray(start, dtype=float)
    move, places = np.zeros_like(place), [place]
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(steps):
            move = beta * move + gradient(place)
            place = place - lr * move
            places.append(place)
    return np.array(places)
