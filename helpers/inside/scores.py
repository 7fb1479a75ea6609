"""What every way of looking inside starts with: a checked batch, the score of a class, and the score's gradient.

The score ``S_c`` is the logit of class c (never the probability) everywhere in the series. Nothing here leaves a trace:
gradients are taken with ``torch.autograd.grad`` on a copy of the images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor, nn

from helpers.network.hooks import record
from helpers.network.running import logits_of, network

Target = int | Iterable[int] | Tensor | np.ndarray | None
Neuron = tuple  # (layer, channel, row, column), or (layer, unit) for a dense layer


def as_target(target: Target, logits: Tensor) -> Tensor:
    """Class index for each image, ``(N,)``: one for all, one for each, or the predicted class for None.

    Raises:
        TypeError: if the target is not made of whole numbers.
        ValueError: if there are not as many as images, or one is not a class of the network.
    """
    n, classes = logits.shape
    if not torch.isfinite(logits.detach()).all():
        raise ValueError("The network answers with NaN or infinity: its weights are broken, so load or train it again.")
    if target is None:
        return logits.detach().argmax(1)
    if isinstance(target, Iterable) and not isinstance(target, (Tensor, np.ndarray, str)):
        target = list(target)
    try:
        index = torch.as_tensor(target, device=logits.device)
    except (TypeError, ValueError, RuntimeError):
        index = torch.zeros(())
    if index.is_floating_point() or index.is_complex() or index.dtype == torch.bool:
        raise TypeError(f"A target is a class number or one class number for each image, not {target!r}.")
    if index.ndim > 1 or (index.ndim == 1 and len(index) != n):
        raise ValueError(f"{n} images need one target or {n} of them, got shape {tuple(index.shape)}.")
    if index.min() < 0 or index.max() >= classes:
        raise ValueError(f"The network has the classes 0 to {classes - 1}, target {target!r} is not one of them.")
    return index.long().expand(n)


def need_gradients(model: nn.Module) -> None:
    """Say what is wrong when no gradient can be taken here.

    Raises:
        RuntimeError: inside ``torch.inference_mode()``, or for a network that was built inside it.
    """
    if torch.is_inference_mode_enabled():
        raise RuntimeError("No gradients exist inside torch.inference_mode(): call this helper outside of it.")
    if any(p.is_inference() for p in network(model).parameters()):
        raise RuntimeError(
            "This network was built inside torch.inference_mode() and has no gradients: build it outside."
        )


def score_gradient(
    model: nn.Module,
    x: Tensor,
    target: Target = None,
    neuron: Neuron | None = None,
    inspect: Callable[[Tensor], None] | None = None,
) -> Tensor:
    """Gradient of each image's score with respect to its own pixels, in the shape of x.

    Args:
        model: the network, in the mode it should be judged in (see :func:`evaluating`).
        x: batch from :func:`as_images`.
        target: class or classes, None for the predicted ones.
        neuron: instead of a class, one unit: ``(layer, channel, row, column)`` or ``(layer, unit)``.
        inspect: called with the scores before the gradient is taken.

    Raises:
        RuntimeError: see :func:`need_gradients`.
        ValueError: for a bad target or neuron, or a score that does not depend on the pixels.
    """
    need_gradients(model)
    with torch.enable_grad():
        pixels = x.detach().clone().requires_grad_()
        # The network gets a copy, so that one that starts with an in-place layer may overwrite it.
        if neuron is None:
            logits = logits_of(model, pixels.clone(), to_the_bit=True)
            scores = logits.gather(1, as_target(target, logits)[:, None])
        else:
            scores = _unit(model, pixels.clone(), neuron, target)
        if inspect is not None:
            inspect(scores)
        if scores.requires_grad:
            (gradient,) = torch.autograd.grad(scores.sum(), pixels, allow_unused=True)
            if gradient is not None:
                return gradient
    raise ValueError("The score does not depend on the pixels through anything that can be differentiated.")


def _unit(model: nn.Module, x: Tensor, neuron: Neuron, target: Target) -> Tensor:
    """Value of one unit for each image, ``(N,)``."""
    if target is not None:
        raise ValueError("Explain either a class (target) or a unit inside (neuron), not both.")
    if not isinstance(neuron, tuple) or len(neuron) < 2:
        raise TypeError(f"A neuron is (layer, channel, row, column) or (layer, unit), not {neuron!r}.")
    layer, *index = neuron
    with record(model, layer, detach=False) as store:
        logits_of(model, x, to_the_bit=True)
    answer = next(iter(store.values()))
    shape = tuple(answer.shape[1:])
    whole = all(isinstance(i, (int, np.integer)) and not isinstance(i, bool) for i in index)
    if not whole or len(index) != len(shape) or not all(0 <= i < n for i, n in zip(index, shape, strict=True)):
        where = f"{len(shape)} whole numbers from 0 below {shape}"
        raise ValueError(f"Layer {next(iter(store))} has units at {where}; {tuple(index)} is not one of them.")
    return answer[(slice(None), *index)]
