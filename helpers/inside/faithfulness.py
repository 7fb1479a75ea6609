"""Is a map right? Measures that need no eye: delete what it points at, shuffle the network, compare it with the ink."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from helpers.inside.scores import Target, as_target
from helpers.network.hooks import Layer, find_layer
from helpers.network.running import Images, as_images, evaluating, logits_of, seeded


def ink(x: Images, threshold: float = 0.0) -> Tensor:
    """Where the images ``(N, C, H, W)`` are brighter than ``threshold`` in any channel: ``(N, H, W)``, bool."""
    return (torch.as_tensor(x) > threshold).any(1)


class Deletion(NamedTuple):
    """A deletion curve for each image.

    ``share`` ``(steps + 1,)`` of the pixels deleted so far, from 0; ``logits`` and ``probabilities``
    ``(N, steps + 1)`` of the explained class.
    """

    share: Tensor
    logits: Tensor
    probabilities: Tensor


def deletion(
    model: nn.Module,
    x: Images,
    maps: Tensor,
    target: Target = None,
    *,
    steps: int = 28,
    until: float = 1.0,
) -> Deletion:
    """Blacken pixels in the order of a map, the highest value first, and score what is left (Samek 2016, RISE 2018).

    A map that found what the network uses makes the curve fall early.

    Args:
        model: the network; judged in evaluation mode and left as it was.
        x: images ``(N, C, H, W)``.
        maps: ``(N, H, W)``, or ``(N, C, H, W)`` of which the channels are added up.
        target: class or classes; None for those predicted for x.
        steps: number of equal steps in which pixels are deleted.
        until: share of the pixels deleted at the end.

    Raises:
        TypeError, ValueError: for images, maps, steps or a share that do not fit.
    """
    if not isinstance(steps, int) or steps < 1 or not 0 < until <= 1:
        raise ValueError(f"steps has to be at least 1 and until a share in (0, 1]; got {steps!r} and {until!r}.")
    with evaluating(model), torch.no_grad():
        images = as_images(model, x)
        order = _flat(maps, images).argsort(dim=1, descending=True, stable=True)
        rank = torch.empty_like(order).scatter_(
            1, order, torch.arange(order.shape[1], device=order.device).expand_as(order)
        )
        rank = rank.view(len(images), 1, *images.shape[2:])
        share = torch.linspace(0, until, steps + 1)
        logits = [logits_of(model, images.where(rank >= round(s * order.shape[1]), 0)) for s in share.tolist()]
        index = as_target(target, logits[0])[:, None]
        probabilities = torch.cat([z.softmax(1).gather(1, index) for z in logits], 1)
        return Deletion(share, torch.cat([z.gather(1, index) for z in logits], 1).cpu(), probabilities.cpu())


def rank_correlation(a: Tensor, b: Tensor, where: Tensor | None = None) -> Tensor:
    """Spearman's correlation of two maps of each image: 1 the same order of pixels, 0 nothing in common. ``(N,)``.

    On digits compare the ``where=ink(x)`` only: on the black background, input times gradient and its relatives are
    zero for any network, and the shared zeros alone give 0.99.

    Args:
        a: maps ``(N, H, W)`` or ``(N, C, H, W)``.
        b: as many of the same shape.
        where: ``(N, H, W)``, bool: the pixels to compare. All of them for None.

    Returns:
        One number for each image; NaN where one of the maps is constant.
    """
    if a.shape != b.shape or a.ndim not in (3, 4):
        raise ValueError(
            f"Compare maps of one shape (N, H, W) or (N, C, H, W), not {tuple(a.shape)} and {tuple(b.shape)}."
        )
    chosen = None if where is None else (where[:, None] if a.ndim == 4 else where).expand(a.shape).cpu().numpy()
    result = []
    for i, (one, other) in enumerate(zip(a.detach().cpu().numpy(), b.detach().cpu().numpy(), strict=True)):
        ranks = [_ranks(values if chosen is None else values[chosen[i]]) for values in (one, other)]
        ranks = [r - r.mean() if r.size else r for r in ranks]
        size = np.sqrt((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum())
        result.append(float((ranks[0] * ranks[1]).sum() / size) if size > 0 else float("nan"))
    return torch.tensor(result)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, equal values sharing the mean of theirs; what ``scipy.stats.rankdata`` gives without its 40 MB."""
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    shared = sizes.cumsum() - (sizes - 1) / 2
    return np.where(np.isnan(values).ravel(), np.nan, shared[group.ravel()])


def weighted_layers(model: nn.Module) -> list[str]:
    """Names of the layers with weights, from the top (nearest to the logits) down: the order of a sanity check."""
    names = [name for name, m in model.named_modules() if any(True for _ in m.parameters(recurse=False))]
    return names[::-1]


def randomize(model: nn.Module, layers: Layer | Iterable[Layer], seed: int = 0) -> nn.Module:
    """A copy of the network in which some layers have their initial random weights again (Adebayo et al. 2018).

    Args:
        model: the trained network; it is not changed, nor is torch's global random state.
        layers: names or modules; a group such as ``"classifier"`` stands for everything in it.
        seed: random seed of the new weights.

    Raises:
        ValueError: for a layer that does not exist, or has weights but no way to initialize them.
    """
    result = copy.deepcopy(model)
    chosen = [find_layer(model, layer)[0] for layer in ([layers] if isinstance(layers, (str, nn.Module)) else layers)]
    with seeded(seed):
        for name in chosen:
            for module in result.get_submodule(name).modules():
                if any(True for _ in module.parameters(recurse=False)):
                    if not callable(reset := getattr(module, "reset_parameters", None)):
                        raise ValueError(
                            f"Layer {name} holds a {type(module).__name__} that cannot be initialized anew."
                        )
                    reset()
    return result


def segment(maps: Tensor, share: float | Tensor) -> Tensor:
    """The brightest pixels of each map as a mask ``(N, H, W)``, bool.

    Args:
        maps: ``(N, H, W)``, or ``(N, C, H, W)`` of which the channels are added up.
        share: of the pixels to keep, one number or one for each image, such as ``ink(x).float().mean((1, 2))``.
    """
    flat = _flat(maps)
    keep = (torch.as_tensor(share, dtype=torch.float64).expand(len(flat)) * flat.shape[1]).round()
    order = flat.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    return (order < keep[:, None].to(order.device)).view(len(flat), *maps.shape[-2:])


def overlap(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of two masks ``(N, H, W)``, bool: 1 the same, 0 disjoint. ``(N,)``; two empty ones: 1."""
    if a.shape != b.shape or a.dtype != torch.bool or b.dtype != torch.bool:
        raise ValueError(
            f"Compare two bool masks of one shape, not {a.dtype} {tuple(a.shape)} and {b.dtype} {tuple(b.shape)}."
        )
    both, either = (a & b).flatten(1).sum(1), (a | b).flatten(1).sum(1)
    return torch.where(either > 0, both / either.clamp(min=1), 1.0)


def _flat(maps: Tensor, images: Tensor | None = None) -> Tensor:
    """``(N, H·W)``, channels added up."""
    maps = torch.as_tensor(maps)
    maps = maps.sum(1) if maps.ndim == 4 else maps
    if maps.ndim != 3 or (images is not None and maps.shape != (len(images), *images.shape[2:])):
        wanted = "" if images is None else f" for images {tuple(images.shape)}"
        raise ValueError(f"Expected one map (N, H, W) for each image, got shape {tuple(maps.shape)}{wanted}.")
    maps = maps if images is None else maps.to(images.device)
    return maps.flatten(1)
