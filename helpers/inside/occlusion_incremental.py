"""Occlusion that recomputes only what a mask can reach, with the same result.

A mask of 7×7 pixels changes 9×9 of the 26×26 values behind a 3×3 convolution, 5×5 of 13×13 behind the pooling, and so
on; everything else is as in the uncovered image, which goes through once. So the network is cut into stages, a
convolution or pooling with all that follows it value by value (:mod:`helpers.inside.occlusion_chain`), and for each mask a small
patch travels through them:

1. for each stage the interval of changed outputs follows from that of changed inputs, by rows and by columns
   (:class:`_Axis`); all patches get the size of the largest interval, so that they form one batch;
2. the input of a stage, with the rim it needs, is gathered value by value from one table: the uncovered image's
   values, the padding, and the patches of the stage before (:func:`_index`);
3. masks near the border reach less: for the last and most expensive stage they are sorted by how much they reach;
4. a dense layer behind a flatten is linear: only the change is multiplied with the weights of its place, and added to
   what the uncovered image gave (:func:`_dense_change`). Any other layer gets the full maps put together.

Which values to gather depends on the geometry alone, so that the plan is kept for the next image (:func:`_plan`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from helpers.inside.occlusion_chain import Pair, View, find_chain, stages_of

# Fewer masks than this are not worth a batch of their own.
SMALL_GROUP = 24
# In more places than this the last patches are not looked at place by place.
MANY_PLACES = 16


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

    def seen(self, jump: int, reach: int, padding: int) -> Tensor:
        """Coordinates ``(masks, n)`` of the inputs that the patches see."""
        return (self.start * jump - padding)[:, None] + torch.arange((self.size - 1) * jump + reach, dtype=torch.int32)

    def of(self, members: Tensor) -> _Axis:
        """The same for some of the masks, whose patches may be smaller then."""
        return _Axis(self.low[members], self.high[members], self.length)


class _Patches(NamedTuple):
    """Where the changed values are, for each mask: their rectangle in the map, and their rows in the table.

    The value at (y, x) is in row ``first + (y - top)·pitch + (x - left)``. All but ``pitch`` are ``(masks,)``.
    """

    top: Tensor
    left: Tensor
    height: Tensor
    width: Tensor
    first: Tensor
    pitch: int

    def of(self, members: Tensor) -> _Patches:
        """Those of some of the masks."""
        return _Patches(*(column[members] for column in self[:5]), self.pitch)


class _Plan(NamedTuple):
    """Rows to gather in every stage but the last, for each group in the last one, and behind it.

    The patches behind it have one size and lie at a few ``places``, each with the numbers of its masks; when there
    would be too many, ``places`` is empty and the patches are the full maps.
    """

    stages: list[Tensor]
    groups: list[Tensor]
    last: Tensor
    places: dict[Pair, Tensor]


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
        ValueError: if the network is not one chain of modules that starts with layers that can be cut.
    """
    steps, base = find_chain(model, image[None].to(memory_format=torch.channels_last))
    stages, tail, last = stages_of(steps)
    views = tuple(stage.view for stage in stages)
    sizes = tuple(tuple(maps.shape[2:]) for maps in [*(stage.before for stage in stages), last])
    flat = isinstance(tail[0], nn.Flatten) and (tail[0].start_dim, tail[0].end_dim) == (1, -1)
    dense = flat and len(tail) > 1 and isinstance(tail[1], nn.Linear)
    logits = [base[:0]]
    for part in boxes.split(chunk):
        plan = _plan(views, sizes, tuple(map(tuple, part.tolist())), image.device)
        patches = [fill[None]]
        for stage, indices in zip(stages, [*([index] for index in plan.stages), plan.groups], strict=True):
            table = _table(stage.before, stage.pad_value, patches)
            patches = [_through(stage.run, _take(table, index)) for index in indices]
        x = _take(_table(last, 0.0, patches), plan.last)
        if not plan.places:
            logits.append(_through(tail, x))
        elif dense:
            logits.append(_through(tail[2:], _dense_change(tail[1], last, x, plan.places)))
        else:
            full = last.repeat(len(x), 1, 1, 1)
            for (y, left), some in plan.places.items():
                full[some, :, y : y + x.shape[2], left : left + x.shape[3]] = x[some]
            logits.append(_through(tail, full))
    return base[0], torch.cat(logits)


