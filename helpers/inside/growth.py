"""A training run as it looked from inside, snapshot by snapshot: filters, feature vectors, confusions, occlusion maps.

Snapshots of whole networks are large (22 MB for 49 of them). A :class:`Recording` holds only what a picture shows; the
one of the reference network's recipe is stored beside its weights, in half a megabyte.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch

from helpers.inside.features import pca, vectors
from helpers.inside.occlusion import occlusion
from helpers.network.checkpoints import FOLDER, tensors
from helpers.network.running import Images, predict
from helpers.network.snapshots import Snapshots

STORED = FOLDER / "mnist_growth.pt"


@dataclass(frozen=True)
class Recording:
    """What a network was like at T steps of its training; all arrays float32 if nothing else is said.

    Attributes:
        steps: (T,) int, from 0.
        filters: first-layer filters, (T, F, k, k).
        biases: their biases, (T, F).
        points: N images as points of one plane, (T, N, 2): their feature vectors along the two main axes of the last
            snapshot, so that the axes never move.
        labels: true classes of the points, (N,) int.
        confusion: images of true class i that were read as class j, (T, K, K) int.
        digits: D images to look at more closely, (D, H, W), and their true classes ``truths`` (D,) int.
        drops: occlusion maps of these, (T, D, H, W): what the logit of the true class loses, on average, when a mask
            covers the pixel.
        said: probabilities of the classes for these, (T, D, K).
    """

    steps: np.ndarray
    filters: np.ndarray
    biases: np.ndarray
    points: np.ndarray
    labels: np.ndarray
    confusion: np.ndarray
    digits: np.ndarray
    truths: np.ndarray
    drops: np.ndarray
    said: np.ndarray

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        return f"Recording: {len(self)} snapshots, steps 0 to {self.steps[-1]:,}, at the end {self.accuracy[-1]:.2%}"

    @property
    def accuracy(self) -> np.ndarray:
        """Share of the images of the confusion matrices that were right, (T,), in [0, 1]."""
        return np.trace(self.confusion, axis1=1, axis2=2) / self.confusion.sum((1, 2))

    @property
    def turned(self) -> np.ndarray:
        """Cosine of the angle between every filter and its own start, (T, F): 1 for one that has not turned."""
        rows = self.filters.reshape(*self.filters.shape[:2], -1)
        rows = rows / np.maximum(np.linalg.norm(rows, axis=2, keepdims=True), 1e-12)
        return (rows * rows[0]).sum(2)

    def maps(self, moment: int, image: np.ndarray) -> np.ndarray:
        """Maps of the first layer after its ReLU, (F, H - k + 1, W - k + 1), for any gray image (H, W)."""
        filters = self.filters[moment]
        windows = np.lib.stride_tricks.sliding_window_view(image, filters.shape[1:])
        sums = np.tensordot(filters, windows, ([1, 2], [2, 3])) + self.biases[moment][:, None, None]
        return np.maximum(sums, 0).astype(np.float32)

    def save(self, path: Path) -> None:
        """Write the recording to a file; fractions are kept in half precision, counts in two bytes."""
        kept = {field.name: torch.as_tensor(getattr(self, field.name)) for field in fields(self)}
        torch.save({k: v.to(torch.float16 if v.is_floating_point() else torch.int16) for k, v in kept.items()}, path)


def load(path: Path = STORED) -> Recording:
    """Read a recording; without a path the stored one, of the reference network's recipe on MNIST.

    Raises:
        FileNotFoundError: if it is not there.
        ValueError: if it is damaged.
    """
    kept = tensors(path, (field.name for field in fields(Recording)), "python -m tools.time_machine train")
    return Recording(**{k: (v.float() if v.is_floating_point() else v.long()).numpy() for k, v in kept.items()})


def recorded(
    snapshots: Snapshots, images: Images, labels: Images, digits: Images, truths: Images, points: int = 300
) -> Recording:
    """Look at every snapshot of a :class:`~helpers.network.models.ConvNet`: about 0.1 s each for 1,000 images.

    Args:
        snapshots: taken during training.
        images: to be sorted by the network, (N, 1, H, W); the first ``points`` of them are the cloud.
        labels: their classes, (N,).
        digits: images to look at more closely, (D, 1, H, W), and their true classes ``truths`` (D,).
        points: how many images become points.
    """
    images, labels = torch.as_tensor(images), torch.as_tensor(labels)
    digits, truths = torch.as_tensor(digits).float(), torch.as_tensor(truths)
    features, confusion, drops, said = [], [], [], []
    for moment in range(len(snapshots)):
        network = snapshots.network(moment)
        features.append(vectors(network, images[:points]))
        logits = predict(network, images)
        classes = logits.shape[1]
        pairs = (labels * classes + logits.argmax(1)).bincount(minlength=classes**2)
        confusion.append(pairs.view(classes, classes).numpy())
        looked = [occlusion(network, digit, size=5, stride=2) for digit in digits]
        drops.append(np.stack([o.maps[t].numpy() for o, t in zip(looked, truths.tolist(), strict=True)]))
        said.append(predict(network, digits).softmax(1).numpy())
    plane = pca(features[-1])
    center = features[-1].mean(0)
    weights, biases = (snapshots.parameter(f"features.conv1.{name}").numpy() for name in ("weight", "bias"))
    return Recording(
        np.array(snapshots.steps),
        weights[:, :, 0],
        biases,
        np.stack([(f - center) @ plane.axes.T for f in features]).astype(np.float32),
        labels[:points].numpy().astype(np.int64),
        np.stack(confusion),
        digits[:, 0].numpy(),
        truths.numpy().astype(np.int64),
        np.stack(drops).astype(np.float32),
        np.stack(said).astype(np.float32),
    )
