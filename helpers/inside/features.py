"""The feature space: an image as the numbers that the network's last layer sees, and who is whose neighbor there.

Thin, typed functions over scikit-learn; all take and return NumPy arrays with one row for each image.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from helpers.network.hooks import hooked
from helpers.network.running import Images, as_images, evaluating, images_at_once, logits_of, network

# Name used in the lessons → name in scikit-learn.
METRICS = {"l1": "manhattan", "l2": "euclidean", "mse": "sqeuclidean", "cosine": "cosine"}


def pixels(images: Images) -> np.ndarray:
    """Images ``(N, C, H, W)`` as rows of pixel values, ``(N, C·H·W)``."""
    images = np.asarray(images)
    return images.reshape(len(images), -1)


def vectors(model: nn.Module, images: Images, batch_size: int | None = None) -> np.ndarray:
    """The input of the last linear layer for each image, its feature vector: ``(N, 128)`` for ``ConvNet``, float32.

    A network that ends in a 1×1 convolution, such as ``PhotoNet``, has one such vector for each place of its last maps;
    their mean over the places is given, ``(N, 512)``.

    Args:
        model: any network with an ``nn.Linear`` or a 1×1 convolution; judged in evaluation mode and left as it was.
        images: ``(N, C, H, W)``.
        batch_size: images at a time; by default as many as stay near the processor, a hundred digits.

    Raises:
        TypeError: if the images are no floats.
        ValueError: if the images do not fit the network, it has no dense layer, or batch_size is below 1.
    """
    if batch_size is not None and (batch_size != int(batch_size) or batch_size < 1):
        raise ValueError(f"batch_size is a number of images, at least 1; got {batch_size}.")
    dense: list[nn.Module] = [m for m in network(model).modules() if isinstance(m, nn.Linear)]
    last = [m for m in model.modules() if isinstance(m, nn.Conv2d)][-1:]
    dense = dense or [m for m in last if m.kernel_size == (1, 1)]
    if not dense:
        raise ValueError("The network has no nn.Linear layer, so that it is unclear what its feature space is.")
    found: dict[str, np.ndarray] = {}

    def keep(_: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        rows = inputs[0].detach()
        rows = rows.mean((2, 3)) if isinstance(dense[-1], nn.Conv2d) else rows.flatten(1)
        found["rows"] = rows.float().cpu().numpy()

    with evaluating(model), torch.no_grad(), hooked([], before=[(dense[-1], keep)]):
        checked = as_images(model, images)
        batch_size = images_at_once(checked.shape, 100) if batch_size is None else int(batch_size)
        features = np.empty((0, 0), np.float32)
        # Written into one array at once, for the reason that `predict` has.
        for first in range(0, len(checked), batch_size):
            logits_of(model, checked[first : first + batch_size])
            if not first:
                features = np.empty((len(checked), found["rows"].shape[1]), np.float32)
            features[first : first + batch_size] = found["rows"]
    return features


class Neighbors(NamedTuple):
    """The nearest rows of a bank for each query, nearest first: ``indices`` and ``distances``, ``(queries, k)``."""

    indices: np.ndarray
    distances: np.ndarray


def nearest(bank: np.ndarray, queries: np.ndarray, k: int = 5, metric: str = "l2") -> Neighbors:
    """Nearest neighbors by brute force.

    Args:
        bank: ``(N, D)``, the rows to find neighbors among. A query that is itself in the bank finds itself first.
        queries: ``(Q, D)``.
        k: how many.
        metric: ``"l1"`` (sum of absolute differences), ``"l2"``, ``"mse"`` (mean of squared differences, the order of
            l2) or ``"cosine"`` (1 - cosine of the angle).

    Raises:
        ValueError: for an unknown metric, a k that the bank cannot serve, or rows of different length.
    """
    from sklearn import config_context
    from sklearn.neighbors import NearestNeighbors

    if metric not in METRICS:
        raise ValueError(f"metric has to be one of {', '.join(METRICS)}, not {metric!r}.")
    bank, queries = _rows(bank), _rows(queries)
    if bank.shape[1] != queries.shape[1]:
        raise ValueError(
            f"Bank and queries live in different spaces, of {bank.shape[1]} and {queries.shape[1]} numbers."
        )
    if not 1 <= k <= len(bank):
        raise ValueError(f"k has to be from 1 to {len(bank)}, the number of rows in the bank, not {k}.")
    search = NearestNeighbors(n_neighbors=k, algorithm="brute", metric=METRICS[metric]).fit(bank)
    with config_context(working_memory=64):  # megabytes of distances at a time; by default a thousand
        distances, indices = search.kneighbors(queries)
    return Neighbors(indices, distances / bank.shape[1] if metric == "mse" else distances)


def knn_accuracy(
    bank: np.ndarray, labels: np.ndarray, queries: np.ndarray, query_labels: np.ndarray, k: int = 5, metric: str = "l2"
) -> float:
    """Share of the queries of which most of the k nearest neighbors have the right label.

    A tie goes to the label of the nearest among those that are tied.
    """
    votes = np.asarray(labels)[nearest(bank, queries, k, metric).indices]
    counts = (votes[:, :, None] == votes[:, None, :]).sum(2)
    chosen = votes[np.arange(len(votes)), counts.argmax(1)]
    return float((chosen == np.asarray(query_labels)).mean())


class Projection(NamedTuple):
    """Rows along their principal axes: ``points`` ``(N, k)``, ``axes`` ``(k, D)`` and the share of the variance that
    each axis ``explained`` ``(k,)``.
    """

    points: np.ndarray
    explained: np.ndarray
    axes: np.ndarray


def pca(rows: np.ndarray, components: int = 2) -> Projection:
    """Rows ``(N, D)`` seen along the directions in which they differ most.

    Raises:
        ValueError: if there are fewer rows or numbers than components.
    """
    from sklearn.decomposition import PCA

    rows = _rows(rows)
    if not 1 <= components <= min(rows.shape):
        raise ValueError(
            f"components has to be from 1 to {min(rows.shape)} for rows of shape {rows.shape}, not {components}."
        )
    fitted = PCA(components, random_state=0)
    points = fitted.fit_transform(rows)
    return Projection(points, fitted.explained_variance_ratio_, fitted.components_)


def tsne(rows: np.ndarray, perplexity: float = 30.0, init: str = "pca", seed: int = 0) -> np.ndarray:
    """A map ``(N, 2)`` in which neighbors stay neighbors (van der Maaten & Hinton 2008).

    Only nearness means something: neither the size of a group nor its distance from another one does.
    Rows of more than 50 numbers are first reduced to 50 by PCA: several times faster, with the same picture. About
    3 s for 1,000 rows on one thread.

    Args:
        rows: ``(N, D)``.
        perplexity: how many neighbors each row feels, less than N.
        init: ``"pca"`` (every seed gives the same picture) or ``"random"``.
        seed: random seed of the initial map and the search.

    Raises:
        ValueError: for a perplexity that does not fit the number of rows, or another init.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    rows = _rows(rows)
    if not 1 <= perplexity < len(rows):
        raise ValueError(
            f"perplexity has to be at least 1 and less than {len(rows)}, the number of rows; got {perplexity}."
        )
    if init not in ("pca", "random"):
        raise ValueError(f"init has to be 'pca' or 'random', not {init!r}.")
    if rows.shape[1] > 50:
        rows = pca(rows, min(50, len(rows))).points
    # Beside a busy neighbor two threads take twenty times as long as one, and the map depends on their number.
    with threadpool_limits(1):
        return TSNE(2, perplexity=perplexity, init=init, random_state=seed).fit_transform(rows)


def _rows(rows: np.ndarray) -> np.ndarray:
    rows = np.asarray(rows)
    if rows.ndim != 2 or not rows.size:
        raise ValueError(f"Expected one row of numbers for each image, (N, D), got shape {rows.shape}.")
    return rows
