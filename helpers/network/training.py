"""The training loop of the lessons plus a progress bar, live curves, a learning-rate schedule and fast kernels."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from helpers.data import Split
from helpers.network.device import best_device, fast_bfloat16
from helpers.network.history import Diverged, Epoch, History
from helpers.network.running import as_floats, first_weight, known_labels, layout_of, predict, seeded, tensors_of

Watcher = Callable[[History], object]


def _augmented(images: Tensor, shift: int, each: bool, flip: bool, generator: torch.Generator) -> Tensor:
    """A batch (N, C, H, W) at random shifted by up to ``shift`` pixels and, if ``flip``, mirrored image by image."""
    count, _, height, width = images.shape
    device = images.device
    if shift and each:  # black enters at the border
        windows = F.pad(images, (shift,) * 4).unfold(2, height, 1).unfold(3, width, 1)  # every place of the window
        down, right = torch.randint(0, 2 * shift + 1, (2, count), generator=generator).to(device)
        images = windows[torch.arange(count, device=device), :, down, right]
    elif shift:  # one roll of the whole batch is faster; the (black) border that leaves returns on the opposite side
        dy, dx = torch.randint(-shift, shift + 1, (2,), generator=generator).tolist()
        images = images.roll((dy, dx), (2, 3))
    if flip:
        mirrored = torch.rand((count, 1, 1, 1), generator=generator).to(device) < 0.5
        images = torch.where(mirrored, images.flip(3), images)
    return images


def _optimizer(kind: str, model: nn.Module, lr: float, momentum: float, decay: float) -> torch.optim.Optimizer:
    if kind == "sgd":
        nesterov = momentum > 0
        return torch.optim.SGD(model.parameters(), lr, momentum, weight_decay=decay, nesterov=nesterov, fused=True)
    # Averages over about a hundred gradients instead of a thousand: short runs end half a percent higher.
    return torch.optim.AdamW(model.parameters(), lr, betas=(0.9, 0.99), weight_decay=decay, fused=True)


def _schedule(optimizer: torch.optim.Optimizer, lr: float, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
    # PyTorch's schedule divides by the length of its two phases, which vanish when there are fewer than eight steps.
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, max(steps, 8), pct_start=0.25, cycle_momentum=False)


def _one_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor, smooth: float, half: bool
) -> tuple[float, float]:
    """One step on one batch; returns its loss and accuracy before the step."""
    with torch.autocast(images.device.type, torch.bfloat16, enabled=half):
        logits = model(images)
        loss = F.cross_entropy(logits, labels, label_smoothing=smooth)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item(), (logits.argmax(1) == labels).float().mean().item()


def _check(model: nn.Module, images: Tensor, labels: Tensor) -> None:
    """One image through the network before anything is trained, so that a misfit is a sentence and not a traceback."""
    known_labels(labels, predict(model, images[:1].nan_to_num()).shape[1])


def _device(name: str) -> str:
    """The name of a device, if the computer has it."""
    try:
        kind = torch.device(name).type
    except RuntimeError:
        raise ValueError(f"There is no device {name!r}: choose 'auto', 'cpu', 'cuda' or 'mps'.") from None
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(kind, True):
        raise ValueError(f"PyTorch finds no {kind} device on this computer: leave `device` out, or say 'cpu'.")
    return name


def _whole(least: int, **settings: Any) -> None:
    """Refuse settings that are not whole numbers of at least ``least``."""
    for name, value in settings.items():
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
            raise ValueError(f"{name} is a whole number of at least {least}; got {value!r}.")


def fit(
    model: nn.Module,
    train: Split | tuple[Any, Any],
    validation: Split | tuple[Any, Any] | None = None,
    epochs: int = 1,
    *,
    batch_size: int = 32,
    lr: float = 0.07,
    optimizer: str = "sgd",
    momentum: float = 0.9,
    weight_decay: float = 5e-4,
    one_cycle: bool = True,
    shift: int = 1,
    flip: bool = False,
    each: bool = False,
    smooth: float = 0.0,
    seed: int = 0,
    device: str = "auto",
    fast: bool = True,
    bar: bool = True,
    watch: Watcher | Iterable[Watcher] | None = None,
) -> History:
    """Train ``model`` in place and return its history; the stop button ends it early and keeps what was learned.

    The loop of the training lesson, plus what can be switched off: a learning rate that rises and falls once (Smith,
    Super-Convergence, 2018), a random shift of each batch, and ``fast``, which stores images in the channels-last
    layout and multiplies in bfloat16 where the device has instructions for it (the weights stay float32). The caller's
    random numbers go on afterwards as if nothing had been trained.

    Args:
        model: any classifier that maps images (N, C, H, W) to logits (N, classes). Trained on ``device``; afterwards it
            is back on its own device, and all of it in evaluation mode.
        train: a split, or a pair (images, labels): float (N, C, H, W) in [0, 1] and int64 (N,).
        validation: measured after every epoch, never trained on.
        epochs: passes over the training set.
        batch_size: images per step.
        lr: learning rate; with ``one_cycle`` its highest value.
        optimizer: ``"sgd"`` (Nesterov momentum) or ``"adam"`` (AdamW with betas 0.9 and 0.99; wants lr ≈ 0.003, with
            batches of 128 or more up to 0.02).
        momentum: of SGD, in [0, 1).
        weight_decay: strength of the pull of every weight toward zero.
        one_cycle: learning-rate schedule: rise for a quarter of the steps, then fall to zero; else it is constant.
        shift: largest random shift, in pixels; 0 for none.
        each: draw the shift for each image, instead of once for the whole batch.
        flip: mirror each image left to right with probability 1/2 (clothes yes, digits no).
        smooth: label smoothing in [0, 1): the share of the target that is spread over all classes (Szegedy et al.,
            2016).
        seed: random seed for shuffling, augmentation and dropout. The same seed repeats a run on the same computer.
        device: ``"auto"`` (cuda, else mps, else cpu) or a device's name.
        fast: see above; ``False`` is the plain loop in float32.
        bar: show a progress bar.
        watch: a function, or several, called with the history after every step and once at the end (there as its
            method ``close``, if it has one); ``plots.LiveCurves()`` draws the history.

    Raises:
        ValueError: for a setting out of its range, or images, labels and network that do not fit together.
        Diverged: if the loss becomes infinite or NaN; names the likely cause.
    """
    _whole(1, epochs=epochs, batch_size=batch_size)
    _whole(0, shift=shift, seed=seed)
    if not (lr > 0 and math.isfinite(lr)):
        raise ValueError(f"lr, the learning rate, is a number above 0; got {lr}.")
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum is a share from 0 up to, but not including, 1; got {momentum}.")
    if not (weight_decay >= 0 and math.isfinite(weight_decay)):
        raise ValueError(f"weight_decay is a number of at least 0; got {weight_decay}.")
    if not 0 <= smooth < 1:
        raise ValueError(f"smooth is a share from 0 up to, but not including, 1; got {smooth}.")
    if optimizer not in ("sgd", "adam"):
        raise ValueError(f"optimizer is 'sgd' or 'adam'; got {optimizer!r}.")
    if torch.is_inference_mode_enabled() or not torch.is_grad_enabled():
        raise ValueError("Training needs gradients: call fit outside of torch.no_grad() and torch.inference_mode().")
    home, form = first_weight(model).device, first_weight(model).dtype
    if not any(weight.requires_grad for weight in model.parameters()):
        raise ValueError("All weights of this network are frozen: set requires_grad to True for those to be trained.")
    images, labels = tensors_of(train)
    if shift >= min(images.shape[2:]):
        raise ValueError(
            f"shift is a number of pixels below the size of the images, {min(images.shape[2:])}; got {shift}."
        )
    _check(model, images, labels)
    if validation is not None:
        as_floats(tensors_of(validation)[0])
        _check(model, *tensors_of(validation))
    device = best_device() if device == "auto" else _device(device)
    kind = torch.device(device).type
    half = fast and fast_bfloat16(kind)
    layout = layout_of(model) if fast else torch.contiguous_format
    model.to(device).to(memory_format=layout)
    images, labels = images.to(device, form), labels.to(device)
    watchers = [] if watch is None else [watch] if callable(watch) else list(watch)

    generator = torch.Generator().manual_seed(seed)
    descent = _optimizer(optimizer, model, lr, momentum, weight_decay)
    per_epoch = math.ceil(len(images) / batch_size)
    history = History(per_epoch * epochs, steps_per_epoch=per_epoch, device=kind)
    history.precision = "bfloat16" if half else "float32"
    rates = _schedule(descent, lr, history.total_steps) if one_cycle else None
    progress = tqdm(total=history.total_steps, unit="step", disable=not bar, leave=False, desc="training")
    started, first = time.perf_counter(), 0
    try:
        with seeded(seed):
            for epoch in range(epochs):
                model.train()
                started, first = time.perf_counter(), len(history.losses)
                order = torch.randperm(len(images), generator=generator).to(device)
                for rows in order.split(batch_size):
                    batch = _augmented(images[rows], shift, each, flip, generator).to(memory_format=layout)
                    loss, right = _one_step(model, descent, batch, labels[rows], smooth, half)
                    if rates is not None:
                        rates.step()
                    history.losses.append(loss)
                    history.accuracies.append(right)
                    if not math.isfinite(loss):
                        raise Diverged(_diagnosis(images, history, lr), history)
                    progress.update()
                    if len(history.losses) % 20 == 0:
                        progress.set_postfix_str(f"epoch {epoch + 1}/{epochs}, loss {loss:.3f}", refresh=False)
                    for watcher in watchers:
                        watcher(history)
                seconds = time.perf_counter() - started
                history.epochs.append(_epoch(model, history, first, validation, seconds))
    except KeyboardInterrupt:
        history.interrupted = True
        if len(history.losses) > first:
            history.epochs.append(_epoch(model, history, first, validation, time.perf_counter() - started))
    finally:
        progress.close()
        model.to(home).to(memory_format=torch.contiguous_format).eval()
        descent.zero_grad()
        for watcher in watchers:
            with contextlib.suppress(KeyboardInterrupt):
                getattr(watcher, "close", watcher)(history)
    return history


def _epoch(model: nn.Module, history: History, first: int, validation: Any, seconds: float) -> Epoch:
    losses, hits = history.losses[first:], history.accuracies[first:]
    mean = (sum(losses) / len(losses), sum(hits) / len(hits))
    if validation is None:
        return Epoch(*mean, None, None, seconds)
    images, labels = tensors_of(validation)
    logits = predict(model, images)
    right = (logits.argmax(1) == labels).float().mean().item()
    return Epoch(*mean, F.cross_entropy(logits, labels).item(), right, seconds)


def _diagnosis(images: Tensor, history: History, lr: float) -> str:
    step = len(history.losses)
    if not torch.isfinite(images).all():
        return f"The loss is {history.losses[-1]} at step {step} because some pixels are: clean the images first."
    return (
        f"The loss became {history.losses[-1]} at step {step}: the learning rate lr={lr:g} is most likely too large, "
        f"the steps overshoot; build the network again and try lr={lr / 10:g}."
    )
