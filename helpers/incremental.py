"""Occlusion that recomputes only what a mask can reach, with the same result.

A mask of 7×7 pixels changes 9×9 of the 26×26 values behind a 3×3 convolution, 5×5 of 13×13 behind the pooling, and so
on; everything else is as in the uncovered image, which goes through once. So the network is cut into stages, a
convolution or pooling with all that follows it value by value, and for each mask a small patch travels through them:

1. the layers are found by watching one image pass (:func:`_find_chain`) and cut into stages (:func:`_stages`);
2. for each stage the interval of changed outputs follows from that of changed inputs, by rows and by columns
   (:class:`_Axis`); all patches of a stage have the size of the largest interval, so that they form one batch;
3. the input of a stage is gathered, value by value, from the patches of the stage before or from the uncovered image
   (:func:`_gather`), and passes through the stage's own layers;
4. a dense layer behind a flatten is linear, so that only the change has to be multiplied with the weights of its
   place and added to what the uncovered image gave (:func:`_dense_change`); for any other layer that looks at the whole
   image the full map is put together.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from helpers.activations import hooked, layer_names
from helpers.scores import logits_of

POINTWISE = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Hardtanh),
    *(nn.Identity, nn.Dropout, nn.Dropout2d, nn.BatchNorm2d),
)
Pair = tuple[int, int]
Coordinates = tuple[Tensor, Tensor]  # of rows and of columns
Step = tuple[nn.Module, Tensor, Tensor]  # a layer, its input, its output
# Up to this many places of a patch in the last map, the dense layer behind it gets only the change as well.
MANY_PLACES = 16


@dataclass
class _Stage:
    """Layers of which the output at o sees the inputs from ``o·jump - padding`` on, ``reach`` of them, on each axis."""

    jump: Pair
    reach: Pair
    padding: Pair
    pad_value: float
    before: Tensor  # input of the stage for the uncovered image, (1, C, H, W)
    run: list[Callable[[Tensor], Tensor]] = field(default_factory=list)
    can_pool: bool = False  # a convolution without a pooling behind it so far


@dataclass
class _Axis:
    """For each mask, along one axis: what changed, ``[low, high)``, and where its patch of common ``size`` starts."""

    low: Tensor
    high: Tensor
    length: int

    def __post_init__(self) -> None:
        self.size = max(1, int((self.high - self.low).max()))
        self.start = self.low.clamp(max=self.length - self.size)

    def behind(self, jump: int, reach: int, padding: int, length: int) -> _Axis:
        """The same one stage further: an output changes when the inputs it sees overlap those that changed."""
        low = torch.div(self.low + (padding - reach), jump, rounding_mode="floor") + 1
        high = -torch.div(-(self.high + padding), jump, rounding_mode="floor")
        return _Axis(low.clamp(0, length - 1), high.clamp(0, length), length)

    def seen(self, jump: int, reach: int, padding: int = 0) -> Tensor:
        """Coordinates ``(masks, n)`` of what the patches see through layers of that jump, reach and padding."""
        n = (self.size - 1) * jump + reach
        return (self.start * jump - padding)[:, None] + torch.arange(n, device=self.low.device, dtype=self.low.dtype)


def incremental_logits(
    model: nn.Module, image: Tensor, fill: Tensor, boxes: Tensor, chunk: int
) -> tuple[Tensor, Tensor]:
    """Logits of an image, ``(classes,)``, and of the image with each box covered, ``(len(boxes), classes)``.

    Args:
        model: a chain of modules in evaluation mode; called without gradients.
        image: ``(C, H, W)``.
        fill: what is seen through the boxes, ``(C, H, W)``.
        boxes: ``(n, 4)``, top, left, bottom, right in pixels, the last two exclusive.
        chunk: boxes at a time.

    Raises:
        ValueError: if the network is not one chain of modules that starts with layers this module knows.
    """
    steps, base = _find_chain(model, image[None])
    plan = _stages(steps)
    boxes = boxes.to(device=image.device, dtype=torch.int32)
    parts = boxes.split(chunk) if len(boxes) else ()
    return base[0], torch.cat([base[:0], *(_one_chunk(*plan, image, fill, part) for part in parts)])


def _one_chunk(
    stages: list[_Stage], tail: list[nn.Module], last: Tensor, image: Tensor, fill: Tensor, boxes: Tensor
) -> Tensor:
    top, left, bottom, right = boxes.unbind(1)
    axes = (_Axis(top, bottom, image.shape[1]), _Axis(left, right, image.shape[2]))
    patch = _first_patch(image, fill, boxes, axes)
    for stage, following in zip(stages, [*(s.before for s in stages[1:]), last], strict=True):
        geometry = list(zip(stage.jump, stage.reach, stage.padding, following.shape[2:], strict=True))
        outputs = tuple(axis.behind(*numbers) for axis, numbers in zip(axes, geometry, strict=True))
        seen = tuple(axis.seen(*numbers[:3]) for axis, numbers in zip(outputs, geometry, strict=True))
        patch = _gather(stage.before, stage.pad_value, patch, (axes[0].start, axes[1].start), seen)
        for layer in stage.run:
            patch = layer(patch)
        axes = outputs
    places = math.prod(axis.length - axis.size + 1 for axis in axes)
    flat = isinstance(tail[0], nn.Flatten) and (tail[0].start_dim, tail[0].end_dim) == (1, -1)
    if flat and len(tail) > 1 and isinstance(tail[1], nn.Linear) and places <= MANY_PLACES:
        x = _dense_change(tail[1], last, patch, (axes[0].start, axes[1].start))
        tail = tail[2:]
    else:
        whole = tuple(_Axis(0 * a.low, 0 * a.low + a.length, a.length).seen(1, 1) for a in axes)
        x = _gather(last, 0.0, patch, (axes[0].start, axes[1].start), whole)
    for layer in tail:
        x = layer(x)
    return x


def _first_patch(image: Tensor, fill: Tensor, boxes: Tensor, axes: tuple[_Axis, _Axis]) -> Tensor:
    """The filling under each box, or the image where a box at the border is smaller than the patch."""
    y, x = axes[0].seen(1, 1)[:, :, None], axes[1].seen(1, 1)[:, None, :]
    top, left, bottom, right = boxes[:, :, None, None].unbind(1)
    inside = (y >= top) & (y < bottom) & (x >= left) & (x < right)
    return torch.where(inside, fill[:, y, x], image[:, y, x]).transpose(0, 1)


def _gather(base: Tensor, pad_value: float, patch: Tensor, start: Coordinates, seen: Coordinates) -> Tensor:
    """New patches ``(masks, C, h, w)``, channels last: from the old ones where they reach, else from the base.

    Args:
        base: the uncovered image's values, ``(1, C, H, W)``.
        pad_value: the value outside of the base.
        patch: the changed values, ``(masks, C, n, m)``.
        start: row and column, each ``(masks,)``, at which the patches lie in the base.
        seen: rows ``(masks, h)`` and columns ``(masks, w)`` to gather.
    """
    height, width = base.shape[2:]
    outside = base.new_full((1, base.shape[1]), pad_value)
    index = seen[0][:, :, None] * width + seen[1][:, None, :]
    y_in, x_in = ((s >= 0) & (s < n) for s, n in zip(seen, (height, width), strict=True))
    if not (bool(y_in.all()) and bool(x_in.all())):
        index = torch.where(y_in[:, :, None] & x_in[:, None, :], index, height * width)
    index = _prefer_patch(index, height * width + 1, patch, start, seen)
    return _take([_rows(base), outside, _rows(patch)], index)


def _dense_change(linear: nn.Linear, last: Tensor, patch: Tensor, start: Coordinates) -> Tensor:
    """What a dense layer behind a flatten gives: the uncovered image's values plus the change times its own weights."""
    n, m = patch.shape[2:]
    change = _change(last, patch, start).permute(0, 2, 3, 1).flatten(1)
    weight = linear.weight.unflatten(1, last.shape[1:]).to(memory_format=torch.channels_last).permute(0, 2, 3, 1)
    result = linear(last.flatten(1)).repeat(len(patch), 1)
    place = start[0] * last.shape[3] + start[1]
    for where in place.unique().tolist():
        y, x = divmod(where, last.shape[3])
        here = (place == where).nonzero()[:, 0]
        result[here] += functional.linear(change[here], weight[:, y : y + n, x : x + m].flatten(1))
    return result


