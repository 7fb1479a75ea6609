"""What would excite it most? Gradient ascent on the pixels: for a class, a filter, a whole layer, and for a mistake.

All of it is one move. Take the gradient of a score with respect to the pixels and step along it: from noise for two
hundred steps (maximization; Erhan et al. 2009, Simonyan et al. 2013), from a photograph (Mordvintsev et al. 2015), or
once, from a digit, against its class (FGSM; Goodfellow et al. 2014). The network's weights never change, and it is left
as it was found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from helpers.inside.scores import Target, as_target, need_gradients
from helpers.network.hooks import Layer, record
from helpers.network.running import Images, answer, as_images, evaluating, logits_of

FEW = 50  #: images attacked at a time: what the gradient needs of each takes memory


@dataclass
class Ascent:
    """What gradient ascent found.

    Attributes:
        images: (N, C, H, W), the last step.
        scores: (N,), the score of each image, without penalties.
        history: (steps + 1, N), the score before the first step and after each, of the images as they lie, unshifted.
        frames: images on the way, (frames, N, C, H, W), the start first; empty if none were asked for.
        steps: the step numbers of ``frames``.
    """

    images: Tensor
    scores: Tensor
    history: Tensor
    frames: Tensor
    steps: list[int] = field(default_factory=list)


def faint_noise(count: int, shape: tuple[int, int, int] = (1, 28, 28), seed: int = 0) -> Tensor:
    """Where an ascent starts: (count, C, H, W), uniform in [0, 0.1]. Image i is the same for every count."""
    made = [torch.rand(shape, generator=torch.Generator().manual_seed(seed * 100_003 + i)) for i in range(count)]
    return 0.1 * torch.stack(made)


def ascend(
    score: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    steps: int = 200,
    lr: float = 0.1,
    l2: float = 0.0,
    variation: float = 0.0,
    jitter: int = 0,
    blur: float = 0.0,
    clamp: tuple[float, float] | None = (0.0, 1.0),
    frames: int = 0,
    seed: int = 0,
    watch: Callable[[int, Tensor], None] | None = None,
) -> Ascent:
    """Gradient ascent (Adam) on the pixels of a batch; every image climbs for itself.

    Args:
        score: images (N, C, H, W) → scores (N,).
        start: where to begin, (N, C, H, W).
        steps: number of steps.
        lr: step size in pixel values.
        l2: λ of the penalty λ‖I‖² that keeps pixels dark unless they are needed.
        variation: price of the total variation, see :func:`total_variation`: keeps images smooth.
        jitter: largest random shift before each step, in pixels, so that no single pixel can carry the score.
        blur: share of its 3×3 neighborhood's mean that every pixel takes on after each step, in [0, 1].
        clamp: range of the data; None lets pixels take any value.
        frames: how many images on the way to keep.
        seed: random seed of the jitter.
        watch: called with the step and the images after each step.

    Raises:
        ValueError: if steps is below 1, or a strength is negative.
    """
    if steps < 1 or lr <= 0 or min(l2, variation, jitter, blur) < 0 or blur > 1:
        raise ValueError(
            "steps must be at least 1, lr above 0, l2, variation and jitter not negative, blur from 0 to 1."
        )
    images = start.detach().clone().requires_grad_()
    optimizer = torch.optim.Adam([images], lr, maximize=True)
    generator = torch.Generator().manual_seed(seed)
    kept_at = {round(i * steps / max(frames - 1, 1)) for i in range(frames)}
    history, kept, at = [], [], []
    for step in range(steps + 1):
        if step in kept_at:
            kept.append(images.detach().clone())
            at.append(step)
        move = torch.randint(-jitter, jitter + 1, (2,), generator=generator).tolist() if jitter else [0, 0]
        with torch.enable_grad():
            value = score(images.roll(move, (2, 3)) if any(move) else images)
            goal = value - l2 * images.square().sum((1, 2, 3)) - variation * total_variation(images)
        with torch.no_grad():
            history.append(score(images) if any(move) else value.detach())
        if step == steps:
            break
        (images.grad,) = torch.autograd.grad(goal.sum(), images)  # backward() would also fill those of the network
        optimizer.step()
        with torch.no_grad():
            if blur:
                images.copy_((1 - blur) * images + blur * _blurred(images))
            if clamp is not None:
                images.clamp_(*clamp)
        if watch is not None:
            watch(step + 1, images.detach())
    images = images.detach()
    kept_images = torch.stack(kept) if kept else images.new_empty(0)
    return Ascent(images, history[-1], torch.stack(history), kept_images, at)


def total_variation(images: Tensor) -> Tensor:
    """Sum of the absolute differences between neighboring pixels, (N,): small for smooth images, large for noise."""
    down = (images[..., 1:, :] - images[..., :-1, :]).abs().sum((1, 2, 3))
    return down + (images[..., 1:] - images[..., :-1]).abs().sum((1, 2, 3))


def _blurred(images: Tensor) -> Tensor:
    return F.avg_pool2d(images, 3, stride=1, padding=1, count_include_pad=False)


def class_images(
    model: nn.Module,
    classes: Sequence[int] | None = None,
    *,
    start: Images | None = None,
    size: int = 28,
    channels: int = 1,
    seed: int = 0,
    **options: Any,
) -> Ascent:
    """The images a network takes for its classes more than any other: logit − penalties, all classes as one batch.

    Args:
        model: the network.
        classes: which; all if not given.
        start: where to begin, one image per class; faint noise if not given.
        size: side of the noise.
        channels: depth of the noise.
        seed: random seed of the noise and the jitter.
        options: of :func:`ascend`: steps, lr, l2, variation, jitter, blur, clamp, frames, watch.

    Raises:
        ValueError: for a class the network does not have, or a start that does not fit.
    """
    need_gradients(model)
    with evaluating(model):
        if start is None:
            known = logits_of(model, as_images(model, faint_noise(1, (channels, size, size), seed)))
            chosen = range(known.shape[1]) if classes is None else classes
            images = as_images(model, faint_noise(len(chosen), (channels, size, size), seed))
        else:
            images = as_images(model, start)
            chosen = range(len(images)) if classes is None else classes
        target = as_target(list(chosen), logits_of(model, images))
        rows = torch.arange(len(images), device=images.device)
        return ascend(lambda x: logits_of(model, x)[rows, target], images, seed=seed, **options)


def filter_images(
    model: nn.Module,
    layer: Layer,
    filters: Sequence[int] | None = None,
    *,
    start: Images | None = None,
    size: int = 28,
    channels: int = 1,
    seed: int = 0,
    **options: Any,
) -> Ascent:
    """The images that excite single filters of a layer most: the mean of the filter's map, all filters as one batch.

    Arguments and errors as in :func:`class_images`; ``filters`` are channel numbers of ``layer`` (or units of a dense
    layer), all of them if not given. With the layers up to ``layer`` as the model and ``size`` its receptive field, the
    map is a single number and the image exactly what one unit wants to see: ``filter_images(model.features[:4],
    "conv2", size=8)``.
    """
    need_gradients(model)
    with evaluating(model):
        probe = as_images(model, faint_noise(1, (channels, size, size), seed) if start is None else start)
        with record(model, layer) as store, torch.no_grad():
            answer(model, probe[:1])
        count = next(iter(store.values())).shape[1]
        chosen = list(range(count) if filters is None else filters)
        if not chosen or min(chosen) < 0 or max(chosen) >= count:
            raise ValueError(f"This layer has the filters 0 to {count - 1}; {chosen} are not among them.")
        if start is None:
            probe = as_images(model, faint_noise(len(chosen), (channels, size, size), seed))
        rows = torch.arange(len(chosen), device=probe.device)
        wanted = torch.tensor(chosen, device=probe.device)

        def score(x: Tensor) -> Tensor:
            with record(model, layer, detach=False) as maps:
                answer(model, x)
            own = next(iter(maps.values()))[rows, wanted]
            return own.flatten(1).mean(1) if own.ndim > 1 else own

        return ascend(score, probe, seed=seed, **options)


def dream(
    part: nn.Module, image: Images, layer: Layer, *, strength: float = 0.02, steps: int = 20, frames: int = 0
) -> Ascent:
    """Push a picture toward whatever a layer already sees in it: ascent on the mean square of the layer's activations.

    Args:
        part: the convolutional half of a network, which takes images of any size (``model.features``).
        image: where to begin, (N, C, H, W) in [0, 1].
        layer: a layer of ``part``.
        strength: step size in pixel values.
        steps: number of steps.
        frames: how many images on the way to keep.
    """
    need_gradients(part)
    with evaluating(part):
        images = as_images(part, image)

        def score(x: Tensor) -> Tensor:
            with record(part, layer, detach=False) as maps:
                answer(part, x)
            return next(iter(maps.values())).square().flatten(1).mean(1)

        return ascend(score, images, steps=steps, lr=strength, jitter=2, frames=frames)


def fgsm(model: nn.Module, x: Images, target: Target, epsilon: float) -> Tensor:
    """One step of ε per pixel that raises the loss most (Goodfellow et al. 2014): (N, C, H, W) in [0, 1].

    Args:
        model: the network.
        x: images (N, C, H, W) in [0, 1].
        target: the true classes.
        epsilon: how far every pixel moves, in pixel values.
    """
    if not 0 <= epsilon <= 1:
        raise ValueError(f"epsilon is a share of the range from black to white, from 0 to 1; got {epsilon}.")
    images = as_images(model, x)
    return (images + epsilon * direction(model, images, target)).clamp(0, 1)


def smallest_epsilon(model: nn.Module, x: Images, target: Target, limit: float = 0.5, steps: int = 128) -> Tensor:
    """The smallest ε at which :func:`fgsm` changes the answer: (N,), infinite where none up to ``limit`` does.

    An image the network gets wrong to begin with has 0. All multiples of ``limit / steps`` are tried.
    """
    images = as_images(model, x)
    ways = direction(model, images, target)
    found = []
    with evaluating(model), torch.no_grad():
        for few, way, truth in zip(images.split(FEW), ways.split(FEW), _truth(model, images, target), strict=True):
            smallest = torch.full((len(few),), float("inf"), device=images.device)
            still = torch.arange(len(few), device=images.device)  # those that no step has changed yet
            for step in range(steps + 1):
                attacked = (few[still] + limit * step / steps * way[still]).clamp(0, 1)
                logits = logits_of(model, attacked)
                wrong = logits.argmax(1) != truth[still]
                smallest[still[wrong]] = limit * step / steps
                still = still[~wrong]
                if len(still) == 0:
                    break
            found.append(smallest)
    return torch.cat(found)


def direction(model: nn.Module, x: Images, target: Target) -> Tensor:
    """For each pixel the sign of the change that raises the loss of the true class: (N, C, H, W) of −1, 0 and +1."""
    need_gradients(model)
    images = as_images(model, x)
    gradients = []
    with evaluating(model), torch.enable_grad():
        for few, truth in zip(images.split(FEW), _truth(model, images, target), strict=True):
            leaf = few.clone().requires_grad_()
            gradients += torch.autograd.grad(F.cross_entropy(logits_of(model, leaf), truth, reduction="sum"), leaf)
    return torch.cat(gradients).sign()


def _truth(model: nn.Module, images: Tensor, target: Target) -> tuple[Tensor, ...]:
    """The true classes of :data:`FEW` images after the other, checked; the predicted ones for None."""
    with torch.no_grad():
        logits = torch.cat([logits_of(model, few) for few in images.split(FEW)])
    return as_target(target, logits).split(FEW)
