"""Softmax and dropout as the formulas they are, in NumPy, so that every step of them can be drawn."""

from __future__ import annotations

import numpy as np


def softmax(logits: np.ndarray, temperature: float = 1.0, safe: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Exponentials and probabilities (K,) of logits (K,), in the precision of the logits.

    Args:
        logits: (K,).
        temperature: divides the logits.
        safe: subtract the largest logit first; without it large logits overflow to infinities and NaN.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"):
        exponentials = np.exp((logits - logits.max() * safe) / logits.dtype.type(temperature))
        return exponentials, exponentials / exponentials.sum()


def dropout(values: np.ndarray, p: float, seed: int | list[int]) -> tuple[np.ndarray, np.ndarray]:
    """One pass of dropout in training mode: which units are on (H,), and what leaves the layer (H,).

    Args:
        values: of the hidden units, (H,).
        p: probability of being off; survivors are multiplied by 1 / (1 − p).
        seed: the same seed switches off the same units.
    """
    on = np.random.default_rng(seed).random(len(values)) >= p
    return on, values * on / (1 - p)