def _change(base: Tensor, patch: Tensor, start: Coordinates) -> Tensor:
    """The patches minus the uncovered image's values in their places."""
    y, x = (s[:, None] + torch.arange(k, device=s.device) for s, k in zip(start, patch.shape[2:], strict=True))
    return patch - _take([_rows(base)], y[:, :, None] * base.shape[3] + x[:, None, :])


def _prefer_patch(index: Tensor, offset: int, patch: Tensor, start: Coordinates, seen: Coordinates) -> Tensor:
    """``index`` into a table of rows, but where a patch reaches, its own rows that begin at ``offset``."""
    n, m = patch.shape[2:]
    dy, dx = (s - first[:, None] for s, first in zip(seen, start, strict=True))
    reached = ((dy >= 0) & (dy < n))[:, :, None] & ((dx >= 0) & (dx < m))[:, None, :]
    first = torch.arange(len(patch), device=dy.device, dtype=dy.dtype)[:, None] * (n * m) + offset
    return torch.where(reached, (dy * m + first)[:, :, None] + dx[:, None, :], index)


def _rows(maps: Tensor) -> Tensor:
    """``(N, C, H, W)`` as one row of C values for each place."""
    return maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])


def _take(tables: list[Tensor], index: Tensor) -> Tensor:
    """Rows by their ``(masks, h, w)`` numbers, as ``(masks, C, h, w)`` with channels last in memory."""
    table = torch.cat(tables) if len(tables) > 1 else tables[0]
    return table.index_select(0, index.flatten()).view(*index.shape, -1).permute(0, 3, 1, 2)


