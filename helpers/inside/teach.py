"""Teach new classes from a few pictures: a linear classifier on the features that a trained network delivers.

The network stays as it is; only one weight for each feature and class is learned. With
:func:`helpers.inside.features.vectors`::

    rows = features.vectors(network, pictures)  # (N, 512)
    taught = teach.learn(rows, labels, ["mug", "teapot"])
    taught.chances(features.vectors(network, others))  # (M, 2)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy


@dataclass(frozen=True)
class Taught:
    """What was learned: a weight for each feature and class, and a bias for each class.

    Attributes:
        classes: their names.
        weight: (classes, features).
        bias: (classes,).
    """

    classes: tuple[str, ...]
    weight: np.ndarray
    bias: np.ndarray

    def logits(self, rows: Any) -> np.ndarray:
        """Feature vectors (N, features) → (N, classes).

        Raises:
            ValueError: if they are no rows, or have another number of features.
        """
        return _rows(rows, self.weight.shape[1]) @ self.weight.T + self.bias

    def chances(self, rows: Any) -> np.ndarray:
        """Feature vectors (N, features) → probabilities (N, classes), the softmax of the logits."""
        logits = self.logits(rows)
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)

    def maps(self, features: Any) -> np.ndarray:
        """A map for each class whose mean is the logit, of the features before they were averaged.

        The same weights are laid over each place (B. Zhou et al. 2016, class activation maps).

        Args:
            features: (N, features, h, w), such as what the layer ``"fire9"`` delivers.

        Returns:
            (N, classes, h, w).

        Raises:
            ValueError: for another shape.
        """
        features = np.asarray(features)
        if features.ndim != 4 or features.shape[1] != self.weight.shape[1]:
            raise ValueError(
                f"Give feature maps of shape (N, {self.weight.shape[1]}, h, w); these have {features.shape}."
            )
        return np.einsum("kf,nfhw->nkhw", self.weight, features) + self.bias[:, None, None]


def learn(rows: Any, labels: Any, classes: Sequence[str] | None = None) -> Taught:
    """Learn a linear classifier: the smallest cross-entropy, with a pull of the weights toward zero (weight decay).

    It is scikit-learn's ``LogisticRegression`` of centered rows (C = 1, for two classes 2), found by the same method,
    L-BFGS, without the 80 MB that importing scikit-learn takes. All features are divided by one number, the standard
    deviation of all, so that pixels from 0 to 1 and features up to a hundred are treated alike. To divide each feature
    by its own would blow up those that are nearly silent in so few pictures. The result takes rows as they come.

    Args:
        rows: (N, features).
        labels: (N,), the number of each row's class, from 0; at least two classes, at least one row of each.
        classes: their names; "class 0", "class 1" and so on if not given.

    Raises:
        ValueError: if rows, labels and names do not fit together.
    """
    rows, labels = _checked(rows, labels)
    count = int(labels.max()) + 1
    names = tuple(f"class {i}" for i in range(count)) if classes is None else tuple(map(str, classes))
    if len(names) != count or len(np.unique(labels)) != count:
        raise ValueError(f"Every class needs an example and a name: {len(names)} names, labels up to {count - 1}.")
    mean = rows.mean(axis=0)
    spread = (rows - mean).std() or 1.0
    with torch.inference_mode(False), torch.enable_grad():
        features, target = torch.from_numpy((rows - mean) / spread), torch.from_numpy(labels)
        weight = torch.zeros(count, rows.shape[1], dtype=torch.float64, requires_grad=True)
        bias = torch.zeros(count, dtype=torch.float64, requires_grad=True)
        solver = torch.optim.LBFGS(
            [weight, bias], max_iter=1000, tolerance_grad=1e-6, tolerance_change=1e-12, history_size=10,
            line_search_fn="strong_wolfe",
        )  # fmt: skip

        def loss() -> torch.Tensor:
            solver.zero_grad()
            value = cross_entropy(features @ weight.T + bias, target, reduction="sum") + 0.5 * weight.square().sum()
            value.backward()
            return value

        solver.step(loss)
    found = weight.detach().numpy() / spread
    return Taught(names, found, bias.detach().numpy() - found @ mean)


def held_out(rows: Any, labels: Any, folds: int = 5) -> np.ndarray:
    """What each row is taken for by a classifier that did not see it (cross-validation), (N,).

    The rows are split at random into parts of equal shares of the classes, always the same parts; each part is judged
    by what was learned from the others.

    Args:
        rows: (N, features).
        labels: (N,); at least two rows of each class.
        folds: number of parts; fewer where the smallest class has fewer rows.

    Raises:
        ValueError: if rows and labels do not fit together, or a class has one row only.
    """
    rows, labels = _checked(rows, labels)
    members = [np.flatnonzero(labels == k) for k in np.unique(labels)]
    folds = min(folds, *map(len, members))
    if folds < 2:
        raise ValueError("A class has one picture only: there is none left to test on. Add another.")
    part, dice = np.empty_like(labels), np.random.default_rng(0)
    for some in members:
        part[dice.permutation(some)] = np.arange(len(some)) % folds
    said = np.empty_like(labels)
    for i in range(folds):
        new = part == i
        said[new] = learn(rows[~new], labels[~new]).logits(rows[new]).argmax(axis=1)
    return said


def distances(examples: Any, rows: Any) -> np.ndarray:
    """How far each row is from the nearest example, in a straight line, (N,).

    Args:
        examples: (M, features).
        rows: (N, features).

    Raises:
        ValueError: if they have different numbers of features.
    """
    examples = _rows(examples)
    rows = _rows(rows, examples.shape[1])
    return np.array([np.linalg.norm(examples - row, axis=1).min() for row in rows])


def _checked(rows: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    rows, labels = _rows(rows), np.asarray(labels)
    if labels.shape != (len(rows),) or labels.dtype.kind not in "iu" or labels.min() < 0:
        raise ValueError(f"Each of the {len(rows)} rows needs the number of its class, from 0; got {labels.shape}.")
    if len(np.unique(labels)) < 2:
        raise ValueError("One class only: a classifier needs at least two to choose between.")
    return rows, labels.astype(np.int64)


def _rows(rows: Any, columns: int | None = None) -> np.ndarray:
    rows = np.asarray(rows, dtype=np.float64)
    if rows.ndim != 2 or not rows.size or (columns is not None and rows.shape[1] != columns):
        wanted = "features" if columns is None else columns
        raise ValueError(f"Give one row of numbers for each image, (N, {wanted}); got shape {rows.shape}.")
    if not np.isfinite(rows).all():
        raise ValueError("The rows hold NaN or infinity.")
    return rows
