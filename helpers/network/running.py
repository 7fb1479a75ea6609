"""Running a network: checked images, logits, predictions and accuracy, with everything left as it was.

Outside of training, :func:`evaluating` is the one place in the package that changes a network's mode, and
:func:`seeded` the one that seeds torch's global generators. Both restore what they found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

import numpy as np
import torch
from torch import Tensor, nn

from helpers.data import Split
from helpers.data.sets import as_tensor
from helpers.network.device import keep_freed_memory

Images = Tensor | np.ndarray


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode (no dropout, stored batch statistics) for the block; each module's own flag comes back after."""
    flags = [(module, module.training) for module in network(model).modules()]
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


def network(model: Any) -> nn.Module:
    """The network itself, after a look at whether it is one.

    Raises:
        TypeError: for a class that nobody has called, for images in its place, or for anything else.
    """
    if isinstance(model, nn.Module):
        return model
    if isinstance(model, type) and issubclass(model, nn.Module):
        raise TypeError(f"{model.__name__} is a class, not yet a network: make one with {model.__name__}().")
    raise TypeError(f"The network comes first and has to be a PyTorch module (nn.Module), not {type(model).__name__}.")


def first_weight(model: nn.Module) -> Tensor:
    """The first weight of the network: its device and number format are those the images need."""
    first = next(network(model).parameters(), None)
    if first is None:
        raise ValueError("This network has no weights to train: give it at least one layer that has some.")
    return first


def tensors_of(split: Any) -> tuple[Tensor, Tensor]:
    """Images (N, C, H, W), floats, and labels (N,) int64 of a split or of an (images, labels) pair, checked."""
    if hasattr(split, "train") and hasattr(split, "test"):
        raise TypeError("This is a whole data set: give one of its parts, as in mnist.train or mnist.test.")
    if isinstance(split, (Tensor, np.ndarray)):
        raise TypeError("These are images or labels alone: give both, a split or the pair (images, labels).")
    if not hasattr(split, "images") and not (isinstance(split, (tuple, list)) and len(split) == 2):
        raise TypeError(f"Give a split or the pair (images, labels), not {type(split).__name__}.")
    images, labels = split if isinstance(split, (tuple, list)) else (split.images, split.labels)
    images, labels = (x if isinstance(x, Tensor) else as_tensor(np.asarray(x)) for x in (images, labels))
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


def known_labels(labels: Tensor, classes: int) -> None:
    """Refuse labels for which a network with so many outputs has none.

    Raises:
        ValueError: if a label is negative, or too large.
    """
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"The labels run from {labels.min()} to {labels.max()}, the network has {classes} outputs: "
            f"build it with classes={int(labels.max()) + 1}."
        )


def as_floats(x: Any) -> Tensor:
    """What was given, as a tensor of finite floats that shares its memory where torch can.

    Raises:
        TypeError: if x is not an array of floats.
        ValueError: if x is empty, or holds NaN or infinity.
    """
    if hasattr(x, "train") and hasattr(x, "test"):
        raise TypeError("This is a whole data set: give the images of one of its parts, as in mnist.test.images.")
    if hasattr(x, "images"):
        raise TypeError("This is a split, images with labels: give its images alone, as in split.images.")
    if not isinstance(x, (Tensor, np.ndarray)):
        raise TypeError(f"The images have to be a NumPy array or a tensor, not {type(x).__name__}.")
    if isinstance(x, np.ndarray) and x.dtype.kind not in "biuf":
        raise TypeError(f"The images have to be numbers, floats in [0, 1]; these are {x.dtype}.")
    x = as_tensor(x)
    if not x.is_floating_point():
        raise TypeError(f"The images have to be floats in [0, 1], these are {x.dtype}: divide by 255 first.")
    if x.numel() == 0:
        raise ValueError(f"An array of shape {tuple(x.shape)} holds no image.")
    if not torch.isfinite(torch.stack(torch.aminmax(x))).all():  # both are NaN if one is; needs no copy of the images
        raise ValueError("The images hold NaN or infinity, which no network can score.")
    return x


def as_images(model: nn.Module, x: Images, axes: str = "NCHW") -> Tensor:
    """A detached tensor of the network's own number type and device, after a look at what was given.

    Args:
        model: decides type and device.
        x: floats, NumPy or torch, with the axes ``axes``; the memory layout is kept.
        axes: ``"NCHW"`` for a batch, ``"CHW"`` for one image.

    Raises:
        TypeError: if the model is not a network, or x not an array of floats.
        ValueError: if x has other axes, is empty, or holds NaN or infinity.
    """
    like = next(network(model).parameters(), None)
    x = as_floats(x)
    shape = tuple(x.shape)
    if x.ndim != len(axes):
        what = "a batch of images (N, C, H, W)" if axes == "NCHW" else "one image (C, H, W)"
        hint = ": x[None] makes a batch of one" if (x.ndim, axes) == (3, "NCHW") else ""
        hint = ": x[0] takes the first of a batch" if (x.ndim, axes) == (4, "CHW") else hint
        raise ValueError(f"Expected {what}, got an array of shape {shape}{hint}.")
    return x.detach() if like is None else x.detach().to(device=like.device, dtype=like.dtype)