def _find_chain(model: nn.Module, x: Tensor) -> tuple[list[Step], Tensor]:
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


def _stages(steps: list[Step]) -> tuple[list[_Stage], list[nn.Module], Tensor]:
    """The chain as stages, the layers that follow them, and the input of those for the uncovered image."""
    stages: list[_Stage] = []
    for i, (layer, before, _) in enumerate(steps):
        stage = _as_stage(layer, before) if before.ndim == 4 else None
        if stage is None:
            if not stages:
                break
            return stages, [step[0] for step in steps[i:]], before
        last = stages[-1] if stages else None
        pointwise = isinstance(layer, POINTWISE)
        if last and (pointwise or (last.can_pool and not stage.can_pool and stage.padding == (0, 0))):
            # Nothing has to be gathered for a layer that works value by value, or for a pooling behind a convolution.
            last.reach = tuple((k - 1) * s + n for k, s, n in zip(stage.reach, last.jump, last.reach, strict=True))
            last.jump = tuple(a * b for a, b in zip(last.jump, stage.jump, strict=True))
            last.run += stage.run
            last.can_pool &= pointwise
        else:
            stages.append(stage)
    raise ValueError("incremental=True needs convolutions and a classifier behind them: use incremental=False.")


def _as_stage(layer: nn.Module, before: Tensor) -> _Stage | None:
    """A convolution, pooling or activation, without padding of its own; None for a layer of another kind."""
    if isinstance(layer, POINTWISE):
        if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is None:
            return None  # normalizes with the statistics of the patch
        # The patch is nobody else's, so that a ReLU may overwrite it: fresh memory costs more than the ReLU.
        run = functional.relu_ if type(layer) is nn.ReLU else layer
        return _Stage((1, 1), (1, 1), (0, 0), 0.0, before, [run])
    if isinstance(layer, nn.Conv2d):
        if layer.padding_mode != "zeros":
            return None
        span = tuple(d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True))
        padding = {"valid": (0, 0), "same": tuple(n // 2 for n in span)}.get(layer.padding, layer.padding)
        named = {"stride": layer.stride, "dilation": layer.dilation, "groups": layer.groups}
        run = partial(functional.conv2d, weight=layer.weight, bias=layer.bias, **named)
        return _Stage(layer.stride, tuple(n + 1 for n in span), padding, 0.0, before, [run], can_pool=True)
    if not isinstance(layer, (nn.MaxPool2d, nn.AvgPool2d)) or layer.ceil_mode:
        return None
    size, stride, padding = (_pair(n) for n in (layer.kernel_size, layer.stride, layer.padding))
    if isinstance(layer, nn.MaxPool2d):
        dilation = _pair(layer.dilation)
        reach = tuple(d * (k - 1) + 1 for d, k in zip(dilation, size, strict=True))
        run = partial(functional.max_pool2d, kernel_size=size, stride=stride, dilation=dilation)
        return _Stage(stride, reach, padding, float("-inf"), before, [run])
    if padding != (0, 0) and not layer.count_include_pad:
        return None
    run = partial(functional.avg_pool2d, kernel_size=size, stride=stride, divisor_override=layer.divisor_override)
    return _Stage(stride, size, padding, 0.0, before, [run])


def _pair(n: int | Pair) -> Pair:
    return (n, n) if isinstance(n, int) else tuple(n)
