"""A network that is not ours: VGG-16, as torchvision offers it, when its weights are here or come quickly.

The weights are 528 MB. :func:`vgg16` takes them from torch's own cache, else downloads them if the connection is fast
enough to be done in a few seconds, else answers None: a lesson goes on without them.
"""

from __future__ import annotations

import hashlib
import os
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIDE = 224


class Normalized(nn.Module):
    """A network that wants normalized colors, behind a door that takes images in [0, 1] as all of ours do."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of color images ``(N, 3, H, W)`` in [0, 1]."""
        return self.network((x - self.mean) / self.deviation)


class Pretrained(NamedTuple):
    """A network in evaluation mode, the names of its classes, and its last layer with feature maps."""

    model: nn.Module
    classes: tuple[str, ...]
    layer: str


def vgg16(patience: float = 8.0) -> Pretrained | None:
    """VGG-16 with torchvision's weights for the 1,000 classes of ImageNet, or None if they cannot be had quickly.

    Args:
        patience: seconds that a download may take; none is tried where ``CNN_OFFLINE=1`` is set.
    """
    from torchvision import models

    choice = models.VGG16_Weights.IMAGENET1K_V1
    path = weights_file(choice.url, patience)
    if path is None:
        return None
    with torch.device("meta"):  # no time and memory for random weights that are replaced at once
        network = models.vgg16(weights=None, init_weights=False)
    network.load_state_dict(torch.load(path, weights_only=True, mmap=True), assign=True)
    return explained(network, choice.meta["categories"])


def explained(network: nn.Module, classes: list[str]) -> Pretrained:
    """A VGG of torchvision as the helpers want it: images in [0, 1] in, evaluation mode, weights that stay."""
    return Pretrained(Normalized(network).eval().requires_grad_(False), tuple(classes), "network.features.29")


def weights_file(url: str, patience: float, opened: Callable = urllib.request.urlopen) -> Path | None:
    """A file of weights in torch's cache, downloaded if that is a matter of seconds; None if it cannot be had.

    The name ends in the first digits of the file's SHA-256, as torch's downloads do, and a file that does not have it
    is not kept.
    """
    path = Path(torch.hub.get_dir(), "checkpoints", url.rsplit("/", 1)[-1])
    if path.is_file():
        return path
    if os.environ.get("CNN_OFFLINE") == "1":
        return None
    partial = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if _download(url, partial, patience, opened) and _digest(partial).startswith(path.stem.rsplit("-", 1)[-1]):
            return partial.replace(path)
    except OSError:  # no connection, a refusal, a full disk: the lesson goes on without
        pass
    partial.unlink(missing_ok=True)
    return None


def _download(url: str, path: Path, patience: float, opened: Callable) -> bool:
    """Fetch a file unless the first second shows that it will take longer than ``patience``; whether it is complete."""
    started = time.monotonic()
    with opened(url, timeout=min(3.0, patience)) as answer, path.open("wb") as file:
        size = int(answer.headers.get("Content-Length") or 0)
        done = 0
        while block := answer.read(1 << 20):
            done += file.write(block)
            spent = time.monotonic() - started
            if spent > patience or (spent > 1 and size * spent > patience * done):
                return False
    return done == size


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def square(photo: Tensor, side: int = SIDE) -> Tensor:
    """The middle square of a photograph ``(H, W, 3)`` as an image ``(3, side, side)``.

    Raises:
        ValueError: if it is not a color photograph.
    """
    photo = torch.as_tensor(photo)
    if photo.ndim != 3 or photo.shape[2] != 3:
        raise ValueError(f"A color photograph has the shape (H, W, 3); got {tuple(photo.shape)}.")
    edge = min(photo.shape[:2])
    top, left = ((n - edge) // 2 for n in photo.shape[:2])
    cut = photo[top : top + edge, left : left + edge].permute(2, 0, 1)[None]
    return F.interpolate(cut, (side, side), mode="bilinear", antialias=True, align_corners=False)[0].clamp(0, 1)
