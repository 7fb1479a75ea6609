"""Running a network: checked images, logits, predictions and accuracy, with everything left as it was.

Outside of training, :func:`evaluating` is the one place in the package that changes a network's mode, and
:func:`seeded` the one that seeds torch's global generators. Both restore what they found.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from helpers.data import Split
from helpers.data.sets import as_tensor

Images = Tensor | np.ndarray


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode (no dropout, stored batch statistics) for the block; each module's own flag comes back after."""
    flags = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        yield
    finally:
        for module, flag in flags:
            module.training = flag


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's global generators for the block; afterwards the caller's random numbers go on where they were."""
    mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    try:
        with torch.random.fork_rng(range(torch.cuda.device_count()), device_type="cuda"):
            torch.manual_seed(seed)
            yield
    finally:
        if mps is not None:
            torch.mps.set_rng_state(mps)


def first_weight(model: nn.Module) -> Tensor:
    """The first weight of the network: its device and number format are those the images need."""
    first = next(model.parameters(), None)
    if first is None:
        raise ValueError("This network has no weights to train: give it at least one layer that has some.")
    return first


def tensors_of(split: Any) -> tuple[Tensor, Tensor]:
    """Images (N, C, H, W), floats, and labels (N,) int64 of a split or of an (images, labels) pair, checked."""
    pair = (split.images, split.labels) if hasattr(split, "images") else split
    images, labels = (x if isinstance(x, Tensor) else as_tensor(np.asarray(x)) for x in pair)
    if images.ndim != 4:
        raise ValueError(f"Images must have the shape (N, channels, height, width); these have {tuple(images.shape)}.")
    if not images.is_floating_point():
        raise TypeError(f"Images must be floats in [0, 1]; these are {images.dtype}: divide by 255 first.")
    if len(images) == 0 or len(images) != len(labels):
        raise ValueError(f"Every image needs one label; got {len(images)} images and {len(labels)} labels.")
    if labels.ndim != 1:
        raise ValueError(
            f"One label per image is a list of class numbers, shape (N,); got {tuple(labels.shape)}: "
            "of one-hot rows take argmax(1)."
        )
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise TypeError(f"Labels are class numbers, counted from 0 as integers; these are {labels.dtype}.")
    return images, labels.long()


def as_images(model: nn.Module, x: Images, axes: str = "NCHW") -> Tensor:
    """A detached tensor of the network's own number type and device, after a look at what was given.

    Args:
        model: decides type and device.
        x: floats, NumPy or torch, with the axes ``axes``; the memory layout is kept.
        axes: ``"NCHW"`` for a batch, ``"CHW"`` for one image.

    Raises:
        TypeError: if x is not an array of floats.
        ValueError: if x has other axes, is empty, or holds NaN or infinity.
    """
    if not isinstance(x, (Tensor, np.ndarray)):
        raise TypeError(f"The images have to be a NumPy array or a tensor, not {type(x).__name__}.")
    x = torch.as_tensor(x)
    if not x.is_floating_point():
        raise TypeError(f"The images have to be floats in [0, 1], these are {x.dtype}: divide by 255 first.")
    shape = tuple(x.shape)
    if x.ndim != len(axes):
        what = "a batch of images (N, C, H, W)" if axes == "NCHW" else "one image (C, H, W)"
        hint = ": x[None] makes a batch of one" if (x.ndim, axes) == (3, "NCHW") else ""
        hint = ": x[0] takes the first of a batch" if (x.ndim, axes) == (4, "CHW") else hint
        raise ValueError(f"Expected {what}, got an array of shape {shape}{hint}.")
    if x.numel() == 0:
        raise ValueError(f"There is nothing to explain in an empty array of shape {shape}.")
    if not torch.isfinite(x).all():
        raise ValueError("The images hold NaN or infinity, which no network can score.")
    like = next(model.parameters(), x)
    return x.detach().to(device=like.device, dtype=like.dtype)


def logits_of(model: nn.Module, x: Tensor) -> Tensor:
    """``model(x)``, which has to be ``(N, classes)``.

    Raises:
        ValueError: if the network does not take images of this shape, or answers with something else than logits.
    """
    try:
        logits = model(x)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise ValueError(f"The network does not accept images of shape {tuple(x.shape)}: {error}") from error
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(x):
        got = f"shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(f"The network has to answer with logits (N, classes) for N={len(x)} images, it gave {got}.")
    return logits


def predict(model: nn.Module, images: Any, batch_size: int = 100) -> Tensor:
    """Logits (N, classes) of images (N, C, H, W), in evaluation mode, without gradients, on the model's device.

    Every submodule's training flag is as before when the function returns; the result lies on the CPU. A hundred images
    at a time stay near the processor; with five hundred it waits for memory and takes almost twice as long.
    """
    images = images if isinstance(images, Tensor) else as_tensor(np.asarray(images))
    like = first_weight(model)
    with evaluating(model), torch.no_grad():
        parts = [
            model(part.to(like.device, like.dtype).contiguous(memory_format=torch.channels_last)).float().cpu()
            for part in images.split(batch_size)
        ]
    return torch.cat(parts)


def accuracy(model: nn.Module, split: Split | tuple[Any, Any]) -> float:
    """Share of the images in ``split`` whose largest logit is the right class, in [0, 1]."""
    images, labels = tensors_of(split)
    return (predict(model, images).argmax(1) == labels).float().mean().item()
