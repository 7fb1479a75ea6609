"""Where windows land: output sizes, pixels left over, receptive fields. Whole numbers only, one axis at a time."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Two = tuple[int, int]
"""(rows, columns)."""

Pair = int | Two
"""One whole number for both axes, or (rows, columns)."""


def whole(value: Any, name: str, least: int) -> int:
    """Return ``value`` as an int.

    Raises:
        ValueError: says what ``name`` must be, unless it is a whole number of at least ``least``.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or number < least:
        raise ValueError(f"{name} is {value!r}: give a whole number, {least} or more.")
    return number


def pair(value: Any, name: str, least: int) -> Two:
    """Return ``value`` as (rows, columns): one whole number stands for both, two are taken as they come."""
    if type(value) is int and value >= least:
        return value, value
    if not isinstance(value, (tuple, list)):
        value = (value, value)
    if len(value) != 2:
        raise ValueError(f"{name} is {value!r}: give one whole number, or two for (rows, columns).")
    return whole(value[0], name, least), whole(value[1], name, least)


def span(kernel: int, dilation: int = 1) -> int:
    """Return how many pixels a window of ``kernel`` samples covers when they lie ``dilation`` apart: d(k−1)+1."""
    return dilation * (kernel - 1) + 1


def output_size(n: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """Return the number of places a window takes along an axis of ``n`` pixels: ⌊(n + 2p − d(k−1) − 1) / s⌋ + 1.

    Pixels at the far edge that no window reaches are counted by ``leftover``.

    Raises:
        ValueError: if not even one window fits, or a number is out of range.
    """
    n, kernel, stride, padding, dilation = _checked(n, kernel, stride, padding, dilation)
    room = n + 2 * padding - span(kernel, dilation)
    if room < 0:
        raise ValueError(
            f"a window that spans {span(kernel, dilation)} pixels does not fit into {n + 2 * padding} "
            f"({n} and {padding} of padding on each side): take a smaller kernel or dilation, or more padding."
        )
    return room // stride + 1


def leftover(n: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """Return how many pixels at the far edge (padding included) no window reaches, because one more step runs off it.

    Raises:
        ValueError: as ``output_size``.
    """
    output_size(n, kernel, stride, padding, dilation)
    n, kernel, stride, padding, dilation = _checked(n, kernel, stride, padding, dilation)
    return (n + 2 * padding - span(kernel, dilation)) % stride


@dataclass(frozen=True)
class ReceptiveField:
    """What the units of one layer see of the input, along one axis, in input pixels.

    Attributes:
        size: pixels seen by a unit.
        jump: pixels from a unit's field to its neighbor's.
        start: the first pixel seen by unit 0, negative when that lies in the padding.
        layers: the chain up to this layer, (kernel, stride, padding, dilation) each.
    """

    size: int
    jump: int
    start: int
    layers: tuple[tuple[int, int, int, int], ...] = field(default=(), repr=False, compare=False)

    def units(self, n: int) -> int:
        """Return how many units the layer has on ``n`` input pixels.

        Raises:
            ValueError: if a layer on the way does not fit.
        """
        return self._sizes(n)[-1]

    def interval(self, unit: int, n: int) -> slice:
        """Return the pixels, of ``n``, that unit number ``unit`` sees: start + unit·jump, ``size`` of them, clipped.

        Clipped layer by layer, since padding inside the network hides what lies below it; empty for a unit that sees
        nothing but padding.

        Raises:
            ValueError: if there is no such unit.
        """
        sizes, first = self._sizes(n), whole(unit, "the unit", 0)
        if first >= sizes[-1]:
            raise ValueError(f"there is no unit {first}: on {n} input pixels this layer has {sizes[-1]}, from 0 on.")
        last = first
        for (kernel, stride, padding, dilation), below in zip(self.layers[::-1], sizes[-2::-1], strict=True):
            first = max(first * stride - padding, 0)
            last = min(last * stride - padding + span(kernel, dilation), below) - 1
            if first > last:
                return slice(0, 0)
        return slice(first, last + 1)

    def box(self, row: int, column: int, image_shape: Sequence[int]) -> tuple[slice, slice]:
        """Return the part of an image of shape (..., H, W) that unit (row, column) sees: ``image[..., *box]``."""
        height, width = image_shape[-2:]
        return self.interval(row, height), self.interval(column, width)

    def _sizes(self, n: int) -> list[int]:
        """Return the number of units of every layer, the input first."""
        sizes = [whole(n, "the input size", 1)]
        for layer in self.layers:
            sizes.append(output_size(sizes[-1], *layer))
        return sizes


def receptive_field(layers: Sequence[Sequence[int]]) -> list[ReceptiveField]:
    """Return the receptive field after each layer of a chain of square convolutions and poolings.

    Going up one layer, the field grows by span − 1 steps of the layer below, the jump is multiplied by the stride, and
    padding moves the start to the left. The box is the most that a unit can see: a max pooling picks, a ReLU may close,
    a dilated window skips pixels inside it.

    Args:
        layers: (kernel, stride, padding) or (kernel, stride, padding, dilation) for each; a layer that works on single
            pixels (ReLU, dropout) is (1, 1, 0) or left out.

    Raises:
        ValueError: if a layer is written differently.
    """
    fields, below = [], ReceptiveField(size=1, jump=1, start=0)
    for number, layer in enumerate(layers):
        if not isinstance(layer, (tuple, list)) or len(layer) not in (3, 4):
            raise ValueError(
                f"layer {number} is {layer!r}: write it as (kernel, stride, padding) or "
                "(kernel, stride, padding, dilation)."
            )
        _, kernel, stride, padding, dilation = _checked(1, *layer)
        below = ReceptiveField(
            size=below.size + (span(kernel, dilation) - 1) * below.jump,
            jump=below.jump * stride,
            start=below.start - padding * below.jump,
            layers=(*below.layers, (kernel, stride, padding, dilation)),
        )
        fields.append(below)
    return fields


def _checked(n: object, kernel: object, stride: object, padding: object, dilation: object = 1) -> tuple[int, ...]:
    return (
        whole(n, "the input size", 1),
        whole(kernel, "the kernel size", 1),
        whole(stride, "stride", 1),
        whole(padding, "padding", 0),
        whole(dilation, "dilation", 1),
    )
