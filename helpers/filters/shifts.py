"""How much a representation of an image changes when the image is moved."""

from __future__ import annotations

import numpy as np


def change(before: np.ndarray, after: np.ndarray) -> float:
    """How much of a representation is another one after a shift, from 0 (the same) to 1 (nothing in common).

    The sum of |before − after|, divided by the sum of |before| + |after|; 0 when both are zero but for rounding.
    """
    whole = np.abs(before).sum() + np.abs(after).sum()
    return float(np.abs(before - after).sum() / whole) if whole > 1e-6 else 0.0