@lru_cache(maxsize=32)
def _plan(views: tuple[View, ...], sizes: tuple[Pair, ...], boxes: tuple, device: torch.device) -> _Plan:
    """The plan for a chunk of boxes.

    Args:
        views: of the stages.
        sizes: rows and columns of the image, then of every stage's output.
        boxes: top, left, bottom, right of each mask.
        device: where the tables will lie.
    """
    top, left, bottom, right = torch.tensor(boxes, dtype=torch.int32).unbind(1)
    height, width = sizes[0]
    axes = _Axis(top, bottom, height), _Axis(left, right, width)
    # The first patches are the boxes themselves, as they lie in the filling.
    patches = _Patches(top, left, bottom - top, right - left, height * width + 1 + top * width + left, width)
    stages = []
    for view, size, after in zip(views[:-1], sizes, sizes[1:], strict=False):
        axes = _behind(axes, view, after)
        stages.append(_index(_seen(axes, view), size, patches).to(device))
        patches = _placed(axes, after[0] * after[1] + 1)
    axes = reach = _behind(axes, views[-1], sizes[-1])
    reached = (axes[0].high - axes[0].low) * (sizes[-1][1] + 1) + axes[1].high - axes[1].low
    members = [(reached == kind).nonzero()[:, 0] for kind in reached.unique()]
    if len(boxes) < SMALL_GROUP * len(members):
        members = [torch.arange(len(boxes))]
    place = axes[0].start * sizes[-1][1] + axes[1].start
    places = {divmod(at, sizes[-1][1]): (place == at).nonzero()[:, 0].to(device) for at in place.unique().tolist()}
    if len(places) > MANY_PLACES:
        places, axes = {}, tuple(_Axis(0 * axis.low, 0 * axis.low + axis.length, axis.length) for axis in axes)
    y, x = _seen(axes, View((1, 1), (1, 1), (0, 0)))
    last = torch.empty(len(boxes), y.shape[1], x.shape[1], dtype=torch.int32)
    groups, row = [], sizes[-1][0] * sizes[-1][1] + 1
    for some in members:
        own = reach[0].of(some), reach[1].of(some)
        groups.append(_index(_seen(own, views[-1]), sizes[-2], patches.of(some)).to(device))
        last[some] = _index((y[some], x[some]), sizes[-1], _placed(own, row))
        row += len(some) * own[0].size * own[1].size
    return _Plan(stages, groups, last.to(device), places)


def _behind(axes: tuple[_Axis, _Axis], view: View, size: Pair) -> tuple[_Axis, _Axis]:
    return tuple(axis.behind(*numbers) for axis, *numbers in zip(axes, *view, size, strict=True))


def _placed(axes: tuple[_Axis, _Axis], row: int) -> _Patches:
    """Patches of one size that lie in the table one behind the other, from ``row`` on."""
    rows, columns = axes
    first = torch.arange(len(rows.start), dtype=torch.int32) * (rows.size * columns.size) + row
    same = torch.ones_like(first)
    return _Patches(rows.start, columns.start, same * rows.size, same * columns.size, first, columns.size)


def _seen(axes: tuple[_Axis, _Axis], view: View) -> tuple[Tensor, Tensor]:
    return tuple(axis.seen(*numbers) for axis, *numbers in zip(axes, *view, strict=True))


def _index(places: tuple[Tensor, Tensor], size: Pair, patches: _Patches) -> Tensor:
    """Rows ``(masks, h, w)`` of the table in which values are found.

    Args:
        places: of the values in their map: rows ``(masks, h)`` and columns ``(masks, w)``.
        size: rows and columns of the map.
        patches: where in it the changed values are.
    """
    y, x = places
    height, width = size
    inside = ((y >= 0) & (y < height))[:, :, None] & ((x >= 0) & (x < width))[:, None, :]
    index = torch.where(inside, (y * width)[:, :, None] + x[:, None, :], height * width)
    top, left, high, wide, first = (column[:, None] for column in patches[:5])
    dy, dx = y - top, x - left
    changed = ((dy >= 0) & (dy < high))[:, :, None] & ((dx >= 0) & (dx < wide))[:, None, :]
    return torch.where(changed, (dy * patches.pitch + first)[:, :, None] + dx[:, None, :], index)


def _dense_change(linear: nn.Linear, last: Tensor, patch: Tensor, places: dict[Pair, Tensor]) -> Tensor:
    """What a dense layer behind a flatten gives for maps that differ from ``last`` in one patch each."""
    n, m = patch.shape[2:]
    weight = linear.weight.unflatten(1, last.shape[1:]).to(memory_format=torch.channels_last).permute(0, 2, 3, 1)
    result = linear(last.flatten(1)).repeat(len(patch), 1)
    for (y, x), some in places.items():
        change = (patch[some] - last[:, :, y : y + n, x : x + m]).permute(0, 2, 3, 1).flatten(1)
        result[some] += functional.linear(change, weight[:, y : y + n, x : x + m].flatten(1))
    return result


def _table(base: Tensor, pad_value: float, patches: list[Tensor]) -> Tensor:
    """One row of C values for each place in the uncovered image's maps, one for the padding, then the patches'."""
    padding = base.new_full((1, base.shape[1]), pad_value)
    maps, *patches = (part.permute(0, 2, 3, 1).reshape(-1, base.shape[1]) for part in [base, *patches])
    return torch.cat([maps, padding, *patches])


def _through(layers: list[Callable[[Tensor], Tensor]], x: Tensor) -> Tensor:
    for layer in layers:
        x = layer(x)
    return x


def _take(table: Tensor, index: Tensor) -> Tensor:
    """Rows of the table as patches ``(masks, C, h, w)``, channels last in memory."""
    return table.index_select(0, index.flatten()).view(*index.shape, -1).permute(0, 3, 1, 2)
