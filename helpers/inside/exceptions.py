"""How many exceptions does it take to unlearn a shortcut? A stored study of networks trained on tagged garments.

Each network of the study learned garments of which a share came without the tag that gives their class away. The
numbers of all of them fit into a small file beside the checkpoints; ``python -m tools.exceptions`` trains them again.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch

from helpers.network.checkpoints import FOLDER, tensors

STORED = FOLDER / "fashion_exceptions.pt"
#: How the test images of a study are tagged, in the order of its accuracies.
CONDITIONS = ("right tag", "no tag", "lying tag")


@dataclass(frozen=True)
class Study:
    """Networks trained with T shares of exceptions, for E numbers of epochs, from S seeds.

    Attributes:
        shares: share of the training images that came without a tag, (T,) float32 from 0 to 1.
        epochs: passes over the training images, (E,) int.
        accuracy: on the test images with the right tag, no tag, and a lying tag, (T, E, S, 3) float32 from 0 to 1.
        images: D garments that wear the tag of another class, (D, H, W) float32 from 0 to 1.
        truths: their own classes, (D,) int.
        tags: the classes that their tags name, (D,) int.
        said: probabilities that the networks of the first seed give to K classes, (T, E, D, K) float32.
        evidence: what those networks' answers rest on, (T, E, D, H, W) float32: the mean drop in the logit of the
            answer under a black mask of 3×3 pixels, as a share of the largest drop; a rise counts as 0.
    """

    shares: np.ndarray
    epochs: np.ndarray
    accuracy: np.ndarray
    images: np.ndarray
    truths: np.ndarray
    tags: np.ndarray
    said: np.ndarray
    evidence: np.ndarray

    def __repr__(self) -> str:
        shares, epochs, seeds = self.accuracy.shape[:3]
        return f"Study: {shares} shares of exceptions, {epochs} numbers of epochs, {seeds} seeds"

    def at(self, share: float, epochs: int) -> np.ndarray:
        """Accuracies of the networks of one setting, (S, 3).

        Raises:
            ValueError: if no such network was trained.
        """
        where = np.flatnonzero(np.isclose(self.shares, share)), np.flatnonzero(self.epochs == epochs)
        if not all(len(found) for found in where):
            shares, passes = (", ".join(f"{n:g}" for n in known) for known in (self.shares, self.epochs))
            raise ValueError(f"The study has the shares {shares} and the epochs {passes}, not {share:g} and {epochs}.")
        return self.accuracy[where[0][0], where[1][0]]

    def save(self, path: Path) -> None:
        """Write the study to a file; images and evidence are kept in steps of 1/255."""
        kept = {field.name: torch.as_tensor(getattr(self, field.name)) for field in fields(self)}
        for name in ("images", "evidence"):
            kept[name] = (kept[name] * 255).round().to(torch.uint8)
        torch.save(kept, path)


def load(path: Path = STORED) -> Study:
    """Read a study; without a path the stored one, of 15,000 garments of FashionMNIST for each network.

    Raises:
        FileNotFoundError: if it is not there.
        ValueError: if it is damaged.
    """
    kept = tensors(path, (field.name for field in fields(Study)), "python -m tools.exceptions")
    return Study(**{k: (v / 255 if v.dtype == torch.uint8 else v).numpy() for k, v in kept.items()})
