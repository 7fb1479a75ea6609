"""A network as a chain of stages that each look at a small part of what comes before: convolutions and poolings.

This is what incremental occlusion needs to know: from where to where each output sees its input.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from helpers.network.hooks import hooked, layer_names
from helpers.network.running import logits_of

POINTWISE = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Hardtanh),
    *(nn.Identity, nn.Dropout, nn.Dropout2d, nn.BatchNorm2d),
)
Pair = tuple[int, int]
Step = tuple[nn.Module, Tensor, Tensor]  # a layer, its input, its output


class View(NamedTuple):
    """The output at o sees ``reach`` inputs from ``o·jump - padding`` on; all in (rows, columns)."""

    jump: Pair
    reach: Pair
    padding: Pair


@dataclass
class Stage:
    """Layers to run on a patch that was cut out with its rim, so that they add no padding of their own."""

    view: View
    pad_value: float
    before: Tensor  # input of the stage for the watched image, (1, C, H, W)
    run: list[Callable[[Tensor], Tensor]]
    can_pool: bool = False  # a convolution without a pooling behind it so far


def find_chain(model: nn.Module, x: Tensor) -> tuple[list[Step], Tensor]:
    """Layer, input and output of every step, in order, and the network's answer.

    Raises:
        ValueError: if the network does something between its layers, or uses them in another way than one by one.
    """
    steps: list[Step] = []
    names = {model.get_submodule(name): name for name in layer_names(model)} or {model: ""}

    def note(module: nn.Module, inputs: tuple, output: Tensor) -> None:
        steps.append((module, inputs[0] if len(inputs) == 1 else None, output))

    with hooked([(module, note) for module in names]):
        answer = logits_of(model, x)
    at, place = x, "its input"
    for module, given, output in steps:
        if given is not at:
            break
        at, place = output, f"its layer {names[module]}"
    if at is not answer:
        raise ValueError(
            "incremental=True needs a network that is one chain of layers, and this one does something else behind "
            f"{place}: use incremental=False."
        )
    return steps, answer


def stages_of(steps: list[Step]) -> tuple[list[Stage], list[nn.Module], Tensor]:
    """The chain as stages, the layers that follow them, and the input of those for the watched image.

    Raises:
        ValueError: if the chain does not begin with layers that look at a part of the image only, or never ends them.
    """
    stages: list[Stage] = []
    for i, (layer, before, _) in enumerate(steps):
        stage = _as_stage(layer, before) if before.ndim == 4 else None
        if stage is None:
            if not stages:
                break
            return stages, [step[0] for step in steps[i:]], before
        last = stages[-1] if stages else None
        pointwise = isinstance(layer, POINTWISE)
        if last and (pointwise or (last.can_pool and not stage.can_pool and stage.view.padding == (0, 0))):
            # Nothing has to be gathered for a layer that works value by value, or for a pooling behind a convolution.
            jump, reach, padding = last.view
            reach = tuple((k - 1) * s + n for k, s, n in zip(stage.view.reach, jump, reach, strict=True))
            last.view = View(tuple(a * b for a, b in zip(jump, stage.view.jump, strict=True)), reach, padding)
            last.run += stage.run
            last.can_pool &= pointwise
        else:
            stages.append(stage)
    raise ValueError("incremental=True needs convolutions and a classifier behind them: use incremental=False.")


def _as_stage(layer: nn.Module, before: Tensor) -> Stage | None:
    """A convolution, pooling or activation, without padding of its own; None for a layer of another kind."""
    if isinstance(layer, POINTWISE):
        if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is None:
            return None  # normalizes with the statistics of the patch
        # The patch is nobody else's, so that a ReLU may overwrite it: fresh memory costs more than the ReLU.
        run = functional.relu_ if type(layer) is nn.ReLU else layer
        return Stage(View((1, 1), (1, 1), (0, 0)), 0.0, before, [run])
    if isinstance(layer, nn.Conv2d):
        if layer.padding_mode != "zeros":
            return None
        span = tuple(d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True))
        padding = {"valid": (0, 0), "same": tuple(n // 2 for n in span)}.get(layer.padding, layer.padding)
        named = {"stride": layer.stride, "dilation": layer.dilation, "groups": layer.groups}
        run = partial(functional.conv2d, weight=layer.weight, bias=layer.bias, **named)
        return Stage(View(layer.stride, tuple(n + 1 for n in span), padding), 0.0, before, [run], can_pool=True)
    if not isinstance(layer, (nn.MaxPool2d, nn.AvgPool2d)) or layer.ceil_mode:
        return None
    size, stride, padding = (_pair(n) for n in (layer.kernel_size, layer.stride, layer.padding))
    if isinstance(layer, nn.MaxPool2d):
        dilation = _pair(layer.dilation)
        reach = tuple(d * (k - 1) + 1 for d, k in zip(dilation, size, strict=True))
        run = partial(functional.max_pool2d, kernel_size=size, stride=stride, dilation=dilation)
        if (size, stride, dilation) == ((2, 2), (2, 2), (1, 1)):
            run = _max_of_four
        return Stage(View(stride, reach, padding), float("-inf"), before, [run])
    if padding != (0, 0) and not layer.count_include_pad:
        return None
    run = partial(functional.avg_pool2d, kernel_size=size, stride=stride, divisor_override=layer.divisor_override)
    return Stage(View(stride, size, padding), 0.0, before, [run])


def _max_of_four(x: Tensor) -> Tensor:
    """2×2 max pooling of patches with even sides. PyTorch's own also notes where each maximum was: twice the time."""
    upper, lower = x[..., ::2, :], x[..., 1::2, :]
    rows = torch.maximum(upper, lower)
    return torch.maximum(rows[..., ::2], rows[..., 1::2])


def _pair(n: int | Pair) -> Pair:
    return (n, n) if isinstance(n, int) else tuple(n)