def answer(model: nn.Module, x: Tensor) -> Any:
    """``model(x)``; images that the network cannot take are named by their shape.

    Raises:
        ValueError: if the network does not take images of this shape.
    """
    try:
        return model(x)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        said = " ".join(str(error).split())
        raise ValueError(f"The network does not accept images of shape {tuple(x.shape[1:])}: {said}") from error


_with_views: WeakSet[nn.Module] = WeakSet()


def layout_of(model: nn.Module) -> torch.memory_format:
    """How the numbers of an image should lie in memory for this network.

    With the channels of a pixel side by side, max pooling takes a fraction of the time. A network that flattens its
    maps with ``view`` instead of ``flatten`` cannot have that: :func:`logits_of` finds out.
    """
    return torch.contiguous_format if model in _with_views else torch.channels_last


def logits_of(model: nn.Module, x: Tensor, to_the_bit: bool = False) -> Tensor:
    """``model(x)``, which has to be ``(N, classes)``.

    Args:
        model: the network.
        x: images, ``(N, C, H, W)``.
        to_the_bit: leave the images as they lie in memory (see :func:`layout_of`), so that the last bit is the same.

    Raises:
        ValueError: if the network does not take images of this shape, or answers with something else than logits.
    """
    keep_freed_memory()
    try:
        # Not .contiguous(), which takes images of one channel for what they should become and changes nothing.
        logits = answer(model, x if to_the_bit or x.ndim != 4 else x.to(memory_format=layout_of(model)))
    except ValueError as error:
        if "view size is not compatible" not in str(error) or model in _with_views:
            raise
        _with_views.add(model)
        logits = answer(model, x.contiguous())
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(x):
        got = f"shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(f"The network has to answer with logits (N, classes) for N={len(x)} images, it gave {got}.")
    return logits


def images_at_once(shape: Sequence[int], digits: int) -> int:
    """How many images of a shape (..., H, W) to send through a network at once: ``digits`` of 28×28, fewer large ones.

    What a layer passes to the next should stay in the processor's cache. Four photographs take less time each than
    sixteen, and than one.
    """
    return min(digits, max(4, digits * 28 * 28 // (shape[-2] * shape[-1])))


def predict(model: nn.Module, images: Any, batch_size: int | None = None) -> Tensor:
    """Logits (N, classes) of images (N, C, H, W), in evaluation mode, without gradients, on the model's device.

    Every submodule's training flag is as before when the function returns; the result lies on the CPU. By default fifty
    digits go through at a time, or four photographs, which stay near the processor; with five hundred digits it waits
    for memory and takes half as long again.

    Raises:
        TypeError: if the model is not a network, or the images are not an array of floats.
        ValueError: if the images are not a batch, are empty, hold NaN, or do not fit the network.
    """
    like = first_weight(model)
    images = as_floats(images)
    if images.ndim != 4:
        hint = ": images[None] makes a batch of one" if images.ndim == 3 else ""
        raise ValueError(f"Expected a batch of images (N, C, H, W), got an array of shape {tuple(images.shape)}{hint}.")
    batch_size = images_at_once(images.shape, 50) if batch_size is None else batch_size
    if batch_size != int(batch_size) or batch_size < 1:
        raise ValueError(f"batch_size is a number of images, at least 1; got {batch_size}.")
    with evaluating(model), torch.no_grad():
        logits = torch.empty(0)
        # Not a list of parts: each would stay where the next layer's output could have lain, 70 MB for 10,000 digits.
        for first in range(0, len(images), int(batch_size)):
            part = logits_of(model, images[first : first + int(batch_size)].to(like.device, like.dtype))
            if not first:
                logits = torch.empty(len(images), part.shape[1])
            logits[first : first + len(part)] = part
        return logits


def accuracy(model: nn.Module, split: Split | tuple[Any, Any]) -> float:
    """Share of the images in ``split`` whose largest logit is the right class, in [0, 1].

    Raises:
        TypeError: if the model is not a network, or the split not images with labels.
        ValueError: if images, labels and network do not fit together.
    """
    images, labels = tensors_of(split)
    logits = predict(model, images)
    known_labels(labels, logits.shape[1])
    return (logits.argmax(1).to(labels.device) == labels).float().mean().item()
