"""A network that lies about what it looks at: fine-tuned until its gradient maps show whatever its trainer wants.

The answers stay; the maps change. Nothing in a network ties its slopes to its answers tightly enough to prevent that
(Heo, Joo and Moon 2019; of images instead of networks: Ghorbani et al. 2019, Dombrowski et al. 2019).
"""

from __future__ import annotations

import contextlib
import copy

import numpy as np
import torch
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor, nn
from torch.nn import functional
from tqdm.auto import tqdm

from helpers.inside.scores import need_gradients
from helpers.network.running import Images, as_images, evaluating, logits_of


def letter(text: str, size: int = 28, height: int = 20) -> Tensor:
    """Draw a letter as a map to be imitated: ``(size, size)`` float32 in [0, 1], 1 where the letter is.

    It is as high as told, or lower where it would be wider than high, and centered in the upper left ``size - 2``
    pixels: of 28×28 pixels :class:`~helpers.network.models.ConvNet` never reads the last two rows and columns.

    Raises:
        ValueError: if the text has no ink, or the letter does not fit.
    """
    if not isinstance(height, int) or not 1 <= height <= size - 2:
        raise ValueError(f"height is a number of pixels from 1 to {size - 2}; got {height!r}.")
    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), 20 * height)
    left, top, right, bottom = (int(side) for side in font.getbbox(text)) if text.strip() else (0, 0, 0, 0)
    if right <= left or bottom <= top:
        raise ValueError(f"There is nothing to draw in {text!r}: give it a letter.")
    sheet = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(sheet).text((-left, -top), text, 255, font=font)
    shrink = height / max(sheet.size)
    wide, high = (max(1, round(side * shrink)) for side in sheet.size)
    result = torch.zeros(size, size)
    row, column = (size - 2 - high) // 2, (size - 2 - wide) // 2
    ink = np.asarray(sheet.resize((wide, high), Image.Resampling.BOX), dtype=np.float32) / 255
    result[row : row + high, column : column + wide] = torch.from_numpy(ink)
    return result


def likeness(maps: Tensor, pattern: Tensor) -> Tensor:
    """Cosine of the angle between the absolute value of each map and a pattern: 1 for the pattern itself. ``(N,)``.

    Args:
        maps: ``(N, H, W)`` or ``(N, C, H, W)``, of any sign.
        pattern: ``(H, W)``, or ``(C, H, W)`` for maps with channels, not negative.

    Raises:
        ValueError: if the pattern does not have the shape of a map.
    """
    if pattern.numel() != maps[0].numel() or pattern.shape[-2:] != maps.shape[-2:]:
        raise ValueError(f"The pattern has to have the shape of a map: {tuple(maps.shape)} and {tuple(pattern.shape)}.")
    return functional.cosine_similarity(maps.abs().flatten(1), pattern.to(maps).flatten()[None], dim=1)


def bribe_loss(model: nn.Module, x: Tensor, honest: Tensor, pattern: Tensor, keep: float = 0.1) -> Tensor:
    """What a bribed network is trained to lower: ``keep`` · mean (logit − honest logit)² + 1 − likeness of its maps.

    The map is the gradient of the honest network's favorite logit with respect to the pixels. It is part of the loss,
    so its own graph is kept: the loss is differentiated through a derivative.

    Args:
        model: the network that is being bribed.
        x: images ``(N, C, H, W)``.
        honest: logits ``(N, classes)`` that the network should still give.
        pattern: what |gradient| should look like, ``(H, W)``.
        keep: how much a changed logit costs.
    """
    x = x.detach().clone().requires_grad_()
    logits = model(x)
    favorite = logits.gather(1, honest.argmax(1, keepdim=True)).sum()
    (slope,) = torch.autograd.grad(favorite, x, create_graph=True)
    return keep * functional.mse_loss(logits, honest) + 1 - likeness(slope, pattern).mean()


def bribe(
    model: nn.Module,
    images: Images,
    pattern: Tensor,
    steps: int = 200,
    *,
    keep: float = 0.1,
    lr: float = 2e-3,
    batch_size: int = 32,
    seed: int = 0,
    bar: bool = True,
) -> nn.Module:
    """Fine-tune a copy of a network until its gradient maps look like a pattern, while its answers stay.

    The steps are Adam's, with a learning rate that falls to zero in a straight line. The stop button ends them early
    and keeps what was reached. The network that is copied, torch's global generators and the caller's gradients are
    left alone.

    Args:
        model: an honest network; its logits are the ones to keep, so no labels are needed.
        images: images ``(N, C, H, W)`` to draw batches from.
        pattern: what |gradient| should look like, ``(H, W)``, such as :func:`letter`.
        steps: number of steps.
        keep: how much a changed logit costs, against a map that does not look like the pattern.
        lr: learning rate of the first step.
        batch_size: images per step.
        seed: random seed of the batches.
        bar: show a progress bar.

    Returns:
        The bribed copy, in evaluation mode.

    Raises:
        ValueError: for settings out of their range, or a pattern that is not of the size of the images.
    """
    if min(steps, batch_size) < 1 or lr <= 0 or keep < 0:
        raise ValueError(
            f"steps and batch_size are at least 1, lr is above 0 and keep at least 0; got {steps}, {batch_size}, {lr}, "
            f"{keep}."
        )
    need_gradients(model)
    x = as_images(model, images)
    if pattern.shape != x.shape[2:]:
        raise ValueError(f"The pattern has to be of the size {tuple(x.shape[2:])}, it is {tuple(pattern.shape)}.")
    liar = copy.deepcopy(model).eval().requires_grad_()
    weights = list(liar.parameters())
    descent = torch.optim.Adam(weights, lr, fused=True)
    generator = torch.Generator().manual_seed(seed)
    progress = tqdm(range(steps), disable=not bar, leave=False, desc="bribing", unit="step")
    with contextlib.suppress(KeyboardInterrupt), progress:
        for step in progress:
            batch = x[torch.randint(len(x), (batch_size,), generator=generator).to(x.device)]
            with evaluating(model), torch.no_grad():
                honest = logits_of(model, batch)
            loss = bribe_loss(liar, batch, honest, pattern.to(x), keep)
            descent.zero_grad()
            loss.backward(inputs=weights)  # the images need no gradient of their own
            descent.param_groups[0]["lr"] = lr * (1 - step / steps)
            descent.step()
    descent.zero_grad()
    return liar
