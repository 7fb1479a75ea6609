"""What a network for photographs would like to see: gradient ascent on color images, by steps of one length.

On 28×28 pixels Adam finds its way (:mod:`helpers.inside.maximize`). On 227×227 a plain step along the gradient does,
if all steps are equally long and the image is moved a little before each, so that no pattern of single pixels can carry
the score (Mordvintsev et al. 2015; Olah et al. 2017 name the tricks).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from helpers.inside.maximize import Ascent
from helpers.inside.scores import need_gradients
from helpers.network.hooks import record
from helpers.network.photonet import SIDE, PhotoNet
from helpers.network.running import evaluating

#: What a step changes in an image: 1.1 of 255 gray levels in the root mean square over all its values.
STEP = 1.1 / 255


def gray_noise(count: int, size: int = SIDE, deviation: float = 6 / 255, seed: int = 0) -> Tensor:
    """Where an ascent starts: (count, 3, size, size), gray with normal noise. Image i is the same for every count."""
    made = [
        torch.randn(3, size, size, generator=torch.Generator().manual_seed(seed * 100_003 + i)) for i in range(count)
    ]
    return (0.5 + deviation * torch.stack(made)).clamp(0, 1) if made else torch.zeros(0, 3, size, size)


def climb(
    score: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    steps: int = 160,
    step: float = STEP,
    shift: int = 16,
    blur_every: int = 10,
    deviation: float = 0.5,
    frames: int = 0,
    seed: int = 0,
    watch: Callable[[int, Tensor], None] | None = None,
) -> Ascent:
    """Gradient ascent on the pixels of a batch, every image for itself, by steps of one length.

    Args:
        score: images (N, 3, H, W) in [0, 1] → scores (N,).
        start: where to begin, (N, 3, H, W) in [0, 1].
        steps: number of steps.
        step: root mean square of what each step changes in the values of an image.
        shift: before each gradient all images are moved by up to so many pixels either way, and back afterwards.
        blur_every: blur the images after every so many steps, which takes out fine noise; 0 for never.
        deviation: of the blur, in pixels.
        frames: how many images on the way to keep.
        seed: random seed of the shifts.
        watch: called with the step and the images after each step.

    Raises:
        ValueError: if steps is below 1, step not above 0, or another number negative.
    """
    if steps < 1 or step <= 0 or min(shift, blur_every, deviation) < 0:
        raise ValueError("steps must be at least 1, step above 0; shift, blur_every and deviation not negative.")
    images = start.detach().clone(memory_format=torch.contiguous_format)
    generator = torch.Generator().manual_seed(seed)
    kept_at = {round(i * steps / max(frames - 1, 1)) for i in range(frames)}
    history, kept, at = [], [], []
    for number in range(steps + 1):
        if number in kept_at:
            kept.append(images.clone())
            at.append(number)
        move = torch.randint(-shift, shift + 1, (2,), generator=generator).tolist()
        with torch.enable_grad():
            pixels = images.roll(move, (2, 3)).contiguous(memory_format=torch.channels_last).requires_grad_()
            value = score(pixels)
            history.append(value.detach())
            if number == steps:
                break
            (gradient,) = torch.autograd.grad(value.sum(), pixels)
        gradient = gradient.roll([-m for m in move], (2, 3))
        size = gradient.square().mean((1, 2, 3), keepdim=True).sqrt().clamp(min=1e-20)
        images = (images + step * gradient / size).clamp(0, 1)
        if blur_every and (number + 1) % blur_every == 0:
            images = blurred(images, deviation)
        if watch is not None:
            watch(number + 1, images)
    with torch.no_grad():
        final = score(images).detach()
    return Ascent(images, final, torch.stack(history), torch.stack(kept) if kept else images.new_empty(0), at)


def class_pictures(
    network: PhotoNet, classes: Sequence[int], *, size: int = SIDE, seed: int = 0, **options: Any
) -> Ascent:
    """The images a network for photographs takes for its classes more than any other, all classes as one batch.

    The score is the mean of the class's map *before* its ReLU, because behind it a map of zeros has no slope to climb.

    Args:
        network: the network; the same for the one with random weights as a control.
        classes: class numbers, such as ``photonet.number("snail")``.
        size: side of the images.
        seed: random seed of the start and the shifts.
        options: of :func:`climb`.

    Raises:
        ValueError: for no class, or one that the network does not have.
    """
    need_gradients(network)
    wanted = torch.as_tensor(list(classes))
    if not len(wanted) or wanted.is_floating_point() or wanted.min() < 0 or wanted.max() >= 1000:
        raise ValueError(f"The network has the classes 0 to 999; {list(classes)} are not among them.")
    rows = torch.arange(len(wanted))

    def score(images: Tensor) -> Tensor:
        with record(network, "classes", detach=False) as maps:
            network(images)
        return maps["classes"][rows, wanted].mean((1, 2))

    with evaluating(network):
        return climb(score, gray_noise(len(wanted), size, seed=seed), seed=seed, **options)


def blurred(images: Tensor, deviation: float) -> Tensor:
    """Images (N, C, H, W) smoothed by a Gaussian; the pixels at the edge are repeated beyond it."""
    if not deviation:
        return images
    reach = max(1, int(3 * deviation + 0.5))
    offsets = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
    weights = (-0.5 * (offsets / deviation).square()).exp()
    weights = weights / weights.sum()
    channels = images.shape[1]
    padded = functional.pad(images, (reach, reach, reach, reach), mode="replicate")
    across = functional.conv2d(padded, weights.expand(channels, 1, 1, -1), groups=channels)
    return functional.conv2d(across, weights.view(-1, 1).expand(channels, 1, -1, 1), groups=channels)


def stretched(images: Tensor, share: float = 0.01) -> Tensor:
    """Images for the eye: contrast stretched so that all but a share of the values at either end fills [0, 1].

    A picture shown like this is not what the network saw, so that its caption has to say "contrast stretched".
    """
    flat = images.flatten(1)
    count = flat.shape[1]
    at = max(1, round(share * count))
    low = flat.kthvalue(at, dim=1).values.view(-1, 1, 1, 1)
    high = flat.kthvalue(count + 1 - at, dim=1).values.view(-1, 1, 1, 1)
    return ((images - low) / (high - low).clamp(min=1e-6)).clamp(0, 1)
